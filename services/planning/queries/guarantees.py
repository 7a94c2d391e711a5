"""The guarantee chain as it is read. What belongs to one school takes its scope or its code first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from libs.common.auth import Scope
from libs.common.database import in_batches
from libs.common.errors import NotFound
from services.planning.domain.owners import ids_of
from services.planning.queries.plans import visible
from services.planning.queries.school import IN_AT_ONCE, parents_of
from services.planning.tables import BudgetRow, GoalRow, GuaranteeRow, IndicatorRow, PlanRow, ProtectionRow, RecordRow

# --- what lies in whose hands ---------------------------------------------------------------------------------------------


async def units_within(session: AsyncSession, scope: Scope) -> frozenset[str] | None:
    """Return the units that a scope covers, those below included, as the roster has them now; None: the whole school."""
    if scope.places is None or f"school:{scope.school}" in scope.places:
        return None
    own = set(ids_of("unit", sorted(scope.places)))
    parents = await parents_of(session, scope.school)
    return frozenset(unit for unit in {*parents, *own} if _lies_under(unit, own, parents))


def _lies_under(unit: str, roots: Collection[str], parents: Mapping[str, str | None]) -> bool:
    seen: set[str] = set()
    at: str | None = unit
    while at is not None and at not in seen:
        if at in roots:
            return True
        seen.add(at)
        at = parents.get(at)
    return False


def of_units(column: InstrumentedAttribute[str | None], units: frozenset[str] | None) -> list[ColumnElement[bool]]:
    """The condition that a row is of these units; what is of the school itself is for who covers all of it."""
    return [] if units is None else [column.in_(sorted(units))]


async def unknown_units(session: AsyncSession, school: str, units: Collection[str | None]) -> set[str]:
    """Return which of these units the roster does not have."""
    there = await parents_of(session, school)
    return {unit for unit in units if unit is not None and unit not in there}


async def unknown_indicators(session: AsyncSession, school: str, codes: Sequence[str]) -> set[str]:
    """Return which of these the school has no indicator of in force."""
    sql = select(IndicatorRow.code).where(IndicatorRow.school == school, IndicatorRow.code.in_(codes))
    return set(codes) - set(await session.scalars(sql))


# --- measures ---------------------------------------------------------------------------------------------------------------


async def get_guarantee(session: AsyncSession, scope: Scope, id_: UUID, *, lock: bool = False) -> GuaranteeRow:
    """Return a measure, which everybody of the school may read. Raises NotFound."""
    sql = select(GuaranteeRow).where(GuaranteeRow.school == scope.school, GuaranteeRow.id == id_)
    row: GuaranteeRow | None = await session.scalar(sql.with_for_update() if lock else sql)
    if row is None:
        raise NotFound("there is no such guarantee measure")
    return row


async def list_guarantees(
    session: AsyncSession,
    scope: Scope,
    *,
    filters: Mapping[str, str | None],
    goal: UUID | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[GuaranteeRow]:
    """Return measures, newest first, one more than `limit`. `filters` are columns and the value wanted, None: any."""
    sql = select(GuaranteeRow).where(GuaranteeRow.school == scope.school)
    for name, value in filters.items():
        if value is not None:
            sql = sql.where(getattr(GuaranteeRow, name) == value)
    if goal is not None:
        sql = sql.where(exists().where(ProtectionRow.holder == GuaranteeRow.id, ProtectionRow.goal == goal))
    if after is not None:
        sql = sql.where(past(GuaranteeRow.created_at, GuaranteeRow.id, *after))
    newest_first = (GuaranteeRow.created_at.desc(), GuaranteeRow.id.desc())
    return (await session.scalars(sql.order_by(*newest_first).limit(limit + 1))).all()


def past(
    at: InstrumentedAttribute[datetime], id_: InstrumentedAttribute[UUID], last_at: datetime, last_id: UUID
) -> ColumnElement[bool]:
    """The condition that a row comes after one, newest first."""
    return or_(at < last_at, and_(at == last_at, id_ < last_id))


async def records_of(session: AsyncSession, about: UUID) -> Sequence[RecordRow]:
    """Return what happened to something that the caller has been given, oldest first."""
    return (await session.scalars(select(RecordRow).where(RecordRow.about == about).order_by(RecordRow.position))).all()


async def budgets_of(session: AsyncSession, measures: Sequence[UUID]) -> dict[UUID, tuple[int, int, int]]:
    """Return of each measure how many budget lines pay for it, what is approved and what is spent, in fen."""
    found: dict[UUID, tuple[int, int, int]] = {}
    for some in in_batches(measures, IN_AT_ONCE):
        sql = select(BudgetRow.measure, func.count(), func.sum(BudgetRow.approved), func.sum(BudgetRow.spent))
        sql = sql.where(BudgetRow.measure.in_(some)).group_by(BudgetRow.measure)
        found.update(
            {measure: (n, int(approved), int(spent)) for measure, n, approved, spent in await session.execute(sql) if measure}
        )
    return found


# --- what nobody protects -----------------------------------------------------------------------------------------------------


async def list_unserved(
    session: AsyncSession, scope: Scope, *, plan: str | None, level: str | None, after: tuple[str, str] | None, limit: int
) -> Sequence[tuple[GoalRow, PlanRow]]:
    """Return the goals in force, by plan and code, that no measure and no budget line protects, as far as the caller sees them."""
    protected = exists().where(ProtectionRow.goal == GoalRow.goal)
    sql = (
        select(GoalRow, PlanRow)
        .join(PlanRow, PlanRow.id == GoalRow.plan)
        .where(visible(scope), GoalRow.school == scope.school, GoalRow.current, GoalRow.live, ~protected)
        .order_by(PlanRow.code, GoalRow.code)
        .limit(limit + 1)
    )
    if plan is not None:
        sql = sql.where(PlanRow.code == plan)
    if level is not None:
        sql = sql.where(PlanRow.level == level)
    if after is not None:
        sql = sql.where(or_(PlanRow.code > after[0], and_(PlanRow.code == after[0], GoalRow.code > after[1])))
    return [(goal, found) for goal, found in await session.execute(sql)]
