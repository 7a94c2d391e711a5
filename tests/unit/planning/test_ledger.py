"""What a ledger's counts say of whoever answers: not submitting never looks better."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.planning.domain.ledger import Tally, same_problem

TODAY = date(2026, 3, 10)
Problem = tuple[int, int | None]  # days from today to the due date, days from today back to its verification; None: not submitted
PROBLEMS = st.lists(st.tuples(st.integers(-30, 30), st.none() | st.integers(0, 60)), min_size=1, max_size=12)


def tally(problems: list[Problem]) -> Tally:
    """The counts as the ledger defines them."""
    due = [TODAY + timedelta(days=left) for left, _ in problems]
    done = [None if ago is None else TODAY - timedelta(days=ago) for _, ago in problems]
    both = list(zip(due, done, strict=True))
    return Tally(
        total=len(both),
        completed=sum(day is not None for _, day in both),
        met=sum(day is not None and day <= last for last, day in both),
        submitted=0,
        overdue=sum(day is None and last < TODAY for last, day in both),
        plan_overdue=0,
        due=sum(day is not None or last < TODAY for last, day in both),
    )


@given(problems=PROBLEMS, which=st.integers(0, 11))
def test_whoever_does_not_submit_never_has_a_better_rate(problems: list[Problem], which: int) -> None:
    left, _ = problems[which % len(problems)]
    lazy = [*problems]
    lazy[which % len(problems)] = (left, None)
    did, did_not = tally(problems), tally(lazy)
    for rate in ("completion_rate", "met_rate", "on_time_rate"):
        better, worse = getattr(did, rate), getattr(did_not, rate)
        assert worse is None or worse <= better, rate
    assert did.overdue_rate is not None
    assert did_not.overdue_rate is not None
    assert did_not.overdue_rate >= did.overdue_rate


def test_nothing_to_count_has_no_rate() -> None:
    assert Tally(0, 0, 0, 0, 0, 0, 0).completion_rate is None


def test_a_problem_is_the_same_by_indicator_and_subject_and_without_one_by_words_source_and_unit() -> None:
    row = {"indicator": "attendance", "source": "warning", "unit": "cnc", "level": "class", "subject": "K1", "title": "缺勤"}
    assert same_problem(row) == same_problem({**row, "title": "x", "source": "patrol", "unit": None})
    assert same_problem(row) != same_problem({**row, "subject": "K2"})
    found = {**row, "indicator": None}
    assert same_problem(found) == same_problem({**found})
    assert same_problem(found) != same_problem({**found, "source": "patrol"})
    assert same_problem(found) != same_problem({**found, "unit": "mech"})
    assert same_problem(found) != same_problem({**found, "title": "教案缺失"})
