"""Where a subject belongs and what it is called: who may see its numbers and warnings follows from its places."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitoring.domain.attribution import Roster
from services.monitoring.tables import ClassRow, CourseRow, EnrollmentRow, ObservationRow, OrgRow, PersonRow, WordRow

_NAMES: dict[str, tuple[Any, Any]] = {
    "student": (PersonRow, PersonRow.name),
    "teacher": (PersonRow, PersonRow.name),
    "class": (ClassRow, ClassRow.title),
    "homeroom": (ClassRow, ClassRow.title),
    "course": (CourseRow, CourseRow.title),
    "programme": (OrgRow, OrgRow.name),
    "department": (OrgRow, OrgRow.name),
    "school": (OrgRow, OrgRow.name),
}


async def name_of(session: AsyncSession, school_id: int, level: str, subject: str) -> str | None:
    """The subject's name in the roster, None where it has none."""
    if level not in _NAMES:
        return None
    table, column = _NAMES[level]
    name: str | None = await session.scalar(select(column).where(table.school_id == school_id, table.id == subject))
    return name


async def classes_of(session: AsyncSession, school_id: int, person: str, role: str, today: date) -> Sequence[str]:
    """The classes that somebody is in today, homeroom included."""
    rows = await session.execute(
        select(EnrollmentRow.class_, EnrollmentRow.starts, EnrollmentRow.ends).filter_by(
            school_id=school_id, person=person, role=role
        )
    )
    return sorted({c for c, starts, ends in rows if (starts is None or starts <= today) and (ends is None or today < ends)})


def places_of_class(roster: Roster, class_id: str) -> set[str]:
    """A class itself, its course, and the units of both."""
    places = {f"class:{class_id}"}
    if (row := roster.classes.get(class_id)) is not None:
        course = roster.placement(class_id).course
        units = roster.units_above(row.org) + roster.units_above(roster.courses.get(course or ""))
        places |= {f"unit:{unit}" for unit in units}
        if course is not None:
            places.add(f"course:{course}")
    return places


async def _class_of_lesson(session: AsyncSession, school_id: int, lesson: str) -> str | None:
    """The class that observations of a lesson name: the roster has no lessons."""
    word = select(WordRow.id).filter_by(school_id=school_id, kind="lesson", code=lesson).scalar_subquery()
    sql = (
        select(WordRow.code)
        .join(ObservationRow, ObservationRow.class_ == WordRow.id)
        .where(ObservationRow.school_id == school_id, ObservationRow.lesson == word)
        .order_by(ObservationRow.position.desc())
        .limit(1)
    )
    class_id: str | None = await session.scalar(sql)
    return class_id


async def places_of(session: AsyncSession, school_id: int, roster: Roster, level: str, subject: str, today: date) -> list[str]:
    """The places of a subject today: itself, and every class, course and unit that it belongs to."""
    places = {f"school:{roster.school}", f"level:{level}"}
    if level in {"class", "homeroom"}:
        places |= places_of_class(roster, subject)
    elif level == "course":
        places |= {f"course:{subject}", *(f"unit:{unit}" for unit in roster.units_above(roster.courses.get(subject)))}
    elif level in {"programme", "department"}:
        places |= {f"unit:{subject}", *(f"unit:{unit}" for unit in roster.units_above(subject))}
    elif level == "student":
        places.add(f"student:{subject}")
        for class_id in await classes_of(session, school_id, subject, "student", today):
            # A student's courses see the student through the class; the course's unit is another matter than the student's.
            places |= {place for place in places_of_class(roster, class_id) if not place.startswith("course:")}
    elif level == "teacher":
        places.add(f"teacher:{subject}")
        person = await session.get(PersonRow, (school_id, subject))
        for org in person.orgs if person is not None else ():
            places |= {f"unit:{unit}" for unit in roster.units_above(org)}
    elif level == "lesson" and (taught := await _class_of_lesson(session, school_id, subject)) is not None:
        places |= places_of_class(roster, taught)
    return sorted(places)
