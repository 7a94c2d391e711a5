"""Add observations up and judge the sums, in the order of counting.

The one path by which a sum changes: new observations, and old ones whose subjects the roster has only now made known. The
result does not depend on where batches end: any split of a log gives the same warnings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from libs.common.database import Transaction
from libs.common.events.observations import REFERENCES
from services.monitoring.commands.attributing import Subjects, attribute
from services.monitoring.commands.columns import Columns
from services.monitoring.commands.deciding import Deciding
from services.monitoring.commands.entries import Entry, newest_at
from services.monitoring.commands.folding import Before, Cell, Cells, Warned, able_to_turn, fold
from services.monitoring.commands.telling import note_changed
from services.monitoring.commands.warnings import Judged, Ledger
from services.monitoring.domain.attribution import LEVEL_CODE, LEVELS, series_key
from services.monitoring.domain.episodes import Indicator, Sum, in_force, judge
from services.monitoring.domain.log import Ints, Mask, Stretch
from services.monitoring.domain.windows import Window
from services.monitoring.queries import bulk
from services.monitoring.queries.history import History
from services.monitoring.queries.lessons import find_ended
from services.monitoring.queries.log import list_standing_of
from services.monitoring.queries.schools import School

_NOBODY = np.zeros(0, dtype=np.int64)
Spots = Mapping[tuple[str, tuple[str, str]], tuple[int, int, bool]]  # what `resolve` finds


async def look_up(tx: Transaction, school: School, stretch: Stretch, observations: Columns) -> Standing:
    """Find what a stretch of the log adds to which sums, and what stood there before it."""
    subjects = await attribute(tx, school, stretch, observations)
    latest = [school.metric_ids[metric] for metric, rule in school.rules.items() if rule.kind == "latest"]
    newest_only = np.isin(stretch.columns["metric"], latest)
    cells = fold(school, stretch, subjects, np.flatnonzero(~newest_only))
    at = np.flatnonzero(cells.watched)
    sums = await bulk.ask_sums(tx, cells.series[at], cells.window[at], cells.start[at])
    levels = sorted({level for _, level in school.watch})
    words = np.unique(np.concatenate([_NOBODY, *(subjects.words[level] for level in levels)]))
    uncleared = await bulk.ask_warned(tx, school.id, words[words > 0])
    before, warned = _before(cells, at, await sums()), _warned(school, await uncleared())
    return Standing(_Batch(school, stretch, observations, subjects), newest_only, cells, before, warned)


async def count(tx: Transaction, standing: Standing) -> None:
    """Add the stretch to the sums and judge what an indicator watches; written before the commit, or before something reads it."""
    batch, cells, school = standing.batch, standing.cells, standing.batch.school
    watched = _watched(batch, cells, standing.before, standing.warned)
    entries = [batch.entry(row, whole=True) for row in np.flatnonzero(standing.newest_only).tolist()]
    newest, more = await _newest(tx, school, entries)
    watched = sorted([*watched, *more], key=lambda each: each.entry.place) if more else watched
    words = {word for known in standing.warned.values() for word in known.tolist()}
    bench = await _Bench.prepare(tx, school, watched, _known(cells, standing.before, watched), words)
    for each in watched:
        bench.judge(each)
    await bench.ledger.prepare()
    tx.before_commit += [partial(_add, tx, school, cells, newest), bench.ledger.send]


def _warned(school: School, rows: Iterable[Sequence[Any]]) -> Warned:
    """The words of the subjects that have an uncleared warning, by (metric, level) of the indicator's versions."""
    warned: dict[tuple[int, str], list[int]] = defaultdict(list)
    for word, code in rows:
        for version in school.versions[code]:
            warned[school.metric_ids[version.metric], version.level].append(word)
    return {place: np.array(found, dtype=np.int64) for place, found in warned.items()}


def _before(cells: Cells, at: Ints, rows: Sequence[Sequence[int]]) -> Before:
    """What stood in each cell that an indicator watches, at these indexes."""
    numbers = np.zeros((3, len(cells.series)), dtype=np.int64)
    if rows:
        found = np.array(rows, dtype=np.int64).T
        numbers[:, at[found[0]]] = found[1:]
    numerator, denominator, revision = numbers
    return Before(numerator, denominator, revision)


async def _add(tx: Transaction, school: School, cells: Cells, newest: Mapping[Cell, Sum]) -> None:
    measured_at = int(tx.now.timestamp() * 1_000_000)
    numbers = (cells.numerator, cells.denominator, cells.observations)
    await bulk.add_totals(tx, (cells.series, cells.window, cells.start, *numbers, np.full(len(cells.series), measured_at)))
    await bulk.add_newest(tx, [(*cell, s.numerator, s.denominator, s.revision, measured_at, s.at) for cell, s in newest.items()])
    if school.compared or school.followed:
        await note_changed(tx, school, [*cells.keys(), *newest])


def _watched(batch: _Batch, cells: Cells, before: Before, warned: Warned) -> list[_Watched]:
    """What has to be judged one after the other, in the order of counting: of the series where some window's sum can turn, every
    observation; of those that have a warning and cannot, what each cell comes to.
    """
    if not cells.watched.any():
        return []
    turns = able_to_turn(batch.school, batch.stretch, cells, before, warned)
    series = np.unique(cells.series[turns.able])
    each = np.flatnonzero(cells.spread((cells.window == Window.DAY) & np.isin(cells.series, series)))
    levels = cells.spread(cells.level)[each].tolist()
    watched = [batch.watched(LEVELS[level], row) for level, row in zip(levels, cells.order[each].tolist(), strict=True)]
    shown = np.flatnonzero(turns.shown & ~np.isin(cells.series, series)).tolist()
    watched += [batch.shown(cells, cell) for cell in shown]
    return sorted(watched, key=lambda each: (each.entry.place, LEVEL_CODE[each.level]))


def _known(cells: Cells, before: Before, watched: Sequence[_Watched]) -> dict[Cell, Sum]:
    """What stood in the cells of the series that are judged one after the other."""
    here = cells.watched & np.isin(cells.series, [each.series for each in watched])
    sums = zip(*(column[here].tolist() for column in (before.numerator, before.denominator, before.revision)), strict=True)
    return {key: Sum(*numbers) for key, numbers in zip(cells.keys(here), sums, strict=True)}


@dataclass
class _Batch:
    """A stretch that is being counted, and its observations one by one where they are needed so."""

    school: School
    stretch: Stretch
    observations: Columns
    subjects: Subjects
    entries: dict[int, Entry] = field(default_factory=dict)

    def entry(self, row: int, *, whole: bool = False) -> Entry:
        """A row as an entry; `whole`: with all its subjects, else with its class alone."""
        if (known := self.entries.get(row)) is not None and not whole:
            return known
        o, school = self.observations.observation(row), self.school
        if whole:
            named = {level: self.subjects.code(level, row) for level, words in self.subjects.words.items() if words[row]}
        else:
            named = {} if (class_id := o.named[_CLASS]) is None else {"class": class_id}
        metric, day = school.metrics[int(self.stretch.columns["metric"][row])], int(self.stretch.columns["day"][row])
        place, cause = int(self.stretch.positions[row]), f"{o.source}|{o.id}"
        numbers = (o.numerator, o.denominator)
        entry = Entry(place, metric, day, *numbers, named, cause, o.traceparent, o.recorded_at, newest_at(school, o))
        self.entries[row] = entry
        return entry

    def watched(self, level: str, row: int) -> _Watched:
        """A row as it is judged at a level."""
        entry = self.entry(row)
        word = int(self.subjects.words[level][row])
        series = series_key(self.school.metric_ids[entry.metric], LEVEL_CODE[level], word)
        starts = self.school.starts((entry.metric, level), entry.day)
        return _Watched(entry, level, self.subjects.code(level, row), word, series, starts, entry.total)

    def shown(self, cells: Cells, cell: int) -> _Watched:
        """All that a cell gets as one, in the place of its last row."""
        last = int(cells.order[cells.bounds[cell] + cells.observations[cell] - 1])
        total = Sum(int(cells.numerator[cell]), int(cells.denominator[cell]), int(cells.observations[cell]))
        watched = self.watched(LEVELS[int(cells.level[cell])], last)
        return replace(watched, starts={Window(int(cells.window[cell])): int(cells.start[cell])}, total=total)


@dataclass(frozen=True)
class Standing:
    """A stretch with its sums: what it adds, what stood in each cell before it, and who has an uncleared warning."""

    batch: _Batch
    newest_only: Mask  # rows of metrics of kind `latest`
    cells: Cells
    before: Before
    warned: Warned


_CLASS = REFERENCES.index("class")


async def _newest(tx: Transaction, school: School, entries: Sequence[Entry]) -> tuple[dict[Cell, Sum], list[_Watched]]:
    """What the entries of metrics of kind `latest` make of their sums, and those that are watched."""
    spots = await resolve(tx, school, entries)
    newest: dict[Cell, Sum] = defaultdict(Sum)
    watched = []
    for entry in entries:
        for cell in cells_of(school, spots, entry):
            newest[cell] += entry.total
        for item in entry.subjects.items():
            word, series, judged = spots[entry.metric, item]
            if judged:
                starts = school.starts((entry.metric, item[0]), entry.day)
                watched.append(_Watched(entry, *item, word, series, starts, entry.total))
    return newest, watched


async def recount(tx: Transaction, school: School, gone: Sequence[Entry], come: Sequence[Entry]) -> dict[tuple[str, str], set[str]]:
    """Take entries out of the sums and put others in, without judging; return the (metric, level) and subjects that changed."""
    spots = await resolve(tx, school, [*gone, *come])
    numbers: dict[Cell, Sum] = defaultdict(Sum)
    places: dict[Cell, set[int]] = defaultdict(set)
    changed: dict[tuple[str, str], set[str]] = defaultdict(set)
    anew: set[tuple[str, str, str, int, int]] = set()
    for sign, entries in ((-1, gone), (1, come)):
        for entry in entries:
            for item in entry.subjects.items():
                changed[entry.metric, item[0]].add(item[1])
                if entry.at >= 0:
                    anew.add((entry.metric, *item, spots[entry.metric, item][1], entry.day))
            for cell in cells_of(school, spots, entry) if entry.at < 0 else ():
                numbers[cell] += Sum(sign * entry.numerator, sign * entry.denominator)
                places[cell].add(entry.place)
    measured_at = int(tx.now.timestamp() * 1_000_000)
    rows = [(*cell, total.numerator, total.denominator, len(places[cell]), measured_at) for cell, total in numbers.items()]
    await bulk.add_totals(tx, bulk.columns_of(rows))
    await note_changed(tx, school, rows)
    await find_newest_anew(tx, school, anew)
    return changed


async def find_newest_anew(tx: Transaction, school: School, cells: Iterable[tuple[str, str, str, int, int]]) -> int:
    """Look in the log for the newest observation of these (metric, level, subject, series, day): what went may have been it.

    Returns how many sums were not what they should be.
    """
    wrong = 0
    measured_at = int(tx.now.timestamp() * 1_000_000)
    for metric, level, subject, series, day in sorted(cells):
        windows = {Window.DAY: day, **(school.starts((metric, level), day) if (metric, level) in school.watch else {})}
        for window, start in windows.items():
            found = Sum()
            days = school.calendar.days(window, start)
            for o in sorted(await list_standing_of(tx.session, school.id, school.metric_ids[metric], days), key=lambda o: o.place):
                if school.roster.subjects(o.references, o.day).get(level) == subject:
                    found += Sum(o.numerator, o.denominator, 0, newest_at(school, o))
            if await bulk.set_newest(tx, (series, window, start), found, measured_at):
                await note_changed(tx, school, [(series, window, start)])
                wrong += 1
    return wrong


def cells_of(school: School, spots: Spots, entry: Entry) -> Iterator[Cell]:
    """The sums that an entry is part of: its day, and the longer windows that an indicator watches, of each of its subjects."""
    for item in entry.subjects.items():
        _, series, judged = spots[entry.metric, item]
        starts = school.starts((entry.metric, item[0]), entry.day) if judged else {}
        for window, start in {**starts, Window.DAY: entry.day}.items():
            yield series, window, start


async def resolve(
    tx: Transaction, school: School, entries: Sequence[Entry]
) -> dict[tuple[str, tuple[str, str]], tuple[int, int, bool]]:
    """Map each (metric, (level, subject)) of the entries to its word, its series, and whether an indicator watches there."""
    wanted = {(entry.metric, item) for entry in entries for item in entry.subjects.items()}
    words = await school.words_of(tx, {item for _, item in wanted})
    keys = {(metric, item): (school.metric_ids[metric], LEVEL_CODE[item[0]], words[item]) for metric, item in wanted}
    return {at: (key[2], series_key(*key), (at[0], at[1][0]) in school.watch) for at, key in keys.items()}


class _Watched(Struct):
    """An entry at a level that an indicator watches; `starts` maps the windows judged there to their first days, `total` is what
    it adds to each.
    """

    entry: Entry
    level: str
    subject: str
    word: int
    series: int
    starts: Mapping[Window, int]
    total: Sum


@dataclass
class _Bench:
    """What judging a batch needs: the sums before it, the deciding windows, and the uncleared warnings."""

    school: School
    ledger: Ledger
    running: dict[Cell, Sum]
    deciding: Deciding
    history: History
    ended: set[tuple[str, int, int]]  # lessons that were judged at their end: code, version, word

    @classmethod
    async def prepare(
        cls, tx: Transaction, school: School, watched: Sequence[_Watched], running: dict[Cell, Sum], warned: set[int]
    ) -> _Bench:
        """Read what stood before the batch; `running` has the sums that were read already, `warned` the words of the subjects that
        have an uncleared warning.
        """
        cells = {(each.series, window, start) for each in watched for window, start in each.starts.items()}
        places = {(each.entry.metric, each.level) for each in watched}
        codes = {code for place in places for code in school.watch[place]}
        running |= await bulk.find_totals(tx, sorted(cells - running.keys()))
        ledger = await Ledger.open(tx, school, codes, warned & {each.word for each in watched})
        keys: dict[tuple[str, str], set[int]] = defaultdict(set)
        for each in watched:
            keys[each.entry.metric, each.level].add(each.series)
        history = History()
        alike: dict[tuple[Window, int, int | None], list[tuple[Indicator, set[int]]]] = defaultdict(list)
        for place, series in keys.items():
            for indicator in (version for versions in school.watch[place].values() for version in versions):
                through = _judged_through(school, indicator)
                for least in indicator.leasts:
                    alike[indicator.window, least, through].append((indicator, series))
                    await history.read(tx, indicator, least, cells, series, through, running)
        deciding = await Deciding.read(tx, alike, cells)
        after_lessons = {
            v.code for place in places for vs in school.watch[place].values() for v in vs if v.lesson_minutes is not None
        }
        ended = await find_ended(tx.session, school.id, after_lessons, {each.word for each in watched})
        return cls(school, ledger, running, deciding, history, ended)

    def judge(self, each: _Watched) -> None:
        """Add one observation to the running sums of one subject and judge each indicator there."""
        entry, key = each.entry, each.series
        added = each.total
        for window, start in each.starts.items():
            cell = (key, window, start)
            before = self.running.get(cell)
            self.running[cell] = added if before is None else before + added
        if entry.at >= 0:
            self._note_newest(each)
        for code, versions in self.school.watch[entry.metric, each.level].items():
            indicator = in_force(self.school.versions[code], entry.day)
            if indicator not in versions or len(versions) > 1 or indicator.daily_at is not None or indicator.overridden:
                self._notice(each, versions)
            if indicator is None or indicator not in versions or indicator.window not in each.starts:
                continue
            start = each.starts[indicator.window]
            if indicator.daily_at is not None or not self._judged_now(indicator, start, each.word):
                continue
            form = self.school.form(indicator, (each.level, each.subject), entry.day, entry.subjects.get("class"))
            total, deciding = self.running[key, form.window, start], (indicator, form.min_denominator, key)
            episode = self.ledger.episode(code, each.word, self.deciding.starts.get(deciding))
            after, step, line = judge(episode, form, start, total, self.history.before(form, key, start, self.running))
            if after.deciding != start:
                continue
            self.deciding.starts[deciding] = start
            if step is not None or after.severity is not None:
                self.ledger.take(_judged(each, form, start, total), step, line)

    def _note_newest(self, each: _Watched) -> None:
        for version in (v for versions in self.school.watch[each.entry.metric, each.level].values() for v in versions):
            start = each.starts.get(version.window)
            if start is not None and self._judged_now(version, start, each.word):
                self.deciding.note_newest(version, each.series, start, self.running[each.series, version.window, start])

    def _notice(self, each: _Watched, versions: Sequence[Indicator]) -> None:
        """An observation that a version does not judge may still make a newer window decide for what that version judges."""
        for version in versions:
            start = each.starts.get(version.window)
            if start is None or not self._judged_now(version, start, each.word):
                continue
            total = self.running[each.series, version.window, start]
            for least in version.leasts:
                if total.denominator >= least and total.denominator > 0:
                    key = (version, least, each.series)
                    self.deciding.starts[key] = max(start, self.deciding.starts.get(key, start))

    def _judged_now(self, indicator: Indicator, start: int, word: int) -> bool:
        """Whether a change of the window is judged at once: by the clock, only once the window, or the lesson, was judged by it."""
        if indicator.lesson_minutes is not None:
            return (indicator.code, indicator.version, word) in self.ended
        through = _judged_through(self.school, indicator)
        return through is None or start <= through


def _judged(each: _Watched, indicator: Indicator, start: int, total: Sum) -> Judged:
    entry = each.entry
    return Judged(
        indicator,
        each.level,
        each.subject,
        each.word,
        start,
        total,
        entry.cause,
        entry.place,
        entry.subjects.get("class"),
        entry.traceparent,
        entry.recorded_at,
    )


def _judged_through(school: School, indicator: Indicator) -> int | None:
    if indicator.evaluate != "window_close":
        return None
    return school.judged_through.get((indicator.code, indicator.version), -1)
