"""Whom a routine concerns: every department, course, teacher or student there is on a day, and where each lies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import date

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.planning.domain.due import About
from services.planning.queries.school import parents_of, setup_of
from services.planning.tables import CourseRow, EnrollmentRow, HomeroomRow, OrgRow, PersonRow

UNITS = ("department", "programme", "office")


async def concerned(session: AsyncSession, school: str, per: str, today: date) -> list[About]:
    """Return each of a kind that there is today, by the roster; `level`: each level that the school's cycles name."""
    if per in UNITS:
        return await _units(session, school, per)
    found: dict[str, Callable[[AsyncSession, str, date], Awaitable[list[About]]]] = {
        "school": _whole,
        "level": _levels,
        "course": _courses,
        "homeroom": _homerooms,
        "teacher": _teachers,
        "student": _students,
    }
    return await found[per](session, school, today)


async def _whole(session: AsyncSession, school: str, today: date) -> list[About]:
    del session, today
    return [_about(school, school, None, (), (), {})]


async def _levels(session: AsyncSession, school: str, today: date) -> list[About]:
    del today
    cycles = (await setup_of(session, school)).get("cycles", [])
    levels = list(dict.fromkeys(str(cycle["level"]) for cycle in cycles))
    return [_about(school, level, None, (f"level:{level}",), (), {}) for level in levels]


async def _units(session: AsyncSession, school: str, kind: str) -> list[About]:
    sql = select(OrgRow.id, OrgRow.name).where(OrgRow.school == school, OrgRow.kind == kind, OrgRow.active).order_by(OrgRow.id)
    above = await parents_of(session, school)
    return [_about(school, id_, name, (), (id_,), above) for id_, name in await session.execute(sql)]


async def _courses(session: AsyncSession, school: str, today: date) -> list[About]:
    del today
    sql = select(CourseRow).where(CourseRow.school == school, CourseRow.active).order_by(CourseRow.id)
    above = await parents_of(session, school)
    return [_about(school, c.id, c.title, (f"course:{c.id}",), _one(c.org), above) for c in await session.scalars(sql)]


async def _homerooms(session: AsyncSession, school: str, today: date) -> list[About]:
    del today
    sql = select(HomeroomRow).where(HomeroomRow.school == school, HomeroomRow.active).order_by(HomeroomRow.id)
    above = await parents_of(session, school)
    return [_about(school, h.id, None, (f"class:{h.id}",), _one(h.org), above) for h in await session.scalars(sql)]


async def _teachers(session: AsyncSession, school: str, today: date) -> list[About]:
    del today
    sql = select(PersonRow).where(PersonRow.school == school, PersonRow.active).order_by(PersonRow.id)
    above = await parents_of(session, school)
    staff = [person for person in await session.scalars(sql) if "teacher" in person.roles]
    return [_about(school, p.id, p.name, (f"teacher:{p.id}",), p.orgs, above) for p in staff]


async def _students(session: AsyncSession, school: str, today: date) -> list[About]:
    """Each student of a homeroom; of several homerooms the one joined last counts, as everywhere."""
    here = and_(HomeroomRow.school == EnrollmentRow.school, HomeroomRow.id == EnrollmentRow.class_id, HomeroomRow.active)
    sql = (
        select(EnrollmentRow.person, EnrollmentRow.class_id, HomeroomRow.org, EnrollmentRow.start)
        .join(HomeroomRow, here)
        .where(EnrollmentRow.school == school, EnrollmentRow.role == "student")
        .where(or_(EnrollmentRow.start.is_(None), EnrollmentRow.start <= today))
        .where(or_(EnrollmentRow.end.is_(None), EnrollmentRow.end > today))
    )
    stays = sorted((await session.execute(sql)).all(), key=lambda stay: (stay[0], stay[3] or date.min, stay[1]))
    last = {person: (class_id, org) for person, class_id, org, _ in stays}
    above = await parents_of(session, school)
    return [
        _about(school, person, None, (f"student:{person}", f"class:{class_id}"), _one(org), above)
        for person, (class_id, org) in last.items()
    ]


def _one(unit: str | None) -> tuple[str, ...]:
    return () if unit is None else (unit,)


def _about(
    school: str, subject: str, name: str | None, own: Iterable[str], units: Iterable[str], above: Mapping[str, str | None]
) -> About:
    """`own` places, the school, and these units with all above them."""
    places = {f"school:{school}", *own}
    for unit in units:
        at: str | None = unit
        while at is not None and f"unit:{at}" not in places:
            places.add(f"unit:{at}")
            at = above.get(at)
    return About(subject, name, tuple(sorted(places)))
