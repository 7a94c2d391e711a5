"""Warnings, read within a scope."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.errors import NotFound
from services.monitoring.tables import SchoolRow, WarningPlaceRow, WarningRow, WarningStepRow


def _covered(scope: Scope) -> Select[WarningRow]:
    return (
        select(WarningRow)
        .join(SchoolRow, SchoolRow.id == WarningRow.school_id)
        .where(
            SchoolRow.code == scope.school,
            WarningRow.trial.is_(False),
            scope.where(WarningPlaceRow.place, WarningPlaceRow.warning == WarningRow.id),
        )
    )


async def hold_school(session: AsyncSession, school: str) -> None:
    """Let nothing be counted in the school until this transaction ends: counting changes its warnings."""
    await session.execute(select(SchoolRow.id).filter_by(code=school).with_for_update())


async def get_warning(session: AsyncSession, scope: Scope, warning: UUID, *, lock: bool = False) -> WarningRow:
    """One warning; `lock`: nothing is counted in its school meanwhile. Raises NotFound where the scope does not cover it."""
    if lock:
        await hold_school(session, scope.school)
    row = await session.scalar(_covered(scope).where(WarningRow.id == warning))
    if row is None:
        raise NotFound(f"no warning {warning}")
    return row


async def list_warnings(
    session: AsyncSession, scope: Scope, filters: dict[str, Any], after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[WarningRow]:
    """Up to `limit` warnings, newest first; `filters` are columns that must equal a value."""
    sql = _covered(scope).filter(*(getattr(WarningRow, name) == value for name, value in filters.items() if value is not None))
    if after is not None:
        at, id_ = after
        sql = sql.where(or_(WarningRow.raised_at < at, and_(WarningRow.raised_at == at, WarningRow.id < id_)))
    return (await session.scalars(sql.order_by(WarningRow.raised_at.desc(), WarningRow.id.desc()).limit(limit))).all()


async def list_standing(session: AsyncSession, school_id: int, codes: Collection[str]) -> list[WarningRow]:
    """The uncleared warnings of these indicators."""
    sql = select(WarningRow).where(
        WarningRow.school_id == school_id,
        WarningRow.episode_open,
        WarningRow.indicator.in_(sorted(codes)),
        WarningRow.status.in_(("open", "acknowledged", "improving", "stale")),
    )
    return list((await session.scalars(sql.order_by(WarningRow.raised_at, WarningRow.id))).all())


async def list_steps(session: AsyncSession, warning: UUID) -> Sequence[WarningStepRow]:
    """A warning's history, oldest first."""
    return (await session.scalars(select(WarningStepRow).filter_by(warning=warning).order_by(WarningStepRow.id))).all()
