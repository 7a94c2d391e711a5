"""Cycles of the spiral, and what people propose to change at their diagnosis."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import Ordered
from services.planning.tables.base import Table


class CycleRow(Table):
    """One pass of an object through its spiral, from `starts_on` to `ends_on`, both inclusive, from `begins_at` until before `ends_at`.

    `place` is the object's own (`course:CNC101`): what happens there happens in the cycle. `facts` are [fact, day] in the order in
    which they came: where it stands follows from them by the table of its `spiral`.
    `baseline` and `result` are the figures of its goals at the beginning and at the end. `lesson` None with a reason: there is none.
    """

    __tablename__ = "cycle"
    __table_args__ = (
        Index(None, "school", "place", "status"),
        Index(None, "school", "status", "ends_on"),
        Index(None, "school", "level", "subject"),
        Index(None, "school", "starts_on", "id"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    level: Mapped[str]
    subject: Mapped[str] = mapped_column(Ordered)
    name: Mapped[str | None]
    place: Mapped[str]
    length: Mapped[str]
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    begins_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    spiral: Mapped[str]
    status: Mapped[str]
    facts: Mapped[list[list[str]]] = mapped_column(JSON)
    asks_lesson: Mapped[bool]
    opened_at: Mapped[datetime]
    baseline: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    findings: Mapped[str | None] = mapped_column(Text)
    diagnosed_by: Mapped[str | None]
    diagnosed_at: Mapped[datetime | None]
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]
    lesson: Mapped[str | None] = mapped_column(Text)
    lesson_reason: Mapped[str | None] = mapped_column(Text)
    lesson_by: Mapped[str | None]
    result: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    closed_at: Mapped[datetime | None]


class CyclePlaceRow(Table):
    """Where a cycle's object lies (`kind:id`): who may see it follows from these."""

    __tablename__ = "cycle_place"
    cycle: Mapped[UUID] = mapped_column(ForeignKey("cycle.id"), primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)


class RoundRow(Table):
    """The cycles of a level and length that begin on a day are all open; gone when the roster or the set-up has changed."""

    __tablename__ = "cycle_round"
    school: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[str] = mapped_column(primary_key=True)
    length: Mapped[str] = mapped_column(primary_key=True)
    starts_on: Mapped[date] = mapped_column(primary_key=True)


class ProposalRow(Table):
    """A change that the dynamic loop may not make, or that a diagnosis asks for; decided in the diagnosis of a cycle at `place`.

    `of` is an indicator's, goal's or standard's code or id; `old` and `new` are what it says and what is proposed. `cycle`: where it was
    decided, or where a diagnosis proposed it.
    """

    __tablename__ = "proposal"
    __table_args__ = (Index(None, "school", "place", "status"), Index(None, "school", "at", "id"))
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    kind: Mapped[str]
    of: Mapped[str]
    old: Mapped[str | None] = mapped_column(Text)
    new: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(Text)
    place: Mapped[str]
    improvement: Mapped[UUID | None]
    task: Mapped[UUID | None]
    cycle: Mapped[UUID | None]
    by: Mapped[str]
    at: Mapped[datetime]
    status: Mapped[str]
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(Text)


class ProposalPlaceRow(Table):
    """Where a proposal lies (`kind:id`): who may see it follows from these."""

    __tablename__ = "proposal_place"
    proposal: Mapped[UUID] = mapped_column(ForeignKey("proposal.id"), primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
