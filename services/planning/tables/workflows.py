"""Runs of workflows, what is filed, rules, and work packages."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Identity, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import RowId
from services.planning.tables.base import Table


class RunRow(Table):
    """A workflow at work on something. `content` is the workflow as it was when it started; `step` counts its steps from 1.

    `turn` counts how often a step was reached. `ended_at` None: it waits for its step, which is due on `due_on` (None: whenever).
    """

    __tablename__ = "workflow_run"
    __table_args__ = (Index(None, "school", "started_at", "id"), Index(None, "status", "due_on"))
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    workflow: Mapped[str]
    name: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    about_kind: Mapped[str]
    about: Mapped[str]
    status: Mapped[str]
    step: Mapped[int]
    turn: Mapped[int]
    due_on: Mapped[date | None]
    overdue_at: Mapped[datetime | None]
    started_at: Mapped[datetime]
    started_by: Mapped[str]
    ended_at: Mapped[datetime | None]


class RunHistoryRow(Table):
    """What happened to a run, in order: who (None: the clock), when, at which step, what."""

    __tablename__ = "workflow_history"
    position: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    run: Mapped[UUID] = mapped_column(index=True)
    step: Mapped[int]
    what: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str | None]
    said: Mapped[dict[str, Any]] = mapped_column(JSON)


class PaperPlaceRow(Table):
    """Where a run or a filing lies (`kind:id`): who may see it follows from these."""

    __tablename__ = "paper_place"
    paper: Mapped[UUID] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)


class FilingRow(Table):
    """What a unit has filed (备案): it stands as `filed` from then on, without a verdict, until the unit files anew (`replaced`)."""

    __tablename__ = "filing"
    __table_args__ = (Index(None, "school", "register", "position"),)
    position: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    school: Mapped[str]
    register: Mapped[str]
    unit: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    status: Mapped[str]
    filed_at: Mapped[datetime]
    filed_by: Mapped[str]


class RuleRow(Table):
    """A version of a rule (规章制度). `remind_on`: when its owner is told that its review comes; `reminded_at` None: not yet."""

    __tablename__ = "rule"
    __table_args__ = (Index(None, "school", "current", "code"), Index(None, "school", "remind_on"))
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    level: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    current: Mapped[bool]
    remind_on: Mapped[date | None]
    reminded_at: Mapped[datetime | None]
    written_at: Mapped[datetime]
    written_by: Mapped[str]


class PackageRow(Table):
    """A work package (工作包): a duty, the works that come of it, the posts that do them, and by which standard."""

    __tablename__ = "work_package"
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    unit: Mapped[str]
    name: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
