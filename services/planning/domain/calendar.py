"""The calendar of a school: when there are lessons, when nobody is there, and which periods a day lies in.

What a school writes is a `CalendarDocument`; terms come from the roster's sessions, the start of the academic year from the school.
Both kinds of years are here because the documents count in 年 and 学年 and often do not say which (digest §13, rows 1 and 2).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from libs.common.days import read_day
from libs.common.errors import Fault

DAY = timedelta(days=1)
YearKind = Literal["civil", "academic"]
PeriodKind = Literal["day", "week", "month", "term", "year", "academic_year"]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
SPAN_DAYS_MOST = 400
FIRST, LAST = date(2000, 1, 1), date(2200, 12, 31)


Day = Annotated[date, BeforeValidator(read_day), Field(ge=FIRST, le=LAST)]


class Days(BaseModel):
    """Some days with a name, both ends inclusive."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Name
    first: Day
    last: Day


class CalendarDocument(BaseModel):
    """What a school says of its calendar (校历).

    `year`: what it means by a year (年) where it does not say; `years`: otherwise at a level. `teaching`: the spans with
    lessons, none: the roster's terms. `vacations` (寒暑假) and public `holidays`; `make_up_days` (调休): days of a weekend that are worked.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    year: YearKind = "civil"
    years: Annotated[dict[Name, YearKind], Field(max_length=20)] = {}
    teaching: Annotated[list[Days], Field(max_length=200)] = []
    vacations: Annotated[list[Days], Field(max_length=200)] = []
    holidays: Annotated[list[Days], Field(max_length=500)] = []
    make_up_days: Annotated[list[Day], Field(max_length=500)] = []

    def faults(self) -> list[Fault]:
        """What cannot be: days that end before they begin or overlap others of their kind, a day of rest that is worked."""
        found = [fault for name in ("teaching", "vacations", "holidays") for fault in _span_faults(f"/{name}", getattr(self, name))]
        rest = (("holiday", self.holidays), ("vacation", self.vacations))
        seen: set[date] = set()
        for n, day in enumerate(self.make_up_days):
            pointer = f"/make_up_days/{n}"
            found += [
                Fault(pointer=pointer, detail=f"is a day of the {what} {span.name!r}")
                for what, spans in rest
                for span in spans
                if span.first <= day <= span.last
            ]
            if day.weekday() < 5:
                found.append(Fault(pointer=pointer, detail="is a working day anyway: only days of a weekend are made up for"))
            if day in seen:
                found.append(Fault(pointer=pointer, detail="stands twice"))
            seen.add(day)
        return found


def _span_faults(where: str, spans: Sequence[Days]) -> Iterator[Fault]:
    for n, span in enumerate(spans):
        if span.last < span.first:
            yield Fault(pointer=f"{where}/{n}/last", detail="lies before the first day")
        if (span.last - span.first).days >= SPAN_DAYS_MOST:
            yield Fault(pointer=f"{where}/{n}/last", detail=f"more than {SPAN_DAYS_MOST} days")
        for m, other in enumerate(spans[:n]):
            if span.first <= other.last and other.first <= span.last:
                yield Fault(pointer=f"{where}/{n}", detail=f"overlaps {where}/{m} ({other.name})")


@dataclass(frozen=True, slots=True)
class Term:
    """A term or semester of the roster; `end` is exclusive."""

    id: str
    name: str
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Period:
    """A period of the calendar; `end` is exclusive. `key` names it among those of its kind, also when a term's dates move."""

    kind: str
    key: str
    start: date
    end: date

    @property
    def last(self) -> date:
        return self.end - DAY


@dataclass(frozen=True)
class SchoolCalendar:
    """A school's days. Without terms nor teaching spans every day outside the vacations is taught: nothing is missed for want of data.

    `year_start`: month and day on which the academic year begins. Of several terms that hold a day the latest-starting one is meant, as
    everywhere; a day in no term has no term.
    """

    document: CalendarDocument = field(default_factory=CalendarDocument)
    year_start: tuple[int, int] = (9, 1)
    terms: tuple[Term, ...] = ()

    # --- days ---------------------------------------------------------------------------------------------------------------

    @cached_property
    def _vacations(self) -> frozenset[date]:
        return frozenset(_days(self.document.vacations))

    @cached_property
    def _holidays(self) -> frozenset[date]:
        return frozenset(_days(self.document.holidays))

    @cached_property
    def _made_up(self) -> frozenset[date]:
        return frozenset(self.document.make_up_days)

    @cached_property
    def _taught(self) -> frozenset[date] | None:
        """None: nothing is known of lessons."""
        spans = [(span.first, span.last) for span in self.document.teaching] or [(t.start, t.end - DAY) for t in self.terms]
        return frozenset(day for first, last in spans for day in _between(first, last)) if spans else None

    def is_vacation(self, day: date) -> bool:
        return day in self._vacations

    def is_working_day(self, day: date) -> bool:
        """Whether the school works: Monday to Friday and made-up days, but neither public holidays nor vacations."""
        if day in self._made_up:
            return True
        return day.weekday() < 5 and day not in self._holidays and day not in self._vacations

    def is_teaching_day(self, day: date) -> bool:
        return self.is_working_day(day) and (self._taught is None or day in self._taught)

    def has_teaching_week(self, period: Period) -> bool:
        """Whether the period has a teaching week (教学周): a week with a teaching day, which is of the month that holds its Thursday.

        So a term that begins on the last day of August opens no month of August.
        """
        thursday = period.start + DAY * ((3 - period.start.weekday()) % 7)
        while thursday < period.end:
            monday = thursday - 3 * DAY
            if any(self.is_teaching_day(monday + n * DAY) for n in range(7)):
                return True
            thursday += 7 * DAY
        return False

    def has_working_day(self, period: Period) -> bool:
        return any(self.is_working_day(day) for day in _between(period.start, period.last))

    def next_working_day(self, day: date) -> date:
        """The day itself, or the first working day after it."""
        return self._towards(day, DAY)

    def last_working_day(self, day: date) -> date:
        """The day itself, or the last working day before it."""
        return self._towards(day, -DAY)

    def _towards(self, day: date, step: timedelta) -> date:
        while not self.is_working_day(day):
            day += step
        return day

    def add_days(self, day: date, n: int, *, working: bool) -> date:
        """The day `n` days later: by the calendar, or by working days, of which the next one is the first. 0 is the day itself."""
        if not working:
            return day + n * DAY
        for _ in range(n):
            day = self.next_working_day(day + DAY)
        return day

    def open_day(self, day: date, *, before: bool = False) -> date:
        """The day, or where it lies in a vacation or on a public holiday the first working day after it (`before`: the last before it).

        Nothing falls due when nobody is there; a weekend stays what it is.
        """
        if day not in self._vacations and day not in self._holidays:
            return day
        return self.last_working_day(day) if before else self.next_working_day(day)

    # --- periods ------------------------------------------------------------------------------------------------------------

    @cached_property
    def _terms(self) -> list[Term]:
        return sorted(self.terms, key=lambda term: (term.start, term.end, term.id), reverse=True)

    def year_of(self, level: str) -> Literal["year", "academic_year"]:
        """Which kind of period a year (年) is at a level."""
        return "year" if self.document.years.get(level, self.document.year) == "civil" else "academic_year"

    def period(self, kind: PeriodKind, day: date) -> Period | None:
        """The period of a kind that holds a day; None: it lies in no term."""
        match kind:
            case "day":
                return Period(kind, day.isoformat(), day, day + DAY)
            case "week":
                monday = day - day.weekday() * DAY
                year, week, _ = day.isocalendar()
                return Period(kind, f"{year}-W{week:02}", monday, monday + 7 * DAY)
            case "month":
                first = day.replace(day=1)
                return Period(kind, f"{day:%Y-%m}", first, first + monthrange(day.year, day.month)[1] * DAY)
            case "term":
                return next((_term(term) for term in self._terms if term.start <= day < term.end), None)
            case "year":
                return Period(kind, f"{day:%Y}", date(day.year, 1, 1), date(day.year + 1, 1, 1))
            case "academic_year":
                first = date(day.year, *self.year_start)
                first = first if first <= day else date(day.year - 1, *self.year_start)
                return Period(kind, f"{first:%Y}-{first.year + 1}", first, date(first.year + 1, *self.year_start))

    def periods(self, kind: PeriodKind, first: date, last: date) -> list[Period]:
        """The periods of a kind that hold a day from `first` to `last`, both inclusive, in order."""
        if kind == "term":
            return [_term(term) for term in reversed(self._terms) if term.start <= last and first < term.end]
        found: list[Period] = []
        while first <= last:
            period = self.period(kind, first)
            assert period is not None, "only terms leave gaps"
            found.append(period)
            first = period.end
        return found

    def mid_term_day(self, term: Period) -> date:
        """The middle of a term (期中): of an even number of days the later one, and never a day on which nobody is there."""
        return self.open_day(term.start + (term.end - term.start).days // 2 * DAY)


def _term(term: Term) -> Period:
    return Period("term", term.id, term.start, term.end)


def _between(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += DAY


def _days(spans: Sequence[Days]) -> Iterator[date]:
    for span in spans:
        yield from _between(span.first, span.last)
