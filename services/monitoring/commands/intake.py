"""Take observations in: drop what was counted before, log the new ones, add them up, judge.

A crash anywhere redelivers, and the ids make that harmless: they are written in the transaction that counts.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import isfinite
from typing import Any

import msgspec
from msgspec import Struct

from libs.common.bus import Record
from libs.common.database import Transaction
from libs.common.errors import Fault, Invalid, Malformed
from libs.common.events.observations import AHEAD, REFERENCES, Observation, check, read
from libs.common.runtime import put_aside
from libs.common.telemetry import OBSERVATIONS_COUNTED
from services.monitoring.commands.amending import New, amend, count_amended
from services.monitoring.commands.counting import Entry, count, newest_at
from services.monitoring.commands.owning import by_code, sort_out
from services.monitoring.queries import bulk
from services.monitoring.queries.conflicts import conflict_listed
from services.monitoring.queries.schools import School, find_school_locked, installation_key
from services.monitoring.queries.totals import find_whole
from services.monitoring.tables import ConflictRow, SchoolRow

TOPIC = "observations"
SMALL = 16_384  # bytes decoded at once without a thread of their own
_OUTCOMES = {None: "counted", "corrects": "corrected", "retracts": "retracted"}
PHASES = {"before": 0, "during": 1, "after": 2}
# The gateway allows AHEAD by its clock; ours may be a little behind, and what was accepted must be counted.
TOLERANCE = AHEAD + timedelta(hours=1)
# Both databases add in 64 bits. What stays below LARGE would take half a billion observations to fill the upper half.
LARGE = 1 << 33
MOST = 1 << 62


class Arrived(Struct, frozen=True):
    """An observation as it stood on the bus."""

    raw: bytes
    observation: Observation


Tally = Counter[tuple[str, str]]  # source, outcome → events


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What could not be read, and why."""

    record: Record
    raw: bytes
    error: Invalid


async def take(records: Sequence[Record], tx: Transaction) -> None:
    """Count the records' observations, school by school; one bad event goes to the dead letters alone."""
    if sum(len(record.value) for record in records) < SMALL:
        arrived, unreadable = _read(records)
    else:
        arrived, unreadable = await asyncio.to_thread(_read, records)
    for each in unreadable:
        _refuse(tx, each.record.key, each.raw, each.error)
    for code, events in arrived.items():
        found = await find_school_locked(tx, code)
        if found is None:
            for event in events:
                _refuse(tx, code, event.raw, Invalid(f"no school is called {code!r}"))
            continue
        tally: Tally = Counter()
        await _count_school(tx, *found, await _addable(tx, found[1], await _owned(tx, found[1], events, tally)), tally)
        today = found[1].calendar.day_of(tx.now)
        await bulk.add_tally(tx, [(found[1].id, source, today, outcome, n) for (source, outcome), n in tally.items()])


def _read(records: Sequence[Record]) -> tuple[dict[str, list[Arrived]], list[Unreadable]]:
    arrived: dict[str, list[Arrived]] = defaultdict(list)
    unreadable = []
    for record in records:
        try:
            raws = _split(record.value)
        except (Malformed, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            unreadable.append(Unreadable(record, record.value, Invalid(f"not readable: {error}")))
            continue
        for raw in raws:
            try:
                observation = read(raw)
                _refuse_other_school(observation, record)
            except (Malformed, Invalid) as error:
                unreadable.append(Unreadable(record, raw, error if isinstance(error, Invalid) else Invalid(error.detail)))
            else:
                arrived[record.key].append(Arrived(raw, observation))
    return arrived, unreadable


def _refuse_other_school(observation: Observation, record: Record) -> None:
    if (observation.school or record.key) != record.key:
        fault = Fault(pointer="/school", detail="is not the record's key")
        raise Invalid(f"the event is of school {observation.school!r}, the record's key is {record.key!r}", [fault])


_raws = msgspec.json.Decoder(list[msgspec.Raw])


def _split(value: bytes) -> list[bytes]:
    """A record is one event or an array of events."""
    if value.lstrip()[:1] == b"[":
        return [bytes(raw) for raw in _raws.decode(value)]
    return [value]


async def _owned(tx: Transaction, school: School, events: Sequence[Arrived], tally: Tally) -> Sequence[Arrived]:
    """Keep what is right and the metric's to count; list what comes from another source than the metric's one."""
    owned, foreign, refused = await sort_out(tx, school, _checked(tx, school, by_code(school, events), tally))
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


async def _addable(tx: Transaction, school: School, events: Sequence[Arrived]) -> Sequence[Arrived]:
    """Put aside what would make a metric's sums larger than what is added up exactly.

    No sum of a metric is larger than the school's over all days: only that one is looked at, and only for large numbers.
    """
    large = [event for event in events if _size(event) >= LARGE]
    if not large:
        return events
    key = await installation_key(tx)
    counted = await bulk.find_counted(tx, school.id, {event.observation.id_hash(key) for event in large})
    ids = {metric: school.metric_ids[metric] for metric in {event.observation.metric for event in large}}
    room = {metric: MOST - await find_whole(tx.session, metric_id) for metric, metric_id in ids.items()}
    right = []
    for event in events:
        metric, size = event.observation.metric, _size(event)
        if size < LARGE or event.observation.id_hash(key) in counted:
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


async def _count_school(tx: Transaction, row: SchoolRow, school: School, events: Sequence[Arrived], tally: Tally) -> None:
    """Count what is new, in order: runs of observations at once, what amends or is amended one by one."""
    new = await _not_counted_before(tx, row, school, events, tally)
    tally.update((each.observation.source, _OUTCOMES[each.observation.amends]) for each in new)
    tx.school = school.code
    run: list[New] = []
    for each in new:
        if each.observation.amends is None and each.id not in school.pending:
            run.append(each)
            continue
        await _count_run(tx, row, school, run, tally)
        run = []
        await _count_single(tx, row, school, each, tally)
    await _count_run(tx, row, school, run, tally)
    if new:
        tx.when_committed.append(lambda: OBSERVATIONS_COUNTED.labels("counted").inc(len(new)))


async def _count_single(tx: Transaction, row: SchoolRow, school: School, new: New, tally: Tally) -> None:
    row.position = new.position
    if new.observation.amends != "retracts":
        await _log(tx, school, [new], tally, ended_by=0)  # it does not stand yet
    if new.observation.amends is None:
        await count_amended(tx, row, school, new)
    else:
        await amend(tx, row, school, new)


async def _count_run(tx: Transaction, row: SchoolRow, school: School, new: Sequence[New], tally: Tally) -> None:
    if not new:
        return
    days = await _log(tx, school, new, tally)
    entries = []
    for each, day in zip(new, days, strict=True):
        o = each.observation
        subjects = school.roster.subjects(o.references, day)
        numbers = (o.metric, day, o.numerator, o.denominator)
        entries.append(Entry(each.position, *numbers, subjects, each.cause, o.traceparent, o.recorded_at, newest_at(school, o)))
    row.position = new[-1].position
    await count(tx, school, entries)


async def _log(tx: Transaction, school: School, new: Sequence[New], tally: Tally, ended_by: int | None = None) -> list[int]:
    """Append to the log; return the school's day of each. Notes what came late, and what named ids that are not known."""
    today = school.calendar.day_of(tx.now)
    words = await school.words_of(tx, _words(new))
    counted_at = int(tx.now.timestamp() * 1_000_000)
    log, unplaced, days = [], [], []
    for each in new:
        o = each.observation
        day = school.calendar.day_of(o.time)
        named = o.references
        log.append(
            (
                school.id,
                each.position,
                school.metric_ids[o.metric],
                int(o.time.timestamp() * 1_000_000),
                day,
                o.numerator,
                o.denominator,
                words["source", o.source],
                o.id,
                PHASES[o.phase] if o.phase else None,
                counted_at,
                *[words[kind, named[kind]] if kind in named else None for kind in REFERENCES],
                None,
                ended_by,
            )
        )
        days.append(day)
        if day < today:
            tally[o.source, "late"] += 1
        if missing := school.roster.unknown(named):
            tally[o.source, "unknown_id"] += 1
            unplaced += [(words[word], each.position) for word in missing]
    await bulk.add_observations(tx, log)
    await bulk.add_unplaced(tx, unplaced)
    return days


def _words(new: Sequence[New]) -> set[tuple[str, str]]:
    words = {("source", each.observation.source) for each in new}
    for each in new:
        words.update(each.observation.references.items())
    return words


async def _not_counted_before(
    tx: Transaction, row: SchoolRow, school: School, events: Sequence[Arrived], tally: Tally
) -> list[New]:
    """Keep what is new, in order; note ids that came again with other content. The first stands."""
    key = await installation_key(tx)
    hashed = [(event.observation.id_hash(key), event) for event in events]
    counted = await bulk.find_counted(tx, school.id, {id_ for id_, _ in hashed})
    new: list[New] = []
    ids = []
    for id_, event in hashed:
        content = event.observation.content_hash()
        if (first := counted.get(id_)) is None:
            position = row.position + len(new) + 1
            counted[id_] = (content, position)
            ids.append((school.id, id_, content, position))
            new.append(New(position, id_, event.observation))
        elif first[0] != content:
            tally[event.observation.source, "conflict"] += 1
            await _note_conflict(tx, school, event, content, first[1])
        else:
            tally[event.observation.source, "duplicate"] += 1
            tx.when_committed.append(OBSERVATIONS_COUNTED.labels("duplicate").inc)
    await bulk.add_ids(tx, ids)
    return new


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
