"""What improvements have changed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.database import in_batches
from libs.common.events.monitoring import EffectMeasured
from services.planning.queries.school import IN_AT_ONCE
from services.planning.tables import EffectRow


async def effects_of(session: AsyncSession, school: str, ids: Sequence[UUID]) -> dict[UUID, EffectMeasured]:
    """Return what these improvements, which the caller has already been given, have changed; those that were measured."""
    found: dict[UUID, EffectMeasured] = {}
    for some in in_batches(ids, IN_AT_ONCE):
        sql = select(EffectRow).where(EffectRow.school == school, EffectRow.improvement.in_(some))
        found |= {row.improvement: EffectMeasured.model_validate(row.said) for row in await session.scalars(sql)}
    return found
