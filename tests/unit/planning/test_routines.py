"""When routines come round."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from libs.common.events.routines import Routine, routine_faults
from services.planning.domain.calendar import CalendarDocument, SchoolCalendar, Term
from services.planning.domain.due import TeacherKinds, concerns, handed_in_faults
from services.planning.domain.routines import now_is, rounds_of

CALENDAR = SchoolCalendar(
    CalendarDocument.model_validate(
        {
            "vacations": [
                {"name": "寒假", "first": "2027-01-18", "last": "2027-02-21"},
                {"name": "暑假", "first": "2027-07-05", "last": "2027-08-29"},
            ],
            "holidays": [{"name": "国庆节", "first": "2026-10-01", "last": "2026-10-07"}],
        }
    ),
    terms=(
        Term("t1", "第一学期", date(2026, 8, 31), date(2027, 1, 18)),
        Term("t2", "第二学期", date(2027, 2, 22), date(2027, 7, 5)),
    ),
)
SINCE = date(2026, 8, 20)


def routine(**said: Any) -> Routine:
    return Routine.model_validate(
        {"code": "r", "name": "r", "level": "school", "per": "school", "by": ["quality_office"], "every": {"unit": "month"}, **said}
    )


def rounds(said: Routine, through: date, begins: int | None = 2026) -> list[tuple[str, str, str]]:
    found = rounds_of(said, CALENDAR, since=SINCE, done_through=None, today=through, begins=begins)
    return [(each.period.key, each.opens_on.isoformat(), each.due_on.isoformat()) for each in found]


def test_a_month_opens_on_its_first_day_or_when_it_is_over_and_is_due_so_many_days_after_it() -> None:
    assert rounds(routine(due={"days": 5}), date(2026, 9, 30)) == [
        ("2026-08", "2026-08-01", "2026-09-05"),
        ("2026-09", "2026-09-01", "2026-10-08"),  # the fifth day after it is a holiday
    ]
    assert rounds(routine(opens="end", due={"days": 3, "counts": "working"}), date(2026, 10, 1)) == [
        ("2026-08", "2026-09-01", "2026-09-03"),
        ("2026-09", "2026-10-01", "2026-10-12"),
    ]


def test_a_day_of_the_month_is_the_last_where_the_month_has_none() -> None:
    assert [due for _, _, due in rounds(routine(due={"day": 31}), date(2026, 11, 2))] == [
        "2026-08-31",
        "2026-09-30",
        "2026-10-31",
        "2026-11-30",
    ]


def test_only_months_with_teaching_weeks_or_with_working_days_come_where_that_is_asked() -> None:
    through = date(2027, 9, 30)
    taught = [key for key, *_ in rounds(routine(only="teaching"), through)]
    worked = [key for key, *_ in rounds(routine(only="working"), through)]
    always = [key for key, *_ in rounds(routine(), through)]
    assert "2027-08" not in taught
    assert "2026-08" not in taught
    assert set(worked) - set(taught) == {"2026-08", "2027-08", "2027-09"}
    assert always == worked


def test_meetings_of_two_weeks_do_not_come_while_nobody_is_there() -> None:
    two = routine(every={"unit": "week", "weeks": 2}, only="working")
    assert [key for key, *_ in rounds(two, date(2027, 3, 1)) if key >= "2027-01"] == ["2027-01-11", "2027-02-22"]


def test_what_is_due_early_comes_before_a_vacation_and_opens_no_later_than_it_is_due() -> None:
    (found,) = rounds(routine(every={"unit": "month", "months": [7]}, due={"early": True}), date(2027, 7, 3))
    assert found == ("2027-07", "2027-07-01", "2027-07-02")
    (found,) = rounds(routine(every={"unit": "month", "months": [8]}, due={"day": 15, "early": True}), date(2027, 7, 3))[-1:]
    assert found == ("2027-08", "2027-07-02", "2027-07-02")


def test_terms_their_middles_and_years_of_both_kinds() -> None:
    through = date(2027, 9, 1)
    assert rounds(routine(every={"unit": "mid_term"}, opens="end", due={"days": 7}), through) == [
        ("t1", "2026-11-10", "2026-11-16"),
        ("t2", "2027-04-30", "2027-05-06"),
    ]
    assert rounds(routine(every={"unit": "term"}, opens="end", due={"days": 14}), through) == [
        ("t1", "2027-01-18", "2027-02-22"),
        ("t2", "2027-07-05", "2027-08-30"),
    ]
    assert rounds(routine(every={"unit": "year"}, opens="end"), through) == [("2026", "2026-12-31", "2026-12-31")]
    assert [key for key, *_ in rounds(routine(every={"unit": "academic_year"}), through)] == ["2025-2026", "2026-2027", "2027-2028"]


def test_a_level_counts_in_the_years_that_the_school_says() -> None:
    academic = SchoolCalendar(CalendarDocument.model_validate({"years": {"student": "academic"}}))
    said = routine(level="student", every={"unit": "year"})
    found = rounds_of(said, academic, since=SINCE, done_through=None, today=SINCE, begins=None)
    assert [each.period.key for each in found] == ["2025-2026"]


def test_once_is_counted_in_years_of_the_schools_period_and_never_comes_without_one() -> None:
    said = routine(every=None, once={"first": {"year": 1, "month": 9}, "last": {"year": 2, "month": 2}})
    assert rounds(said, date(2026, 9, 1)) == [("once", "2026-09-01", "2027-02-28")]
    assert rounds(said, date(2026, 8, 31)) == []
    assert rounds(said, date(2026, 9, 1), begins=None) == []
    goes_on = routine(every=None, once={"first": {"year": 1, "month": 9}})
    assert rounds(goes_on, date(2026, 9, 1)) == [("once", "2026-09-01", "2026-09-30")]


def test_what_opened_while_nothing_ran_is_there_though_it_is_late_and_what_was_over_before_the_routine_never() -> None:
    said = routine(due={"days": 5})
    found = rounds_of(said, CALENDAR, since=SINCE, done_through=date(2026, 9, 10), today=date(2026, 12, 10), begins=None)
    assert [each.period.key for each in found] == ["2026-09", "2026-10", "2026-11", "2026-12"]
    found = rounds_of(said, CALENDAR, since=date(2026, 12, 1), done_through=None, today=date(2026, 12, 1), begins=None)
    assert [each.period.key for each in found] == ["2026-12"]


def test_a_term_is_known_by_its_id_when_its_dates_move() -> None:
    said = routine(every={"unit": "term"})
    (round_,) = rounds_of(said, CALENDAR, since=SINCE, done_through=None, today=date(2026, 9, 1), begins=None)
    moved = SchoolCalendar(terms=(Term("t1", "第一学期", date(2026, 9, 7), date(2027, 1, 25)),))
    assert now_is(said, moved, round_.period, None).end == date(2027, 1, 25)
    assert now_is(said, SchoolCalendar(), round_.period, None) == round_.period


@pytest.mark.parametrize(
    ("kinds", "of", "not_of", "concerned"),
    [
        (set(), [], [], True),
        (set(), ["new"], [], False),
        ({"new"}, ["new", "part_time"], [], True),
        ({"new"}, [], ["new"], False),
        ({"backbone"}, [], ["new"], True),
    ],
)
def test_teachers_are_concerned_by_their_kinds(kinds: set[str], of: list[str], not_of: list[str], concerned: bool) -> None:
    assert concerns(routine(per="teacher", of_kinds=of, not_of_kinds=not_of), kinds) is concerned


def test_a_teacher_is_of_a_kind_from_its_first_day_to_its_last() -> None:
    said = {"teachers": [{"person": "T1", "kind": "new", "first": "2026-09-01", "last": "2027-08-31"}]}
    kinds = TeacherKinds.model_validate(said)
    days = (date(2026, 8, 31), date(2026, 9, 1), date(2027, 8, 31), date(2027, 9, 1))
    assert [bool(kinds.on(day)) for day in days] == [False, True, True, False]


def test_what_an_owner_hands_in_depends_on_what_the_routine_needs() -> None:
    assert handed_in_faults("confirmation", None, []) == []
    assert handed_in_faults("minutes", None, ["x"])[0]["pointer"] == "/minutes"
    assert handed_in_faults("document", "x", [])[0]["pointer"] == "/evidence"


def test_routines_of_a_set_up_are_faulted_where_they_never_come_round() -> None:
    once = routine(every=None, once={"first": {"year": 2, "month": 1}, "last": {"year": 1, "month": 12}})
    assert [each["pointer"] for each in routine_faults("/routines", [once], period=True, levels=())] == ["/routines/0/once/last"]
    both = routine(per="teacher", of_kinds=["new"], not_of_kinds=["new"])
    assert [each["pointer"] for each in routine_faults("/r", [both], period=True, levels=())] == ["/r/0/not_of_kinds"]


def test_a_routine_is_of_a_level_that_every_school_has_or_that_the_cycles_name() -> None:
    guild = routine(level="guild")
    assert [each["pointer"] for each in routine_faults("/r", [guild], period=True, levels=())] == ["/r/0/level"]
    assert list(routine_faults("/r", [guild], period=True, levels={"guild"})) == []
