"""Routines of a school, and what comes due by them."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import Ordered
from services.planning.tables.base import Table


class RoutinesRow(Table):
    """The routines that a school has, and how far the clock is with them. `changed_by` None: they are those of its set-up.

    `since`: by code, from which day the school has the routine. `done_through`: up to that day, inclusive, all that comes due has been
    made; `stale`: something has changed since that may ask for more.
    """

    __tablename__ = "routines"
    school: Mapped[str] = mapped_column(primary_key=True)
    routines: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    since: Mapped[dict[str, str]] = mapped_column(JSON)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str | None]
    done_through: Mapped[date | None]
    stale: Mapped[bool]


class TeacherKindsRow(Table):
    """Which teachers are of which kind (新任、兼职…), whole; a teacher who is not named is of none."""

    __tablename__ = "teacher_kinds"
    school: Mapped[str] = mapped_column(primary_key=True)
    teachers: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]


class DueItemRow(Table):
    """One thing that is due: its id derives from school, routine, period and subject, so it is made once.

    `per`, `subject`: whom or what it is about; `start`, `end` (exclusive) its period. `posts`: those that answer for it, none: the
    subject itself; `owner` None: all of them are vacant. `remind_on`: from that day on its owner is reminded, None: has been.
    """

    __tablename__ = "due_item"
    __table_args__ = (
        Index(None, "school", "due_on", "id"),
        Index(None, "school", "routine", "period"),
        Index(None, "school", "owner", "due_on"),
        Index(None, "school", "status", "overdue_at", "due_on"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    routine: Mapped[str] = mapped_column(Ordered)
    name: Mapped[str]
    level: Mapped[str]
    per: Mapped[str]
    subject: Mapped[str]
    subject_name: Mapped[str | None]
    kind: Mapped[str]
    period: Mapped[str]
    start: Mapped[date]
    end: Mapped[date]
    opened_at: Mapped[datetime]
    due_on: Mapped[date]
    remind_on: Mapped[date | None]
    needs: Mapped[str]
    posts: Mapped[list[str]] = mapped_column(JSON)
    owner: Mapped[str | None]
    owner_post: Mapped[str | None]
    status: Mapped[str]
    overdue_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    done_by: Mapped[str | None]
    note: Mapped[str | None] = mapped_column(Text)
    minutes: Mapped[str | None] = mapped_column(Text)
    evidence: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))


class DuePlaceRow(Table):
    """Where a due item lies (`kind:id`): who may see it follows from these."""

    __tablename__ = "due_place"
    __table_args__ = (Index(None, "place"),)
    item: Mapped[UUID] = mapped_column(ForeignKey("due_item.id"), primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
