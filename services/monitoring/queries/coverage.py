"""Which subjects of a level a scope covers: the reverse of `places_of`, from the roster copy as of today."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from services.monitoring.domain.attribution import Roster
from services.monitoring.queries.places import places_of_class
from services.monitoring.tables import EnrollmentRow, PersonRow, TaughtRow, WordRow


async def subjects_in(
    session: AsyncSession, scope: Scope, roster: Roster, school_id: int, level: str, today: date
) -> frozenset[str] | None:
    """The subjects of a level that the scope covers; None: all of them."""
    if scope.places is None or scope.covers([f"level:{level}", f"school:{roster.school}"]):
        return None
    classes = {c for c in roster.classes if scope.covers(places_of_class(roster, c))}
    classes |= _ids(scope, "class")
    if level in {"class", "homeroom"}:
        return frozenset(classes)
    if level == "course":
        units = {c for c, org in roster.courses.items() if scope.covers(f"unit:{u}" for u in roster.units_above(org))}
        return frozenset(units | _ids(scope, "course"))
    if level in {"programme", "department"}:
        return frozenset(o for o in roster.orgs if scope.covers(f"unit:{u}" for u in roster.units_above(o)))
    if level == "student":
        without_courses = {c for c in classes if scope.covers(p for p in places_of_class(roster, c) if not p.startswith("course:"))}
        return frozenset(_ids(scope, "student") | await _students(session, school_id, without_courses, today))
    if level == "teacher":
        return frozenset(_ids(scope, "teacher") | await _teachers(session, scope, roster, school_id))
    if level == "lesson":
        return frozenset(await _lessons(session, school_id, classes))
    return frozenset()


def _ids(scope: Scope, kind: str) -> set[str]:
    return {place.partition(":")[2] for place in scope.places or () if place.startswith(f"{kind}:")}


async def _students(session: AsyncSession, school_id: int, classes: Iterable[str], today: date) -> set[str]:
    rows = await session.execute(
        select(EnrollmentRow.person, EnrollmentRow.starts, EnrollmentRow.ends).where(
            EnrollmentRow.school_id == school_id, EnrollmentRow.role == "student", EnrollmentRow.class_.in_(sorted(classes))
        )
    )
    return {p for p, starts, ends in rows if (starts is None or starts <= today) and (ends is None or today < ends)}


async def _teachers(session: AsyncSession, scope: Scope, roster: Roster, school_id: int) -> set[str]:
    rows = await session.execute(select(PersonRow.id, PersonRow.orgs).filter_by(school_id=school_id))
    return {id_ for id_, orgs in rows if scope.covers(f"unit:{unit}" for org in orgs for unit in roster.units_above(org))}


async def _lessons(session: AsyncSession, school_id: int, classes: Iterable[str]) -> set[str]:
    words = select(WordRow.id).where(WordRow.school_id == school_id, WordRow.kind == "class", WordRow.code.in_(sorted(classes)))
    lessons = select(TaughtRow.lesson).where(TaughtRow.class_.in_(words))
    return set(await session.scalars(select(WordRow.code).where(WordRow.id.in_(lessons))))
