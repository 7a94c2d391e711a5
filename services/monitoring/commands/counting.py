"""Add observations up and judge the sums, in the order of counting.

The one path by which a sum changes: new observations, and old ones whose subjects the roster has only now made known. The
result does not depend on where batches end: any split of a log gives the same warnings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from msgspec import Struct

from libs.common.database import Transaction
from libs.common.events.observations import REFERENCES, Observation
from services.monitoring.commands.attributing import Subjects, attribute
from services.monitoring.commands.folding import Cell, Group, able_to_turn, fold, rows_of_cells
from services.monitoring.commands.warnings import Judged, Ledger
from services.monitoring.domain.attribution import LEVEL_CODE
from services.monitoring.domain.episodes import Indicator, Sum, in_force, judge
from services.monitoring.domain.log import Ints, Stretch
from services.monitoring.domain.windows import Window
from services.monitoring.queries import bulk
from services.monitoring.queries.log import Logged, list_standing_of
from services.monitoring.queries.schools import School

Spots = Mapping[tuple[str, tuple[str, str]], tuple[int, int, bool]]  # what `resolve` finds


class Entry(Struct, frozen=True):
    """An observation to be added up, with the subjects it counts for by level. `cause` names the observation, `place` is where
    it stands in the order of counting; `at` its time in microseconds where the metric's kind is `latest`, -1 otherwise.
    """

    place: int
    metric: str
    day: int
    numerator: int
    denominator: int
    subjects: Mapping[str, str]
    cause: str
    traceparent: str | None = None
    recorded_at: datetime | None = None
    at: int = -1

    @property
    def total(self) -> Sum:
        return Sum(self.numerator, self.denominator, 1, self.at)


async def count(tx: Transaction, school: School, stretch: Stretch, observations: Sequence[Observation]) -> None:
    """Add a stretch of the log to the sums and judge what an indicator watches."""
    subjects = await attribute(tx, school, stretch, observations)
    latest = [school.metric_ids[metric] for metric, rule in school.rules.items() if rule.kind == "latest"]
    newest_only = np.isin(stretch.columns["metric"], latest)
    groups = await fold(tx, school, stretch, subjects, np.flatnonzero(~newest_only))
    cells = {cell for group in groups for cell in group.cells()}
    before = await bulk.find_totals(tx, sorted(cells))
    warned = await _warned(tx, school, subjects) if school.watch else {}
    watched = _watched(school, stretch, observations, subjects, groups, before, warned)
    entries = [_entry(school, stretch, observations, row, subjects) for row in np.flatnonzero(newest_only).tolist()]
    newest, more = await _newest(tx, school, entries)
    watched = sorted([*watched, *more], key=lambda each: each.entry.place) if more else watched
    bench = await _Bench.prepare(tx, school, watched)
    measured_at = int(tx.now.timestamp() * 1_000_000)
    await bulk.add_totals(tx, rows_of_cells(groups, measured_at))
    await bulk.add_newest(tx, [(*cell, s.numerator, s.denominator, s.revision, measured_at, s.at) for cell, s in newest.items()])
    for each in watched:
        bench.judge(each)
    await bench.ledger.write()


async def _warned(tx: Transaction, school: School, subjects: Subjects) -> dict[str, Ints]:
    """The words of the subjects, by level, that have an uncleared warning."""
    words = {level: np.unique(subjects.words[level]).tolist() for level in {level for _, level in school.watch}}
    open_ = await bulk.find_warned(tx, school.id, [word for column in words.values() for word in column if word])
    return {level: np.array([word for word in column if word in open_], dtype=np.int64) for level, column in words.items()}


def _watched(
    school: School,
    stretch: Stretch,
    observations: Sequence[Observation],
    subjects: Subjects,
    groups: Sequence[Group],
    before: Mapping[Cell, Sum],
    warned: Mapping[str, Ints],
) -> list[_Watched]:
    """What has to be judged one after the other, in the order of counting: of the series where some window's sum can turn."""
    able: dict[str, set[int]] = defaultdict(set)
    for group in groups:
        if group.watched is not None:
            able[group.level].update(group.series[able_to_turn(school, stretch, subjects, group, before, warned)].tolist())
    watched = []
    entries: dict[int, Entry] = {}
    for group in (group for group in groups if group.window is Window.DAY and able[group.level]):
        series = group.spread(group.series)
        for at in np.flatnonzero(np.isin(series, list(able[group.level]))).tolist():
            row = int(group.order[at])
            entry = entries.get(row) or entries.setdefault(row, _entry(school, stretch, observations, row))
            code, word = subjects.code(group.level, row, observations[row]), int(subjects.words[group.level][row])
            starts = school.starts((entry.metric, group.level), entry.day)
            watched.append(_Watched(entry, group.level, code, word, int(series[at]), starts))
    return sorted(watched, key=lambda each: (each.entry.place, LEVEL_CODE[each.level]))


def _entry(
    school: School, stretch: Stretch, observations: Sequence[Observation], row: int, subjects: Subjects | None = None
) -> Entry:
    """A row of a stretch as an entry; with all its `subjects`, or its class alone."""
    o, day = observations[row], int(stretch.columns["day"][row])
    if subjects is None:
        named = {"class": o.named[_CLASS] or ""} if o.named[_CLASS] else {}
    else:
        named = {level: subjects.code(level, row, o) for level, words in subjects.words.items() if words[row]}
    metric, cause = school.metrics[int(stretch.columns["metric"][row])], f"{o.source}|{o.id}"
    numbers = (o.numerator, o.denominator)
    return Entry(
        int(stretch.positions[row]), metric, day, *numbers, named, cause, o.traceparent, o.recorded_at, newest_at(school, o)
    )


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
                watched.append(_Watched(entry, *item, word, series, starts))
    return newest, watched


def entry_of(school: School, o: Logged) -> Entry:
    """A logged observation with the subjects that it counts for by the roster of today."""
    subjects = school.roster.subjects(o.references, o.day)
    cause = f"{o.source}|{o.event}"
    return Entry(o.place, o.metric, o.day, o.numerator, o.denominator, subjects, cause, at=newest_at(school, o))


def newest_at(school: School, o: Logged | Observation) -> int:
    """The time of an observation in microseconds where the newest one is all that its metric's sums keep; -1 elsewhere."""
    return int(o.time.timestamp() * 1_000_000) if school.rules[o.metric].kind == "latest" else -1


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
    await bulk.add_totals(tx, rows)
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
            wrong += await bulk.set_newest(tx, (series, window, start), found, measured_at)
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
    series = await school.series_of(tx, keys.values())
    return {at: (key[2], series[key], (at[0], at[1][0]) in school.watch) for at, key in keys.items()}


class _Watched(Struct):
    """An entry at a level that an indicator watches; `starts` maps the windows judged there to their first days."""

    entry: Entry
    level: str
    subject: str
    word: int
    series: int
    starts: Mapping[Window, int]


@dataclass
class _Bench:
    """What judging a batch needs: the sums before it, the deciding windows, and the uncleared warnings."""

    school: School
    ledger: Ledger
    running: dict[Cell, Sum]
    deciding: dict[tuple[Indicator, int], int]

    @classmethod
    async def prepare(cls, tx: Transaction, school: School, watched: Sequence[_Watched]) -> _Bench:
        """Read what stood before the batch."""
        cells = {(each.series, window, start) for each in watched for window, start in each.starts.items()}
        places = {(each.entry.metric, each.level) for each in watched}
        codes = {code for place in places for code in school.watch[place]}
        running = await bulk.find_totals(tx, sorted(cells))
        ledger = await Ledger.open(tx, school, codes, {each.word for each in watched})
        keys: dict[tuple[str, str], set[int]] = defaultdict(set)
        for each in watched:
            keys[each.entry.metric, each.level].add(each.series)
        deciding = {}
        for place, series in keys.items():
            for versions in school.watch[place].values():
                for indicator in versions:
                    through = _judged_through(school, indicator)
                    found = await bulk.find_deciding(tx, sorted(series), indicator.window, indicator.min_denominator, through)
                    deciding.update({(indicator, key): start for key, start in found.items()})
        return cls(school, ledger, running, deciding)

    def judge(self, each: _Watched) -> None:
        """Add one observation to the running sums of one subject and judge each indicator there."""
        entry, key = each.entry, each.series
        added = entry.total
        for window, start in each.starts.items():
            cell = (key, window, start)
            before = self.running.get(cell)
            self.running[cell] = added if before is None else before + added
        for code, versions in self.school.watch[entry.metric, each.level].items():
            indicator = in_force(self.school.versions[code], entry.day)
            if indicator not in versions or len(versions) > 1 or indicator.daily_at is not None:
                self._notice(each, versions)
            if indicator is None or indicator not in versions or indicator.window not in each.starts:
                continue
            start = each.starts[indicator.window]
            if indicator.daily_at is not None or not _judged_now(self.school, indicator, start):
                continue
            total = self.running[key, indicator.window, start]
            episode = self.ledger.episode(code, each.word, self.deciding.get((indicator, key)))
            after, step, line = judge(episode, indicator, start, total)
            if after.deciding != start:
                continue
            self.deciding[indicator, key] = start
            if step is not None or after.severity is not None:
                self.ledger.take(_judged(each, indicator, start, total), step, line)

    def _notice(self, each: _Watched, versions: Sequence[Indicator]) -> None:
        """An observation that a version does not judge may still make a newer window decide for what that version judges."""
        for version in versions:
            start = each.starts.get(version.window)
            if start is None or not _judged_now(self.school, version, start):
                continue
            total = self.running[each.series, version.window, start]
            if total.denominator >= version.min_denominator and total.denominator > 0:
                key = (version, each.series)
                self.deciding[key] = max(start, self.deciding.get(key, start))


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


def _judged_now(school: School, indicator: Indicator, start: int) -> bool:
    """Whether a change of the window is judged at once: with `window_close`, only once the window was judged at its close."""
    through = _judged_through(school, indicator)
    return through is None or start <= through
