"""Annual tasks with their versions and history, and what they are linked to: resolutions, duties, projects."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Identity, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import Ordered, RowId
from services.planning.tables.base import Table


class ResolutionRow(Table):
    """A resolution of the leadership (领导班子研究决定), known by its number."""

    __tablename__ = "resolution"
    school: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(Ordered, primary_key=True)
    date: Mapped[date]
    title: Mapped[str]


class DutyRow(Table):
    """A duty of a unit or of a post."""

    __tablename__ = "duty"
    __table_args__ = (Index(None, "school", "unit"), Index(None, "school", "post"))
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    unit: Mapped[str | None]
    post: Mapped[str | None]
    text: Mapped[str] = mapped_column(Text)


class ProjectRow(Table):
    """A project (建设项目); `content` is the whole of what people wrote, the last to write it stands."""

    __tablename__ = "project"
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(Ordered, primary_key=True)
    unit: Mapped[str | None]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]


class TaskRow(Table):
    """A task as it stands. `content` is what is agreed on, in its newest version; `task_class`, `year`, `goal`, `due` are the content's.

    `unit` has it, by its `owner` (None: nobody yet). `given_by` gave it, also while it is withdrawn. `percent` is how far its owner says it is, `value` and
    `done` what was submitted, `met` and `score` what the verifier found. `countdown`: the days before `due` of which its owner was told last.
    """

    __tablename__ = "task"
    __table_args__ = (
        Index(None, "school", "year", "due", "id"),
        Index(None, "school", "due", "id"),
        Index(None, "school", "unit", "year"),
        Index(None, "school", "owner", "status"),
        Index(None, "status", "due"),
        Index(None, "parent"),
        Index(None, "school", "goal", "year"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    parent: Mapped[UUID | None]
    task_class: Mapped[str]
    year: Mapped[int]
    goal: Mapped[UUID | None]
    due: Mapped[date]
    unit: Mapped[str | None]
    owner: Mapped[str | None]
    helpers: Mapped[list[str]] = mapped_column(JSON)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    version: Mapped[int]
    status: Mapped[str]
    percent: Mapped[int]
    value: Mapped[str | None]
    done: Mapped[str | None] = mapped_column(Text)
    met: Mapped[bool | None]
    score: Mapped[str | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    given_by: Mapped[str | None]
    submitted_by: Mapped[str | None]
    verified_by: Mapped[str | None]
    overdue_at: Mapped[datetime | None]
    countdown: Mapped[int | None]


class TaskPlaceRow(Table):
    """Where a task lies (`kind:id`): who may see it follows from these."""

    __tablename__ = "task_place"
    __table_args__ = (Index(None, "place"),)
    task: Mapped[UUID] = mapped_column(ForeignKey("task.id"), primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)


class TaskVersionRow(Table):
    """What a task said from a moment on, who wrote it, and why."""

    __tablename__ = "task_version"
    task: Mapped[UUID] = mapped_column(ForeignKey("task.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime]
    by: Mapped[str]
    why: Mapped[str | None] = mapped_column(Text)


class TaskStepRow(Table):
    """What happened to a task, in order: who (None: the system), when, what; its progress and evidence are lines of it."""

    __tablename__ = "task_step"
    position: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    task: Mapped[UUID] = mapped_column(ForeignKey("task.id"), index=True)
    step: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str | None]
    what: Mapped[dict[str, Any]] = mapped_column(JSON)
