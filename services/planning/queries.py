"""Every SELECT of planning. What belongs to one school takes its scope or its code first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from libs.common.auth import Scope
from libs.common.errors import NotFound
from libs.common.event import NAMESPACE
from services.planning.domain.owners import SCHOOL_WIDE, Holder, ids_of, objects_of
from services.planning.domain.settings import SchoolSettings
from services.planning.domain.states import OWNERS_TURN
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


async def reads_in_percent(session: AsyncSession, school: str, metric: str) -> bool:
    async def load() -> bool:
        row = await session.get(MetricRow, (school, metric))
        return row is not None and row.kind == "ratio" and row.unit == "%"

    return await _once(session, ("metric", school, metric), load)


async def names_of(session: AsyncSession, school: str, people: Iterable[str | None]) -> dict[str, str]:
    """Return the names of these members of staff, where known."""
    wanted = {person for person in people if person is not None}
    if not wanted:
        return {}
    sql = select(PersonRow.id, PersonRow.name).where(PersonRow.school == school, PersonRow.id.in_(wanted))
    return dict((await session.execute(sql)).all())


# --- who holds which post -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subject:
    """What a task is about, where it lies, and the day that decides who holds what."""

    level: str
    subject: str
    places: tuple[str, ...]
    day: date


async def holders_of(session: AsyncSession, school: str, about: Subject, posts: Iterable[str]) -> dict[str, list[Holder]]:
    """Return who holds each of these posts over the subject on its day."""
    wanted = set(posts)
    homerooms = await _homerooms(session, school, about) if "class_teacher" in wanted else []
    found = await _by_post(session, school, about, wanted, homerooms)
    if homerooms:
        found += await _by_teaching(session, school, about, "class_teacher", homerooms)
    if "teacher" in wanted:
        if about.level == "teacher":
            found += [Holder(about.subject, "teacher")] if await _active(session, school, about.subject) else []
        else:
            found += await _by_teaching(session, school, about, "teacher", _classes(about, homerooms))
    holders: dict[str, list[Holder]] = {}
    for holder in found:
        holders.setdefault(holder.post, []).append(holder)
    return holders


def _classes(about: Subject, homerooms: Sequence[str]) -> list[str]:
    if about.level in {"class", "homeroom"}:
        return [about.subject]
    return [id_ for id_ in ids_of("class", about.places) if id_ not in homerooms]


async def _by_post(session: AsyncSession, school: str, about: Subject, posts: set[str], homerooms: Sequence[str]) -> list[Holder]:
    objects = {post: objects_of(post, about.places, homerooms) for post in posts}
    over = [
        PostRow.post == post if post in SCHOOL_WIDE else and_(PostRow.post == post, PostRow.object.in_(objects[post]))
        for post in sorted(posts)
        if post in SCHOOL_WIDE or objects[post]
    ]
    if not over:
        return []
    sql = select(PostRow.person, PostRow.post, PostRow.object).where(
        PostRow.school == school,
        or_(*over),
        _holds(PostRow.start, PostRow.end, about.day),
        _not_gone(school, PostRow.person),
    )
    rows = (await session.execute(sql)).all()
    near = await _nearness(session, school, ids_of("unit", about.places)) if len(rows) > 1 else {}
    return [
        Holder(person, post, 0 if post in SCHOOL_WIDE else near.get(object_ or "", 0), primary=post == "class_teacher")
        for person, post, object_ in rows
    ]


async def _by_teaching(session: AsyncSession, school: str, about: Subject, post: str, classes: Sequence[str]) -> list[Holder]:
    if not classes:
        return []
    sql = select(EnrollmentRow.person, EnrollmentRow.primary).where(
        EnrollmentRow.school == school,
        EnrollmentRow.class_id.in_(classes),
        EnrollmentRow.role == "teacher",
        _holds(EnrollmentRow.start, EnrollmentRow.end, about.day),
        _not_gone(school, EnrollmentRow.person),
    )
    return [Holder(person, post, primary=primary) for person, primary in (await session.execute(sql))]


async def _homerooms(session: AsyncSession, school: str, about: Subject) -> list[str]:
    """Return the homeroom that the subject is, or belongs to: of several of a student, the one joined last."""
    if about.level == "homeroom":
        return [about.subject]
    if about.level != "student":
        named = ids_of("class", about.places)
        sql = select(HomeroomRow.id).where(HomeroomRow.school == school, HomeroomRow.id.in_(named), HomeroomRow.active)
        return list(await session.scalars(sql)) if named else []
    stays = (
        select(EnrollmentRow.class_id, EnrollmentRow.start)
        .join(HomeroomRow, and_(HomeroomRow.school == EnrollmentRow.school, HomeroomRow.id == EnrollmentRow.class_id))
        .where(
            EnrollmentRow.school == school,
            EnrollmentRow.person == about.subject,
            EnrollmentRow.role == "student",
            HomeroomRow.active,
            _holds(EnrollmentRow.start, EnrollmentRow.end, about.day),
        )
    )
    found = (await session.execute(stays)).all()
    return [max(found, key=lambda stay: (stay[1] is not None, stay[1] or date.min, stay[0]))[0]] if found else []


async def _nearness(session: AsyncSession, school: str, units: Sequence[str]) -> dict[str, int]:
    """Return 0 for the deepest of these units, 1 for the next above it, and so on."""

    async def load() -> dict[str, str | None]:
        sql = select(OrgRow.id, OrgRow.parent).where(OrgRow.school == school)
        return dict((await session.execute(sql)).all())

    parents = await _once(session, ("orgs", school), load) if len(units) > 1 else {}
    depth: dict[str, int] = {}
    for unit in units:
        above, seen = parents.get(unit), {unit}
        while above is not None and above not in seen:
            seen.add(above)
            above = parents.get(above)
        depth[unit] = len(seen)
    deepest = max(depth.values(), default=0)
    return {unit: deepest - d for unit, d in depth.items()}


async def _active(session: AsyncSession, school: str, person: str) -> bool:
    row = await session.get(PersonRow, (school, person))
    return row is None or row.active


def _holds(start: InstrumentedAttribute[date | None], end: InstrumentedAttribute[date | None], day: date) -> ColumnElement[bool]:
    return and_(or_(start.is_(None), start <= day), or_(end.is_(None), end > day))


def _not_gone(school: str, person: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """A person whom the roster does not know yet counts; one that left does not."""
    return ~exists().where(PersonRow.school == school, PersonRow.id == person, ~PersonRow.active)
