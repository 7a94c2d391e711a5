"""Every SELECT of indicators. Definitions are open to whoever may read indicators of the school."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.errors import NotFound
from services.standards.tables import IndicatorRow, MetricRow, VersionRow

Found = Row[VersionRow, IndicatorRow]


async def find_metric(session: AsyncSession, school: str, code: str) -> MetricRow | None:
    """Return the metric with that code or alias, None where there is none."""
    sql = select(MetricRow).where(MetricRow.school == school, (MetricRow.code == code) | (MetricRow.alias == code))
    found: MetricRow | None = await session.scalar(sql)
    return found


async def list_metrics(session: AsyncSession, school: str) -> dict[str, str]:
    """Return the code of each metric, by its code and by its alias."""
    rows = (await session.scalars(select(MetricRow).where(MetricRow.school == school))).all()
    return {name: row.code for row in rows for name in (row.alias, row.code) if name is not None}


async def find_indicator(session: AsyncSession, scope: Scope, code: str) -> IndicatorRow | None:
    """Return the indicator, locked until the transaction ends."""
    return await session.get(IndicatorRow, (scope.school, code), with_for_update=True)


async def get_indicator(session: AsyncSession, scope: Scope, code: str) -> IndicatorRow:
    """As `find_indicator`. Raises NotFound."""
    if (row := await find_indicator(session, scope, code)) is None:
        raise NotFound(f"there is no indicator {code!r}")
    return row


async def get_version(session: AsyncSession, scope: Scope, code: str, version: int) -> VersionRow:
    """Raises NotFound."""
    if (row := await session.get(VersionRow, (scope.school, code, version))) is None:
        raise NotFound(f"there is no version {version} of the indicator {code!r}")
    return row


async def read_version(session: AsyncSession, scope: Scope, code: str, version: int) -> Found:
    """Return one version beside its indicator. Raises NotFound."""
    sql = _versions(scope).where(VersionRow.code == code, VersionRow.version == version)
    if (found := (await session.execute(sql)).one_or_none()) is None:
        raise NotFound(f"there is no version {version} of the indicator {code!r}")
    return found


async def list_indicators(session: AsyncSession, scope: Scope, *, after: str | None, limit: int) -> Sequence[Found]:
    """Return each indicator by code, in its active version, else the one in trial, else its newest; one more than `limit`."""
    shown = func.coalesce(IndicatorRow.active, IndicatorRow.trial, IndicatorRow.newest)
    sql = _versions(scope).where(VersionRow.version == shown).order_by(VersionRow.code).limit(limit + 1)
    if after is not None:
        sql = sql.where(VersionRow.code > after)
    return (await session.execute(sql)).all()


async def list_versions(session: AsyncSession, scope: Scope, code: str, *, before: int | None, limit: int) -> Sequence[Found]:
    """Return the versions of an indicator, newest first; one more than `limit`. Raises NotFound where it has none."""
    sql = _versions(scope).where(VersionRow.code == code).order_by(VersionRow.version.desc()).limit(limit + 1)
    if before is not None:
        sql = sql.where(VersionRow.version < before)
    rows = (await session.execute(sql)).all()
    if not rows and before is None:
        raise NotFound(f"there is no indicator {code!r}")
    return rows


async def all_versions(session: AsyncSession, scope: Scope, code: str) -> Sequence[Found]:
    """Return all versions of an indicator, newest first. Raises NotFound."""
    rows = (await session.execute(_versions(scope).where(VersionRow.code == code).order_by(VersionRow.version.desc()))).all()
    if not rows:
        raise NotFound(f"there is no indicator {code!r}")
    return rows


def _versions(scope: Scope) -> Select[VersionRow, IndicatorRow]:
    same = (IndicatorRow.school == VersionRow.school) & (IndicatorRow.code == VersionRow.code)
    return select(VersionRow, IndicatorRow).join(IndicatorRow, same).where(VersionRow.school == scope.school)
