"""How far a goal is, on and around each limit."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from libs.common.numbers import exact_number
from services.planning.domain.attainment import Child, Standing, counts_for, delivered, measured, rolled_up, settled, share
from services.planning.domain.goals import Goal, Measure, Operator, document_of, kept
from services.planning.domain.numbers import rounded
from services.planning.domain.plans import weight_fault
from services.planning.domain.smart import doubtful

DUAL = Measure.model_validate(
    {
        "metric": "dual_qualified",
        "level": "school",
        "window": "year",
        "values": [{"year": 2016 + n, "target": target} for n, target in enumerate((0.6, 0.65, 0.7, 0.75, 0.8))],
    }
)


@pytest.mark.parametrize(
    ("year", "value", "target", "state"),
    [
        (2016, "0.6", "0.6", "on_track"),
        (2019, "0.75", "0.75", "on_track"),
        (2019, "0.749999", "0.75", "behind"),
        (2019, "0.8", "0.75", "met"),
        (2020, "0.799999", "0.8", "behind"),
        (2021, "0.8", "0.8", "met"),  # the last target stays
        (2015, "0.1", None, "on_track"),  # nothing is asked for yet
    ],
)
def test_scenario_1_each_year_has_its_target(year: int, value: str, target: str | None, state: str) -> None:
    found = measured(DUAL, Fraction(value), date(year, 1, 1), year)

    assert (found.state, found.target) == (state, target and Fraction(target))


@pytest.mark.parametrize(
    ("operator", "value", "target", "expected"),
    [
        ("at_least", 2, 3, Fraction(2, 3)),
        ("at_least", 4, 3, Fraction(4, 3)),
        ("at_least", -1, 3, 0),
        ("at_least", 0, 0, 1),
        ("at_least", -1, 0, 0),
        ("at_most", 2, 3, 1),
        ("at_most", 4, 3, Fraction(3, 4)),
        ("at_most", 1, 0, 0),
        ("equal", 3, 3, 1),
        ("equal", 4, 3, Fraction(2, 3)),
        ("equal", 9, 3, 0),
        ("equal", 1, 0, 0),
    ],
)
def test_the_share_of_a_target_that_is_reached(operator: Operator, value: int, target: int, expected: Any) -> None:
    assert share(operator, Fraction(value), Fraction(target)) == expected


def test_a_deliverable_on_its_last_day_is_not_late() -> None:
    due = date(2026, 6, 30)
    assert delivered(2, 1, due, due).state == "on_track"
    assert delivered(2, 1, due, date(2026, 7, 1)).state == "behind"
    assert delivered(2, None, due, date(2026, 7, 1)).state == "no_data"


def test_more_than_all_of_one_goal_does_not_make_up_for_another() -> None:
    much = Child(Fraction(1, 2), Standing("met", attainment=Fraction(3), covered=Fraction(1)))
    none = Child(Fraction(1, 2), Standing("behind", attainment=Fraction(0), covered=Fraction(1)))

    assert rolled_up("weighted", None, [much, none], 2026).attainment == Fraction(1, 2)


def test_weights_that_are_not_all_given_away_leave_a_goal_uncovered_and_never_met() -> None:
    met = Child(Fraction(6, 10), Standing("met", attainment=Fraction(1), covered=Fraction(1)))

    found = rolled_up("weighted", None, [met], 2026)

    assert (found.state, found.attainment, found.covered) == ("on_track", Fraction(1), Fraction(6, 10))


def test_a_sum_of_sums_is_not_known_while_one_of_them_lacks_a_part() -> None:
    asked = Measure.model_validate({"values": [{"year": 2026, "target": 5}]})
    there, lacking = Child(None, delivered(1, 3, None, date(2026, 1, 1))), Child(None, Standing("no_data"))
    partial = Child(None, rolled_up("sum", None, [there, lacking], 2026))

    found = rolled_up("sum", asked, [there, partial], 2026)

    assert found == Standing("no_data", Fraction(6), covered=Fraction(3, 4))


def test_weights_that_miss_one_by_a_millionth_are_said_to() -> None:
    assert weight_fault([Fraction(1, 2), Fraction(500_001, 1_000_000)], whole=True) == (
        "the weights of the goals below it add up to 1.000001, not to 1"
    )


@pytest.mark.parametrize(("start", "counts"), [(date(2025, 1, 1), False), (date(2025, 1, 2), True), (date(2025, 9, 1), True)])
def test_a_year_counts_where_it_may_still_reach_into_the_period(start: date, counts: bool) -> None:
    assert counts_for(start, "year", (date(2026, 1, 1), date(2026, 12, 31)), {}) is counts


@pytest.mark.parametrize(
    ("start", "window", "counts"),
    [
        (date(2026, 2, 1), "month", False),
        (date(2026, 3, 1), "month", True),
        (date(2025, 3, 1), "year", False),
        (date(2025, 9, 1), "year", True),
        (date(2026, 2, 22), "week", False),
        (date(2026, 2, 23), "week", True),
        (date(2025, 9, 1), "term", False),
        (date(2026, 2, 16), "term", True),
        (date(2025, 8, 25), "term", False),
        (date(2026, 12, 31), "day", True),
        (date(2027, 1, 1), "year", False),
    ],
)
def test_a_window_counts_where_it_reaches_into_the_plans_period_and_no_other(start: date, window: str, counts: bool) -> None:
    terms = {date(2025, 9, 1): date(2026, 1, 20), date(2026, 2, 16): date(2026, 7, 10)}
    assert counts_for(start, window, (date(2026, 3, 1), date(2026, 12, 31)), terms) is counts


def test_what_a_goal_comes_to_is_the_same_whichever_goal_below_it_is_read_anew() -> None:
    thirds = [settled(Standing("on_track", Fraction(1, 3), attainment=Fraction(1, 3), covered=Fraction(1))) for _ in range(3)]
    assert rolled_up("sum", None, [Child(None, each) for each in thirds], 2026).value == 1
    long = settled(Standing("on_track", Fraction(1, 3**40), covered=Fraction(1)))
    assert long.value == 0


def test_a_goal_is_kept_exactly_as_it_was_written() -> None:
    goal = Goal.model_validate(
        {
            "code": "G1",
            "deadline": "2026-12-31",
            "weight": 0.1,
            "measure": {
                "metric": "m",
                "level": "school",
                "window": "year",
                "baseline": 0.3,
                "values": [{"year": 2026, "target": 60}],
            },
            "parents": [{"goal": "00000000-0000-4000-8000-000000000000", "weight": 0.333333}],
        }
    )
    assert kept(document_of(goal)) == goal


def test_numbers_are_exact() -> None:
    assert f"{exact_number(60.0):f}" == "60"
    assert f"{exact_number(1e-6):f}" == "0.000001"
    assert f"{rounded(Fraction(2, 3)):f}" == "0.666667"
    for wrong in (0.1234567, 1e9, True, "1", float("nan")):
        with pytest.raises(ValueError, match="number"):
            exact_number(wrong)


def test_targets_steeper_than_the_data_ever_moved_are_doubted() -> None:
    goal = Goal(code="G1", measure=DUAL)
    slow = [(date(2013 + n, 1, 1), Fraction(50 + n, 100)) for n in range(3)]

    assert [each.letter for each in doubtful(goal, slow)] == ["A"]
    assert not list(doubtful(goal, [(day, value + Fraction(n, 20)) for n, (day, value) in enumerate(slow)]))
