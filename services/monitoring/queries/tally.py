"""What each source brought, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from services.monitoring.tables import SchoolRow, TallyRow


@dataclass(frozen=True, slots=True)
class Brought:
    """The events of a source on a day (counted from 1970-01-01), by outcome."""

    source: str
    day: int
    events: dict[str, int] = field(default_factory=dict)


async def list_brought(
    session: AsyncSession, scope: Scope, source: str | None, after: tuple[int, str] | None, limit: int
) -> Sequence[Brought]:
    """Up to `limit` days of sources, newest day first, then by source."""
    mine = select(TallyRow).join(SchoolRow, SchoolRow.id == TallyRow.school_id).where(SchoolRow.code == scope.school)
    keys = mine.with_only_columns(TallyRow.day, TallyRow.source).distinct()
    if source is not None:
        keys = keys.where(TallyRow.source == source)
    if after is not None:
        day, name = after
        keys = keys.where(or_(TallyRow.day < day, and_(TallyRow.day == day, TallyRow.source > name)))
    found = {
        (day, name): Brought(name, day)
        for day, name in await session.execute(keys.order_by(TallyRow.day.desc(), TallyRow.source).limit(limit))
    }
    if found:
        days = {day for day, _ in found}
        for row in await session.scalars(mine.where(TallyRow.day.in_(days))):
            if (row.day, row.source) in found:
                found[row.day, row.source].events[row.outcome] = row.events
    return list(found.values())
