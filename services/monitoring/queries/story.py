"""What a story is told from: turns before it, moments between observations, its warnings."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.database import in_batches
from services.monitoring.tables import MomentRow, TurnRow, WarningRow

_PART = 10_000
Pair = tuple[str, int]  # indicator, word of the subject


async def last_turns(
    session: AsyncSession, school_id: int, codes: Collection[str], words: Sequence[int], before: int
) -> dict[Pair, TurnRow]:
    """The last turn of each story before a place."""
    found: dict[Pair, TurnRow] = {}
    for part in in_batches(words, _PART):
        sql = select(TurnRow).where(
            TurnRow.school_id == school_id, TurnRow.indicator.in_(codes), TurnRow.subject_word.in_(part), TurnRow.place < before
        )
        found |= {(t.indicator, t.subject_word): t for t in await session.scalars(sql.order_by(TurnRow.place, TurnRow.id))}
    return found


async def list_moments(session: AsyncSession, school_id: int, codes: Collection[str], words: Sequence[int]) -> Sequence[MomentRow]:
    """What happened to these indicators' stories of these subjects between observations, in order."""
    sql = select(MomentRow).where(MomentRow.school_id == school_id, MomentRow.code.in_(codes))
    found = list(await session.scalars(sql.where(MomentRow.subject_word.is_(None))))
    for part in in_batches(words, _PART):
        found += await session.scalars(sql.where(MomentRow.subject_word.in_(part)))
    return sorted(found, key=lambda moment: (moment.position, moment.id))


async def list_of_stories(session: AsyncSession, school_id: int, codes: Collection[str], words: Sequence[int]) -> list[WarningRow]:
    """Every warning of these stories, in the order in which they were raised."""
    found: list[WarningRow] = []
    for part in in_batches(words, _PART):
        sql = select(WarningRow).where(
            WarningRow.school_id == school_id, WarningRow.indicator.in_(codes), WarningRow.subject_word.in_(part)
        )
        found += await session.scalars(sql)
    return sorted(found, key=lambda row: (row.raised_place, row.raised_at, row.id))
