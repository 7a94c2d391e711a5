"""Request and response bodies of planning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from libs.common.days import MaybeDay
from libs.common.events.routines import Post
from libs.common.events.setup import Code
from libs.common.http import Body, View
from services.planning.domain.settings import FoundBy, Level, SchoolSettings
from services.planning.domain.sources import Source
from services.planning.domain.states import OWNERS_TURN, Status
from services.planning.schemas.effects import EffectBrief
from services.planning.tables import HistoryRow, ImprovementRow

MOST_AT_ONCE = 500
_NO_NUL = r"^[^\x00]*$"


Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=_NO_NUL)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=_NO_NUL)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
Ids = Annotated[list[Annotated[UUID, Field(strict=False)]], Field(min_length=1, max_length=MOST_AT_ONCE)]


class ProblemBody(Body):
    """A problem that somebody found. `subject` None: the whole school; what else is left out the school's posts and settings decide.

    `unit` is the one that answers (责任部门), `tracking` the post that follows it (推进组). `measures`, `goal` and `deadline`: the plan, where
    it is known already.
    """

    problem: Line
    level: Level
    subject: Id | None = None
    unit: Id | None = None
    indicator: Code | None = None
    owner: Id | None = None
    verifier: Id | None = None
    tracking: Post | None = None
    plan_due_on: MaybeDay = None
    due_on: MaybeDay = None
    measures: Annotated[list[Line] | None, Field(min_length=1, max_length=20)] = None
    goal: Line | None = None
    deadline: MaybeDay = None


class OpenBody(Body):
    """Problems of one source, such as the findings of a mid-term check on several units."""

    source: FoundBy
    problems: Annotated[list[ProblemBody], Field(min_length=1, max_length=MOST_AT_ONCE)]


class ProgressBody(Body):
    """How far it is; evidence as text or links."""

    text: Words
    evidence: Annotated[
        list[Line], Field(max_length=50, description="Text, links, or of a file the `path` that `POST /files` answered.")
    ] = []


class StartBody(Body):
    """The plan; what is left out is as proposed. What people found has all three, here or recorded with it."""

    measures: Annotated[list[Line] | None, Field(min_length=1, max_length=20)] = None
    goal: Line | None = None
    deadline: MaybeDay = None


class SubmitBody(Body):
    """What was done; evidence as text or links. The indicator's curve is attached by the system."""

    done: Words
    evidence: Annotated[
        list[Line], Field(max_length=50, description="Text, links, or of a file the `path` that `POST /files` answered.")
    ] = []


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
    """An improvement in a list; `vacant` are the posts passed over for its owner, `overdue` and `plan_overdue` are as of today.

    `number` is its number in the school's ledger; `recurs` the improvement of the same problem before; what people found has no
    `warning` and no `severity`.
    """

    id: UUID
    number: int
    source: Source
    warning: UUID | None
    recurs: UUID | None
    indicator: str | None
    level: str
    subject: str
    subject_name: str | None
    title: str
    severity: str | None
    unit: str | None
    status: Status
    owner: str | None
    owner_name: str | None
    owner_post: str
    verifier: str | None
    verifier_name: str | None
    verifier_post: str
    vacant: list[str]
    tracking: str
    opened_at: datetime
    opened_on: date
    plan_due_on: date
    due_on: date
    overdue: bool
    plan_overdue: bool


class PlanView(View):
    """What `start` proposes: of a warning the clear line in words, the due date, the school's measures; else what was recorded with it."""

    measures: list[str]
    goal: str | None
    deadline: date | None


class HistoryView(View):
    """One thing that happened; `by` None is the system."""

    step: str
    at: datetime
    by: str | None
    what: dict[str, Any]


class ImprovementView(ImprovementItem):
    """An improvement whole; `curve` is where the indicator's values are read, `cleared` whether the data cleared the warning."""

    cleared: bool
    curve: str | None
    proposed_plan: PlanView
    measures: list[str] | None
    goal: str | None
    deadline: date | None
    done: str | None
    evidence: list[str] | None
    submitted_by: str | None
    verified_by: str | None
    verified_on: date | None
    opened_by: str | None
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
    shown = _shown(row, names, today)
    plan = {"measures": row.measures or [], "goal": row.goal, "deadline": row.deadline}
    if row.warning is not None:
        measures = settings.measures[row.level]  # type: ignore[index]  # a level
        plan = {"measures": measures, "goal": row.goal_proposed, "deadline": row.due_on}
    return ImprovementView.model_validate({**shown, "proposed_plan": plan, "effect": effect, "history": list(history)})


def _shown(row: ImprovementRow, names: Mapping[str, str], today: date) -> dict[str, Any]:
    columns = {column.key: getattr(row, column.key) for column in ImprovementRow.__table__.columns}
    return {
        **columns,
        "owner_name": names.get(row.owner or ""),
        "verifier_name": names.get(row.verifier or ""),
        "overdue": row.status in OWNERS_TURN and row.due_on < today,
        "plan_overdue": row.status == Status.PROPOSED and row.plan_due_on < today,
    }
