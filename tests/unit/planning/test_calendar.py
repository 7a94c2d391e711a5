"""The school calendar: working days, vacations, teaching weeks, periods."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.planning.domain.calendar import DAY, CalendarDocument, SchoolCalendar, Term

AUTUMN = Term("2026-1", "2026学年第一学期", date(2026, 8, 31), date(2027, 1, 18))
SPRING = Term("2026-2", "2026学年第二学期", date(2027, 2, 22), date(2027, 7, 5))
DOCUMENT: dict[str, Any] = {
    "vacations": [
        {"name": "寒假", "first": "2027-01-18", "last": "2027-02-21"},
        {"name": "暑假", "first": "2027-07-05", "last": "2027-08-31"},
    ],
    "holidays": [{"name": "国庆节", "first": "2026-10-01", "last": "2026-10-07"}],
    "make_up_days": ["2026-10-10"],
}


def calendar(**document: object) -> SchoolCalendar:
    return SchoolCalendar(CalendarDocument.model_validate({**DOCUMENT, **document}), terms=(AUTUMN, SPRING))


def test_weekends_holidays_and_vacations_are_not_worked_and_made_up_days_are() -> None:
    school = calendar()
    assert [school.is_working_day(date(2026, 10, day)) for day in (1, 7, 8, 9, 10, 11)] == [False, False, True, True, True, False]
    assert not school.is_working_day(date(2027, 1, 18))
    assert school.is_vacation(date(2027, 2, 21))
    assert not school.is_vacation(date(2027, 2, 22))


def test_days_are_counted_by_the_calendar_or_by_what_is_worked() -> None:
    school = calendar()
    before = date(2026, 9, 30)
    assert school.add_days(before, 3, working=False) == date(2026, 10, 3)
    assert school.add_days(before, 3, working=True) == date(2026, 10, 10)  # the 8th, the 9th, and the Saturday made up
    assert school.add_days(before, 0, working=True) == before


def test_what_falls_when_nobody_is_there_moves_to_the_first_working_day_after_or_to_the_last_before() -> None:
    school = calendar()
    assert school.open_day(date(2026, 10, 3)) == date(2026, 10, 8)
    assert school.open_day(date(2027, 7, 31)) == date(2027, 9, 1)
    assert school.open_day(date(2027, 7, 31), before=True) == date(2027, 7, 2)
    assert school.open_day(date(2026, 9, 6)) == date(2026, 9, 6)  # a Sunday stays what it is


def test_a_month_is_taught_if_a_teaching_week_has_its_thursday_in_it() -> None:
    school = calendar()
    taught = [
        month.key for month in school.periods("month", date(2026, 8, 1), date(2027, 8, 31)) if school.has_teaching_week(month)
    ]
    assert taught == [
        "2026-09",
        "2026-10",
        "2026-11",
        "2026-12",
        "2027-01",
        "2027-02",
        "2027-03",
        "2027-04",
        "2027-05",
        "2027-06",
        "2027-07",
    ]
    assert not calendar(vacations=[{"name": "军训", "first": "2026-10-26", "last": "2026-12-06"}]).has_teaching_week(
        school.periods("month", date(2026, 11, 1), date(2026, 11, 1))[0]
    )


def test_a_school_of_which_no_terms_are_known_is_taught_whenever_it_works() -> None:
    school = SchoolCalendar()
    assert school.has_teaching_week(school.periods("month", date(2026, 8, 1), date(2026, 8, 1))[0])
    assert school.period("term", date(2026, 9, 1)) is None


def test_periods_of_each_kind_that_hold_a_day() -> None:
    school, day = calendar(), date(2027, 1, 2)
    kinds = ("day", "week", "month", "term", "year", "academic_year")
    found = {kind: school.period(kind, day) for kind in kinds}  # type: ignore[arg-type]  # the kinds, as text
    assert {kind: (p.key, p.start, p.end) for kind, p in found.items() if p} == {
        "day": ("2027-01-02", day, date(2027, 1, 3)),
        "week": ("2026-W53", date(2026, 12, 28), date(2027, 1, 4)),
        "month": ("2027-01", date(2027, 1, 1), date(2027, 2, 1)),
        "term": ("2026-1", AUTUMN.start, AUTUMN.end),
        "year": ("2027", date(2027, 1, 1), date(2028, 1, 1)),
        "academic_year": ("2026-2027", date(2026, 9, 1), date(2027, 9, 1)),
    }
    assert school.period("term", date(2027, 2, 1)) is None
    assert [term.key for term in school.periods("term", date(2027, 1, 17), date(2027, 2, 22))] == ["2026-1", "2026-2"]


def test_a_year_is_civil_or_academic_as_the_school_says_for_all_or_for_a_level() -> None:
    school = calendar(year="academic", years={"school": "civil"})
    assert (school.year_of("teacher"), school.year_of("school")) == ("academic_year", "year")


def test_the_middle_of_a_term_is_no_day_on_which_nobody_is_there() -> None:
    school = calendar()
    term = school.period("term", AUTUMN.start)
    assert term
    assert school.mid_term_day(term) == date(2026, 11, 9)
    closed = calendar(holidays=[{"name": "停课", "first": "2026-11-09", "last": "2026-11-13"}], make_up_days=[])
    assert closed.mid_term_day(term) == date(2026, 11, 16)


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        ({"vacations": [{"name": "寒假", "first": "2027-02-01", "last": "2027-01-01"}]}, ["/vacations/0/last"]),
        ({"vacations": [{"name": "寒假", "first": "2027-01-01", "last": "2028-03-01"}]}, ["/vacations/0/last"]),
        ({"holidays": [*DOCUMENT["holidays"], {"name": "中秋节", "first": "2026-10-07", "last": "2026-10-07"}]}, ["/holidays/1"]),
        ({"make_up_days": ["2026-10-03"]}, ["/make_up_days/0"]),
        ({"make_up_days": ["2027-01-23"]}, ["/make_up_days/0"]),
        ({"make_up_days": ["2026-10-12"]}, ["/make_up_days/0"]),
        ({"make_up_days": ["2026-10-10", "2026-10-10"]}, ["/make_up_days/1"]),
        ({"teaching": [{"name": "a", "first": "2026-09-01", "last": "2026-09-30"}] * 2}, ["/teaching/1"]),
    ],
)
def test_a_calendar_that_cannot_be_is_faulted_where_it_is_wrong(document: dict[str, object], pointers: list[str]) -> None:
    faults = CalendarDocument.model_validate({**DOCUMENT, **document}).faults()
    assert [fault["pointer"] for fault in faults] == pointers


@pytest.mark.parametrize("day", ["2026-02-30", "26-01-01", 20260101, "1999-12-31", "2026-01-01T00:00:00", None])
def test_a_date_is_a_text_of_ten_characters(day: object) -> None:
    with pytest.raises(ValidationError):
        CalendarDocument.model_validate({"make_up_days": [day]})


@given(day=st.dates(date(2026, 1, 1), date(2028, 1, 1)), n=st.integers(0, 60))
def test_working_days_are_counted_one_by_one(day: date, n: int) -> None:
    school = calendar()
    there = school.add_days(day, n, working=True)
    span = [day + timedelta(k) for k in range(1, (there - day).days + 1)]
    assert sum(map(school.is_working_day, span)) == n
    assert n == 0 or school.is_working_day(there)


@given(kind=st.sampled_from(["week", "month", "year", "academic_year"]), day=st.dates(date(2020, 1, 1), date(2030, 1, 1)))
def test_a_period_holds_its_day_and_the_next_begins_where_it_ends(kind: str, day: date) -> None:
    school = calendar()
    period = school.period(kind, day)  # type: ignore[arg-type]  # the kinds, as text
    assert period
    assert period.start <= day < period.end
    assert school.period(kind, period.last) == period  # type: ignore[arg-type]  # the kinds, as text
    after = school.period(kind, period.end)  # type: ignore[arg-type]  # the kinds, as text
    assert after
    assert (after.start, after.key != period.key) == (period.end, True)
    assert period.start + DAY <= period.end
