from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.events.gateway import RosterImported
from services.gateway.domain.roster.changes import (
    Attendance,
    Changes,
    Known,
    Span,
    changes,
    compare,
    compare_enrollments,
    parts,
)
from services.gateway.domain.roster.model import Course, Enrollment, Org, Roster

DAY = date(2026, 3, 2)
days = st.none() | st.integers(-20, 20).map(lambda n: DAY + timedelta(days=n))
rows = st.builds(
    Enrollment,
    id=st.sampled_from(["E1", "E2"]),
    class_id=st.sampled_from(["C1", "C2"]),
    person=st.just("S1"),
    role=st.sampled_from(["student", "teacher"]),
    primary=st.booleans(),
    start=days,
    end=days,
).filter(lambda row: row.start is None or row.end is None or row.start <= row.end)
imports = st.lists(st.tuples(st.integers(0, 5), st.lists(rows, max_size=2, unique_by=lambda row: row.id)), min_size=1, max_size=6)


def enrolled(id_: str = "E1", class_id: str = "C1", start: date | None = None, end: date | None = None) -> Enrollment:
    return Enrollment(id_, class_id, "S1", "student", False, start, end)


class History:
    """All spans, kept as the command keeps them: the latest of each id, and those before."""

    def __init__(self) -> None:
        self.spans: dict[tuple[str, int], Attendance] = {}

    @property
    def latest(self) -> dict[str, Attendance]:
        return {row.id: row for row in sorted(self.spans.values(), key=lambda row: row.span.n)}

    def take(self, given_rows: Mapping[str, Enrollment], today: date) -> list[Attendance]:
        found = compare_enrollments(self.latest, given_rows, today).rows
        for row in found:
            self.spans[row.id, row.span.n] = row
        return found


@settings(deadline=None)
@given(imports)
def test_importing_the_same_again_changes_no_enrollment_that_day_or_later(steps: list[tuple[int, list[Enrollment]]]) -> None:
    history, today = History(), DAY
    for later, given_rows in steps:
        today += timedelta(days=later)
        by_id = {row.id: row for row in given_rows}
        history.take(by_id, today)
        assert history.take(by_id, today) == []
        assert history.take(by_id, today + timedelta(days=3)) == []


@settings(deadline=None)
@given(imports)
def test_spans_of_one_row_never_overlap_and_what_an_import_lacks_is_over(steps: list[tuple[int, list[Enrollment]]]) -> None:
    history, today = History(), DAY
    for later, given_rows in steps:
        today += timedelta(days=later)
        history.take({row.id: row for row in given_rows}, today)
        here = {row.id for row in given_rows}
        for id_ in ("E1", "E2"):
            spans = [row.span for key, row in sorted(history.spans.items()) if key[0] == id_]
            assert [span.n for span in spans] == list(range(1, len(spans) + 1))
            held = [span for span in spans if span.start is None or span.end is None or span.start < span.end]
            for before, after in pairwise(held):
                assert before.end is not None
                assert after.start is not None
                assert before.end <= after.start
            if id_ not in here:
                assert all(span.over(today) or span.start == span.end for span in spans)


@settings(deadline=None)
@given(imports)
def test_a_row_that_is_there_and_open_is_in_force_from_some_day_on(steps: list[tuple[int, list[Enrollment]]]) -> None:
    history, today = History(), DAY
    for later, given_rows in steps:
        today += timedelta(days=later)
        history.take({row.id: row for row in given_rows}, today)
        for row in given_rows:
            if row.end is None:
                now = history.latest[row.id]
                assert (now.class_id, now.role, now.primary) == (row.class_id, row.role, row.primary)
                assert now.span.end is None
                assert not now.span.left


def test_days_of_the_file_stand_as_long_as_the_row_never_left() -> None:
    history = History()
    history.take({"E1": enrolled(start=DAY, end=DAY + timedelta(days=9))}, DAY)
    history.take({"E1": enrolled(start=DAY - timedelta(days=3))}, DAY + timedelta(days=30))
    assert history.latest["E1"].span == Span(DAY - timedelta(days=3), None)


def test_a_row_that_comes_back_begins_on_its_own_day_where_that_is_after_it_left() -> None:
    history = History()
    history.take({"E1": enrolled()}, DAY)
    history.take({}, DAY + timedelta(days=5))
    history.take({"E1": enrolled(start=DAY + timedelta(days=7))}, DAY + timedelta(days=9))
    assert [row.span for row in history.spans.values()] == [
        Span(None, DAY + timedelta(days=5), 1, None, left=True),
        Span(DAY + timedelta(days=7), None, 2, DAY + timedelta(days=5)),
    ]


def test_a_row_that_was_to_begin_later_and_is_gone_never_held() -> None:
    history, later = History(), DAY + timedelta(days=7)
    history.take({"E1": enrolled(start=later)}, DAY)
    history.take({}, DAY)
    assert (history.latest["E1"].span.start, history.latest["E1"].span.end) == (later, later)


def test_each_span_of_a_row_has_an_id_of_its_own_for_others() -> None:
    history = History()
    told = [row.fact().id for row in history.take({"E1": enrolled()}, DAY)]
    told += [row.fact().id for row in history.take({"E1": enrolled(class_id="C2")}, DAY + timedelta(days=1))]
    assert told[0] == told[1] == "E1"
    assert told[2] != "E1"


def org(id_: str, *, active: bool = True, name: str = "x") -> Org:
    return Org(id_, name, "department", None, active)


def test_a_difference_holds_new_changed_returned_and_missing_rows_only() -> None:
    stored = {
        "same": org("same"),
        "old": org("old"),
        "gone": org("gone"),
        "was": org("was", active=False),
        "out": org("out", active=False),
    }
    found = compare(stored, {"same": org("same"), "old": org("old", name="y"), "was": org("was"), "new": org("new")})
    assert found.new == [org("new")]
    assert found.changed == [org("old", name="y"), org("was")]
    assert found.inactive == [org("gone", active=False)]


def big(orgs: int, courses: int) -> Roster:
    return Roster(
        orgs={str(n): org(str(n)) for n in range(orgs)}, courses={str(n): Course(str(n), "x", None) for n in range(courses)}
    )


def told(found: Changes) -> list[RosterImported]:
    return parts("abc", DAY, found)


def test_parts_hold_a_thousand_rows_at_most_and_only_the_last_says_so() -> None:
    events = told(changes(Known(), big(700, 1300), DAY))
    assert [(len(event.orgs), len(event.courses), event.last, event.part) for event in events] == [
        (700, 300, False, "abc/1"),
        (0, 1000, True, "abc/2"),
    ]


def test_nothing_changed_is_told_by_no_part() -> None:
    roster = big(3, 3)
    assert told(changes(Known(orgs=roster.orgs, courses=roster.courses), roster, DAY)) == []


def test_a_role_that_begins_or_ends_is_a_change_of_the_person() -> None:
    from tests.unit.gateway.test_roster_parse import parsed

    roster = parsed()
    known = Known(people=roster.people_on(DAY), roles=roster.roles)
    assert changes(known, roster, DAY).people.rows == []
    ended = replace(roster, roles={**roster.roles, "R3": replace(roster.roles["R3"], end=DAY)})
    found = changes(known, ended, DAY)
    assert [(person.id, person.roles) for person in found.people.changed] == [("T1", ())]
    assert [role.id for role in found.roles.changed] == ["R3"]
