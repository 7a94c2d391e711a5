"""Rows that standards owns."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, Identity, Index, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.common.database import NAMES, TYPES, Ordered, RowId


class Table(DeclarativeBase):
    """Base of this service's tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = TYPES


class MetricRow(Table):
    """Copy of a school's metrics: the ones an indicator may watch. `alias` is a second code of the same metric, `direction` the one
    in which it is good.
    """

    __tablename__ = "metric"
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    alias: Mapped[str | None]
    direction: Mapped[str]


class IndicatorRow(Table):
    """An indicator of a school; `newest` is its last version, `active` the one activated last (None: none yet), `trial` the one that
    is in trial (None: none).
    """

    __tablename__ = "indicator"
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(Ordered, primary_key=True)
    newest: Mapped[int]
    active: Mapped[int | None]
    trial: Mapped[int | None]


class VersionRow(Table):
    """One version of an indicator, never changed once written; `definition` is a `Definition` with its decimals as strings.

    `reason`: why its lines were tuned (None: they were not). A version that was in trial is `released` where it is in force now,
    or `abandoned`, with the reason, where it never will be.
    """

    __tablename__ = "version"
    __table_args__ = (ForeignKeyConstraint(["school", "code"], ["indicator.school", "indicator.code"]),)
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(Ordered, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]] = mapped_column(JSON)
    origin: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    activated_at: Mapped[datetime | None]
    activated_by: Mapped[str | None]
    reason: Mapped[str | None] = mapped_column(Text)
    released_at: Mapped[datetime | None]
    released_by: Mapped[str | None]
    abandoned_at: Mapped[datetime | None]
    abandoned_by: Mapped[str | None]
    abandoned_because: Mapped[str | None] = mapped_column(Text)


class FamilyRow(Table):
    """A family of standards of a school: what they are about, how often they are to be revised (None: unstated), how many days before
    somebody is told, and the posts that review them, in order.
    """

    __tablename__ = "family"
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(Ordered, primary_key=True)
    name: Mapped[str]
    name_en: Mapped[str | None]
    kind: Mapped[str]
    revision_years: Mapped[int | None]
    remind_days: Mapped[int]
    review_path: Mapped[list[str]] = mapped_column(JSON)
    owner: Mapped[str | None]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]


class StandardRow(Table):
    """A standard of a school; `newest` is its last version, `active` the one in force (None: none)."""

    __tablename__ = "standard"
    __table_args__ = (ForeignKeyConstraint(["school", "family"], ["family.school", "family.code"]),)
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(Ordered, primary_key=True)
    family: Mapped[str] = mapped_column(Ordered)
    newest: Mapped[int]
    active: Mapped[int | None]


class StandardVersionRow(Table):
    """One version of a standard; `content` is a `Content`, with its decimals as text, and no longer changes once it is in review.

    `authors`: all who wrote in it. `review_path` is the family's when it was submitted, `approvals` how much of it is done.
    `reminded_at`: when it was told that its revision comes.
    """

    __tablename__ = "standard_version"
    __table_args__ = (
        ForeignKeyConstraint(["school", "code"], ["standard.school", "standard.code"]),
        Index(None, "state", "effective_from"),
        Index(None, "state", "effective_to"),
    )
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(Ordered, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    origin: Mapped[dict[str, Any]] = mapped_column(JSON)
    effective_from: Mapped[date]
    effective_to: Mapped[date | None]
    authors: Mapped[list[str]] = mapped_column(JSON)
    review_path: Mapped[list[str]] = mapped_column(JSON)
    approvals: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    submitted_by: Mapped[str | None]
    activated_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    retired_because: Mapped[str | None]
    reminded_at: Mapped[datetime | None]


class StepRow(Table):
    """What happened to a version of a standard: who did what when, for which post, with which words."""

    __tablename__ = "standard_step"
    __table_args__ = (Index(None, "school", "code", "version", "position"), {"sqlite_autoincrement": True})
    position: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    school: Mapped[str]
    code: Mapped[str]
    version: Mapped[int]
    step: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str | None]
    post: Mapped[str | None]
    text: Mapped[str | None] = mapped_column(Text)


class JudgementRow(Table):
    """A judgement of a subject by an element, which `said` keeps as it stood then; never changed, a newer one takes its place."""

    __tablename__ = "judgement"
    __table_args__ = (Index(None, "school", "standard", "level", "subject"), Index(None, "school", "judged_at", "id"))
    id: Mapped[UUID] = mapped_column(primary_key=True)
    school: Mapped[str]
    standard: Mapped[str]
    version: Mapped[int]
    element: Mapped[str]
    level: Mapped[str]
    subject: Mapped[str]
    met: Mapped[bool]
    evidence: Mapped[str] = mapped_column(Text)
    judged_at: Mapped[datetime]
    judged_on: Mapped[date]
    valid_until: Mapped[date | None]
    judged_by: Mapped[str]
    post: Mapped[str]
    said: Mapped[dict[str, Any]] = mapped_column(JSON)


class JudgementPlaceRow(Table):
    """Where a judgement's subject lay (`kind:id`): who may see it follows from these."""

    __tablename__ = "judgement_place"
    judgement: Mapped[UUID] = mapped_column(ForeignKey("judgement.id"), primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)


# --- copies of what others own ------------------------------------------------------------------------------------------


class MeasuredRow(Table):
    """Copy of what monitoring measured, as it was told last; decimals as text, `value` None without data."""

    __tablename__ = "measured"
    school: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    window: Mapped[str] = mapped_column(primary_key=True)
    start: Mapped[date] = mapped_column(primary_key=True)
    numerator: Mapped[str]
    denominator: Mapped[str]
    value: Mapped[str | None]


class CycleRow(Table):
    """Copy of a closed cycle of the spiral: what a new version may come of."""

    __tablename__ = "cycle"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    level: Mapped[str]
    subject: Mapped[str]


class SchoolRow(Table):
    """Copy of a school's zone: a standard begins at midnight there."""

    __tablename__ = "school"
    code: Mapped[str] = mapped_column(primary_key=True)
    timezone: Mapped[str]


class OrgRow(Table):
    __tablename__ = "org"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    parent: Mapped[str | None]


class CourseRow(Table):
    __tablename__ = "course"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    org: Mapped[str | None]


class ClassRow(Table):
    __tablename__ = "class"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    course: Mapped[str | None]
    org: Mapped[str | None]


class PersonRow(Table):
    __tablename__ = "person"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    orgs: Mapped[list[str]] = mapped_column(JSON)


class EnrollmentRow(Table):
    """Somebody in a class, as `student` or `teacher`, from `start` (inclusive) to `end` (exclusive)."""

    __tablename__ = "enrollment"
    __table_args__ = (Index(None, "school", "person"),)
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    class_id: Mapped[str]
    person: Mapped[str]
    role: Mapped[str]
    start: Mapped[date | None]
    end: Mapped[date | None]


class PostRow(Table):
    """Who holds which post over what; `key` is (person, post, object, start), which names it."""

    __tablename__ = "post"
    __table_args__ = (Index(None, "school", "person"), Index(None, "school", "post"))
    school: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str]
    post: Mapped[str]
    object: Mapped[str | None]
    start: Mapped[date | None]
    end: Mapped[date | None]
