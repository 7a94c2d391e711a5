"""Rows that reporting owns: copies of what others decided, and the feed of what happened."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.common.database import NAMES, TYPES, Ordered


class Table(DeclarativeBase):
    """Base of this service's tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = TYPES


class SchoolRow(Table):
    """A school's name."""

    __tablename__ = "school"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class OrgRow(Table):
    """The name and kind of a unit, from the roster."""

    __tablename__ = "org"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]


class MetricRow(Table):
    """What a metric's values are, so that a sentence can print them."""

    __tablename__ = "metric"
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    unit: Mapped[str | None]


class WarningRow(Table):
    """A warning as monitoring last told it; numbers are exact decimals, kept as text."""

    __tablename__ = "warning"
    __table_args__ = (Index(None, "school", "status"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    indicator: Mapped[str]
    indicator_name: Mapped[str]
    version: Mapped[int]
    metric: Mapped[str]
    level: Mapped[str]
    subject: Mapped[str]
    subject_name: Mapped[str | None]
    window: Mapped[str]
    start: Mapped[date]
    severity: Mapped[str]
    status: Mapped[str]
    comparison: Mapped[str]
    value: Mapped[str]
    numerator: Mapped[str]
    denominator: Mapped[str]
    line: Mapped[str]
    raised_at: Mapped[datetime]


class ImprovementRow(Table):
    """An improvement task as planning last told it, without warning and severity where people found the problem; `late` once its due date passed without a submission."""

    __tablename__ = "improvement"
    __table_args__ = (Index(None, "school", "status"),)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    source: Mapped[str]
    warning: Mapped[UUID | None] = mapped_column(index=True)
    indicator: Mapped[str | None]
    level: Mapped[str]
    subject: Mapped[str]
    title: Mapped[str]
    severity: Mapped[str | None]
    owner: Mapped[str | None]
    verifier: Mapped[str | None]
    status: Mapped[str]
    plan_due_on: Mapped[date]
    due_on: Mapped[date]
    late: Mapped[bool]
    opened_at: Mapped[datetime]


class PlaceRow(Table):
    """A place where what a line of the feed is about lies: who may see it follows from these."""

    __tablename__ = "place"
    object: Mapped[UUID] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(Ordered, primary_key=True, index=True)


class FeedEndRow(Table):
    """The newest position of a school's feed. Updating it locks it, so positions become visible in their order."""

    __tablename__ = "feed_end"
    school: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)


class FeedRow(Table):
    """One thing that happened: a line of the timeline; of a warning or an improvement an event of the stream, too."""

    __tablename__ = "feed"
    school: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str]
    object: Mapped[UUID] = mapped_column(index=True)
    what: Mapped[str]
    by: Mapped[str | None]
    level: Mapped[str]
    subject: Mapped[str]
    indicator: Mapped[str | None]
    text: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
