"""What was not counted: ids that came again with other content, and what came from another source than the metric's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from services.monitoring.queries.log import Logged, list_at
from services.monitoring.tables import ConflictRow, SchoolRow


@dataclass(frozen=True, slots=True)
class FoundConflict:
    """What was refused, and the observation that stands; None where a retraction does, or another source's data would."""

    row: ConflictRow
    counted: Logged | None


async def conflict_listed(session: AsyncSession, school_id: int, source: str, event: str, content: bytes) -> bool:
    """Whether this other content of an id is listed already."""
    sql = select(ConflictRow.id).filter_by(school_id=school_id, source=source, event=event, content=content)
    return await session.scalar(sql) is not None


async def list_conflicts(session: AsyncSession, scope: Scope, after: int | None, limit: int) -> Sequence[FoundConflict]:
    """Up to `limit` conflicts of the school, newest first, past the id `after`."""
    sql = (
        select(ConflictRow)
        .join(SchoolRow, SchoolRow.id == ConflictRow.school_id)
        .where(SchoolRow.code == scope.school)
        .order_by(ConflictRow.id.desc())
        .limit(limit)
    )
    if after is not None:
        sql = sql.where(ConflictRow.id < after)
    rows = (await session.scalars(sql)).all()
    if not rows:
        return []
    counted = await list_at(session, rows[0].school_id, [row.position for row in rows])
    return [FoundConflict(row, counted.get(row.position)) for row in rows]
