"""Plans and their goals, version by version, and how far each goal is."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Identity, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import Ordered, RowId
from services.planning.tables.base import Table


class PlanRow(Table):
    """A version of a plan. `live`: it is in force, or was until its period ended; `current`: the live version, else the newest.

    `subject` is whom or what a plan is about at its level: of a personal plan the teacher or student. `parent` is a plan's code.
    `origin` says why there is this version (`libs/common/events/origin.py`).
    """

    __tablename__ = "plan"
    __table_args__ = (
        Index(None, "school", "code", "version", unique=True),
        Index(None, "school", "current", "code"),
        Index(None, "school", "parent"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    code: Mapped[str] = mapped_column(Ordered)
    version: Mapped[int]
    name: Mapped[str]
    kind: Mapped[str]
    level: Mapped[str]
    unit: Mapped[str | None]
    owner: Mapped[str | None]
    owner_post: Mapped[str | None]
    subject: Mapped[str | None]
    period_from: Mapped[date]
    period_to: Mapped[date]
    parent: Mapped[str | None]
    swot: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    status: Mapped[str]
    current: Mapped[bool]
    live: Mapped[bool]
    origin: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    submitted_by: Mapped[str | None]
    approved_by: Mapped[str | None]
    published_on: Mapped[date | None]


class PlanPlaceRow(Table):
    """Where a plan lies (`kind:id`): who may write and approve it follows from these, and who may see it before it is published."""

    __tablename__ = "plan_place"
    plan: Mapped[UUID] = mapped_column(ForeignKey("plan.id"), primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)


class PlanHistoryRow(Table):
    """What happened to a version of a plan: submitted, commented, returned, approved, published, closed; by whom (None: it follows from the roster), with which words."""

    __tablename__ = "plan_history"
    position: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    plan: Mapped[UUID] = mapped_column(ForeignKey("plan.id"), index=True)
    step: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str | None]
    what: Mapped[dict[str, Any]] = mapped_column(JSON)


class GoalRow(Table):
    """A goal as a version of its plan has it; `goal` names it through all versions. `content` is the whole of what people wrote.

    `indicator`, `metric`, `level`, `window`, `subject` say what measures it, None where nothing does; `system` the vertical system that it is of. `current`, `live`: its plan's.
    """

    __tablename__ = "goal"
    __table_args__ = (
        Index(None, "plan"),
        Index(None, "school", "metric", "level", "window", "subject"),
        Index(None, "school", "indicator", "subject"),
        Index(None, "school", "current", "live", "plan", "system"),
    )
    goal: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    school: Mapped[str]
    plan: Mapped[UUID] = mapped_column(ForeignKey("plan.id"))
    plan_code: Mapped[str]
    code: Mapped[str] = mapped_column(Ordered)
    roll_up: Mapped[str]
    system: Mapped[str | None]
    indicator: Mapped[str | None]
    metric: Mapped[str | None]
    level: Mapped[str | None]
    window: Mapped[str | None]
    subject: Mapped[str | None]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    current: Mapped[bool]
    live: Mapped[bool]


class LinkRow(Table):
    """A goal serves a parent goal, with a weight (an exact decimal) where one is declared."""

    __tablename__ = "goal_link"
    __table_args__ = (Index(None, "parent", "live", "goal"), Index(None, "school", "current"), Index(None, "plan"))
    goal: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    parent: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    plan: Mapped[UUID] = mapped_column(ForeignKey("plan.id"))
    weight: Mapped[str | None]
    current: Mapped[bool]
    live: Mapped[bool]


class GoalHistoryRow(Table):
    """A change of a goal: what it said before (None: it is new) and says now (None: it is gone), who, and why."""

    __tablename__ = "goal_history"
    position: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    goal: Mapped[UUID] = mapped_column(index=True)
    version: Mapped[int]
    at: Mapped[datetime]
    by: Mapped[str]
    why: Mapped[str | None] = mapped_column(Text)
    old: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    new: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class DeliveryRow(Table):
    """How many of a goal's deliverables there are by now, with evidence; the last row stands."""

    __tablename__ = "goal_delivery"
    position: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    goal: Mapped[UUID] = mapped_column(index=True)
    number: Mapped[int]
    evidence: Mapped[list[str]] = mapped_column(JSON)
    at: Mapped[datetime]
    by: Mapped[str]


class StandingRow(Table):
    """How far a live goal is: written anew when its numbers or its children's change, and by the clock from `holds_until` on: the
    next year has another target, and a deliverable is late after its deadline. Decimals as text.

    `covered` is the share of what its roll-up counts that has data. `start` is the first day of the window that `value` is of.
    """

    __tablename__ = "goal_standing"
    __table_args__ = (Index(None, "school", "holds_until"),)
    goal: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    holds_until: Mapped[date]
    state: Mapped[str]
    value: Mapped[str | None]
    target: Mapped[str | None]
    deviation: Mapped[str | None]
    attainment: Mapped[str | None]
    covered: Mapped[str]
    start: Mapped[date | None]
