"""Budgets as they are read: by who covers the unit. What belongs to one school takes its scope or its code first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.errors import NotFound
from services.planning.queries.guarantees import of_units, past, units_within
from services.planning.tables import BudgetRow, SpendingRow


async def covered(session: AsyncSession, scope: Scope) -> Sequence[ColumnElement[bool]]:
    """The conditions that a budget line is in a scope: of its units."""
    return BudgetRow.school == scope.school, *of_units(BudgetRow.unit, await units_within(session, scope))


async def _covered(session: AsyncSession, scope: Scope) -> Select[BudgetRow]:
    return select(BudgetRow).where(*await covered(session, scope))


async def get_budget(session: AsyncSession, scope: Scope, id_: UUID, *, lock: bool = False) -> BudgetRow:
    """Return a budget line. Raises NotFound, also for what the scope does not cover."""
    sql = (await _covered(session, scope)).where(BudgetRow.id == id_)
    row: BudgetRow | None = await session.scalar(sql.with_for_update() if lock else sql)
    if row is None:
        raise NotFound("there is no such budget line")
    return row


async def list_budgets(
    session: AsyncSession,
    scope: Scope,
    *,
    filters: Mapping[str, str | int | UUID | None],
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[BudgetRow]:
    """Return budget lines, newest first, one more than `limit`. `filters` are columns and the value wanted, None: any."""
    sql = await _covered(session, scope)
    for name, value in filters.items():
        if value is not None:
            sql = sql.where(getattr(BudgetRow, name) == value)
    if after is not None:
        sql = sql.where(past(BudgetRow.created_at, BudgetRow.id, *after))
    newest_first = (BudgetRow.created_at.desc(), BudgetRow.id.desc())
    return (await session.scalars(sql.order_by(*newest_first).limit(limit + 1))).all()


async def sum_budgets(
    session: AsyncSession, scope: Scope, year: int, by: Literal["mechanism", "unit"]
) -> list[tuple[str | None, int, int, int]]:
    """Return of each mechanism or unit of a year how many lines it has, what is approved and what is spent, in fen."""
    units = await units_within(session, scope)
    column = getattr(BudgetRow, by)
    sql = select(column, func.count(), func.sum(BudgetRow.approved), func.sum(BudgetRow.spent)).group_by(column)
    sql = sql.where(BudgetRow.school == scope.school, BudgetRow.year == year, *of_units(BudgetRow.unit, units))
    found = [(key, lines, int(approved), int(spent)) for key, lines, approved, spent in await session.execute(sql)]
    return sorted(found, key=lambda each: (each[0] is not None, each[0] or ""))


async def list_spending(session: AsyncSession, budget: UUID, *, before: int | None, limit: int) -> Sequence[SpendingRow]:
    """Return what was spent from a line that the caller has been given, the last written first, one more than `limit`."""
    sql = select(SpendingRow).where(SpendingRow.budget == budget).order_by(SpendingRow.position.desc()).limit(limit + 1)
    return (await session.scalars(sql if before is None else sql.where(SpendingRow.position < before))).all()
