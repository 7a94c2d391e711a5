"""The sums that the observations of a stretch are part of, and which of them can cross a warning line: by columns, for all at once.

What comes of it is exact where it is added up. Where lines are compared it only says for which subjects a step is possible, and
rather too many than too few: those are judged one observation after the other (`counting`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from services.monitoring.commands.attributing import Subjects
from services.monitoring.domain.attribution import LEVEL_CODE, LEVELS, WORD_BITS
from services.monitoring.domain.log import Ints, Mask, Stretch
from services.monitoring.domain.windows import Window
from services.monitoring.queries.schools import School

Cell = tuple[int, int, int]  # series, window, start
_CLOSE = 1e-9  # far more than what is lost where a sum of 62 bits becomes a float
_WINDOW_BITS = 3
_START_BITS = 22  # hold any day of the calendar
_Number = TypeVar("_Number", np.int64, np.float64)
Floats = npt.NDArray[np.float64]
Warned = Mapping[tuple[int, str], Ints]  # (metric, level) → words of the subjects with an uncleared warning


@dataclass(frozen=True, slots=True)
class Cells:
    """What a stretch adds to each sum, in the order of the sums' key; and the rows that make it.

    `order` has the rows cell by cell, those of one cell in the order of counting; `bounds` says where in it each cell begins;
    the other columns have one value a cell. `watched`: an indicator judges there.
    """

    series: Ints
    window: Ints
    start: Ints
    numerator: Ints
    denominator: Ints
    observations: Ints
    watched: Mask
    order: Ints
    bounds: Ints

    def keys(self, which: Mask | None = None) -> list[Cell]:
        """The cells, or some of them."""
        columns = (self.series, self.window, self.start)
        return list(zip(*((c if which is None else c[which]).tolist() for c in columns), strict=True))

    def spread(self, cells: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
        """One value a cell as one a row of `order`."""
        return np.repeat(cells, self.observations)

    @property
    def level(self) -> Ints:
        """The code of each cell's level."""
        found: Ints = (self.series >> WORD_BITS) % len(LEVELS)
        return found


def fold(school: School, stretch: Stretch, subjects: Subjects, rows: Ints) -> Cells:
    """Add these rows up at every level, over days and over the longer windows that are watched there."""
    here, metric = np.unique(stretch.columns["metric"][rows], return_inverse=True)
    codes = [school.metrics[id_] for id_ in here.tolist()]
    days = stretch.columns["day"][rows]
    nothing = np.zeros(0, dtype=np.int64)
    parts: list[tuple[Ints, Ints, Ints, Mask]] = [
        (nothing, nothing, nothing, nothing > 0)
    ]  # row, series, window with start, watched
    for level in LEVELS:
        words = subjects.words[level][rows]
        mine = np.flatnonzero(words)
        if not len(mine):
            continue
        of = metric[mine]
        series = (here[of] * len(LEVELS) + LEVEL_CODE[level] << WORD_BITS) | words[mine]  # as `series_key` has it
        watched = [school.windows.get((code, level), ()) for code in codes]
        for window in sorted({Window.DAY, *(w for windows in watched for w in windows)}):
            judged = np.array([window in windows for windows in watched])[of]
            start = _starts(school, window, days[mine])
            kept = start >= 0 if window is Window.DAY else judged & (start >= 0)
            parts.append((rows[mine][kept], series[kept], (window << _START_BITS | start)[kept], judged[kept]))
    return _cells(stretch, *(np.concatenate(column) for column in zip(*parts, strict=True)))


def _starts(school: School, window: Window, days: Ints) -> Ints:
    """First days of the windows that hold these days; -1 where none does."""
    if window is Window.DAY:
        return days
    distinct, inverse = np.unique(days, return_inverse=True)
    found = [school.calendar.start(window, day) for day in distinct.tolist()]
    return np.array([-1 if start is None else start for start in found], dtype=np.int64)[inverse]


def _cells(stretch: Stretch, rows: Ints, series: Ints, place: Ints, judged: Mask) -> Cells:
    order = np.lexsort((place, series))
    series, place, rows = series[order], place[order], rows[order]
    new = np.ones(len(rows), dtype=np.bool_)
    new[1:] = (series[1:] != series[:-1]) | (place[1:] != place[:-1])
    bounds = np.flatnonzero(new)
    numerator, denominator = (np.add.reduceat(stretch.columns[name][rows], bounds) for name in ("numerator", "denominator"))
    place = place[bounds]
    return Cells(
        series=series[bounds],
        window=place >> _START_BITS,
        start=place & ((1 << _START_BITS) - 1),
        numerator=numerator,
        denominator=denominator,
        observations=np.diff(bounds, append=len(rows)),
        watched=judged[order[bounds]],
        order=rows,
        bounds=bounds,
    )


class Before(NamedTuple):
    """Numerator, denominator and revision of each cell as they stood before the stretch; 0 where nobody judges."""

    numerator: Ints
    denominator: Ints
    revision: Ints


@dataclass(frozen=True, slots=True)
class Turning:
    """For each cell: whether a step is possible in it, and whether no more than its last observation needs to be judged."""

    able: Mask
    shown: Mask


def able_to_turn(school: School, stretch: Stretch, cells: Cells, before: Before, warned: Warned) -> Turning:
    """Find the cells in which a warning can begin, worsen or end. What stays as it is in a cell with an uncleared warning is shown.

    Cheap to find, and enough: whatever window decides, nothing begins where no value is past any line, and nothing ends or
    worsens where each value stays between its lines.
    """
    places, of = np.unique(cells.series >> WORD_BITS << _WINDOW_BITS | cells.window, return_inverse=True)
    named = [_place(place) for place in places.tolist()]
    limits = [school.limits(school.metrics[metric], level, window) for metric, level, window in named]
    bounds = np.array([begins for begins, _ in limits])[of]
    uncleared = np.zeros(len(of), dtype=np.bool_)
    for n, ((metric, level, _), (_, stays)) in enumerate(zip(named, limits, strict=True)):
        if len(words := warned.get((metric, level), ())):
            known = (of == n) & np.isin(cells.series & ((1 << WORD_BITS) - 1), words)
            bounds[known] = stays
            uncleared |= known
    numerator = _running(cells, stretch.columns["numerator"], before.numerator)
    denominator = _running(cells, stretch.columns["denominator"], before.denominator)
    low, high, least, clear_low, clear_high = (cells.spread(bounds[:, n]) for n in range(5))
    turns = _past(numerator, denominator, low, 1.0) | _past(numerator, denominator, high, -1.0)
    turns |= _past(numerator, denominator, clear_low, -1.0) & _past(numerator, denominator, clear_high, 1.0)
    turns &= denominator >= least
    return Turning(cells.watched & np.logical_or.reduceat(turns, cells.bounds), cells.watched & uncleared)


def _place(place: int) -> tuple[int, str, Window]:
    metric, level = divmod(place >> _WINDOW_BITS, len(LEVELS))
    return metric, LEVELS[level], Window(place & ((1 << _WINDOW_BITS) - 1))


def _past(numerator: Floats, denominator: Floats, limit: Floats, sign: float) -> Mask:
    """Where numerator / denominator may be below the limit (`sign` 1) or above it (-1); never false where it is."""
    at = limit * denominator
    past: Mask = sign * (numerator - at) < _CLOSE * (np.abs(numerator) + np.abs(at)) + 1
    return past


def _running(cells: Cells, column: Ints, begun: Ints) -> Floats:
    """The running sums of each cell after each of its rows, from what stood before."""
    added = column[cells.order]
    sums = np.cumsum(added)
    earlier = (sums - added)[cells.bounds]  # what the cells before it have
    running: Ints = sums + cells.spread(begun - earlier)
    return running.astype(np.float64)
