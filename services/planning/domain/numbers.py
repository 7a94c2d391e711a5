"""Exact numbers: decimals as people and systems write them, fractions where they are compared."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

LARGEST = 1_000_000_000
PLACES = 6


def exact(value: object) -> Decimal:
    """A JSON number as it was written, or the text of one; JSON gives a float, whose shortest text is what the sender wrote.

    Raises ValueError for anything else, for 1,000,000,000 and more, and for more than 6 decimals.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("a number is needed")  # noqa: TRY004 - pydantic shows a ValueError to the caller
    number = Decimal(str(value))
    if not number.is_finite() or abs(number) >= LARGEST:
        raise ValueError("a number below 1,000,000,000 is needed")
    number = number.normalize()
    if -int(number.as_tuple().exponent) > PLACES:
        raise ValueError("a number has at most 6 decimals")
    return Decimal(f"{number:f}")


def rounded(value: Fraction) -> Decimal:
    """The value with at most 6 decimals, half away from zero, without needless zeros."""
    number = Decimal(value.numerator) / Decimal(value.denominator)
    text = f"{number.quantize(Decimal(1).scaleb(-PLACES), ROUND_HALF_UP):f}"
    return Decimal(text.rstrip("0").rstrip(".")) if "." in text else Decimal(text)


def text_of(value: Fraction | None) -> str | None:
    """The value as it is kept: rounded, None as it is."""
    return None if value is None else f"{rounded(value):f}"
