"""Rules and work packages: the whole school reads them. What belongs to one school takes its scope or its code first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.errors import NotFound
from services.planning.tables import PackageRow, RuleRow


async def list_rules(session: AsyncSession, scope: Scope, *, level: str | None, after: str | None, limit: int) -> Sequence[RuleRow]:
    """Return the rules in their newest versions, by code; one more than `limit`."""
    sql = select(RuleRow).where(RuleRow.school == scope.school, RuleRow.current).order_by(RuleRow.code).limit(limit + 1)
    if level is not None:
        sql = sql.where(RuleRow.level == level)
    return (await session.scalars(sql if after is None else sql.where(RuleRow.code > after))).all()


async def all_rules(session: AsyncSession, scope: Scope) -> Sequence[RuleRow]:
    """Return all rules in their newest versions, by code."""
    sql = select(RuleRow).where(RuleRow.school == scope.school, RuleRow.current).order_by(RuleRow.code)
    return (await session.scalars(sql)).all()


async def versions_of_rule(session: AsyncSession, scope: Scope, code: str) -> Sequence[RuleRow]:
    """Return all versions of a rule, the newest first. Raises NotFound where there is none."""
    sql = select(RuleRow).where(RuleRow.school == scope.school, RuleRow.code == code).order_by(RuleRow.version.desc())
    if not (rows := (await session.scalars(sql)).all()):
        raise NotFound(f"there is no rule {code}")
    return rows


async def find_rule(session: AsyncSession, school: str, code: str) -> RuleRow | None:
    """Return the newest version of a rule."""
    sql = select(RuleRow).where(RuleRow.school == school, RuleRow.code == code, RuleRow.current)
    row: RuleRow | None = await session.scalar(sql)
    return row


async def list_due_rules(session: AsyncSession, school: str, today: date, limit: int) -> Sequence[RuleRow]:
    """Return rules whose owner is to be reminded and has not been."""
    due = (RuleRow.current, RuleRow.remind_on <= today, RuleRow.reminded_at.is_(None))
    return (await session.scalars(select(RuleRow).where(RuleRow.school == school, *due).order_by(RuleRow.code).limit(limit))).all()


async def list_packages(
    session: AsyncSession, scope: Scope, *, filters: Mapping[str, str | None], after: str | None, limit: int
) -> Sequence[PackageRow]:
    """Return work packages by code; one more than `limit`."""
    sql = select(PackageRow).where(PackageRow.school == scope.school).order_by(PackageRow.code).limit(limit + 1)
    for name, value in filters.items():
        if value is not None:
            sql = sql.where(getattr(PackageRow, name) == value)
    return (await session.scalars(sql if after is None else sql.where(PackageRow.code > after))).all()


async def get_package(session: AsyncSession, scope: Scope, code: str) -> PackageRow:
    """Return a work package. Raises NotFound."""
    if (row := await session.get(PackageRow, (scope.school, code))) is None:
        raise NotFound(f"there is no work package {code}")
    return row
