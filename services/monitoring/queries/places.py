"""Where a subject belongs and what it is called: who may see its numbers and warnings follows from its places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.database import in_batches
from services.monitoring.domain.attribution import Roster
from services.monitoring.tables import ClassRow, CourseRow, EnrollmentRow, OrgRow, PersonRow, TaughtRow, WordRow

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
_KNOWN: Mapping[str, Callable[[Roster], Container[str]]] = {
    "student": lambda roster: roster.students,  # everybody, whatever their roles
    "teacher": lambda roster: roster.students,
    "class": lambda roster: roster.classes,
    "homeroom": lambda roster: roster.classes,
    "course": lambda roster: roster.courses,
    "programme": lambda roster: roster.orgs,
    "department": lambda roster: roster.orgs,
    "school": lambda roster: roster.orgs,
}
_PART = 5_000


@dataclass(frozen=True, slots=True)
class Described:
    """What a subject is called, None where the roster has no name, and the places it lies in."""

    name: str | None
    places: list[str]


async def describe(
    session: AsyncSession,
    school_id: int,
    roster: Roster,
    subjects: Collection[tuple[str, str]],
    today: date,
    taught: Mapping[str, str],
) -> dict[tuple[str, str], Described]:
    """Name and place subjects (level, id) as of today. `taught` maps lessons to their classes: the roster has no lessons."""
    ids: dict[str, list[str]] = defaultdict(list)
    for level, subject in sorted(subjects):
        ids[level].append(subject)
    names: dict[tuple[str, str], str] = {}
    for level, wanted in ids.items():
        known = _KNOWN[level](roster) if level in _KNOWN else ()
        for subject, name in await _names(session, school_id, level, [subject for subject in wanted if subject in known]):
            names[level, subject] = name
    students = [student for student in ids.get("student", ()) if student in roster.students]
    classes = await _classes_of(session, school_id, students, today)
    units = await _units_of(session, school_id, [teacher for teacher in ids.get("teacher", ()) if teacher in roster.students])
    found = {}
    for level, subject in subjects:
        places = {f"school:{roster.school}", f"level:{level}"}
        if level == "student":
            # A student's courses see the student through the class; the course's unit is another matter than the student's.
            own = (place for c in classes.get(subject, ()) for place in places_of_class(roster, c))
            places |= {f"student:{subject}", *(place for place in own if not place.startswith("course:"))}
        elif level == "teacher":
            places |= {f"teacher:{subject}", *(f"unit:{u}" for org in units.get(subject, ()) for u in roster.units_above(org))}
        else:
            places |= _places_of(roster, level, subject, taught)
        found[level, subject] = Described(names.get((level, subject)), sorted(places))
    return found


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


def _places_of(roster: Roster, level: str, subject: str, taught: Mapping[str, str]) -> set[str]:
    if level in {"class", "homeroom"}:
        return places_of_class(roster, subject)
    if level == "lesson":
        return places_of_class(roster, taught[subject]) if subject in taught else set()
    if level == "course":
        return {f"course:{subject}", *(f"unit:{unit}" for unit in roster.units_above(roster.courses.get(subject)))}
    if level in {"programme", "department"}:
        return {f"unit:{subject}", *(f"unit:{unit}" for unit in roster.units_above(subject))}
    return set()


async def _names(session: AsyncSession, school_id: int, level: str, ids: Sequence[str]) -> list[tuple[str, str]]:
    if level not in _NAMES:
        return []
    table, column = _NAMES[level]
    found: list[tuple[str, str]] = []
    for part in in_batches(ids, _PART):
        rows = await session.execute(select(table.id, column).where(table.school_id == school_id, table.id.in_(part)))
        found += [(id_, name) for id_, name in rows]
    return found


async def _classes_of(session: AsyncSession, school_id: int, students: Sequence[str], today: date) -> dict[str, set[str]]:
    """The classes that each student is in today, homeroom included."""
    classes: dict[str, set[str]] = defaultdict(set)
    for part in in_batches(students, _PART):
        rows = await session.execute(
            select(EnrollmentRow.person, EnrollmentRow.class_, EnrollmentRow.starts, EnrollmentRow.ends).where(
                EnrollmentRow.school_id == school_id, EnrollmentRow.role == "student", EnrollmentRow.person.in_(part)
            )
        )
        for person, class_id, starts, ends in rows:
            if (starts is None or starts <= today) and (ends is None or today < ends):
                classes[person].add(class_id)
    return classes


async def _units_of(session: AsyncSession, school_id: int, people: Sequence[str]) -> dict[str, list[str]]:
    units: dict[str, list[str]] = {}
    for part in in_batches(people, _PART):
        rows = await session.execute(
            select(PersonRow.id, PersonRow.orgs).where(PersonRow.school_id == school_id, PersonRow.id.in_(part))
        )
        units.update({id_: orgs for id_, orgs in rows})  # noqa: C416 - rows are no pairs to dict's type
    return units


async def classes_of_lessons(session: AsyncSession, lessons: Mapping[int, str]) -> dict[str, str]:
    """A class that observations of each lesson (by word) name: of several, the one whose word is the newest."""
    found: dict[str, str] = {}
    for part in in_batches(sorted(lessons), _PART):
        rows = await session.execute(
            select(TaughtRow.lesson, WordRow.code)
            .join(WordRow, WordRow.id == TaughtRow.class_)
            .where(TaughtRow.lesson.in_(part))
            .order_by(TaughtRow.lesson, TaughtRow.class_)
        )
        found.update({lessons[word]: code for word, code in rows})
    return found
