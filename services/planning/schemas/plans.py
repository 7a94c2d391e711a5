"""Request and response bodies of plans and goals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from libs.common.events.origin import Origin
from libs.common.http import Body, Exact, View
from services.planning.domain.attainment import State
from services.planning.domain.goals import Code, Goal, Line, Words, kept
from services.planning.domain.numbers import rounded
from services.planning.domain.plans import Plan, PlanStatus, SwotItem
from services.planning.domain.smart import Finding
from services.planning.queries import Below
from services.planning.tables import DeliveryRow, GoalHistoryRow, GoalRow, PlanHistoryRow, PlanRow, StandingRow


class PlanIn(Plan):
    """A plan's first version."""

    code: Code

    def plan(self) -> Plan:
        return Plan(**{name: getattr(self, name) for name in Plan.model_fields})


class WhyBody(Body):
    """Why, in words."""

    reason: Words


class VersionBody(Body):
    """Why there is to be a new version."""

    origin: Origin


class ApproveBody(Body):
    """What there is to say about it."""

    reason: Words | None = None


class CommentBody(Body):
    text: Words


class GoalBody(Body):
    """A goal whole, and why it says now what it says."""

    goal: Goal
    why: Words | None = None


class ChangedGoalBody(GoalBody):
    """As `GoalBody`; a change has a reason."""

    why: Words


class DeliverBody(Body):
    """How many there are by now, and what shows it."""

    number: Annotated[int, Field(ge=0, le=1_000_000)]
    evidence: Annotated[list[Line], Field(min_length=1, max_length=50)]


class PlanItem(View):
    """A version of a plan in a list; `goals` how many it has, `met` how many of them are reached."""

    code: str
    version: int
    name: str
    kind: str
    level: str
    unit: str | None
    owner: str | None
    owner_post: str | None
    subject: str | None
    period_from: date
    period_to: date
    parent: str | None
    status: PlanStatus
    published_on: date | None
    current: bool
    goals: int
    met: int


class PlanStepView(View):
    """One thing that happened to a plan; `by` null: it follows from the roster."""

    step: str
    at: datetime
    by: str | None
    what: dict[str, Any]


class DoubtView(View):
    """What looks out of reach (or too easy) at publication: said, never forbidden."""

    goal: str
    letter: str
    pointer: str
    detail: str


class PlanView(PlanItem):
    """A version of a plan whole; `warnings` are said when it is published."""

    swot: list[SwotItem]
    origin: dict[str, Any]
    created_by: str
    submitted_by: str | None
    approved_by: str | None
    history: list[PlanStepView]
    warnings: list[DoubtView] = []


class StandingView(View):
    """How far a goal is; ratios: 0.9 is 90 %. `as_of` is the first day of the window that `value` is of.

    `covered` is the share of what counts that has data; `warned`: its indicator has an uncleared warning; `overdue`: so many tasks, improvements of what measures it and annual tasks for it.
    """

    state: State
    value: Exact | None
    target: Exact | None
    deviation: Exact | None
    attainment: Exact | None
    covered: Exact
    as_of: date | None
    warned: bool
    overdue: int


class GoalView(View):
    """A goal in one version of its plan; `standing` None: it is not in force."""

    id: UUID
    plan: str
    version: int
    current: bool
    goal: Goal
    metric: str | None
    level: str | None
    window: str | None
    subject: str | None
    standing: StandingView | None


class GoalChangeView(View):
    """What a goal said before (null: it is new) and says from then on (null: it is gone)."""

    version: int
    at: datetime
    by: str
    why: str | None
    old: dict[str, Any] | None
    new: dict[str, Any] | None


class DeliveryView(View):
    number: int
    evidence: list[str]
    at: datetime
    by: str


class GoalDetail(GoalView):
    """A goal with its history; `delivered` is what was reported last."""

    delivered: DeliveryView | None
    history: list[GoalChangeView]


class ChildView(View):
    """A goal right below, with its weight there."""

    id: UUID
    plan: str
    code: str
    statement: str | None
    weight: Exact | None
    standing: StandingView | None


class BelowView(View):
    """All goals below, each once, however many ways lead to it; `states` counts them, `overdue` their improvements and annual tasks."""

    goals: int
    states: dict[State, int]
    warned: int
    overdue: int


class TreeView(View):
    """A node of the goal tree: itself, what lies below it, and a page of the goals right below it that the caller may see."""

    goal: GoalView
    below: BelowView
    children: list[ChildView]
    next: str | None


class FindingView(View):
    """What does not hold together (`error`) or waits for somebody (`todo`): its code, the object (`kind` and `id`), a sentence, how to mend it."""

    code: str
    severity: str
    kind: str
    object: str
    sentence: str
    mend: str


class LintView(View):
    """`items` are at most as many as asked for; `counts` count all by their code, `errors` are those that are no mere `todo`."""

    counts: dict[str, int]
    errors: int
    items: list[FindingView]
    more: bool


class TakenView(View):
    """What a sheet changed: goals as `plan/code`; `same`: how many say already what their row says."""

    added: list[str]
    changed: list[str]
    same: int


Counts = Mapping[UUID, tuple[int, int]]
Troubles = tuple[set[UUID], dict[UUID, int]]


def plan_item(row: PlanRow, counts: Counts) -> PlanItem:
    return PlanItem.model_validate(_plan(row, counts))


def plan_view(row: PlanRow, counts: Counts, history: Sequence[PlanHistoryRow], doubts: Sequence[Finding] = ()) -> PlanView:
    said = {name: getattr(row, name) for name in ("swot", "origin", "created_by", "submitted_by", "approved_by")}
    return PlanView.model_validate({**_plan(row, counts), **said, "history": list(history), "warnings": list(doubts)})


def _plan(row: PlanRow, counts: Counts) -> dict[str, Any]:
    columns = {column.key: getattr(row, column.key) for column in PlanRow.__table__.columns}
    goals, met = counts.get(row.id, (0, 0))
    return {**columns, "goals": goals, "met": met}


def standing_view(goal: UUID, row: StandingRow | None, troubles: Troubles) -> StandingView | None:
    if row is None:
        return None
    warned, overdue = troubles
    numbers = {name: _number(getattr(row, name)) for name in ("value", "target", "deviation", "attainment", "covered")}
    said = {"state": row.state, "as_of": row.start, "warned": goal in warned, "overdue": overdue.get(goal, 0)}
    return StandingView.model_validate({**numbers, **said})


def _number(text: str | None) -> Decimal | None:
    return None if text is None else rounded(Fraction(text))


def goal_view(row: GoalRow, standings: Mapping[UUID, StandingRow], troubles: Troubles) -> GoalView:
    return GoalView.model_validate(_goal(row, standings, troubles))


def _goal(row: GoalRow, standings: Mapping[UUID, StandingRow], troubles: Troubles) -> dict[str, Any]:
    names = ("version", "current", "metric", "level", "window", "subject")
    said = {name: getattr(row, name) for name in names}
    standing = standing_view(row.goal, standings.get(row.goal), troubles) if row.live else None
    return {**said, "id": row.goal, "plan": row.plan_code, "goal": kept(row.content), "standing": standing}


def goal_detail(
    row: GoalRow,
    standings: Mapping[UUID, StandingRow],
    troubles: Troubles,
    delivered: DeliveryRow | None,
    history: Sequence[GoalHistoryRow],
) -> GoalDetail:
    found = {"delivered": delivered, "history": list(history)}
    return GoalDetail.model_validate({**_goal(row, standings, troubles), **found})


def below_view(found: Below) -> BelowView:
    return BelowView(goals=sum(found.states.values()), states=found.states, warned=found.warned, overdue=found.overdue)


def child_view(row: GoalRow, weight: str | None, standings: Mapping[UUID, StandingRow], troubles: Troubles) -> ChildView:
    return ChildView(
        id=row.goal,
        plan=row.plan_code,
        code=row.code,
        statement=row.content.get("statement"),
        weight=_number(weight),
        standing=standing_view(row.goal, standings.get(row.goal), troubles),
    )
