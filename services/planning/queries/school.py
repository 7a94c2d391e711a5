"""What planning knows of a school, and who holds which post: from its copies. What belongs to one school takes its scope or its code first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from libs.common.database import in_batches
from services.planning.domain.owners import SCHOOL_WIDE, Directory, Held, Subject, ids_of
from services.planning.domain.settings import SchoolSettings
from services.planning.domain.wording import Number
from services.planning.tables import (
    EnrollmentRow,
    HomeroomRow,
    ImprovementRow,
    MetricRow,
    OrgRow,
    PersonRow,
    PostRow,
    SchoolRow,
    SettingsRow,
    SetupRow,
)

ValueT = TypeVar("ValueT")
IN_AT_ONCE = 500  # values of one IN: far below what either database allows
DEFAULT_ZONE = "Asia/Shanghai"  # as `SchoolAdded` has it, for a warning that overtakes it


async def once(session: AsyncSession, key: tuple[str, ...], load: Callable[[], Awaitable[ValueT]]) -> ValueT:
    """Load what every warning of a batch needs once a transaction; `forget` after changing it."""
    kept: dict[tuple[str, ...], ValueT] = session.info.setdefault("planning", {})
    if key not in kept:
        kept[key] = await load()
    return kept[key]


def forget(session: AsyncSession) -> None:
    """Drop what `once` keeps: the copies have changed in this transaction."""
    session.info.pop("planning", None)


async def list_schools(session: AsyncSession, now: datetime) -> Sequence[str]:
    """Return the schools that have improvements or are known: the clock looks at each, whatever time it is."""
    del now
    known = set(await session.scalars(select(SchoolRow.code)))
    return sorted(known | set(await session.scalars(select(ImprovementRow.school).distinct())))


async def list_schools_of_yesterday(session: AsyncSession, now: datetime) -> Sequence[str]:
    """Return the schools whose day has not begun here yet."""
    sql = select(SchoolRow.code, SchoolRow.timezone, SchoolRow.placed_on).order_by(SchoolRow.code)
    return [code for code, zone, day in await session.execute(sql) if day != now.astimezone(ZoneInfo(zone)).date()]


async def find_school(session: AsyncSession, school: str) -> SchoolRow | None:
    """Return what is known of a school."""
    return await session.get(SchoolRow, school)


async def zone_of(session: AsyncSession, school: str) -> ZoneInfo:
    async def load() -> ZoneInfo:
        row = await session.get(SchoolRow, school)
        return ZoneInfo(row.timezone if row else DEFAULT_ZONE)

    return await once(session, ("zone", school), load)


async def today_in(session: AsyncSession, school: str, now: datetime) -> date:
    """Return the day that it is in the school's zone."""
    return now.astimezone(await zone_of(session, school)).date()


async def settings_of(session: AsyncSession, school: str) -> SchoolSettings:
    """Return what the school has set; the defaults where it has not."""

    async def load() -> SchoolSettings:
        row = await session.get(SettingsRow, school)
        return SchoolSettings.model_validate(row.document if row else {})

    return await once(session, ("settings", school), load)


async def setup_of(session: AsyncSession, school: str) -> dict[str, Any]:
    """Return the document that the school is set up by; empty where there is none."""

    async def load() -> dict[str, Any]:
        row = await session.get(SetupRow, school)
        return row.content if row else {}

    return await once(session, ("setup", school), load)


async def number_of(session: AsyncSession, school: str, metric: str) -> Number:
    """How the numbers of a metric are written."""

    async def load() -> Number:
        row = await session.get(MetricRow, (school, metric))
        if row is None:
            return Number(percent=False)
        return Number(percent=row.kind == "ratio" and row.unit == "%", additive=row.kind in {"sum", "count"})

    return await once(session, ("metric", school, metric), load)


async def names_of(session: AsyncSession, school: str, people: Iterable[str | None]) -> dict[str, str]:
    """Return the names of these members of staff, where known."""
    wanted = {person for person in people if person is not None}
    if not wanted:
        return {}
    sql = select(PersonRow.id, PersonRow.name).where(PersonRow.school == school, PersonRow.id.in_(wanted))
    return dict((await session.execute(sql)).all())


# --- who holds which post -----------------------------------------------------------------------------------------------


async def directory_of(session: AsyncSession, school: str, subjects: Sequence[Subject]) -> Directory:
    """Return what decides who answers for these subjects: few statements, however many they are."""
    places = {place for subject in subjects for place in subject.places}
    own = {subject.subject for subject in subjects if subject.level in {"class", "homeroom"}}
    classes = own | set(ids_of("class", sorted(places)))
    students = {subject.subject for subject in subjects if subject.level == "student"}
    stays = await _stays(session, school, students)
    homerooms = {stay.object for held in stays.values() for stay in held if stay.object is not None}
    homerooms |= await _homerooms(session, school, classes)
    teachers = await _teachers(session, school, classes | homerooms)
    objects = {place.partition(":")[2] for place in places} | homerooms
    posts = await _posts(session, school, objects)
    gone = await _gone(session, school, {subject.subject for subject in subjects if subject.level == "teacher"})
    parents = await parents_of(session, school)
    return Directory(posts, teachers, stays, frozenset(homerooms), gone, parents)


async def _posts(session: AsyncSession, school: str, objects: set[str]) -> dict[tuple[str, str | None], list[Held]]:
    found: dict[tuple[str, str | None], list[Held]] = {}
    for some in in_batches(sorted(objects), IN_AT_ONCE) or [[]]:
        sql = select(PostRow).where(
            PostRow.school == school,
            or_(PostRow.post.in_(SCHOOL_WIDE), PostRow.object.in_(some)),
            not_gone(school, PostRow.person),
        )
        for row in await session.scalars(sql):
            object_ = None if row.post in SCHOOL_WIDE else row.object
            held = Held(row.person, object_, row.start, row.end)
            there = found.setdefault((row.post, object_), [])
            if held not in there:  # a school-wide post comes with every batch of objects
                there.append(held)
    return found


async def _teachers(session: AsyncSession, school: str, classes: set[str]) -> dict[str, list[Held]]:
    found: dict[str, list[Held]] = {}
    for some in in_batches(sorted(classes), IN_AT_ONCE):
        sql = select(EnrollmentRow).where(
            EnrollmentRow.school == school,
            EnrollmentRow.class_id.in_(some),
            EnrollmentRow.role == "teacher",
            not_gone(school, EnrollmentRow.person),
        )
        for row in await session.scalars(sql):
            found.setdefault(row.class_id, []).append(Held(row.person, row.class_id, row.start, row.end, row.primary))
    return found


async def _stays(session: AsyncSession, school: str, students: set[str]) -> dict[str, list[Held]]:
    found: dict[str, list[Held]] = {}
    home = and_(HomeroomRow.school == EnrollmentRow.school, HomeroomRow.id == EnrollmentRow.class_id, HomeroomRow.active)
    for some in in_batches(sorted(students), IN_AT_ONCE):
        sql = (
            select(EnrollmentRow)
            .join(HomeroomRow, home)
            .where(EnrollmentRow.school == school, EnrollmentRow.person.in_(some), EnrollmentRow.role == "student")
        )
        for row in await session.scalars(sql):
            found.setdefault(row.person, []).append(Held(row.person, row.class_id, row.start, row.end))
    return found


async def _homerooms(session: AsyncSession, school: str, classes: set[str]) -> set[str]:
    found: set[str] = set()
    for some in in_batches(sorted(classes), IN_AT_ONCE):
        sql = select(HomeroomRow.id).where(HomeroomRow.school == school, HomeroomRow.id.in_(some), HomeroomRow.active)
        found.update(await session.scalars(sql))
    return found


async def _gone(session: AsyncSession, school: str, people: set[str]) -> frozenset[str]:
    found: set[str] = set()
    for some in in_batches(sorted(people), IN_AT_ONCE):
        sql = select(PersonRow.id).where(PersonRow.school == school, PersonRow.id.in_(some), ~PersonRow.active)
        found.update(await session.scalars(sql))
    return frozenset(found)


async def parents_of(session: AsyncSession, school: str) -> dict[str, str | None]:
    """Return the unit above each unit."""

    async def load() -> dict[str, str | None]:
        sql = select(OrgRow.id, OrgRow.parent).where(OrgRow.school == school)
        return dict((await session.execute(sql)).all())

    return await once(session, ("units", school), load)


def not_gone(school: str, person: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """A person whom the roster does not know yet counts; one that left does not."""
    return ~exists().where(PersonRow.school == school, PersonRow.id == person, ~PersonRow.active)
