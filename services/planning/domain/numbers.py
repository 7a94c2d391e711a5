"""Numbers where they are compared: fractions, and how they are shown."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from libs.common.numbers import PLACES


def rounded(value: Fraction) -> Decimal:
    """The value with at most 6 decimals, half away from zero, without needless zeros."""
    number = Decimal(value.numerator) / Decimal(value.denominator)
    text = f"{number.quantize(Decimal(1).scaleb(-PLACES), ROUND_HALF_UP):f}"
    return Decimal(text.rstrip("0").rstrip(".")) if "." in text else Decimal(text)


def text_of(value: Fraction | None) -> str | None:
    """The value as it is kept: rounded, None as it is."""
    return None if value is None else f"{rounded(value):f}"
