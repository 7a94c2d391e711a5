"""Exact numbers of requests: decimals as people and systems write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

PLACES = 6
LARGEST = 1_000_000_000
NUMBER_SCHEMA: dict[str, Any] = {
    "type": "number",
    "exclusiveMinimum": -LARGEST,
    "exclusiveMaximum": LARGEST,
    "multipleOf": 0.000001,
}


def plain(value: Decimal) -> Decimal:
    """The same number without an exponent, as it is to be read."""
    return Decimal(f"{value:f}")


def exact_number(value: object) -> Decimal:
    """A JSON number as it was written; JSON gives it as a float, whose shortest text is what the sender wrote.

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
    return plain(number)
