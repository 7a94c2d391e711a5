"""Add observations up and judge the sums, in the order of counting.

The one path by which a sum changes: new observations, and old ones whose subjects the roster has only now made known. The
result does not depend on where batches end: any split of a log gives the same warnings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.common.database import Transaction
from services.monitoring.commands.warnings import Judged, Ledger
from services.monitoring.domain.attribution import LEVEL_CODE
from services.monitoring.domain.episodes import Indicator, Sum, in_force, judge
from services.monitoring.domain.windows import Window
from services.monitoring.queries import bulk
from services.monitoring.queries.schools import School

Cell = tuple[int, int, int]  # series, window, start


@dataclass(frozen=True, slots=True)
class Entry:
    """An observation to be added up, with the subjects it counts for by level. `cause` names the observation."""

    metric: str
    day: int
    numerator: int
    denominator: int
    subjects: Mapping[str, str]
    cause: str
    traceparent: str | None = None
    recorded_at: datetime | None = None


async def count(tx: Transaction, school: School, entries: Sequence[Entry]) -> None:
    """Add the entries to the sums and judge what an indicator watches. Entries are in order of counting."""
    words = await school.words_of(tx, {(level, subject) for entry in entries for level, subject in entry.subjects.items()})
    wanted = {
        (school.metric_ids[entry.metric], LEVEL_CODE[level], words[level, subject])
        for entry in entries
        for level, subject in entry.subjects.items()
    }
    series = await school.series_of(tx, wanted)
    deltas: dict[Cell, list[int]] = {}
    watched: list[tuple[Entry, str, str, int, dict[Window, int]]] = []
    for entry in entries:
        metric_id = school.metric_ids[entry.metric]
        for level, subject in entry.subjects.items():
            key = series[metric_id, LEVEL_CODE[level], words[level, subject]]
            starts = {Window.DAY: entry.day}
            for window in school.windows(entry.metric, level):
                if (start := school.calendar.start(window, entry.day)) is not None:
                    starts[window] = start
            for window, start in starts.items():
                if (delta := deltas.get((key, window, start))) is None:
                    deltas[key, window, start] = [entry.numerator, entry.denominator, 1]
                else:
                    delta[0] += entry.numerator
                    delta[1] += entry.denominator
                    delta[2] += 1
            if (entry.metric, level) in school.watch:
                watched.append((entry, level, subject, key, starts))
    bench = await _Bench.prepare(tx, school, watched)
    measured_at = int(tx.now.timestamp() * 1_000_000)
    await bulk.add_totals(tx, [(*cell, n, d, r, measured_at) for cell, (n, d, r) in deltas.items()])
    for entry, level, subject, key, starts in watched:
        bench.judge(entry, level, subject, key, starts)
    await bench.ledger.write()


@dataclass
class _Bench:
    """What judging a batch needs: the sums before it, the deciding windows, and the uncleared warnings."""

    school: School
    ledger: Ledger
    running: dict[Cell, Sum]
    deciding: dict[tuple[Indicator, int], int]

    @classmethod
    async def prepare(
        cls, tx: Transaction, school: School, watched: Sequence[tuple[Entry, str, str, int, dict[Window, int]]]
    ) -> _Bench:
        cells = {(key, window, start) for *_, key, starts in watched for window, start in starts.items()}
        keys: dict[tuple[str, str], set[int]] = defaultdict(set)
        codes: set[str] = set()
        subjects: set[int] = set()
        for entry, level, subject, key, _ in watched:
            keys[entry.metric, level].add(key)
            codes |= school.watch[entry.metric, level].keys()
            subjects.add(school.words[level, subject])
        deciding = {}
        for place, series in keys.items():
            for versions in school.watch[place].values():
                for indicator in versions:
                    through = _judged_through(school, indicator)
                    found = await bulk.find_deciding(tx, sorted(series), indicator.window, indicator.min_denominator, through)
                    deciding.update({(indicator, key): start for key, start in found.items()})
        running = await bulk.find_totals(tx, sorted(cells))
        return cls(school, await Ledger.open(tx, school, codes, subjects), running, deciding)

    def judge(self, entry: Entry, level: str, subject: str, key: int, starts: Mapping[Window, int]) -> None:
        """Add one observation to the running sums of one subject and judge each indicator there."""
        added = Sum(entry.numerator, entry.denominator)
        for window, start in starts.items():
            self.running[key, window, start] = self.running.get((key, window, start), Sum()) + added
        word = self.school.words[level, subject]
        for code, versions in self.school.watch[entry.metric, level].items():
            indicator = in_force(versions, entry.day)
            if indicator is None or indicator.window not in starts:
                continue
            start = starts[indicator.window]
            if indicator.evaluate != "on_update" and not _closed(self.school, indicator, start):
                continue
            before = self.ledger.episode(code, word, self.deciding.get((indicator, key)))
            after, step, line = judge(before, indicator, start, self.running[key, indicator.window, start])
            if after.deciding is not None:
                self.deciding[indicator, key] = after.deciding
            if after.deciding == start:
                total = self.running[key, indicator.window, start]
                judged = Judged(
                    indicator,
                    level,
                    subject,
                    word,
                    start,
                    total,
                    entry.cause,
                    entry.subjects.get("class"),
                    entry.traceparent,
                    entry.recorded_at,
                )
                self.ledger.take(judged, step, line)


def _judged_through(school: School, indicator: Indicator) -> int | None:
    if indicator.evaluate == "on_update":
        return None
    return school.judged_through.get((indicator.code, indicator.version), -1)


def _closed(school: School, indicator: Indicator, start: int) -> bool:
    """Whether the window was judged at its close already: then late data judges it at once."""
    return start <= (_judged_through(school, indicator) or -1)
