"""The sums that the observations of a stretch are part of, and which of them can cross a warning line: by columns, for all at once.

What comes of it is exact where it is added up. Where lines are compared it only says for which subjects a step is possible, and
rather too many than too few: those are judged one observation after the other (`counting`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from libs.common.database import Transaction
from services.monitoring.commands.attributing import Subjects
from services.monitoring.domain.attribution import LEVEL_CODE, LEVELS
from services.monitoring.domain.episodes import MILLION, Sum
from services.monitoring.domain.log import Ints, Mask, Stretch
from services.monitoring.domain.windows import Window
from services.monitoring.queries.schools import School

Cell = tuple[int, int, int]  # series, window, start
_DAYS = 22
_CLOSE = 1e-9  # far more than what is lost where a sum of 62 bits becomes a float
_Number = TypeVar("_Number", np.int64, np.float64)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of a stretch that count at a level, and the cells of one window that they are added to.

    `order` has the rows cell by cell, those of one cell in the order of counting; `bounds` says where in it each cell begins;
    the other columns have one value a cell. `watched` is None where nothing is judged.
    """

    level: str
    window: Window
    order: Ints
    bounds: Ints
    series: Ints
    start: Ints
    numerator: Ints
    denominator: Ints
    observations: Ints
    watched: Mask | None

    def cells(self) -> Iterator[Cell]:
        """The cells that an indicator watches."""
        if self.watched is not None:
            rows = np.flatnonzero(self.watched)
            for series, start in zip(self.series[rows].tolist(), self.start[rows].tolist(), strict=True):
                yield series, self.window, start

    def spread(self, cells: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
        """One value a cell as one a row of `order`."""
        return np.repeat(cells, self.observations)


async def fold(tx: Transaction, school: School, stretch: Stretch, subjects: Subjects, rows: Ints) -> list[Group]:
    """Add these rows up at every level, over days and over the longer windows that are watched there."""
    groups = []
    here, metric = np.unique(stretch.columns["metric"][rows], return_inverse=True)
    codes = [school.metrics[id_] for id_ in here.tolist()]
    for level in LEVELS:
        mask = subjects.words[level][rows] > 0
        if not mask.any():
            continue
        mine, of = rows[mask], metric[mask]
        keys = (here[of] * len(LEVELS) + LEVEL_CODE[level] << 40) | subjects.words[level][mine]
        distinct, inverse = np.unique(keys, return_inverse=True)
        series = (await school.series_column(tx, distinct))[inverse]
        watched = [school.windows.get((code, level), ()) for code in codes]
        for window in sorted({Window.DAY, *(w for windows in watched for w in windows)}):
            judged = np.array([window in windows for windows in watched])[of]
            kept = np.ones(len(mine), dtype=np.bool_) if window is Window.DAY else judged
            start = _starts(school, window, stretch.columns["day"][mine])
            kept &= start >= 0
            if kept.any():
                groups.append(_group(stretch, level, window, mine[kept], inverse[kept], series[kept], start[kept], judged[kept]))
    return groups


def _starts(school: School, window: Window, days: Ints) -> Ints:
    """First days of the windows that hold these days; -1 where none does."""
    if window is Window.DAY:
        return days
    distinct, inverse = np.unique(days, return_inverse=True)
    found = [school.calendar.start(window, day) for day in distinct.tolist()]
    return np.array([-1 if start is None else start for start in found], dtype=np.int64)[inverse]


def _group(stretch: Stretch, level: str, window: Window, rows: Ints, index: Ints, series: Ints, start: Ints, judged: Mask) -> Group:
    key = (index << _DAYS) | start
    order = np.argsort(key, kind="stable")
    bounds = np.flatnonzero(np.diff(key[order], prepend=-1))
    first, rows = order[bounds], rows[order]
    numerator, denominator = (np.add.reduceat(stretch.columns[name][rows], bounds) for name in ("numerator", "denominator"))
    counts = np.diff(bounds, append=len(rows))
    watched = judged[first]
    return Group(
        level, window, rows, bounds, series[first], start[first], numerator, denominator, counts, watched if watched.any() else None
    )


def rows_of_cells(groups: Sequence[Group], measured_at: int) -> list[tuple[int, int, int, int, int, int, int]]:
    """Series, window, start, numerator, denominator, observations, measured at: what is added to each sum."""
    rows: list[tuple[int, int, int, int, int, int, int]] = []
    for group in groups:
        columns = (group.series, group.start, group.numerator, group.denominator, group.observations)
        rows += [(s, group.window, *rest, measured_at) for s, *rest in zip(*(c.tolist() for c in columns), strict=True)]
    return rows


def able_to_turn(
    school: School, stretch: Stretch, subjects: Subjects, group: Group, before: Mapping[Cell, Sum], warned: Mapping[str, Ints]
) -> Mask:
    """For each cell of a group whether a step is possible: an episode is open, or some running value gets past a mildest line.

    Cheap to find, and enough: whatever window decides, nothing begins where no value is past any line. `warned` are the words,
    by level, that have an uncleared warning.
    """
    assert group.watched is not None
    known = [before.get(cell, _NOTHING) for cell in zip(group.series.tolist(), _same(group), group.start.tolist(), strict=True)]
    first = stretch.columns["metric"][group.order[group.bounds]]
    low, high, least = _limits(school, group, first)
    begun = np.array([(sum_.numerator, sum_.denominator) for sum_ in known], dtype=np.int64)
    numerator = _running(group, stretch.columns["numerator"], begun[:, 0])
    denominator = _running(group, stretch.columns["denominator"], begun[:, 1])
    low, high, least = group.spread(low), group.spread(high), group.spread(least)
    past = np.zeros(len(group.order), dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        for limit, sign in ((low, 1.0), (high, -1.0)):
            at = limit * denominator
            past |= sign * (numerator - at) < _CLOSE * (np.abs(numerator) + np.abs(at)) + 1
    past &= (denominator >= least) | np.isinf(low)
    able = np.add.reduceat(past, group.bounds) > 0
    words = subjects.words[group.level][group.order[group.bounds]]
    return group.watched & (able | np.isin(words, warned.get(group.level, ())))


_NOTHING = Sum()


def _same(group: Group) -> list[int]:
    return [group.window] * len(group.series)


def _limits(school: School, group: Group, metric: Ints) -> tuple[Floats, Floats, Floats]:
    """For each cell: the mildest line from below, from above, and the least denominator that is judged. All of it where more than
    running sums and lines decides.
    """
    distinct, inverse = np.unique(metric, return_inverse=True)
    limits = [_limit(school, school.metrics[id_], group) for id_ in distinct.tolist()]
    low, high, least = (np.array(column, dtype=np.float64)[inverse] for column in zip(*limits, strict=True))
    return low, high, least


def _limit(school: School, metric: str, group: Group) -> tuple[float, float, float]:
    if (metric, group.level) not in school.watch:
        return -np.inf, np.inf, np.inf
    lines = school.lines[metric, group.level]
    if lines is None:
        return np.inf, -np.inf, 0
    here = lines.get(group.window, ())
    low = max((enter / MILLION for below, _, enter in here if below), default=-np.inf)
    high = min((enter / MILLION for below, _, enter in here if not below), default=np.inf)
    return low, high, min((least for _, least, _ in here), default=np.inf)


def _running(group: Group, column: Ints, begun: Ints) -> Floats:
    """The running sums of each cell after each of its rows, from what stood before."""
    added = column[group.order]
    sums = np.cumsum(added)
    earlier = (sums - added)[group.bounds]  # what the cells before it have
    running: Ints = sums + np.repeat(begun - earlier, group.observations)
    return running.astype(np.float64)
