"""Which window a moment falls in: weeks, months, terms and academic years in the school's own zone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.monitoring.domain.windows import Calendar, Term, Window, from_day, to_day

SPRING = Term(to_day(date(2026, 2, 24)), to_day(date(2026, 7, 11)))
AUTUMN = Term(to_day(date(2026, 9, 1)), to_day(date(2027, 1, 16)))


def calendar(*terms: Term, zone: str = "Asia/Shanghai", year_start: tuple[int, int] = (9, 1)) -> Calendar:
    return Calendar(zone, year_start, terms)


def start(of: Calendar, window: Window, day: str) -> str | None:
    found = of.start(window, to_day(date.fromisoformat(day)))
    return None if found is None else from_day(found).isoformat()


@pytest.mark.parametrize(
    ("window", "day", "first"),
    [
        (Window.DAY, "2026-03-02", "2026-03-02"),
        (Window.WEEK, "2026-03-02", "2026-03-02"),  # a Monday
        (Window.WEEK, "2026-03-08", "2026-03-02"),  # the Sunday after it
        (Window.WEEK, "2026-03-09", "2026-03-09"),
        (Window.WEEK, "2027-01-01", "2026-12-28"),  # a week holds days of two years
        (Window.MONTH, "2026-02-28", "2026-02-01"),
        (Window.MONTH, "2028-02-29", "2028-02-01"),
        (Window.MONTH, "2026-12-31", "2026-12-01"),
        (Window.YEAR, "2026-08-31", "2025-09-01"),
        (Window.YEAR, "2026-09-01", "2026-09-01"),
        (Window.YEAR, "2028-02-29", "2027-09-01"),
    ],
)
def test_a_window_starts_where_the_contract_says(window: Window, day: str, first: str) -> None:
    assert start(calendar(), window, day) == first


@pytest.mark.parametrize(
    ("year_start", "day", "first"),
    [((1, 1), "2026-01-01", "2026-01-01"), ((8, 15), "2026-08-14", "2025-08-15"), ((8, 15), "2026-08-15", "2026-08-15")],
)
def test_the_academic_year_starts_when_the_school_says(year_start: tuple[int, int], day: str, first: str) -> None:
    assert start(calendar(year_start=year_start), Window.YEAR, day) == first


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.sampled_from([w for w in Window if w is not Window.TERM]))
def test_a_window_holds_its_day_and_gives_every_day_in_it_the_same_start(day: date, window: Window) -> None:
    of = calendar()
    span = of.span(window, to_day(day))
    assert span is not None
    first, after = span

    assert first <= to_day(day) < after
    assert {of.start(window, each) for each in (first, after - 1)} == {first}
    assert of.start(window, first - 1) != first
    assert of.start(window, after) == after


@pytest.mark.parametrize(
    ("day", "first"),
    [
        ("2026-02-23", None),
        ("2026-02-24", "2026-02-24"),
        ("2026-07-10", "2026-02-24"),
        ("2026-07-11", None),
        ("2026-08-15", None),
        ("2026-09-01", "2026-09-01"),
    ],
)
def test_a_term_holds_its_first_day_but_not_its_end_and_a_day_in_no_term_has_no_window(day: str, first: str | None) -> None:
    assert start(calendar(AUTUMN, SPRING), Window.TERM, day) == first


@pytest.mark.parametrize("turn", [1, -1])
def test_of_several_terms_that_hold_a_day_the_latest_starting_has_it(turn: int) -> None:
    second_half = Term(to_day(date(2026, 5, 1)), to_day(date(2026, 6, 1)))
    of = calendar(*(SPRING, second_half)[::turn])

    found = [start(of, Window.TERM, day) for day in ("2026-04-30", "2026-05-01", "2026-05-31", "2026-06-01")]

    assert found == ["2026-02-24", "2026-05-01", "2026-05-01", "2026-02-24"]


@pytest.mark.parametrize(
    ("zone", "instant", "day"),
    [
        ("Asia/Shanghai", "2026-03-01T16:00:00+00:00", "2026-03-02"),
        ("Asia/Shanghai", "2026-03-01T15:59:59.999999+00:00", "2026-03-01"),
        ("America/New_York", "2026-03-02T04:59:59+00:00", "2026-03-01"),
        ("America/New_York", "2026-03-08T04:30:00+00:00", "2026-03-07"),  # the night the clocks go forward: still -05:00
        ("America/New_York", "2026-03-09T04:30:00+00:00", "2026-03-09"),  # -04:00 now
        ("Europe/Berlin", "2026-10-24T22:30:00+00:00", "2026-10-25"),  # +02:00 on the day the clocks go back
        ("Europe/Berlin", "2026-10-25T22:30:00+00:00", "2026-10-25"),  # +01:00: the day had 25 hours
        ("Pacific/Apia", "2011-12-30T09:59:59+00:00", "2011-12-29"),  # 30 December 2011 did not take place there
        ("Pacific/Apia", "2011-12-30T10:00:00+00:00", "2011-12-31"),
        ("Asia/Kathmandu", "2026-03-01T18:15:00+00:00", "2026-03-02"),
    ],
)
def test_an_instant_falls_on_the_schools_day(zone: str, instant: str, day: str) -> None:
    assert from_day(calendar(zone=zone).day_of(datetime.fromisoformat(instant))).isoformat() == day


@given(
    st.integers(946_800_000, 4_102_444_800),
    st.sampled_from(["Asia/Shanghai", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "UTC"]),
)
def test_a_day_has_begun_when_its_instants_come(second: int, zone: str) -> None:
    instant = datetime.fromtimestamp(second, UTC)
    of = calendar(zone=zone)

    assert of.day_of(instant) == to_day(instant.astimezone(ZoneInfo(zone)).date())
    assert of.midnight(of.day_of(instant)) <= instant


LATER_HALF = Term(to_day(date(2026, 5, 1)), to_day(date(2026, 6, 1)))
FIRST_QUARTER = Term(SPRING.start, to_day(date(2026, 4, 1)))


def shown(days: list[tuple[int, int]]) -> list[tuple[str, str]]:
    return [(from_day(first).isoformat(), from_day(after).isoformat()) for first, after in days]


@pytest.mark.parametrize(
    ("first", "days"),
    [
        ("2026-02-24", [("2026-02-24", "2026-04-01"), ("2026-04-01", "2026-05-01"), ("2026-06-01", "2026-07-11")]),
        ("2026-05-01", [("2026-05-01", "2026-06-01")]),
        ("2026-04-01", []),  # an end is no start
        ("2026-09-01", [("2026-09-01", "2027-01-16")]),
    ],
)
def test_the_days_of_a_term_leave_out_those_of_a_later_starting_one(first: str, days: list[tuple[str, str]]) -> None:
    of = calendar(SPRING, LATER_HALF, FIRST_QUARTER, AUTUMN)

    assert shown(of.days(Window.TERM, to_day(date.fromisoformat(first)))) == days


@given(st.dates(date(2026, 1, 1), date(2027, 3, 1)), st.sampled_from(list(Window)))
def test_the_days_of_a_window_are_those_that_have_its_start(day: date, window: Window) -> None:
    of = calendar(SPRING, LATER_HALF, FIRST_QUARTER, AUTUMN)
    first = of.start(window, to_day(day))
    if first is not None:
        assert [a <= to_day(day) < b for a, b in of.days(window, first)].count(True) == 1
        assert {of.start(window, each) for a, b in of.days(window, first) for each in (a, b - 1)} == {first}


@pytest.mark.parametrize(
    ("window", "today", "closed"),
    [
        (Window.DAY, "2026-03-02", "2026-03-01"),
        (Window.WEEK, "2026-03-08", "2026-02-23"),
        (Window.WEEK, "2026-03-09", "2026-03-02"),
        (Window.MONTH, "2026-03-01", "2026-02-01"),
        (Window.YEAR, "2026-08-31", "2024-09-01"),
        (Window.YEAR, "2026-09-01", "2025-09-01"),
        (Window.TERM, "2026-01-01", None),
        (Window.TERM, "2026-05-31", None),
        (Window.TERM, "2026-06-01", "2026-05-01"),  # the half that lies in the midst of the semester
        (Window.TERM, "2026-07-10", "2026-05-01"),
        (Window.TERM, "2026-08-01", "2026-05-01"),
        (Window.TERM, "2026-09-20", "2026-05-01"),  # also when the next term has begun after the holidays
        (Window.TERM, "2027-01-16", "2026-09-01"),
    ],
)
def test_a_window_is_closed_when_all_its_days_have_passed(window: Window, today: str, closed: str | None) -> None:
    found = calendar(SPRING, LATER_HALF, AUTUMN).newest_closed(window, to_day(date.fromisoformat(today)))

    assert (None if found is None else from_day(found).isoformat()) == closed


@pytest.mark.parametrize(
    ("window", "before", "end"),
    [
        (Window.DAY, "2026-03-02", "2026-03-02"),
        (Window.WEEK, "2026-03-02", "2026-03-02"),
        (Window.WEEK, "2026-03-03", "2026-03-09"),
        (Window.YEAR, "2026-09-01", "2026-09-01"),
        (Window.YEAR, "2026-08-31", "2026-09-01"),
        (Window.TERM, "2026-05-15", "2026-07-11"),
        (Window.TERM, "2026-02-24", "2026-02-24"),
        (Window.MONTH, "9999-12-31", "9999-12-31"),
        (Window.YEAR, "0001-01-01", "0001-01-01"),
    ],
)
def test_windows_that_start_before_a_day_end_where_the_last_of_them_does(window: Window, before: str, end: str) -> None:
    found = calendar(SPRING, LATER_HALF, AUTUMN).end(window, to_day(date.fromisoformat(before)))

    assert from_day(found).isoformat() == end
