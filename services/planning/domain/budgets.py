"""Budget lines: what is approved and spent, how far spending is against the year, and when that is a warning (财务预警)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from libs.common.days import Day
from libs.common.reasons import at
from services.planning.domain.goals import Code, Id, Line, Number, Part, Words
from services.planning.domain.guarantees import Goals
from services.planning.domain.settings import SEVERITIES, Severity

FEN = 100
Why = Literal["overspent", "ahead", "behind"]


def _two_digits(value: Decimal) -> Decimal:
    if value * FEN % 1:
        raise ValueError("yuan have at most 2 decimals")
    return value


Yuan = Annotated[Number, AfterValidator(_two_digits)]


def fen(amount: Decimal) -> int:
    """Yuan as they are kept: whole fen."""
    return int(amount * FEN)


def yuan(amount: int) -> Decimal:
    """Fen as they are shown: yuan with two digits."""
    return Decimal(amount).scaleb(-2)


class Budget(Part):
    """A line of a unit's budget of a civil year (`unit` None: the school's own), for a mechanism of the guarantee chain.

    `measure` is what it pays for, `goals` those that it protects, `item` the school's own word for what it is spent on.
    """

    name: Line
    year: Annotated[int, Field(ge=2000, le=2200)]
    unit: Id | None = None
    mechanism: Code
    item: Line | None = None
    measure: Annotated[UUID, Field(strict=False)] | None = None
    approved: Annotated[Yuan, Field(ge=0)]
    goals: Goals = []

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(set(self.goals)) < len(self.goals):
            raise at("goals", "each goal is named once")
        return self


class Spending(Part):
    """Money that was spent, and the document that says so; what came back is negative."""

    on: Day
    amount: Yuan
    what: Words
    document: Line

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.amount:
            raise at("amount", "an amount is not 0")
        return self


class Appraisal(Part):
    """What the spending of a line was worth (绩效评价): a score out of 100, and why."""

    score: Annotated[Number, Field(ge=0, le=100)]
    text: Words


@dataclass(frozen=True, slots=True)
class Alarm:
    """A financial warning: how bad, and why."""

    severity: Severity
    why: Why


def execution(approved: int, spent: int) -> Fraction | None:
    """The execution rate (执行率), None where nothing is approved."""
    return Fraction(spent, approved) if approved else None


def share_passed(year: int, today: date) -> Fraction:
    """How much of a civil year is over, today included: 0 before it, 1 from its last day on."""
    first, after = date(year, 1, 1), date(year + 1, 1, 1)
    passed = (min(today, date(year, 12, 31)) - first).days + 1
    return Fraction(max(passed, 0), (after - first).days)


def alarm_of(
    approved: int, spent: int, share: Fraction, *, behind: Mapping[Severity, int], ahead: Mapping[Severity, int]
) -> Alarm | None:
    """The warning of a line, None where there is none.

    More spent than approved is red. Otherwise the execution rate is compared with the share of the year that is over: a gap of more than
    so many percentage points (`behind`, `ahead`; the school's settings) is a warning, exactly so many is not.
    """
    if spent > approved:
        return Alarm("red", "overspent")
    rate = execution(approved, spent)
    if rate is None:
        return None
    points = (rate - share) * 100
    lines, why = (ahead, "ahead") if points > 0 else (behind, "behind")
    passed = [severity for severity in SEVERITIES if severity in lines and abs(points) > lines[severity]]
    return Alarm(passed[-1], why) if passed else None  # type: ignore[arg-type]  # one of two literals
