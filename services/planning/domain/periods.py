"""The periods after which objects are diagnosed: of a length, the one that a day lies in."""

from __future__ import annotations

from datetime import date

from libs.common.events.setup import Span
from services.planning.domain.calendar import Period, PeriodKind, SchoolCalendar

YEARS = frozenset({"year", "academic_year"})
ASKED_FOR_LESSONS = frozenset({"school", "department", "programme", "course", "teacher"})
ONLY_WHILE_TAUGHT = frozenset({"course"})


def period_of(span: Span, level: str, day: date, calendar: SchoolCalendar, first: int) -> Period | None:
    """Return the period of this length that a day lies in; None between terms, and for a course in a month without a teaching week.

    Several years or months count from the first year of the school's plans; a year (年) is civil or academic as the calendar says.
    """
    kind = calendar.year_of(level) if span.unit == "year" else span.unit
    period = calendar.period(kind, day)
    if period is None or (kind == "month" and level in ONLY_WHILE_TAUGHT and not calendar.has_teaching_week(period)):
        return None
    if span.value == 1 or kind in {"day", "week", "term"}:
        return period
    return _several(span.value, kind, period, calendar, first)


def _several(value: int, kind: PeriodKind, period: Period, calendar: SchoolCalendar, first: int) -> Period:
    start = period.start
    if kind == "month":
        n = (start.year - first) * 12 + start.month - 1
        n -= n % value
        begins, ends = _month(first, n), _month(first, n + value)
    else:
        year = start.year - (start.year - first) % value
        begins, ends = (_begins(calendar, kind, each) for each in (year, year + value))
    return Period(kind, f"{begins.isoformat()}+{value}", begins, ends)


def _month(first: int, n: int) -> date:
    return date(first + n // 12, n % 12 + 1, 1)


def _begins(calendar: SchoolCalendar, kind: PeriodKind, year: int) -> date:
    period = calendar.period(kind, date(year, 12, 31))  # of either kind of year it is the one that begins in this one
    assert period is not None, "only terms leave gaps"
    return period.start


def length_of(span: Span) -> str:
    """A length as cycles carry it: `1 month`."""
    return f"{span.value} {span.unit}"


def asks_for_lesson(level: str, span: Span) -> bool:
    """Lessons are asked for in cycles of a year or longer of these levels only."""
    return span.unit in YEARS and level in ASKED_FOR_LESSONS
