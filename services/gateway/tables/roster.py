"""The school's master data as imported, and posts; nothing is deleted, what an import lacks is inactive or ended."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Date, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from libs.common.database import Ordered, RowId
from services.gateway.tables.base import Table


class OrgRow(Table):
    """A unit of the school."""

    __tablename__ = "org"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    parent: Mapped[str | None]
    active: Mapped[bool]


class SessionRow(Table):
    """A span of the school's calendar; `end` is exclusive."""

    __tablename__ = "academic_session"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    kind: Mapped[str]
    start: Mapped[date]
    end: Mapped[date]
    active: Mapped[bool]


class CourseRow(Table):
    """A course and the unit that answers for it."""

    __tablename__ = "course"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    org: Mapped[str | None]
    active: Mapped[bool]


class ClassRow(Table):
    """A class, scheduled or homeroom."""

    __tablename__ = "class"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    kind: Mapped[str]
    course: Mapped[str | None]
    org: Mapped[str | None]
    active: Mapped[bool]


class PersonRow(Table):
    """A person, with the roles and units of the day of the import; `enabled` false: the school's system locked them out."""

    __tablename__ = "person"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    enabled: Mapped[bool]
    roles: Mapped[list[str]] = mapped_column(JSON)
    orgs: Mapped[list[str]] = mapped_column(JSON)
    active: Mapped[bool]


class RoleRow(Table):
    """A role of a person in a unit, from `start` to before `end`."""

    __tablename__ = "role"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str]
    role: Mapped[str]
    org: Mapped[str]
    start: Mapped[date | None]
    end: Mapped[date | None]
    active: Mapped[bool]
    __table_args__ = (Index(None, "school", "person"),)


class EnrollmentRow(Table):
    """A span in which a person is in a class; a row of the roster that left and came back has several, `latest` marks the last."""

    __tablename__ = "enrollment"
    school: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    class_id: Mapped[str]
    person: Mapped[str]
    role: Mapped[str]
    primary: Mapped[bool]
    start: Mapped[date | None]
    end: Mapped[date | None]
    after: Mapped[date | None]
    left: Mapped[bool]
    latest: Mapped[bool]
    __table_args__ = (Index(None, "school", "person"), Index(None, "school", "class_id"))


class ParentRow(Table):
    """A parent, guardian or relative of a student."""

    __tablename__ = "parent"
    school: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)
    student: Mapped[str] = mapped_column(primary_key=True)
    active: Mapped[bool]


class ImportRow(Table):
    """An import of a roster that was taken, and what it changed: rows, new, changed, inactive of each file."""

    __tablename__ = "roster_import"
    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    school: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str]
    files: Mapped[dict[str, Any]] = mapped_column(JSON)
    __table_args__ = (Index(None, "school", "id"),)


class PostRow(Table):
    """A span of a post (任职) of a person, `object` as the contract's event has it and `place` as `kind:id`.

    `given` is the first day as the file has it, part of what names the row of the file; `latest` marks its last span.
    A post that was delegated names the delegation and is no row of a file.
    """

    __tablename__ = "post"
    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    school: Mapped[str]
    person: Mapped[str] = mapped_column(Ordered)
    post: Mapped[str] = mapped_column(Ordered)
    object: Mapped[str | None]
    place: Mapped[str] = mapped_column(Ordered)
    given: Mapped[date | None] = mapped_column(Date)
    n: Mapped[int]
    start: Mapped[date | None]
    end: Mapped[date | None]
    after: Mapped[date | None]
    left: Mapped[bool]
    latest: Mapped[bool]
    delegation: Mapped[int | None]
    __table_args__ = (Index(None, "school", "person"), Index(None, "school", "post", "place"))


class DelegationRow(Table):
    """Who gave a post to whom, and when: a log, never changed."""

    __tablename__ = "delegation"
    id: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    school: Mapped[str]
    post: Mapped[str]
    object: Mapped[str | None]
    from_person: Mapped[str]
    to_person: Mapped[str]
    start: Mapped[date]
    until: Mapped[date]
    at: Mapped[datetime]
    __table_args__ = (Index(None, "school", "id"),)
