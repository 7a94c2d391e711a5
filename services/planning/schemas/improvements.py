"""Request and response bodies of planning."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from libs.common.http import Body, View
from services.planning.domain.settings import SchoolSettings
from services.planning.domain.states import OWNERS_TURN, Status
from services.planning.schemas.effects import EffectBrief
from services.planning.tables import HistoryRow, ImprovementRow

MOST_AT_ONCE = 500
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NO_NUL = r"^[^\x00]*$"


def _day(value: object) -> object:
    if value is None:
        return None
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("a date is written YYYY-MM-DD")
    return date.fromisoformat(value)


Day = Annotated[
    date | None,
    BeforeValidator(_day),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}),
]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=_NO_NUL)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=_NO_NUL)]
Ids = Annotated[list[Annotated[UUID, Field(strict=False)]], Field(min_length=1, max_length=MOST_AT_ONCE)]


class StartBody(Body):
    """The plan; what is left out is as proposed."""

    measures: Annotated[list[Line] | None, Field(min_length=1, max_length=20)] = None
    goal: Line | None = None
    deadline: Day = None


class SubmitBody(Body):
    """What was done; evidence as text or links. The indicator's curve is attached by the system."""

    done: Words
    evidence: Annotated[list[Line], Field(max_length=50)] = []


class VerifyBody(Body):
    """Why the work is good although the warning is not cleared; not needed once it is."""

    reason: Words | None = None


class ReturnBody(Body):
    """What is still to be done."""

    reason: Words


class StartManyBody(StartBody):
    ids: Ids


class SubmitManyBody(SubmitBody):
    ids: Ids


class VerifyManyBody(VerifyBody):
    ids: Ids


class ReturnManyBody(ReturnBody):
    ids: Ids


class ImprovementItem(View):
    """An improvement in a list; `vacant` are the posts passed over for its owner, `overdue` is as of today."""

    id: UUID
    warning: UUID
    indicator: str
    level: str
    subject: str
    subject_name: str | None
    title: str
    severity: str
    status: Status
    owner: str | None
    owner_name: str | None
    owner_post: str
    verifier: str | None
    verifier_name: str | None
    verifier_post: str
    vacant: list[str]
    opened_at: datetime
    plan_due_on: date
    due_on: date
    overdue: bool


class PlanView(View):
    """What `start` proposes: the clear line in words, the due date, the school's measures."""

    measures: list[str]
    goal: str
    deadline: date


class HistoryView(View):
    """One thing that happened; `by` None is the system."""

    step: str
    at: datetime
    by: str | None
    what: dict[str, Any]


class ImprovementView(ImprovementItem):
    """An improvement whole; `curve` is where the indicator's values are read, `cleared` whether the data cleared the warning."""

    cleared: bool
    curve: str
    proposed_plan: PlanView
    measures: list[str] | None
    goal: str | None
    deadline: date | None
    done: str | None
    evidence: list[str] | None
    submitted_by: str | None
    verified_by: str | None
    closed_at: datetime | None
    close_reason: str | None
    effect: EffectBrief | None = Field(description="What it has changed; null: not measured yet.")
    history: list[HistoryView]


class Changed(View):
    """What one call changed."""

    items: list[ImprovementItem]


def item(row: ImprovementRow, names: Mapping[str, str], today: date) -> ImprovementItem:
    """Show an improvement in a list."""
    return ImprovementItem.model_validate({**_shown(row, names, today), "status": row.status})


def whole(
    row: ImprovementRow,
    names: Mapping[str, str],
    today: date,
    settings: SchoolSettings,
    history: Sequence[HistoryRow],
    effect: EffectBrief | None,
) -> ImprovementView:
    """Show an improvement with its plan and its history."""
    measures = settings.measures[row.level]  # type: ignore[index]  # a level
    shown = _shown(row, names, today)
    plan = {"measures": measures, "goal": row.goal_proposed, "deadline": row.due_on}
    return ImprovementView.model_validate({**shown, "proposed_plan": plan, "effect": effect, "history": list(history)})


def _shown(row: ImprovementRow, names: Mapping[str, str], today: date) -> dict[str, Any]:
    columns = {column.key: getattr(row, column.key) for column in ImprovementRow.__table__.columns}
    return {
        **columns,
        "owner_name": names.get(row.owner or ""),
        "verifier_name": names.get(row.verifier or ""),
        "overdue": row.status in OWNERS_TURN and row.due_on < today,
    }
