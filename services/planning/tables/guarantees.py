"""The guarantee chain (保障链): measures, budgets with what was spent, and which goals they protect. Money is in fen, whole."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, ForeignKey, Identity, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import RowId
from services.planning.tables.base import Table


class GuaranteeRow(Table):
    """A measure of a mechanism. `content` is the whole of what people wrote; `unit` leads it, None: the school."""

    __tablename__ = "guarantee"
    __table_args__ = (Index(None, "school", "mechanism"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    mechanism: Mapped[str]
    unit: Mapped[str | None]
    level: Mapped[str]
    system: Mapped[str | None]
    status: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class ProtectionRow(Table):
    """A measure or a budget line (`holder`) protects a goal; what is given up protects nothing and has no row."""

    __tablename__ = "protection"
    __table_args__ = (Index(None, "goal"),)
    holder: Mapped[UUID] = mapped_column(primary_key=True)
    goal: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]


class BudgetRow(Table):
    """A line of a unit's budget of a year, `spent` the sum of its spending. `measure`: the measure that it pays for.

    The appraisal of what was spent is `appraised`, by whom, and `confirmed_by` a second person.
    """

    __tablename__ = "budget"
    __table_args__ = (Index(None, "school", "year"), Index(None, "measure"))
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    year: Mapped[int]
    unit: Mapped[str | None]
    mechanism: Mapped[str]
    measure: Mapped[UUID | None] = mapped_column(ForeignKey("guarantee.id"))
    approved: Mapped[int] = mapped_column(BigInteger)
    spent: Mapped[int] = mapped_column(BigInteger, default=0)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    appraised: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    appraised_by: Mapped[str | None]
    confirmed_by: Mapped[str | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class SpendingRow(Table):
    """Money spent from a budget line; given back, it is negative."""

    __tablename__ = "spending"
    position: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    budget: Mapped[UUID] = mapped_column(ForeignKey("budget.id"), index=True)
    on: Mapped[date]
    amount: Mapped[int] = mapped_column(BigInteger)
    what: Mapped[str] = mapped_column(Text)
    document: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]


class EntryRow(Table):
    """An entry of a register. `kind` says what its `content` is, `category` the word that it is counted by; `status` where it stands.

    `on` is its day, `due_on` when it has to be done, `owner` who answers for that; `student` of student aid alone. `due` and `paid` (fen)
    and `paid_on` are those of aid.
    """

    __tablename__ = "entry"
    __table_args__ = (
        Index(None, "school", "kind", "on", "id"),
        Index(None, "school", "status", "due_on"),
        Index(None, "school", "student"),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    kind: Mapped[str]
    category: Mapped[str | None]
    unit: Mapped[str | None]
    student: Mapped[str | None]
    owner: Mapped[str | None]
    on: Mapped[date]
    due_on: Mapped[date | None]
    status: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    due: Mapped[int | None] = mapped_column(BigInteger)
    paid: Mapped[int | None] = mapped_column(BigInteger)
    paid_on: Mapped[date | None]
    overdue_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class RecordRow(Table):
    """What happened to a measure, a budget line or a register's entry (`about`), in order: who, when, what."""

    __tablename__ = "guarantee_record"
    position: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    about: Mapped[UUID] = mapped_column(index=True)
    step: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    what: Mapped[dict[str, Any]] = mapped_column(JSON)
