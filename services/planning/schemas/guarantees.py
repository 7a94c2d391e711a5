"""The guarantee chain as people see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.http import Exact, View
from services.planning.domain.budgets import yuan
from services.planning.domain.goals import KEPT
from services.planning.domain.guarantees import Guarantee
from services.planning.tables import GoalRow, GuaranteeRow, PlanRow, RecordRow


class RecordView(View):
    """One thing that happened."""

    step: str
    at: datetime
    by: str
    what: dict[str, Any]


class PaidView(View):
    """What pays for a measure: how many budget lines, in yuan."""

    lines: int
    approved: Exact
    spent: Exact


class GuaranteeView(View):
    """A measure, and the budget lines that pay for it."""

    id: UUID
    guarantee: Guarantee
    budget: PaidView
    created_at: datetime
    created_by: str


class GuaranteeDetail(GuaranteeView):
    """A measure with what happened to it; `before` holds what a change replaced."""

    history: list[RecordView]


class UnservedView(View):
    """A goal in force that nothing protects."""

    id: UUID
    plan: str
    code: str
    level: str
    unit: str | None
    statement: str | None


def guarantee_view(row: GuaranteeRow, budgets: Mapping[UUID, tuple[int, int, int]]) -> GuaranteeView:
    return GuaranteeView.model_validate(_guarantee(row, budgets))


def guarantee_detail(
    row: GuaranteeRow, budgets: Mapping[UUID, tuple[int, int, int]], history: Sequence[RecordRow]
) -> GuaranteeDetail:
    return GuaranteeDetail.model_validate({**_guarantee(row, budgets), "history": list(history)})


def unserved_view(goal: GoalRow, plan: PlanRow) -> UnservedView:
    unit = goal.content.get("unit") or plan.unit
    statement = goal.content.get("statement")
    return UnservedView(id=goal.goal, plan=plan.code, code=goal.code, level=plan.level, unit=unit, statement=statement)


def _guarantee(row: GuaranteeRow, budgets: Mapping[UUID, tuple[int, int, int]]) -> dict[str, Any]:
    lines, approved, spent = budgets.get(row.id, (0, 0, 0))
    return {
        "id": row.id,
        "guarantee": Guarantee.model_validate(row.content, context=KEPT),
        "budget": PaidView(lines=lines, approved=yuan(approved), spent=yuan(spent)),
        "created_at": row.created_at,
        "created_by": row.created_by,
    }
