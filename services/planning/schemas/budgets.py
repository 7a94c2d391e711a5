"""Budgets as people see them: yuan with two digits, rates with six."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from libs.common.http import Exact, View
from services.planning.domain.budgets import Budget, Why, alarm_of, execution, share_passed, yuan
from services.planning.domain.goals import KEPT
from services.planning.domain.numbers import rounded
from services.planning.domain.settings import SchoolSettings, Severity
from services.planning.schemas.guarantees import RecordView
from services.planning.tables import BudgetRow, SpendingRow


class LineView(View):
    """What a line says."""

    name: str
    year: int
    unit: str | None
    mechanism: str
    item: str | None
    measure: UUID | None
    approved: Exact
    goals: list[UUID]


class AlarmView(View):
    """A financial warning of a line."""

    severity: Severity
    why: Why


class AppraisalView(View):
    """What the spending was worth: `spent` is what was spent when it was said, `confirmed_by` None: nobody has confirmed it yet."""

    score: Exact
    text: str
    spent: Exact
    by: str
    confirmed_by: str | None


class BudgetView(View):
    """A line: `rate` is the execution rate, None where nothing is approved; `passed` the share of its year that is over today."""

    id: UUID
    budget: LineView
    spent: Exact
    rate: Exact | None
    passed: Exact
    warning: AlarmView | None
    appraisal: AppraisalView | None
    created_at: datetime
    created_by: str


class BudgetDetail(BudgetView):
    """A line with what happened to it."""

    history: list[RecordView]


class SpendingView(View):
    """What was spent, and who wrote it down."""

    id: Annotated[int, Field(validation_alias="position")]
    on: date
    amount: Exact
    what: str
    document: str
    at: datetime
    by: str


class SumView(View):
    """A mechanism's or a unit's year; `key` None: the school's own lines."""

    key: str | None
    lines: int
    approved: Exact
    spent: Exact
    rate: Exact | None


class SumsView(View):
    items: list[SumView]


def budget_view(row: BudgetRow, settings: SchoolSettings, today: date) -> dict[str, Any]:
    """What `BudgetView` shows of a line."""
    share = share_passed(row.year, today)
    alarm = alarm_of(row.approved, row.spent, share, behind=settings.budget_behind, ahead=settings.budget_ahead)
    said = Budget.model_validate(row.content, context=KEPT)
    return {
        "id": row.id,
        "budget": LineView.model_validate({**said.model_dump(), "approved": yuan(row.approved)}),
        "spent": yuan(row.spent),
        "rate": rate(row.approved, row.spent),
        "passed": rounded(share),
        "warning": alarm,
        "appraisal": _appraisal(row),
        "created_at": row.created_at,
        "created_by": row.created_by,
    }


def rate(approved: int, spent: int) -> Decimal | None:
    """The execution rate, rounded to six decimals."""
    found: Fraction | None = execution(approved, spent)
    return None if found is None else rounded(found)


def _appraisal(row: BudgetRow) -> AppraisalView | None:
    if (said := row.appraised) is None:
        return None
    return AppraisalView(
        score=Decimal(said["score"]),
        text=said["text"],
        spent=yuan(said["spent"]),
        by=row.appraised_by or "",
        confirmed_by=row.confirmed_by,
    )


def spending_view(row: SpendingRow) -> SpendingView:
    shown = {column.key: getattr(row, column.key) for column in SpendingRow.__table__.columns}
    return SpendingView.model_validate({**shown, "amount": yuan(row.amount)})


def sum_view(key: str | None, lines: int, approved: int, spent: int) -> SumView:
    return SumView(key=key, lines=lines, approved=yuan(approved), spent=yuan(spent), rate=rate(approved, spent))
