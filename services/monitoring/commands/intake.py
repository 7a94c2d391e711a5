"""Take observations in: drop what was counted before, log the new ones, add them up, judge.

A crash anywhere redelivers, and the ids make that harmless: they are written in the transaction that counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from itertools import repeat
from math import isfinite
from typing import Any

import msgspec
import numpy as np
from sqlalchemy.orm.attributes import set_committed_value

from libs.common.database import Transaction
from libs.common.errors import Invalid
from libs.common.events.observations import AHEAD, REFERENCES, Content, check
from libs.common.runtime import put_aside
from libs.common.telemetry import OBSERVATIONS_COUNTED
from services.monitoring.commands.amending import New, amend, count_amended
from services.monitoring.commands.columns import Columns, columns_of
from services.monitoring.commands.counting import count, look_up
from services.monitoring.commands.owning import by_code, sort_out
from services.monitoring.commands.plain import by_columns
from services.monitoring.commands.reading import Arrivals, Arrived, Batch
from services.monitoring.domain.log import PHASES, Mask, Stretch
from services.monitoring.queries import bulk
from services.monitoring.queries.amendments import find_contents
from services.monitoring.queries.conflicts import conflict_listed
from services.monitoring.queries.ids import add_ids, find_counted
from services.monitoring.queries.log import add_to_log
from services.monitoring.queries.schools import School, begin_counting, installation_key
from services.monitoring.queries.totals import find_whole
from services.monitoring.tables import ConflictRow, SchoolRow

TOPIC = "observations"
_OUTCOMES = {None: "counted", "corrects": "corrected", "retracts": "retracted"}
_PHASES: dict[str | None, int] = {None: 0, **{phase: n for n, phase in enumerate(PHASES, 1)}}
# The gateway allows AHEAD by its clock; ours may be a little behind, and what was accepted must be counted.
TOLERANCE = AHEAD + timedelta(hours=1)
# Both databases add in 64 bits. What stays below LARGE would take half a billion observations to fill the upper half.
LARGE = 1 << 33
MOST = 1 << 62


Tally = Counter[tuple[str, str]]  # source, outcome → events


async def take(batch: Batch, tx: Transaction) -> None:
    """Count a batch's observations, school by school; one bad event goes to the dead letters alone."""
    for each in batch.unreadable:
        _refuse(tx, each.school, each.raw, each.error)
    for code, arrivals in sorted(batch.arrived.items(), key=lambda each: each[0]):  # the order in which all hold schools
        found = await begin_counting(tx, code)
        if found is None:
            for raw in arrivals.raws:
                _refuse(tx, code, raw, Invalid(f"no school is called {code!r}"))
            continue
        key = await installation_key(tx)
        tally: Tally = Counter()
        if (at_once := by_columns(found[1], arrivals, key, tx.now + TOLERANCE, LARGE)) is not None:
            await _count_columns(tx, *found, arrivals, *at_once, tally)
        else:
            events = await _owned(tx, *found, arrivals.one_by_one(key), tally)
            await _count_one_by_one(tx, *found, await _addable(tx, *found, events), tally)


async def _owned(tx: Transaction, row: SchoolRow, school: School, events: Sequence[Arrived], tally: Tally) -> Sequence[Arrived]:
    """Keep what is right and the metric's to count; list what comes from another source than the metric's one."""
    owned, foreign, refused = await sort_out(tx, school, row.position, _checked(tx, school, by_code(school, events), tally))
    for event in foreign:
        tally[event.observation.source, "conflict"] += 1
        await _note_conflict(tx, school, event, b"", 0, "source")
    for event, fault in refused:
        tally[event.observation.source, "refused"] += 1
        _refuse(tx, school.code, event.raw, Invalid(f"{fault['pointer']}: {fault['detail']}", [fault]))
    return owned


def _checked(tx: Transaction, school: School, events: Sequence[Arrived], tally: Tally) -> list[Arrived]:
    right = []
    latest = tx.now + TOLERANCE
    for event in events:
        if (fault := check(event.observation, school.rules, latest)) is None:
            right.append(event)
        else:
            tally[event.observation.source, "refused"] += 1
            _refuse(tx, school.code, event.raw, Invalid(f"{fault['pointer']}: {fault['detail']}", [fault]))
    return right


async def _addable(tx: Transaction, row: SchoolRow, school: School, events: Sequence[Arrived]) -> Sequence[Arrived]:
    """Put aside what would make a metric's sums larger than what is added up exactly.

    No sum of a metric is larger than the school's over all days: only that one is looked at, and only for large numbers.
    """
    large = [event for event in events if _size(event) >= LARGE]
    if not large:
        return events
    counted = await find_counted(tx, school.id, row.position, [event.id for event in large])
    ids = {metric: school.metric_ids[metric] for metric in {event.observation.metric for event in large}}
    room = {metric: MOST - await find_whole(tx.session, metric_id) for metric, metric_id in ids.items()}
    right = []
    for event in events:
        metric, size = event.observation.metric, _size(event)
        if size < LARGE or event.id in counted:
            right.append(event)
        elif size > room[metric]:
            _refuse(tx, school.code, event.raw, Invalid(f"the sums of {metric!r} would grow past what is added up exactly"))
        else:
            room[metric] -= size
            right.append(event)
    return right


def _size(event: Arrived) -> int:
    return max(abs(event.observation.numerator), event.observation.denominator)


def _refuse(tx: Transaction, school: str, raw: bytes, error: Invalid) -> None:
    tx.school = school
    put_aside(tx, "monitoring", TOPIC, school, raw, error)
    tx.when_committed.append(lambda: OBSERVATIONS_COUNTED.labels("refused").inc())


async def _count_columns(
    tx: Transaction, row: SchoolRow, school: School, arrivals: Arrivals, columns: Columns, ids: Sequence[bytes], tally: Tally
) -> None:
    """Count what is new of what came, all of it at once."""

    def arrived(at: int) -> Arrived:
        return Arrived(arrivals.raws[at], columns.observation(at), ids[at])

    new = await _not_counted_before(tx, row, school, ids, arrived, tally)
    counted = columns.take(new) if len(new) < len(ids) else columns
    tally.update(zip(counted.sources, repeat("counted")))
    tx.school = school.code
    await _count_run(tx, row, school, row.position + 1, counted, tally)
    _remember(tx, school, [ids[at] for at in new], tally)


async def _count_one_by_one(tx: Transaction, row: SchoolRow, school: School, events: Sequence[Arrived], tally: Tally) -> None:
    """Count what is new, in order: runs of observations at once, what amends or is amended one by one."""
    ids = [event.id for event in events]
    found = await _not_counted_before(tx, row, school, ids, events.__getitem__, tally)
    new = [New(position, ids[at], events[at].observation) for position, at in enumerate(found, row.position + 1)]
    tally.update((each.observation.source, _OUTCOMES[each.observation.amends]) for each in new)
    tx.school = school.code
    run: list[New] = []
    for each in new:
        if each.observation.amends is None and (not school.pending or each.id not in school.pending):
            run.append(each)
            continue
        await _count_new(tx, row, school, run, tally)
        run = []
        await _count_single(tx, row, school, each, tally)
    await _count_new(tx, row, school, run, tally)
    _remember(tx, school, [each.id for each in new], tally)


def _remember(tx: Transaction, school: School, ids: Sequence[bytes], tally: Tally) -> None:
    """Write before the commit which ids were counted, and what the tally of the day gets."""
    today = school.calendar.day_of(tx.now)
    rows = [(school.id, source, today, outcome, n) for (source, outcome), n in tally.items()]
    tx.before_commit.append(partial(add_ids, tx, school.id, school.through + 1, ids))
    tx.before_commit.append(partial(bulk.add_tally, tx, rows))
    if ids:
        tx.when_committed.append(lambda: OBSERVATIONS_COUNTED.labels("counted").inc(len(ids)))


async def _count_single(tx: Transaction, row: SchoolRow, school: School, new: New, tally: Tally) -> None:
    await tx.write_put_off()
    row.position = new.position
    if new.observation.amends != "retracts":
        await _log(tx, school, new.position, columns_of([new.observation]), tally, ended_by=0)  # it does not stand yet
    if new.observation.amends is None:
        await count_amended(tx, row, school, new)
    else:
        await amend(tx, row, school, new)


async def _count_new(tx: Transaction, row: SchoolRow, school: School, new: Sequence[New], tally: Tally) -> None:
    if new:
        await _count_run(tx, row, school, new[0].position, columns_of([each.observation for each in new]), tally)


async def _count_run(tx: Transaction, row: SchoolRow, school: School, first: int, columns: Columns, tally: Tally) -> None:
    """Count observations at once, which stand from the position `first` on in the order of counting."""
    if not len(columns):
        return
    await tx.write_put_off()
    set_committed_value(row, "position", first + len(columns) - 1)  # the session need not write it: the log's statement does
    async with tx.together():
        stretch = await _log(tx, school, first, columns, tally, through=row)
        standing = await look_up(tx, school, stretch, columns)
    await count(tx, standing)


async def _log(
    tx: Transaction,
    school: School,
    first: int,
    observations: Columns,
    tally: Tally,
    *,
    ended_by: int | None = None,
    through: SchoolRow | None = None,
) -> Stretch:
    """Append to the log, from the position `first` on; note what came late, what named ids that are not known, and which lessons are of
    which classes.

    `through`: the position of this school is written with it.
    """
    stretch = await _in_words(tx, school, first, observations)
    columns, sources = stretch.columns, school.words.of("source")
    late = columns["day"] < school.calendar.day_of(tx.now)
    unknown, unplaced = _unknown(school, stretch, observations)
    for source in set(observations.sources):
        mine = columns["source"] == sources[source]
        for outcome, mask in (("late", late), ("unknown_id", unknown)):
            if n := int((mine & mask).sum()):
                tally[source, outcome] += n
    lessons, classes = columns["lesson"], columns["class"]
    pairs = set(zip(lessons.tolist(), classes.tolist(), strict=True)) - school.taught if lessons.any() else set()
    async with tx.together():
        await add_to_log(tx, school.id, stretch, ended_by)
        await tx.update(SchoolRow, [] if through is None else [{"id": through.id, "position": through.position}])
        await bulk.add_unplaced(tx, [(school.id, word, int(stretch.positions[row])) for word, row in unplaced.items()])
        await bulk.add_taught(tx, sorted(pair for pair in pairs if all(pair)))
    school.unplaced |= unplaced.keys()
    school.taught |= pairs
    return stretch


async def _in_words(tx: Transaction, school: School, first: int, observations: Columns) -> Stretch:
    """The observations as the log has them: what they name as the integers of words."""
    count = len(observations)
    words = await school.columns(tx, {**dict(zip(REFERENCES, observations.named, strict=True)), "source": observations.sources})
    columns = {
        "metric": np.fromiter(map(school.metric_ids.__getitem__, observations.metrics), dtype=np.int64, count=count),
        "time": observations.time,
        "day": school.calendar.days_of(observations.time),
        "numerator": observations.numerator,
        "denominator": observations.denominator,
        "phase": np.fromiter(map(_PHASES.__getitem__, observations.phases), dtype=np.int64, count=count),
        "counted_at": np.full(count, int(tx.now.timestamp() * 1_000_000), dtype=np.int64),
    }
    return Stretch(np.arange(first, first + count, dtype=np.int64), {**columns, **words}, observations.events)


def _unknown(school: School, stretch: Stretch, observations: Columns) -> tuple[Mask, dict[int, int]]:
    """Where an id is named that would place the observation if the roster knew it; and the row in which each was named first."""
    missing = np.zeros(len(stretch), dtype=np.bool_)
    first: dict[int, int] = {}
    for kind, known in school.roster.placing.items():
        words, named = stretch.columns[kind].tolist(), observations.named[REFERENCES.index(kind)]
        rows = dict(zip(reversed(words), range(len(words) - 1, -1, -1), strict=True))  # in which a word stands first
        unknown = sorted(word for word, row in rows.items() if word and named[row] not in known)
        first |= {word: rows[word] for word in unknown if word not in school.unplaced}
        if unknown:
            missing |= np.isin(stretch.columns[kind], unknown)
    return missing, first


async def _not_counted_before(
    tx: Transaction, row: SchoolRow, school: School, ids: Sequence[bytes], arrived: Callable[[int], Arrived], tally: Tally
) -> Sequence[int]:
    """Say which of these, in order, are new; note ids that came again with other content. The first stands."""
    counted = await find_counted(tx, school.id, row.position, ids)
    new = {id_: position for position, id_ in enumerate(ids, row.position + 1)}
    again: list[tuple[int, int]] = []
    rows: Sequence[int] = range(len(ids))
    if counted or len(new) < len(ids):
        new, rows = {}, []
        for at, id_ in enumerate(ids):
            if (position := counted.get(id_)) is not None:
                again.append((at, position))
            elif (position := new.get(id_)) is not None:
                first = arrived(rows[position - row.position - 1])
                await _note_again(tx, school, arrived(at), first.observation.content, position, tally)
            else:
                rows.append(at)
                new[id_] = row.position + len(rows)
    contents = await find_contents(tx.session, school.id, {position for _, position in again})
    for at, position in again:
        await _note_again(tx, school, arrived(at), contents[position], position, tally)
    school.through, school.arriving = row.position, new
    return rows


async def _note_again(tx: Transaction, school: School, event: Arrived, first: Content, position: int, tally: Tally) -> None:
    """An id that was counted has come again: a duplicate, or a conflict where it says something else than the first."""
    o = event.observation
    if o.content != first:
        tally[o.source, "conflict"] += 1
        await _note_conflict(tx, school, event, o.content_hash(), position)
    else:
        tally[o.source, "duplicate"] += 1
        tx.when_committed.append(OBSERVATIONS_COUNTED.labels("duplicate").inc)


def _float(text: str) -> float | str:
    """A number as JSON columns can hold it; one that no float holds, as its text."""
    return number if isfinite(number := float(text)) else text


_plain = msgspec.json.Decoder(dict[str, Any], float_hook=_float)


async def _note_conflict(
    tx: Transaction, school: School, event: Arrived, content: bytes, position: int, why: str = "content"
) -> None:
    o = event.observation
    if not await conflict_listed(tx.session, school.id, o.source, o.id, content):
        tx.session.add(
            ConflictRow(
                school_id=school.id,
                source=o.source,
                event=o.id,
                content=content,
                why=why,
                position=position,
                refused=_plain.decode(event.raw),
                found_at=tx.now,
            )
        )
        await tx.session.flush()
    tx.when_committed.append(OBSERVATIONS_COUNTED.labels("conflict").inc)
