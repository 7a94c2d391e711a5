"""Improvements that were started, and what they have changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from services.monitoring.domain.windows import to_day
from services.monitoring.tables import EffectRow, IndicatorRow, LateRow, SchoolRow, WarningPlaceRow

NEVER = -1  # a day before any on which something was looked at
LONGEST = 800  # days after which it is no more looked whether enough was measured: a window of the longest kind has come and gone


async def compared_places(session: AsyncSession, school_id: int) -> dict[int, int]:
    """Map metrics with levels, as `series_key` has them, to the day before which changes touch an effect that was measured."""
    sql = select(EffectRow.place, func.max(EffectRow.after_to)).where(EffectRow.school_id == school_id).group_by(EffectRow.place)
    return {place: day for place, day in await session.execute(sql) if day is not None}


async def list_measuring(session: AsyncSession, now: datetime) -> list[str]:
    """Schools in which something is to be measured, for the first time or again, or is to be looked at on the day that it is there."""
    mine = EffectRow.school_id == SchoolRow.id
    due = or_(exists().where(mine, EffectRow.due), exists().where(LateRow.school_id == SchoolRow.id))
    looked = func.min(func.coalesce(EffectRow.looked_on, NEVER))
    pending = (mine, _pending(), EffectRow.verified_on > to_day(now.date()) - LONGEST)
    sql = select(SchoolRow.code, SchoolRow.timezone, due, select(looked).where(*pending).scalar_subquery())
    return [
        code
        for code, zone, is_due, looked_on in await session.execute(sql)
        if is_due or (looked_on is not None and looked_on < to_day(now.astimezone(ZoneInfo(zone)).date()))
    ]


async def list_pending(session: AsyncSession, school_id: int, today: int, limit: int) -> Sequence[EffectRow]:
    """Verified improvements whose windows afterwards were not over when it was last looked, on an earlier day."""
    sql = select(EffectRow).where(
        EffectRow.school_id == school_id,
        _pending(),
        EffectRow.verified_on > today - LONGEST,
        or_(EffectRow.looked_on.is_(None), EffectRow.looked_on < today),
    )
    return (await session.scalars(sql.order_by(EffectRow.improvement).limit(limit))).all()


async def list_due(session: AsyncSession, school_id: int, limit: int) -> Sequence[EffectRow]:
    """Effects that are to be measured, for the first time or again; those of the same days together."""
    sql = select(EffectRow).where(EffectRow.school_id == school_id, EffectRow.due)
    order = (EffectRow.place, EffectRow.before_from, EffectRow.before_to, EffectRow.after_from, EffectRow.improvement)
    return (await session.scalars(sql.order_by(*order).limit(limit))).all()


async def list_late(session: AsyncSession, school_id: int) -> Sequence[LateRow]:
    """The days that have changed after something was measured by them."""
    return (await session.scalars(select(LateRow).filter_by(school_id=school_id))).all()


async def list_improved(session: AsyncSession, school_id: int, level: str, since: int, before: int) -> frozenset[int]:
    """The subjects of a level, by word, on whom an improvement was under way on one of the days."""
    sql = select(EffectRow.subject_word).where(
        EffectRow.school_id == school_id,
        EffectRow.level == level,
        EffectRow.started_on < before,
        or_(EffectRow.ended_on.is_(None), EffectRow.ended_on >= since),
    )
    return frozenset(await session.scalars(sql))


async def list_found(session: AsyncSession, scope: Scope, indicator: str) -> list[tuple[int, dict[str, Any]]]:
    """`better` and what was found of each effect of an indicator that the scope covers."""
    sql = (
        select(EffectRow.better, EffectRow.found, EffectRow.places)
        .join(SchoolRow, SchoolRow.id == EffectRow.school_id)
        .where(
            SchoolRow.code == scope.school,
            EffectRow.indicator == indicator,
            or_(EffectRow.warning.is_(None), scope.where(WarningPlaceRow.place, WarningPlaceRow.warning == EffectRow.warning)),
        )
    )
    seen = ((better, found) for better, found, places in await session.execute(sql) if places is None or scope.covers(places))
    return [(better, found) for better, found in seen if found is not None]


async def has_indicator(session: AsyncSession, school: str, code: str) -> bool:
    """Whether some version of the indicator was ever activated in the school."""
    sql = select(IndicatorRow.code).join(SchoolRow, SchoolRow.id == IndicatorRow.school_id)
    return await session.scalar(sql.where(SchoolRow.code == school, IndicatorRow.code == code).limit(1)) is not None


def _pending() -> ColumnElement[bool]:
    return and_(EffectRow.verified_on.is_not(None), EffectRow.after_to.is_(None))
