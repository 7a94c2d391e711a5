"""Every SELECT of planning. What belongs to one school takes its scope or its code first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from libs.common.auth import Scope
from libs.common.database import in_batches
from libs.common.errors import NotFound
from libs.common.event import NAMESPACE
from services.planning.domain.owners import SCHOOL_WIDE, Directory, Held, Subject, ids_of
from services.planning.domain.settings import SchoolSettings
from services.planning.domain.states import OWNERS_TURN, Status
from services.planning.domain.wording import Number
from services.planning.tables import (
    EnrollmentRow,
    HistoryRow,
    HomeroomRow,
    ImprovementRow,
    MetricRow,
    OrgRow,
    PersonRow,
    PlaceRow,
    PostRow,
    SchoolRow,
    SettingsRow,
)

ValueT = TypeVar("ValueT")
IN_AT_ONCE = 500  # values of one IN: far below what either database allows
DEFAULT_ZONE = "Asia/Shanghai"  # as `SchoolAdded` has it, for a warning that overtakes it


async def _once(session: AsyncSession, key: tuple[str, ...], load: Callable[[], Awaitable[ValueT]]) -> ValueT:
    """Load what every warning of a batch needs once a transaction; `forget` after changing it."""
    kept: dict[tuple[str, ...], ValueT] = session.info.setdefault("planning", {})
    if key not in kept:
        kept[key] = await load()
    return kept[key]


def forget(session: AsyncSession) -> None:
    """Drop what `_once` keeps: the copies have changed in this transaction."""
    session.info.pop("planning", None)


# --- improvements -----------------------------------------------------------------------------------------------------


def improvement_id(school: str, warning: UUID) -> UUID:
    """The id of a warning's one improvement."""
    return uuid5(NAMESPACE, f"{school}|improvement|{warning}")


async def find_by_warning(session: AsyncSession, school: str, warning: UUID) -> ImprovementRow | None:
    """Return the warning's improvement, locked until the transaction ends."""
    return await session.get(ImprovementRow, improvement_id(school, warning), with_for_update=True)


async def known_of(session: AsyncSession, ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these improvements there are."""
    found: set[UUID] = set()
    for some in in_batches(ids, IN_AT_ONCE):
        found.update(await session.scalars(select(ImprovementRow.id).where(ImprovementRow.id.in_(some))))
    return found


async def get_improvement(session: AsyncSession, scope: Scope, improvement: UUID) -> ImprovementRow:
    """Raises NotFound, also for what the scope does not cover."""
    sql = select(ImprovementRow).where(_covered(scope), ImprovementRow.id == improvement)
    if (row := await session.scalar(sql)) is None:
        raise NotFound("there is no such improvement")
    return row


async def lock_improvements(session: AsyncSession, scope: Scope, ids: Sequence[UUID]) -> Sequence[ImprovementRow]:
    """Return these improvements in the order of `ids`, locked. Raises NotFound where one is missing or not covered."""
    sql = select(ImprovementRow).where(_covered(scope), ImprovementRow.id.in_(ids)).order_by(ImprovementRow.id).with_for_update()
    found = {row.id: row for row in await session.scalars(sql)}
    if missing := [id_ for id_ in ids if id_ not in found]:
        raise NotFound("there is no such improvement" if len(ids) == 1 else f"there is no improvement {missing[0]}")
    return [found[id_] for id_ in ids]


async def list_improvements(
    session: AsyncSession,
    scope: Scope,
    *,
    status: str | None,
    warning: UUID | None,
    owner: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[ImprovementRow]:
    """Return improvements newest first, one more than `limit`, starting past `after` (opened_at, id)."""
    sql = select(ImprovementRow).where(_covered(scope))
    for column, value in (
        (ImprovementRow.status, status),
        (ImprovementRow.warning, warning),
        (ImprovementRow.owner, owner),
    ):
        if value is not None:
            sql = sql.where(column == value)
    if after is not None:
        at, id_ = after
        same = and_(ImprovementRow.opened_at == at, ImprovementRow.id < id_)
        sql = sql.where(or_(ImprovementRow.opened_at < at, same))
    newest_first = (ImprovementRow.opened_at.desc(), ImprovementRow.id.desc())
    return (await session.scalars(sql.order_by(*newest_first).limit(limit + 1))).all()


async def list_unfilled(session: AsyncSession, school: str) -> Sequence[ImprovementRow]:
    """Return what lacks somebody and is not started yet, locked."""
    sql = select(ImprovementRow).where(
        ImprovementRow.school == school, ImprovementRow.unfilled, ImprovementRow.status == Status.PROPOSED
    )
    return (await session.scalars(sql.order_by(ImprovementRow.id).with_for_update())).all()


async def places_of(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Return where each of these improvements lies."""
    found: dict[UUID, list[str]] = {id_: [] for id_ in ids}
    for some in in_batches(ids, IN_AT_ONCE):
        sql = select(PlaceRow).where(PlaceRow.improvement.in_(some)).order_by(PlaceRow.improvement, PlaceRow.place)
        for row in await session.scalars(sql):
            found[row.improvement].append(row.place)
    return found


async def history_of(session: AsyncSession, improvement: UUID) -> Sequence[HistoryRow]:
    """Return what happened to an improvement that the caller has already been given, oldest first."""
    sql = select(HistoryRow).where(HistoryRow.improvement == improvement).order_by(HistoryRow.position)
    return (await session.scalars(sql)).all()


async def list_newly_overdue(session: AsyncSession, school: str, today: date, limit: int) -> Sequence[ImprovementRow]:
    """Return what is past its due date and in its owner's hands, and has not been called overdue yet."""
    sql = (
        select(ImprovementRow)
        .where(
            ImprovementRow.school == school,
            ImprovementRow.status.in_(OWNERS_TURN),
            ImprovementRow.due_on < today,
            ImprovementRow.overdue_at.is_(None),
        )
        .order_by(ImprovementRow.id)
        .limit(limit)
        .with_for_update()
    )
    return (await session.scalars(sql)).all()


def _covered(scope: Scope) -> ColumnElement[bool]:
    mine = scope.where(PlaceRow.place, PlaceRow.improvement == ImprovementRow.id)
    return and_(ImprovementRow.school == scope.school, mine)


# --- the school ---------------------------------------------------------------------------------------------------------


async def list_schools(session: AsyncSession) -> Sequence[str]:
    """Return the schools that have improvements or are known: the clock looks at each."""
    known = set(await session.scalars(select(SchoolRow.code)))
    return sorted(known | set(await session.scalars(select(ImprovementRow.school).distinct())))


async def zone_of(session: AsyncSession, school: str) -> ZoneInfo:
    async def load() -> ZoneInfo:
        row = await session.get(SchoolRow, school)
        return ZoneInfo(row.timezone if row else DEFAULT_ZONE)

    return await _once(session, ("zone", school), load)


async def settings_of(session: AsyncSession, school: str) -> SchoolSettings:
    """Return what the school has set; the defaults where it has not."""

    async def load() -> SchoolSettings:
        row = await session.get(SettingsRow, school)
        return SchoolSettings.model_validate(row.document if row else {})

    return await _once(session, ("settings", school), load)


async def number_of(session: AsyncSession, school: str, metric: str) -> Number:
    """How the numbers of a metric are written."""

    async def load() -> Number:
        row = await session.get(MetricRow, (school, metric))
        if row is None:
            return Number(percent=False)
        return Number(percent=row.kind == "ratio" and row.unit == "%", additive=row.kind in {"sum", "count"})

    return await _once(session, ("metric", school, metric), load)


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
    parents = await _once(session, ("units", school), lambda: _parents(session, school))
    return Directory(posts, teachers, stays, frozenset(homerooms), gone, parents)


async def _posts(session: AsyncSession, school: str, objects: set[str]) -> dict[tuple[str, str | None], list[Held]]:
    found: dict[tuple[str, str | None], list[Held]] = {}
    for some in in_batches(sorted(objects), IN_AT_ONCE) or [[]]:
        sql = select(PostRow).where(
            PostRow.school == school,
            or_(PostRow.post.in_(SCHOOL_WIDE), PostRow.object.in_(some)),
            _not_gone(school, PostRow.person),
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
            _not_gone(school, EnrollmentRow.person),
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


async def _parents(session: AsyncSession, school: str) -> dict[str, str | None]:
    sql = select(OrgRow.id, OrgRow.parent).where(OrgRow.school == school)
    return dict((await session.execute(sql)).all())


def _not_gone(school: str, person: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """A person whom the roster does not know yet counts; one that left does not."""
    return ~exists().where(PersonRow.school == school, PersonRow.id == person, ~PersonRow.active)
