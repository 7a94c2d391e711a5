"""What is known of a school's roster and posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from libs.common.auth import Scope
from libs.common.errors import Fault, Forbidden, Invalid, NotFound
from services.gateway.domain.relations import Post, Relations
from services.gateway.domain.roster.changes import Attendance, Known, Span
from services.gateway.domain.roster.model import Class, Course, Org, Parent, Person, Role, Session
from services.gateway.queries.schools import today_in
from services.gateway.tables import (
    ClassRow,
    CourseRow,
    EnrollmentRow,
    ImportRow,
    OrgRow,
    ParentRow,
    PersonRow,
    PostRow,
    RoleRow,
    SchoolRow,
    SessionRow,
)

ValueT = TypeVar("ValueT")


def held(start: InstrumentedAttribute[date | None], end: InstrumentedAttribute[date | None], day: date) -> ColumnElement[bool]:
    """Whether a span holds on that day."""
    return and_(or_(start.is_(None), start <= day), or_(end.is_(None), end > day))


async def named_school(session: AsyncSession, scope: Scope) -> SchoolRow:
    """Return the school that the caller is of, or names. Raises Invalid, NotFound."""
    return await _school(session, scope, select(SchoolRow))


async def school_to_change(session: AsyncSession, scope: Scope) -> SchoolRow:
    """Return the school, which nobody else imports into until this transaction ends. Raises Forbidden, Invalid, NotFound."""
    if scope.places is not None:
        raise Forbidden("master data is taken in by whoever answers for the whole school")
    return await _school(session, scope, select(SchoolRow).with_for_update())


async def _school(session: AsyncSession, scope: Scope, query: Select[SchoolRow]) -> SchoolRow:
    if not scope.school:
        raise Invalid("name the school", [Fault(pointer="/school", detail="the operator adds ?school=CODE")])
    if (row := await session.scalar(query.filter_by(code=scope.school))) is None:
        raise NotFound(f"no school {scope.school!r}")
    return row


# --- the roster ------------------------------------------------------------------------------------------------------


async def load_roster(session: AsyncSession, school: str) -> Known:
    """Return all that is stored of a school's roster; of an enrollment its latest span."""
    people = select(*(getattr(PersonRow, name) for name in ("id", "name", "enabled", "roles", "orgs", "active")))
    spans = select(
        *(getattr(EnrollmentRow, name) for name in ("id", "class_id", "person", "role", "primary")),
        *(getattr(EnrollmentRow, name) for name in ("start", "end", "n", "after", "left")),
    )
    return Known(
        orgs=await _by_id(session, school, OrgRow, Org),
        sessions=await _by_id(session, school, SessionRow, Session),
        courses=await _by_id(session, school, CourseRow, Course),
        classes=await _by_id(session, school, ClassRow, Class),
        people={
            row.id: Person(row.id, row.name, row.enabled, tuple(row.roles), tuple(row.orgs), row.active)
            for row in await session.execute(people.where(PersonRow.school == school))
        },
        roles=await _by_id(session, school, RoleRow, Role),
        enrollments={
            row.id: Attendance(
                row.id, row.class_id, row.person, row.role, row.primary, Span(row.start, row.end, row.n, row.after, row.left)
            )
            for row in await session.execute(spans.where(EnrollmentRow.school == school, EnrollmentRow.latest))
        },
        parents={
            (row.person, row.student): Parent(row.person, row.student, row.active)
            for row in await session.execute(
                select(ParentRow.person, ParentRow.student, ParentRow.active).where(ParentRow.school == school)
            )
        },
    )


async def _by_id(session: AsyncSession, school: str, table: Any, kind: type[ValueT]) -> dict[str, ValueT]:
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # all are dataclasses
    rows = await session.execute(select(*(getattr(table, name) for name in names)).where(table.school == school))
    return {row[0]: kind(*row) for row in rows}


@dataclass(frozen=True, slots=True)
class Summary:
    """How much is active of each kind, and when the last import was taken."""

    counts: Mapping[str, int]
    imported_at: datetime | None
    imported_by: str | None


async def summarise(session: AsyncSession, scope: Scope, now: datetime) -> Summary:
    """Return what the roster holds today. Raises Invalid, NotFound."""
    today = today_in(await named_school(session, scope), now)
    counts: dict[str, int] = {}
    for name, table in {
        "orgs": OrgRow,
        "academicSessions": SessionRow,
        "courses": CourseRow,
        "classes": ClassRow,
        "users": PersonRow,
        "roles": RoleRow,
    }.items():
        counts[name] = (
            await session.scalar(select(func.count()).select_from(table).filter_by(school=scope.school, active=True)) or 0
        )
    enrolled = select(func.count()).where(EnrollmentRow.school == scope.school, held(EnrollmentRow.start, EnrollmentRow.end, today))
    counts["enrollments"] = await session.scalar(enrolled) or 0
    last = await session.scalar(select(ImportRow).filter_by(school=scope.school).order_by(ImportRow.id.desc()).limit(1))
    return Summary(counts, last.at if last else None, last.by if last else None)


# --- one person ------------------------------------------------------------------------------------------------------


async def find_person(session: AsyncSession, school: str, person: str) -> PersonRow | None:
    """Return somebody of the roster, active or not."""
    return await session.get(PersonRow, (school, person))


async def relations_of(session: AsyncSession, school: str, person: str, today: date, *, delegated: bool = True) -> Relations:
    """Return what a person has to do with the school today; nothing for one whom the roster does not have, or has no longer.

    `delegated` False leaves out the posts that others gave them.
    """
    roles = await session.execute(
        select(PersonRow.id, RoleRow.role)
        .outerjoin(
            RoleRow,
            and_(
                RoleRow.school == school,
                RoleRow.person == PersonRow.id,
                RoleRow.active,
                held(RoleRow.start, RoleRow.end, today),
            ),
        )
        .where(PersonRow.school == school, PersonRow.id == person, PersonRow.active, PersonRow.enabled)
    )
    if not (found := roles.all()):
        return Relations()
    classes = await _taught(session, school, person, today)
    children = await session.scalars(
        select(ParentRow.student)
        .join(PersonRow, and_(PersonRow.school == school, PersonRow.id == ParentRow.student, PersonRow.active))
        .where(ParentRow.school == school, ParentRow.person == person, ParentRow.active)
    )
    held_today = select(PostRow).where(PostRow.school == school, PostRow.person == person, held(PostRow.start, PostRow.end, today))
    if not delegated:
        held_today = held_today.where(PostRow.delegation.is_(None))
    posts = (await session.scalars(held_today.order_by(PostRow.id))).all()
    named = {kind: [row.object for row in posts if row.post == kind and row.object] for kind in ("teacher", "parent")}
    return Relations(
        posts=tuple(Post(row.post, row.object, row.start, row.end) for row in posts),
        teaches=tuple(dict.fromkeys((*_classes(classes, "scheduled"), *named["teacher"]))),
        homerooms_led=_classes(classes, "homeroom"),
        children=tuple(sorted({*children, *named["parent"]})),
        roles=tuple(sorted({row.role for row in found if row.role is not None})),
    )


async def _taught(session: AsyncSession, school: str, person: str, today: date) -> Sequence[Any]:
    """Return (id, kind) of the classes that somebody teaches, those first where they are the primary teacher."""
    statement = (
        select(ClassRow.id, ClassRow.kind)
        .join(EnrollmentRow, and_(EnrollmentRow.school == school, EnrollmentRow.class_id == ClassRow.id))
        .where(EnrollmentRow.person == person, EnrollmentRow.role == "teacher")
        .where(ClassRow.school == school, ClassRow.active, held(EnrollmentRow.start, EnrollmentRow.end, today))
        .order_by(EnrollmentRow.primary.desc(), ClassRow.id)
    )
    return (await session.execute(statement)).all()


def _classes(rows: Sequence[Any], kind: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.id for row in rows if row.kind == kind))
