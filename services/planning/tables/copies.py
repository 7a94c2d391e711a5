"""Copies from other services: what planning must know of schools, metrics, standards, indicators, measurements, roster and posts."""

from datetime import date
from typing import Any

from sqlalchemy import JSON, Index
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import Ordered
from services.planning.tables.base import Table


class SchoolRow(Table):
    """A school, its name and zone, and the day (`MM-DD`) on which its academic year begins."""

    __tablename__ = "school"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    timezone: Mapped[str]
    placed_on: Mapped[date | None]
    year_start: Mapped[str]


class SessionRow(Table):
    """A span of the roster's calendar; `end` is exclusive. Those of kind `term` and `semester` are the school's terms."""

    __tablename__ = "academic_session"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    kind: Mapped[str]
    start: Mapped[date]
    end: Mapped[date]
    active: Mapped[bool]


class SetupRow(Table):
    """How a school is set up, whole: the parts of `libs/common/events/setup.py` are what planning works by."""

    __tablename__ = "setup"
    school: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column(JSON)


class MetricRow(Table):
    """How the numbers of a metric read."""

    __tablename__ = "metric"
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    unit: Mapped[str | None]
    alias: Mapped[str | None]


class IndicatorRow(Table):
    """What an indicator in force measures, its newest version in force."""

    __tablename__ = "indicator"
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    name: Mapped[str]
    metric: Mapped[str]
    level: Mapped[str]
    window: Mapped[str]
    comparison: Mapped[str]


class StandardRow(Table):
    """A version of a standard with whom it is about, its elements and floors, in force from `effective_from` until a later one."""

    __tablename__ = "standard"
    school: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str | None]
    effective_from: Mapped[date]
    levels: Mapped[list[str]] = mapped_column(JSON)
    elements: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class FollowedRow(Table):
    """Something whose measurements planning follows, because a published goal is measured by it."""

    __tablename__ = "followed"
    school: Mapped[str] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[str] = mapped_column(primary_key=True)
    window: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)


class MeasuredRow(Table):
    """The newest telling of a followed subject's window; exact decimals as text, `value` None without data."""

    __tablename__ = "measured"
    school: Mapped[str] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[str] = mapped_column(primary_key=True)
    window: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    start: Mapped[date] = mapped_column(primary_key=True)
    numerator: Mapped[str]
    denominator: Mapped[str]
    value: Mapped[str | None]


class OrgRow(Table):
    """A unit and the one above it; `kind` as in the roster."""

    __tablename__ = "org"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    parent: Mapped[str | None]
    active: Mapped[bool]


class CourseRow(Table):
    """What is taught, and the unit that answers for it."""

    __tablename__ = "course"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    org: Mapped[str | None]
    active: Mapped[bool]


class HomeroomRow(Table):
    """A class that is a homeroom; classes of courses are known by their enrollments alone."""

    __tablename__ = "homeroom"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    active: Mapped[bool]
    org: Mapped[str | None]


class PersonRow(Table):
    """Somebody of the school's staff: no student and no parent ever owns a task."""

    __tablename__ = "person"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(Ordered, primary_key=True)
    name: Mapped[str]
    active: Mapped[bool]
    roles: Mapped[list[str]] = mapped_column(JSON)
    orgs: Mapped[list[str]] = mapped_column(JSON)


class StudentRow(Table):
    """What a student is called, for problems about them."""

    __tablename__ = "student"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class ClassRow(Table):
    """What a class is called, of a course or a homeroom, for problems about it."""

    __tablename__ = "class"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]


class EnrollmentRow(Table):
    """Somebody in a class, from `start` (inclusive) to `end` (exclusive); None is open."""

    __tablename__ = "enrollment"
    __table_args__ = (Index(None, "school", "class_id", "role"), Index(None, "school", "person", "role"))
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    class_id: Mapped[str]
    person: Mapped[str]
    role: Mapped[str]
    primary: Mapped[bool]
    start: Mapped[date | None]
    end: Mapped[date | None]


class PostRow(Table):
    """A post of a person; `key` is (person, post, object, start) as JSON. Dates as in `EnrollmentRow`."""

    __tablename__ = "post"
    __table_args__ = (Index(None, "school", "post", "object"),)
    school: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str]
    post: Mapped[str]
    object: Mapped[str | None]
    start: Mapped[date | None]
    end: Mapped[date | None]
