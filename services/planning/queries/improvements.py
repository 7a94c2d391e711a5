"""Improvements as they are read. What belongs to one school takes its scope or its code first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.database import in_batches
from libs.common.errors import NotFound
from libs.common.event import NAMESPACE
from services.planning.domain.ledger import same_problem
from services.planning.domain.states import OWNERS_TURN, Status
from services.planning.queries.school import IN_AT_ONCE
from services.planning.tables import HistoryRow, ImprovementRow, PlaceRow


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


async def last_number(session: AsyncSession, school: str) -> int:
    """Return the number of the newest problem in the school's ledger; 0 before the first."""
    return await session.scalar(select(func.max(ImprovementRow.number)).where(ImprovementRow.school == school)) or 0


async def same_before(
    session: AsyncSession, school: str, rows: Sequence[Mapping[str, Any]], days: int
) -> dict[tuple[str, ...], list[tuple[date, int, UUID]]]:
    """Return what may recur in these new rows, by `same_problem`: day, number and id of what was opened at most `days` before the first."""
    if not rows:
        return {}
    since = min(row["opened_on"] for row in rows) - timedelta(days=days)
    names = ("indicator", "source", "unit", "title", "level", "subject")
    columns = [getattr(ImprovementRow, name) for name in names]
    found: dict[tuple[str, ...], list[tuple[date, int, UUID]]] = {}
    for some in in_batches(sorted({row["subject"] for row in rows}), IN_AT_ONCE):
        sql = select(*columns, ImprovementRow.opened_on, ImprovementRow.number, ImprovementRow.id).where(
            ImprovementRow.school == school, ImprovementRow.subject.in_(some), ImprovementRow.opened_on >= since
        )
        for *key, day, number, id_ in await session.execute(sql):
            found.setdefault(same_problem(dict(zip(names, key, strict=True))), []).append((day, number, id_))
    return found


async def get_improvement(session: AsyncSession, scope: Scope, improvement: UUID) -> ImprovementRow:
    """Raises NotFound, also for what the scope does not cover."""
    sql = select(ImprovementRow).where(visible(scope), ImprovementRow.id == improvement)
    if (row := await session.scalar(sql)) is None:
        raise NotFound("there is no such improvement")
    return row


async def lock_improvements(session: AsyncSession, scope: Scope, ids: Sequence[UUID]) -> Sequence[ImprovementRow]:
    """Return these improvements in the order of `ids`, locked. Raises NotFound where one is missing or not covered."""
    sql = select(ImprovementRow).where(visible(scope), ImprovementRow.id.in_(ids)).order_by(ImprovementRow.id).with_for_update()
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
    sql = select(ImprovementRow).where(visible(scope))
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


async def list_newly_plan_overdue(session: AsyncSession, school: str, today: date, limit: int) -> Sequence[ImprovementRow]:
    """Return what is not started past its plan's date, has not been called so yet, and is not past its due date too."""
    sql = (
        select(ImprovementRow)
        .where(
            ImprovementRow.school == school,
            ImprovementRow.status == Status.PROPOSED,
            ImprovementRow.plan_due_on < today,
            ImprovementRow.due_on >= today,
            ImprovementRow.plan_overdue_at.is_(None),
        )
        .order_by(ImprovementRow.id)
        .limit(limit)
        .with_for_update()
    )
    return (await session.scalars(sql)).all()


def visible(scope: Scope) -> ColumnElement[bool]:
    """What lies in the scope, and what a teacher of it answers for (责任人): who was named need not hold a post over its subject."""
    people = sorted(place.removeprefix("teacher:") for place in scope.places or () if place.startswith("teacher:"))
    if not people:
        return covered(scope)
    return or_(covered(scope), and_(ImprovementRow.school == scope.school, ImprovementRow.owner.in_(people)))


def covered(scope: Scope) -> ColumnElement[bool]:
    mine = scope.where(PlaceRow.place, PlaceRow.improvement == ImprovementRow.id)
    return and_(ImprovementRow.school == scope.school, mine)
