"""The periods after which objects are diagnosed: of a length, the one that a day lies in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from libs.common.events.setup import Span

LONG = frozenset({"year", "academic_year"})
ASKED_FOR_LESSONS = frozenset({"school", "department", "programme", "course", "teacher"})


@dataclass(frozen=True, slots=True)
class Years:
    """What a school counts by: the day its academic year starts, its terms (inclusive days), and the first year of its plans."""

    academic_from: tuple[int, int] = (9, 1)
    terms: Sequence[tuple[date, date]] = ()
    first: int | None = None


def period_of(span: Span, day: date, years: Years) -> tuple[date, date] | None:
    """Return first and last day of the period of this length that a day lies in; None between terms, and for days and weeks.

    Periods of several years or months follow one another from the first year of the school's plans on.
    """
    first = years.first or 2000
    match span.unit:
        case "month":
            n = (day.year - first) * 12 + day.month - 1
            n -= n % span.value
            return _month(first, n), _month(first, n + span.value) - timedelta(days=1)
        case "term":
            return next((term for term in years.terms if term[0] <= day <= term[1]), None)
        case "year":
            year = day.year - (day.year - first) % span.value
            return date(year, 1, 1), date(year + span.value - 1, 12, 31)
        case "academic_year":
            begins = day.year if (day.month, day.day) >= years.academic_from else day.year - 1
            year = begins - (begins - first) % span.value
            return date(year, *years.academic_from), date(year + span.value, *years.academic_from) - timedelta(days=1)
    return None


def _month(first: int, n: int) -> date:
    return date(first + n // 12, n % 12 + 1, 1)


def length(span: Span) -> str:
    """A length as cycles carry it: `1 month`."""
    return f"{span.value} {span.unit}"


def asks_for_lesson(level: str, span: Span) -> bool:
    """Lessons are asked for in cycles of a year or longer of these levels only."""
    return span.unit in LONG and level in ASKED_FOR_LESSONS
