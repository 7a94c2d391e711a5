"""Improvement tasks, and what a school sets for them."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Identity, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import RowId
from services.planning.tables.base import Table


class ImprovementRow(Table):
    """One problem of the ledger (问题清单) and the work on it; of a warning its id derives from school and warning, so that there is one.

    `number` counts the school's problems as they come, from 1; `opened_on` is the day from which its dates are counted; `unit`
    answers for it (责任部门); `tracking` is the post that follows it; `recurs`: the problem that came back in it. Of a warning, `goal_proposed`
    and `curve` are written when it is opened, `metric`, `indicator_name` and `comparison` serve another title; what people found has
    none of these but perhaps an indicator. `measures`, `goal`, `deadline` are written by `start`, or before it by whoever recorded
    the problem; `done` and `evidence` by the last `submit`. `cleared`: the data has cleared the warning. `unfilled`: a post below its
    owner was vacant, or nobody could be found to verify: whoever comes to hold one takes over what is not started yet. `warned`: its
    warning stands, also where the task is closed already.
    """

    __tablename__ = "improvement"
    __table_args__ = (
        Index(None, "school", "warning", unique=True),
        Index(None, "school", "opened_at", "id"),
        Index(None, "status", "due_on"),
        Index(None, "school", "unfilled", "status"),
        Index(None, "school", "subject", "indicator"),
        Index(None, "school", "number", unique=True),
        Index(None, "school", "unit", "source"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    number: Mapped[int]
    source: Mapped[str]
    warning: Mapped[UUID | None]
    recurs: Mapped[UUID | None]
    unit: Mapped[str | None]
    tracking: Mapped[str]
    indicator: Mapped[str | None]
    indicator_name: Mapped[str | None]
    metric: Mapped[str | None]
    comparison: Mapped[str | None]
    level: Mapped[str]
    subject: Mapped[str]
    subject_name: Mapped[str | None]
    title: Mapped[str] = mapped_column(Text)
    goal_proposed: Mapped[str | None] = mapped_column(Text)
    curve: Mapped[str | None] = mapped_column(Text)
    severity: Mapped[str | None]
    status: Mapped[str]
    cleared: Mapped[bool] = mapped_column(default=False)
    warned: Mapped[bool] = mapped_column(default=True)
    owner: Mapped[str | None]
    owner_post: Mapped[str]
    verifier: Mapped[str | None]
    verifier_post: Mapped[str]
    vacant: Mapped[list[str]] = mapped_column(JSON)
    unfilled: Mapped[bool]
    opened_at: Mapped[datetime]
    opened_by: Mapped[str | None]
    opened_on: Mapped[date]
    plan_due_on: Mapped[date]
    due_on: Mapped[date]
    overdue_at: Mapped[datetime | None]
    plan_overdue_at: Mapped[datetime | None]
    measures: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    goal: Mapped[str | None] = mapped_column(Text)
    deadline: Mapped[date | None]
    done: Mapped[str | None] = mapped_column(Text)
    evidence: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    submitted_by: Mapped[str | None]
    verified_by: Mapped[str | None]
    verified_on: Mapped[date | None]
    closed_at: Mapped[datetime | None]
    close_reason: Mapped[str | None]


class PlaceRow(Table):
    """Where an improvement lies (`kind:id`): who may see it follows from these."""

    __tablename__ = "improvement_place"
    __table_args__ = (Index(None, "place"),)
    improvement: Mapped[UUID] = mapped_column(ForeignKey("improvement.id"), primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)


class HistoryRow(Table):
    """What happened to an improvement, in order: who (None: the system), when, what."""

    __tablename__ = "improvement_history"
    __table_args__ = (Index(None, "step", "at"),)
    position: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    improvement: Mapped[UUID] = mapped_column(ForeignKey("improvement.id"), index=True)
    step: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str | None]
    what: Mapped[dict[str, Any]] = mapped_column(JSON)


class SettingsRow(Table):
    """A school's own settings for improvements, whole; without a row the defaults hold."""

    __tablename__ = "settings"
    school: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
