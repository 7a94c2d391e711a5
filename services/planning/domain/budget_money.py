"""Money: yuan with two digits, as people write it, kept as whole fen."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator

from services.planning.domain.goals import Number

FEN = 100


def _two_digits(value: Decimal) -> Decimal:
    if value * FEN % 1:
        raise ValueError("yuan have at most 2 decimals")
    return value


Yuan = Annotated[Number, AfterValidator(_two_digits)]


def fen(yuan: Decimal) -> int:
    return int(yuan * FEN)


def yuan(fen_: int) -> Decimal:
    return Decimal(fen_).scaleb(-2)
