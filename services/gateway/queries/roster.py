"""What is known of a school's roster and posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from libs.common.auth import Scope
from libs.common.errors import Fault, Invalid, NotFound
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


def _held(start: InstrumentedAttribute[date | None], end: InstrumentedAttribute[date | None], day: date) -> ColumnElement[bool]:
    return and_(or_(start.is_(None), start <= day), or_(end.is_(None), end > day))


async def named_school(session: AsyncSession, scope: Scope, *, lock: bool = False) -> SchoolRow:
    """Return the school; `lock`: nobody else imports into it until this transaction ends. Raises Invalid, NotFound."""
    if not scope.school:
        raise Invalid("name the school", [Fault(pointer="/school", detail="the operator adds ?school=CODE")])
    query = select(SchoolRow).filter_by(code=scope.school)
    row = await session.scalar(query.with_for_update() if lock else query)
    if row is None:
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
    enrolled = select(func.count()).where(
        EnrollmentRow.school == scope.school, _held(EnrollmentRow.start, EnrollmentRow.end, today)
    )
    counts["enrollments"] = await session.scalar(enrolled) or 0
    last = await session.scalar(select(ImportRow).filter_by(school=scope.school).order_by(ImportRow.id.desc()).limit(1))
    return Summary(counts, last.at if last else None, last.by if last else None)


# --- one person ------------------------------------------------------------------------------------------------------


async def find_person(session: AsyncSession, school: str, person: str) -> PersonRow | None:
    """Return somebody of the roster, active or not."""
    return await session.get(PersonRow, (school, person))


async def relations_of(session: AsyncSession, school: str, person: str, today: date) -> Relations:
    """Return what a person has to do with the school today; nothing for one whom the roster does not have, or has no longer."""
    roles = await session.execute(
        select(PersonRow.id, RoleRow.role)
        .outerjoin(
            RoleRow,
            and_(
                RoleRow.school == school,
                RoleRow.person == PersonRow.id,
                RoleRow.active,
                _held(RoleRow.start, RoleRow.end, today),
            ),
        )
        .where(PersonRow.school == school, PersonRow.id == person, PersonRow.active, PersonRow.enabled)
    )
    if not (held := roles.all()):
        return Relations()
    classes = (
        await session.execute(
            select(ClassRow.id, ClassRow.kind)
            .join(EnrollmentRow, and_(EnrollmentRow.school == school, EnrollmentRow.class_id == ClassRow.id))
            .where(EnrollmentRow.person == person, EnrollmentRow.role == "teacher")
            .where(ClassRow.school == school, ClassRow.active, _held(EnrollmentRow.start, EnrollmentRow.end, today))
            .order_by(EnrollmentRow.primary.desc(), ClassRow.id)
        )
    ).all()
    children = await session.scalars(
        select(ParentRow.student)
        .join(PersonRow, and_(PersonRow.school == school, PersonRow.id == ParentRow.student, PersonRow.active))
        .where(ParentRow.school == school, ParentRow.person == person, ParentRow.active)
    )
    posts = await session.scalars(
        select(PostRow).where(PostRow.school == school, PostRow.person == person, _held(PostRow.start, PostRow.end, today))
    )
    return Relations(
        posts=tuple(Post(row.post, row.object, row.start, row.end) for row in posts),
        teaches=_classes(classes, "scheduled"),
        homerooms_led=_classes(classes, "homeroom"),
        children=tuple(sorted(children)),
        roles=tuple(sorted({row.role for row in held if row.role is not None})),
    )


def _classes(rows: Sequence[Any], kind: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.id for row in rows if row.kind == kind))
