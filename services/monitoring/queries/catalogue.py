"""Metrics and indicators of a school."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from services.monitoring.tables import IndicatorRow, MetricRow, SchoolRow


async def find_metric(session: AsyncSession, school_id: int, code: str) -> MetricRow | None:
    """The metric of that code or alias, None where there is none."""
    sql = select(MetricRow).where(MetricRow.school_id == school_id, (MetricRow.code == code) | (MetricRow.alias == code))
    row: MetricRow | None = await session.scalar(sql)
    return row


async def list_metrics(session: AsyncSession, scope: Scope, code: str | None, after: str | None, limit: int) -> Sequence[MetricRow]:
    """Up to `limit` metrics of the school, by code; with `code` only the one of that code or alias."""
    sql = select(MetricRow).join(SchoolRow, SchoolRow.id == MetricRow.school_id).where(SchoolRow.code == scope.school)
    if code is not None:
        sql = sql.where((MetricRow.code == code) | (MetricRow.alias == code))
    if after is not None:
        sql = sql.where(MetricRow.code > after)
    return (await session.scalars(sql.order_by(MetricRow.code).limit(limit))).all()


async def codes_of(session: AsyncSession, school_id: int) -> set[str]:
    """All codes and aliases of the school's metrics."""
    rows = await session.execute(select(MetricRow.code, MetricRow.alias).filter_by(school_id=school_id))
    return {code for row in rows for code in row if code is not None}


async def find_indicator(session: AsyncSession, school_id: int, code: str, version: int) -> IndicatorRow | None:
    """An activated version, None where it is not activated."""
    return await session.get(IndicatorRow, (school_id, code, version))


async def list_watched(session: AsyncSession, school_id: int) -> set[tuple[str, str, str]]:
    """What the school's indicators watch: metric, level, window."""
    definitions = await session.scalars(select(IndicatorRow.definition).where(IndicatorRow.school_id == school_id))
    return {(str(each["metric"]), str(each["level"]), str(each["window"])) for each in definitions}
