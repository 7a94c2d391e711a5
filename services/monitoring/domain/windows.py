"""Windows of time in a school's own calendar. Days are counted from 1970-01-01."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from functools import cached_property
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from services.monitoring.domain.log import Ints

EPOCH = date(1970, 1, 1)
_QUARTER = 900_000_000  # microseconds
_FAR = (date(9000, 1, 1) - EPOCH).days  # no observation lies beyond, and a window there may leave the calendar


class Window(IntEnum):
    """A span that observations are added up over; the numbers are stored."""

    DAY = 0
    WEEK = 1
    MONTH = 2
    TERM = 3
    YEAR = 4


WINDOWS = {window.name.lower(): window for window in Window}


def to_day(day: date) -> int:
    return (day - EPOCH).days


def from_day(day: int) -> date:
    return EPOCH + timedelta(days=day)


@dataclass(frozen=True, slots=True)
class Term:
    """A term: `start` inclusive, `end` exclusive, as OneRoster has them."""

    start: int
    end: int


@dataclass(frozen=True)
class Calendar:
    """A school's zone, the day (month, day) its academic year starts on, and its terms.

    Weeks start on Monday. A day in no term has no term window; of several terms that hold a day, the latest-starting.
    """

    timezone: str
    year_start: tuple[int, int]
    terms: tuple[Term, ...] = ()

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @cached_property
    def _terms(self) -> Sequence[Term]:
        return sorted(self.terms, key=lambda term: (-term.start, -term.end))

    def day_of(self, instant: datetime) -> int:
        """The school's day at an instant."""
        return to_day(instant.astimezone(self._zone).date())

    def days_of(self, times: Ints) -> Ints:
        """The school's days at instants, in microseconds since 1970. Every zone's days have begun at a quarter of an hour since 2000."""
        quarters, inverse = np.unique(times // _QUARTER, return_inverse=True)
        days = [self.day_of(datetime.fromtimestamp(quarter * 900, UTC)) for quarter in quarters.tolist()]
        return np.array(days, dtype=np.int64)[inverse]

    def local(self, instant: datetime) -> datetime:
        """The instant by the school's clock."""
        return instant.astimezone(self._zone)

    def midnight(self, day: int) -> datetime:
        """The instant at which a day begins in the school's zone."""
        at = from_day(day)
        return datetime(at.year, at.month, at.day, tzinfo=self._zone).astimezone(UTC)

    @cached_property
    def _starts(self) -> dict[tuple[Window, int], int | None]:
        return {}

    def start(self, window: Window, day: int) -> int | None:
        """First day of the window that holds `day`; None where there is no such window."""
        if window is Window.DAY:
            return day
        try:
            return self._starts[window, day]
        except KeyError:
            span = self.span(window, day)
            self._starts[window, day] = start = None if span is None else span[0]
            return start

    def span(self, window: Window, day: int) -> tuple[int, int] | None:
        """First day, and the day after the last, of the window that holds `day`."""
        if window is Window.DAY:
            return day, day + 1
        if window is Window.WEEK:
            monday = day - (day + 3) % 7  # 1970-01-01 was a Thursday
            return monday, monday + 7
        if window is Window.TERM:
            return next(((t.start, t.end) for t in self._terms if t.start <= day < t.end), None)
        at = from_day(day)
        if window is Window.MONTH:
            return to_day(at.replace(day=1)), to_day(_month_after(at))
        month, first = self.year_start
        begin = date(at.year, month, first)
        if begin > at:
            begin = date(at.year - 1, month, first)
        return to_day(begin), to_day(date(begin.year + 1, month, first))

    def days(self, window: Window, start: int) -> list[tuple[int, int]]:
        """The days of the window that starts on `start`, as spans in order; none where no window does.

        Only a term can have several: days in its midst belong to a term that starts later.
        """
        if window is not Window.TERM:
            span = self.span(window, start)
            return [span] if span is not None and span[0] == start else []
        bounds = sorted({day for term in self.terms for day in (term.start, term.end) if day >= start})
        return [(first, after) for first, after in pairwise(bounds) if self.start(window, first) == start]

    def end(self, window: Window, before: int) -> int:
        """The day after the last of the windows that start before a day: they may reach beyond it."""
        if window is Window.TERM:
            return max((term.end for term in self.terms if term.start < before), default=before)
        span = self.span(window, before - 1) if 0 < before < _FAR else None
        return before if span is None else span[1]

    def newest_closed(self, window: Window, today: int) -> int | None:
        """Start of the newest window whose days have all passed; None where there is none."""
        if window is Window.TERM:
            terms = {term.start: self.days(window, term.start) for term in self.terms}
            return max((start for start, days in terms.items() if days and days[-1][1] <= today), default=None)
        span = self.span(window, today)
        assert span is not None
        return self.start(window, span[0] - 1)


def _month_after(at: date) -> date:
    return date(at.year + at.month // 12, at.month % 12 + 1, 1)
