"""Add observations up and judge the sums, in the order of counting.

The one path by which a sum changes: new observations, and old ones whose subjects the roster has only now made known. The
result does not depend on where batches end: any split of a log gives the same warnings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from libs.common.database import Transaction
from libs.common.events.observations import Observation
from services.monitoring.commands.warnings import Judged, Ledger
from services.monitoring.domain.attribution import LEVEL_CODE
from services.monitoring.domain.episodes import MILLION, Indicator, Sum, in_force, judge
from services.monitoring.domain.windows import Window
from services.monitoring.queries import bulk
from services.monitoring.queries.history import History
from services.monitoring.queries.lessons import find_ended
from services.monitoring.queries.observations import Logged, list_standing_of
from services.monitoring.queries.schools import School

Cell = tuple[int, int, int]  # series, window, start
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


async def count(tx: Transaction, school: School, entries: Sequence[Entry]) -> None:
    """Add the entries to the sums and judge what an indicator watches. Entries are in order of counting."""
    spots = await resolve(tx, school, entries)
    deltas: dict[Cell, list[int]] = {}
    newest: dict[Cell, Sum] = defaultdict(Sum)
    watched: list[_Watched] = []
    known: dict[tuple[str, str, int], Mapping[Window, int]] = {}
    for entry in entries:
        metric, day = entry.metric, entry.day
        for item in entry.subjects.items():
            word, series, judged = spots[metric, item]
            _fold(deltas, newest, (series, Window.DAY, day), entry)
            if not judged:
                continue
            level = item[0]
            if (starts := known.get((metric, level, day))) is None:
                starts = known[metric, level, day] = school.starts((metric, level), day)
            for window, start in starts.items():
                if window is not Window.DAY:
                    _fold(deltas, newest, (series, window, start), entry)
            watched.append(_Watched(entry, level, item[1], word, series, starts))
    bench = await _Bench.prepare(tx, school, watched)
    measured_at = int(tx.now.timestamp() * 1_000_000)
    await bulk.add_totals(tx, [(*cell, n, d, r, measured_at) for cell, (n, d, r) in deltas.items()])
    await bulk.add_newest(tx, [(*cell, s.numerator, s.denominator, s.revision, measured_at, s.at) for cell, s in newest.items()])
    for each in watched:
        bench.judge(each)
    await bench.ledger.write()


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


def _fold(deltas: dict[Cell, list[int]], newest: dict[Cell, Sum], cell: Cell, entry: Entry) -> None:
    if entry.at >= 0:
        newest[cell] += entry.total
    elif (delta := deltas.get(cell)) is None:
        deltas[cell] = [entry.numerator, entry.denominator, 1]
    else:
        delta[0] += entry.numerator
        delta[1] += entry.denominator
        delta[2] += 1


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
    deciding: dict[tuple[Indicator, int, int], int]  # version, least denominator, series
    able: set[int]
    history: History
    ended: set[tuple[str, int, int]]  # lessons that were judged at their end: code, version, word

    @classmethod
    async def prepare(cls, tx: Transaction, school: School, watched: Sequence[_Watched]) -> _Bench:
        """Read what stood before the batch."""
        cells = {(each.series, window, start) for each in watched for window, start in each.starts.items()}
        places = {(each.entry.metric, each.level) for each in watched}
        codes = {code for place in places for code in school.watch[place]}
        running = await bulk.find_totals(tx, sorted(cells))
        ledger = await Ledger.open(tx, school, codes, {each.word for each in watched})
        able = _able_to_turn(school, watched, running, {word for _, word in ledger.open_})
        keys: dict[tuple[str, str], set[int]] = defaultdict(set)
        for each in watched:
            if each.series in able:
                keys[each.entry.metric, each.level].add(each.series)
        deciding, history = {}, History()
        for place, series in keys.items():
            for versions in school.watch[place].values():
                for indicator in versions:
                    through = _judged_through(school, indicator)
                    for least in indicator.leasts:
                        found = await bulk.find_deciding(tx, sorted(series), indicator.window, least, through)
                        deciding.update({(indicator, least, key): start for key, start in found.items()})
                        await history.read(tx, indicator, least, cells, series, through, running)
        after_lessons = {
            v.code for place in places for vs in school.watch[place].values() for v in vs if v.lesson_minutes is not None
        }
        ended = await find_ended(tx.session, school.id, after_lessons, {each.word for each in watched})
        return cls(school, ledger, running, deciding, able, history, ended)

    def judge(self, each: _Watched) -> None:
        """Add one observation to the running sums of one subject and judge each indicator there."""
        if each.series not in self.able:
            return
        entry, key = each.entry, each.series
        added = entry.total
        for window, start in each.starts.items():
            cell = (key, window, start)
            before = self.running.get(cell)
            self.running[cell] = added if before is None else before + added
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
            episode = self.ledger.episode(code, each.word, self.deciding.get(deciding))
            after, step, line = judge(episode, form, start, total, self.history.before(form, key, start, self.running))
            if after.deciding != start:
                continue
            self.deciding[deciding] = start
            if step is not None or after.severity is not None:
                self.ledger.take(_judged(each, form, start, total), step, line)

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
                    self.deciding[key] = max(start, self.deciding.get(key, start))

    def _judged_now(self, indicator: Indicator, start: int, word: int) -> bool:
        """Whether a change of the window is judged at once: by the clock, only once the window, or the lesson, was judged by it."""
        if indicator.lesson_minutes is not None:
            return (indicator.code, indicator.version, word) in self.ended
        through = _judged_through(self.school, indicator)
        return through is None or start <= through


def _able_to_turn(school: School, watched: Sequence[_Watched], running: Mapping[Cell, Sum], warned: Collection[int]) -> set[int]:
    """The series for which a step is possible: an episode is open, or some running value gets past a mildest line.

    Cheap to find, and enough: whatever window decides, nothing begins where no value is past any line. `warned` are words.
    """
    able: set[int] = set()
    sums: dict[Cell, list[int]] = {}
    for each in watched:
        series, entry = each.series, each.entry
        if series in able:
            continue
        lines = school.lines[entry.metric, each.level]
        if lines is None or each.word in warned:
            able.add(series)
            continue
        for window, start in each.starts.items():
            cell = (series, window, start)
            if (total := sums.get(cell)) is None:
                before = running.get(cell)
                total = sums[cell] = [0, 0] if before is None else [before.numerator, before.denominator]
            total[0] += entry.numerator
            total[1] += entry.denominator
            value = total[0] * MILLION
            for below, least, enter in lines.get(window, ()):
                limit = enter * total[1]
                if total[1] >= least and (value < limit if below else value > limit):
                    able.add(series)
    return able


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
