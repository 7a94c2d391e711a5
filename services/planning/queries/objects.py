"""The objects of a school that go through cycles, by level: from planning's copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.planning.domain.objects import Thing, place_of
from services.planning.domain.owners import OBJECTS, SCHOOL_WIDE
from services.planning.queries.school import parents_of
from services.planning.tables import CourseRow, EnrollmentRow, HomeroomRow, OrgRow, PersonRow, PostRow


async def objects_of(session: AsyncSession, school: str, level: str, today: date) -> list[Thing]:
    """Return the objects of a level that there are today."""
    above = await parents_of(session, school)
    match level:
        case "school":
            found = [_thing(school, level, school, None, (), above)]
        case "department" | "programme":
            rows = await session.scalars(select(OrgRow).where(OrgRow.school == school, OrgRow.kind == level, OrgRow.active))
            found = [_thing(school, level, row.id, row.name, [row.id], above) for row in rows]
        case "course":
            courses = await session.scalars(select(CourseRow).where(CourseRow.school == school, CourseRow.active))
            found = [_thing(school, level, row.id, row.title, [row.org], above) for row in courses]
        case "teacher":
            people = await session.scalars(select(PersonRow).where(PersonRow.school == school, PersonRow.active))
            found = [_thing(school, level, row.id, row.name, row.orgs, above) for row in people if "teacher" in row.roles]
        case "homeroom":
            rooms = await session.scalars(select(HomeroomRow).where(HomeroomRow.school == school, HomeroomRow.active))
            found = [_thing(school, level, row.id, None, [row.org], above) for row in rooms]
        case "student":
            found = await _students(session, school, today, above)
        case _:
            found = await _posts(session, school, today, above)
    return sorted(found, key=lambda each: each.subject)


def _thing(
    school: str,
    level: str,
    subject: str,
    name: str | None,
    units: Iterable[str | None],
    above: Mapping[str, str | None],
    more: Iterable[str] = (),
) -> Thing:
    own, places = place_of(level, subject), set[str]()
    for unit in units:
        at: str | None = unit
        while at is not None and f"unit:{at}" not in places:
            places.add(f"unit:{at}")
            at = above.get(at)
    places |= {own, f"school:{school}", f"level:{level}", *more}
    return Thing(subject, name, own, frozenset(places))


async def _students(session: AsyncSession, school: str, today: date, above: Mapping[str, str | None]) -> list[Thing]:
    """Who is in a homeroom today; of several the one joined last."""
    sql = (
        select(EnrollmentRow.person, HomeroomRow.id, HomeroomRow.org)
        .join(HomeroomRow, (HomeroomRow.school == EnrollmentRow.school) & (HomeroomRow.id == EnrollmentRow.class_id))
        .where(EnrollmentRow.school == school, EnrollmentRow.role == "student", HomeroomRow.active)
        .where(or_(EnrollmentRow.start.is_(None), EnrollmentRow.start <= today))
        .where(or_(EnrollmentRow.end.is_(None), EnrollmentRow.end > today))
        .order_by(EnrollmentRow.start, EnrollmentRow.id)
    )
    rooms = {person: (room, org) for person, room, org in await session.execute(sql)}
    return [_thing(school, "student", person, None, [org], above, [f"class:{room}"]) for person, (room, org) in rooms.items()]


async def _posts(session: AsyncSession, school: str, today: date, above: Mapping[str, str | None]) -> list[Thing]:
    """Posts held today, each over its object once."""
    sql = select(PostRow.post, PostRow.object).distinct().where(PostRow.school == school)
    sql = sql.where(or_(PostRow.start.is_(None), PostRow.start <= today), or_(PostRow.end.is_(None), PostRow.end > today))
    found: dict[str, Thing] = {}
    for post, object_ in await session.execute(sql):
        wide = post in SCHOOL_WIDE or object_ is None
        subject = post if wide else f"{post}@{object_}"
        kind = OBJECTS.get(post, "class")
        units = [object_] if kind == "unit" and not wide else []
        more = [] if wide or kind == "unit" else [f"{kind}:{object_}"]
        found[subject] = _thing(school, "post", subject, None, units, above, more)
    return list(found.values())
