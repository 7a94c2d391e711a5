"""Monitoring's copy of the roster: what is needed to find the levels that an observation does not name, and its places."""

from datetime import date

from sqlalchemy import JSON, Date, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.monitoring.tables.base import Table


class RosterPartRow(Table):
    """A part of an import that is not complete yet: a roster changes as a whole or not at all."""

    __tablename__ = "roster_part"
    school_id: Mapped[int] = mapped_column(primary_key=True)
    part: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[dict[str, object]] = mapped_column(JSON)


class OrgRow(Table):
    """A unit: school, department or programme (a department of kind programme)."""

    __tablename__ = "org"
    school_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    parent: Mapped[str | None]


class TermRow(Table):
    """A session that makes term windows: `starts` inclusive, `ends` exclusive."""

    __tablename__ = "term"
    school_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    starts: Mapped[date] = mapped_column(Date)
    ends: Mapped[date] = mapped_column(Date)


class CourseRow(Table):
    """A course and the unit that answers for it."""

    __tablename__ = "course"
    school_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    org: Mapped[str | None]


class ClassRow(Table):
    """A class: taught (`scheduled`) or belonging together (`homeroom`)."""

    __tablename__ = "class"
    school_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    kind: Mapped[str]
    course: Mapped[str | None]
    org: Mapped[str | None]


class MovedRow(Table):
    """Where a class, course or org (`kind`) belonged before a day on which it moved; `belonged` as its own row had it."""

    __tablename__ = "moved"
    school_id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    before: Mapped[date] = mapped_column(Date, primary_key=True)
    belonged: Mapped[dict[str, str | None]] = mapped_column(JSON)


class PersonRow(Table):
    """Somebody's name and units."""

    __tablename__ = "person"
    school_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    orgs: Mapped[list[str]] = mapped_column(JSON)


class EnrollmentRow(Table):
    """Somebody in a class, dated; None is open."""

    __tablename__ = "enrollment"
    __table_args__ = (
        Index("enrollment_person_ix", "school_id", "person"),
        Index("enrollment_class_ix", "school_id", "class"),
    )
    school_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    class_: Mapped[str] = mapped_column("class")
    person: Mapped[str]
    role: Mapped[str]
    starts: Mapped[date | None] = mapped_column(Date)
    ends: Mapped[date | None] = mapped_column(Date)
