"""Routines, what is due by them, and whom it concerns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.database import in_batches
from libs.common.errors import NotFound
from libs.common.event import NAMESPACE
from libs.common.events.routines import Routine
from services.planning.domain.due import DueStatus, Routines, TeacherKinds
from services.planning.queries.school import DEFAULT_ZONE, IN_AT_ONCE
from services.planning.tables import DueItemRow, DuePlaceRow, RoutinesRow, SchoolRow, TeacherKindsRow


def due_id(school: str, routine: str, kind: str, period: str, per: str, subject: str) -> UUID:
    """The id of the one item of a routine for a period and whom it is about."""
    return uuid5(NAMESPACE, f"{school}|due|{routine}|{kind}|{period}|{per}|{subject}")


# --- routines -----------------------------------------------------------------------------------------------------------


async def routines_of(session: AsyncSession, school: str) -> list[Routine]:
    """Return the school's routines: its own, else those of its set-up."""
    row = await session.get(RoutinesRow, school)
    return Routines.model_validate({"routines": row.routines if row else []}).routines


async def teacher_kinds_of(session: AsyncSession, school: str) -> TeacherKinds:
    """Return which teachers are of which kind."""
    row = await session.get(TeacherKindsRow, school)
    return TeacherKinds.model_validate({"teachers": row.teachers if row else []})


async def list_schools_to_bring(session: AsyncSession, now: datetime) -> Sequence[str]:
    """Return the schools with routines whose day is not done yet, or where something has changed."""
    sql = select(RoutinesRow.school, SchoolRow.timezone, RoutinesRow.done_through, RoutinesRow.stale)
    rows = await session.execute(sql.outerjoin(SchoolRow, SchoolRow.code == RoutinesRow.school).order_by(RoutinesRow.school))
    return [s for s, zone, through, stale in rows if stale or through != now.astimezone(ZoneInfo(zone or DEFAULT_ZONE)).date()]


async def load_routines(session: AsyncSession, school: str) -> RoutinesRow | None:
    """Return the row as it stands once the school is locked."""
    return await session.get(RoutinesRow, school, populate_existing=True)


# --- due items ----------------------------------------------------------------------------------------------------------


async def get_due_item(session: AsyncSession, scope: Scope, person: str, item: UUID, *, lock: bool = False) -> DueItemRow:
    """Raises NotFound, also for what neither lies in the scope nor is the person's own."""
    sql = select(DueItemRow).where(visible(scope, person), DueItemRow.id == item)
    if (row := await session.scalar(sql.with_for_update() if lock else sql)) is None:
        raise NotFound("there is no such due item")
    return row


async def list_due_items(
    session: AsyncSession,
    scope: Scope,
    person: str,
    *,
    among: Mapping[str, str | None],
    unit: str | None,
    overdue: bool | None,
    span: tuple[date | None, date | None],
    after: tuple[date, UUID] | None,
    limit: int,
) -> Sequence[DueItemRow]:
    """Return due items by due date, one more than `limit`, starting past `after` (due_on, id).

    `among`: columns and the values that they have; `unit`: in that unit or below it; `span`: due from (inclusive) to (exclusive).
    """
    sql = select(DueItemRow).where(visible(scope, person))
    for name, value in among.items():
        if value is not None:
            sql = sql.where(getattr(DueItemRow, name) == value)
    if unit is not None:
        sql = sql.where(_lies_in(f"unit:{unit}"))
    if overdue is not None:
        late = and_(DueItemRow.status == DueStatus.OPEN, DueItemRow.overdue_at.is_not(None))
        sql = sql.where(late if overdue else ~late)
    first, end = span
    if first is not None:
        sql = sql.where(DueItemRow.due_on >= first)
    if end is not None:
        sql = sql.where(DueItemRow.due_on < end)
    if after is not None:
        sql = sql.where(or_(DueItemRow.due_on > after[0], and_(DueItemRow.due_on == after[0], DueItemRow.id > after[1])))
    return (await session.scalars(sql.order_by(DueItemRow.due_on, DueItemRow.id).limit(limit + 1))).all()


def visible(scope: Scope, person: str) -> ColumnElement[bool]:
    covered = scope.where(DuePlaceRow.place, DuePlaceRow.item == DueItemRow.id)
    return and_(DueItemRow.school == scope.school, or_(covered, DueItemRow.owner == person))


def _lies_in(place: str) -> ColumnElement[bool]:
    return DueItemRow.id.in_(select(DuePlaceRow.item).where(DuePlaceRow.place == place))


# --- what the clock looks for -------------------------------------------------------------------------------------------


async def made_of(session: AsyncSession, school: str, routine: str, period: str) -> set[UUID]:
    """Return the items of a routine for a period."""
    mine = (DueItemRow.school == school, DueItemRow.routine == routine, DueItemRow.period == period)
    return set(await session.scalars(select(DueItemRow.id).where(*mine)))


@dataclass(frozen=True, slots=True)
class Lot:
    """Open items that are due on one day for one period of a routine."""

    routine: str
    kind: str
    period: str
    start: date
    end: date
    due_on: date


async def list_lots(session: AsyncSession, school: str, today: date) -> list[Lot]:
    """Return what is open and not late today."""
    columns = (DueItemRow.routine, DueItemRow.kind, DueItemRow.period, DueItemRow.start, DueItemRow.end, DueItemRow.due_on)
    return [Lot(*row) for row in await session.execute(select(*columns).where(still_to_come(school, today)).distinct())]


def still_to_come(school: str, today: date) -> ColumnElement[bool]:
    """Open, and not late today."""
    waits = (DueItemRow.status == DueStatus.OPEN, DueItemRow.overdue_at.is_(None), DueItemRow.due_on >= today)
    return and_(DueItemRow.school == school, *waits)


async def list_by_post(session: AsyncSession, school: str) -> Sequence[DueItemRow]:
    """Return the open items that somebody answers for by post."""
    mine = (DueItemRow.school == school, DueItemRow.status == DueStatus.OPEN, DueItemRow.owner_post.is_not(None))
    return (await session.scalars(select(DueItemRow).where(*mine).order_by(DueItemRow.id))).all()


async def due_places_of(session: AsyncSession, items: Collection[UUID]) -> dict[UUID, list[str]]:
    """Return where each of these items lies."""
    found: dict[UUID, list[str]] = {item: [] for item in items}
    for some in in_batches(sorted(items), IN_AT_ONCE):
        for row in await session.scalars(select(DuePlaceRow).where(DuePlaceRow.item.in_(some))):
            found[row.item].append(row.place)
    return found


async def list_late(session: AsyncSession, school: str, today: date, limit: int) -> Sequence[DueItemRow]:
    """Return what was due before today and is open, and has not been called overdue yet, locked."""
    late = (DueItemRow.status == DueStatus.OPEN, DueItemRow.overdue_at.is_(None), DueItemRow.due_on < today)
    sql = select(DueItemRow).where(DueItemRow.school == school, *late).order_by(DueItemRow.id).limit(limit)
    return (await session.scalars(sql.with_for_update())).all()


async def list_to_remind(session: AsyncSession, school: str, today: date, limit: int) -> Sequence[DueItemRow]:
    """Return the open items of whose owner has not been told yet that they are due soon, locked."""
    soon = (DueItemRow.status == DueStatus.OPEN, DueItemRow.owner.is_not(None), DueItemRow.remind_on <= today)
    sql = select(DueItemRow).where(DueItemRow.school == school, *soon).order_by(DueItemRow.id).limit(limit)
    return (await session.scalars(sql.with_for_update())).all()


async def ids_to_come(session: AsyncSession, school: str, today: date, routines: Iterable[str]) -> list[UUID]:
    """Return the items of these routines that are open and not late."""
    found: list[UUID] = []
    for some in in_batches(sorted(routines), IN_AT_ONCE):
        sql = select(DueItemRow.id).where(still_to_come(school, today), DueItemRow.routine.in_(some))
        found += await session.scalars(sql)
    return found
