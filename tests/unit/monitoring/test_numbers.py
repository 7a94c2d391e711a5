"""Numbers are exact: millionths inside, plain decimals outside, and a value rounded only where it is shown."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.monitoring.domain.episodes import Indicator, Line, Sum, decimal, millionths, ratio
from services.monitoring.domain.windows import Window

MOST = 9_223_372_036_854_775_807


def watching(*, below: bool) -> Indicator:
    return Indicator("i", 1, "i", "m", "class", Window.WEEK, below, 1, "on_update", (Line("red", 800_000, 800_000),), 0)


@pytest.mark.parametrize(
    ("written", "inside"),
    [
        ("0.80", 800_000),
        ("1", 1_000_000),
        ("0.000001", 1),
        ("-2.5", -2_500_000),
        ("8E-1", 800_000),
        ("999999999.999999", 999_999_999_999_999),
    ],
)
def test_a_decimal_becomes_millionths(written: str, inside: int) -> None:
    assert millionths(written) == inside
    assert millionths(Decimal(written)) == inside


@pytest.mark.parametrize(
    ("inside", "shown"),
    [
        (0, "0"),
        (1, "0.000001"),
        (100, "0.0001"),
        (800_000, "0.8"),
        (10_000_000, "10"),
        (-2_500_000, "-2.5"),
        (-1, "-0.000001"),
        (MOST, "9223372036854.775807"),
    ],
)
def test_millionths_are_shown_in_plain_notation_without_trailing_zeros(inside: int, shown: str) -> None:
    assert str(decimal(inside)) == shown


@given(st.integers(-MOST, MOST))
def test_millionths_come_back_from_their_decimal(inside: int) -> None:
    assert millionths(decimal(inside)) == inside


@pytest.mark.parametrize(
    ("numerator", "denominator", "shown"),
    [
        (1, 3, "0.333333"),
        (2, 3, "0.666667"),
        (1, 2, "0.5"),
        (3, 2, "1.5"),
        (0, 7, "0"),
        (1, 2_000_000, "0.000001"),  # exactly half: away from zero
        (-1, 2_000_000, "-0.000001"),
        (1, 2_000_001, "0"),
        (-2, 3, "-0.666667"),
        (-1, 4, "-0.25"),
        (999_999_999_999_999, 1, "999999999999999"),
        (5, 0, None),
        (0, 0, None),
    ],
)
def test_a_ratio_is_rounded_to_six_decimals_and_is_none_without_denominator(
    numerator: int, denominator: int, shown: str | None
) -> None:
    value = ratio(Sum(numerator, denominator))

    assert (None if value is None else str(value)) == shown


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**15))
def test_a_ratio_is_never_further_from_the_truth_than_half_a_millionth(numerator: int, denominator: int) -> None:
    value = ratio(Sum(numerator, denominator))
    assert value is not None

    assert abs(Fraction(value) - Fraction(numerator, denominator)) <= Fraction(1, 2_000_000)
    assert -int(value.as_tuple().exponent) <= 6


def test_sums_add_and_are_taken_back_exactly() -> None:
    total = Sum(1, 3) + Sum(2, 4)

    assert total == Sum(3, 7)
    assert total.less(Sum(2, 4)) == Sum(1, 3)
    assert Sum() == Sum(0, 0)


@given(st.integers(0, MOST), st.integers(1, MOST), st.booleans())
def test_a_value_is_past_a_line_only_on_the_wrong_side_of_it_however_near(numerator: int, denominator: int, below: bool) -> None:
    value, line = Fraction(numerator, denominator), Fraction(8, 10)

    assert watching(below=below).past(Sum(numerator, denominator), 800_000, under=below) == (
        value < line if below else value > line
    )


@pytest.mark.parametrize("below", [True, False])
def test_a_difference_that_no_float_could_hold_decides(below: bool) -> None:
    on_it = Sum(4 * 10**17, 5 * 10**17)
    under, over = Sum(4 * 10**17 - 1, 5 * 10**17), Sum(4 * 10**17 + 1, 5 * 10**17)

    assert [watching(below=below).past(each, 800_000, under=below) for each in (under, on_it, over)] == [below, False, not below]
