"""Numbers and sentences that people read."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planning.domain.wording import Number, curve, goal


@pytest.mark.parametrize(
    ("percent", "value", "text"),
    [
        (True, "0.7531", "75.31%"),
        (True, "0.8", "80%"),
        (True, "1", "100%"),
        (True, "0", "0%"),
        (True, "1.05", "105%"),
        (False, "4", "4"),
        (False, "100", "100"),
        (False, "3.50", "3.5"),
        (False, "0.000001", "0.000001"),
        (False, "0", "0"),
    ],
)
def test_numbers_are_written_without_needless_zeros(percent: bool, value: str, text: str) -> None:
    assert Number(percent).text(Decimal(value), line=Decimal(value)) == text


@pytest.mark.parametrize(
    ("percent", "value", "text"), [(True, "0.8", "80%"), (True, "0.123456", "12.3456%"), (False, "0.123456", "0.123456")]
)
def test_lines_are_written_whole(percent: bool, value: str, text: str) -> None:
    assert Number(percent).exact(Decimal(value)) == text


@given(st.booleans(), st.integers(0, 10**9), st.integers(1, 10**6), st.integers(0, 10**7))
def test_a_value_past_its_line_never_reads_as_if_on_it(percent: bool, numerator: int, denominator: int, millionths: int) -> None:
    number, value, line = Number(percent), Decimal(numerator) / denominator, Decimal(millionths) / 1_000_000

    assert (number.text(value, line) == number.exact(line)) == (value == line)


@given(st.booleans(), st.integers(1, 10**6), st.sampled_from([-1, 1]))
def test_a_value_close_to_its_line_shows_on_which_side_it_is(percent: bool, millionths: int, side: int) -> None:
    line = Decimal(millionths) / 1_000_000
    written = Decimal(Number(percent).text(line + side * Decimal("1e-9"), line).rstrip("%"))

    assert (written - line * (100 if percent else 1)) * side > 0


def test_goals_say_which_side_of_the_clear_line_to_reach() -> None:
    assert goal(level="class", indicator="班级周到课率", comparison="below", clear="90%") == "周到课率不低于 90%"
    assert goal(level="student", indicator="旷课节数", comparison="above", clear="3") == "旷课节数不高于 3"


def test_the_curves_address_survives_any_subject() -> None:
    address = curve(metric="attendance", level="class", window="week", subject="数控 A&B")

    assert address.endswith("&subject=%E6%95%B0%E6%8E%A7+A%26B")
