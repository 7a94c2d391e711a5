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

from services.monitoring.commands.attributing import Subjects
from services.monitoring.domain.attribution import LEVEL_CODE, LEVELS, WORD_BITS
from services.monitoring.domain.episodes import Sum
from services.monitoring.domain.log import Ints, Mask, Stretch
from services.monitoring.domain.windows import Window
from services.monitoring.queries.schools import School

Cell = tuple[int, int, int]  # series, window, start
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


def fold(school: School, stretch: Stretch, subjects: Subjects, rows: Ints) -> list[Group]:
    """Add these rows up at every level, over days and over the longer windows that are watched there."""
    groups = []
    here, metric = np.unique(stretch.columns["metric"][rows], return_inverse=True)
    codes = [school.metrics[id_] for id_ in here.tolist()]
    for level in LEVELS:
        mask = subjects.words[level][rows] > 0
        if not mask.any():
            continue
        mine, of = rows[mask], metric[mask]
        series = (here[of] * len(LEVELS) + LEVEL_CODE[level] << WORD_BITS) | subjects.words[level][mine]  # as `series_key` has it
        watched = [school.windows.get((code, level), ()) for code in codes]
        for window in sorted({Window.DAY, *(w for windows in watched for w in windows)}):
            judged = np.array([window in windows for windows in watched])[of]
            kept = np.ones(len(mine), dtype=np.bool_) if window is Window.DAY else judged
            start = _starts(school, window, stretch.columns["day"][mine])
            kept &= start >= 0
            if kept.any():
                groups.append(_group(stretch, level, window, mine[kept], series[kept], start[kept], judged[kept]))
    return groups


def _starts(school: School, window: Window, days: Ints) -> Ints:
    """First days of the windows that hold these days; -1 where none does."""
    if window is Window.DAY:
        return days
    distinct, inverse = np.unique(days, return_inverse=True)
    found = [school.calendar.start(window, day) for day in distinct.tolist()]
    return np.array([-1 if start is None else start for start in found], dtype=np.int64)[inverse]


def _group(stretch: Stretch, level: str, window: Window, rows: Ints, series: Ints, start: Ints, judged: Mask) -> Group:
    order = np.lexsort((start, series)) if (start != start[0]).any() else np.argsort(series, kind="stable")
    new = (np.diff(series[order], prepend=-1) != 0) | (np.diff(start[order], prepend=-1) != 0)
    bounds = np.flatnonzero(new)
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


@dataclass(frozen=True, slots=True)
class Turning:
    """For each cell of a group: whether a step is possible in it, and whether no more than its last observation needs to be judged."""

    able: Mask
    shown: Mask


def able_to_turn(
    school: School, stretch: Stretch, subjects: Subjects, group: Group, before: Mapping[Cell, Sum], warned: Warned
) -> Turning:
    """Find the cells in which a warning can begin, worsen or end. What stays as it is in a cell with an uncleared warning is shown.

    Cheap to find, and enough: whatever window decides, nothing begins where no value is past any line, and nothing ends or
    worsens where each value stays between its lines.
    """
    first = group.order[group.bounds]
    cells = zip(group.series.tolist(), group.start.tolist(), strict=True)
    known = [before.get((series, group.window, start), _NOTHING) for series, start in cells]
    begun = np.array([(sum_.numerator, sum_.denominator) for sum_ in known], dtype=np.int64)
    numerator = _running(group, stretch.columns["numerator"], begun[:, 0])
    denominator = _running(group, stretch.columns["denominator"], begun[:, 1])
    metrics, of = np.unique(stretch.columns["metric"][first], return_inverse=True)
    words = subjects.words[group.level][first]
    bounds = np.empty((len(first), 5))
    uncleared = np.zeros(len(first), dtype=np.bool_)
    for n, metric in enumerate(metrics.tolist()):
        here = of == n
        known_warned = np.isin(words, warned.get((metric, group.level), ())) & here
        begins, stays = school.limits(school.metrics[metric], group.level, group.window)
        bounds[here], bounds[known_warned] = begins, stays
        uncleared |= known_warned
    low, high, least, clear_low, clear_high = (group.spread(bounds[:, n]) for n in range(5))
    turns = _past(numerator, denominator, low, 1.0) | _past(numerator, denominator, high, -1.0)
    turns |= _past(numerator, denominator, clear_low, -1.0) & _past(numerator, denominator, clear_high, 1.0)
    turns &= denominator >= least
    watched = np.ones(len(first), dtype=np.bool_) if group.watched is None else group.watched
    return Turning(watched & np.logical_or.reduceat(turns, group.bounds), watched & uncleared)


_NOTHING = Sum()
Warned = Mapping[tuple[int, str], Ints]  # (metric, level) → words of the subjects with an uncleared warning


def _past(numerator: Floats, denominator: Floats, limit: Floats, sign: float) -> Mask:
    """Where numerator / denominator may be below the limit (`sign` 1) or above it (-1); never false where it is."""
    at = limit * denominator
    past: Mask = sign * (numerator - at) < _CLOSE * (np.abs(numerator) + np.abs(at)) + 1
    return past


def _running(group: Group, column: Ints, begun: Ints) -> Floats:
    """The running sums of each cell after each of its rows, from what stood before."""
    added = column[group.order]
    sums = np.cumsum(added)
    earlier = (sums - added)[group.bounds]  # what the cells before it have
    running: Ints = sums + group.spread(begun - earlier)
    return running.astype(np.float64)
