"""Lessons that are over: what `lesson_end_plus_minutes` judges."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.database import in_batches
from services.monitoring.tables import MomentRow, ObservationRow

_PART = 10_000


async def list_lessons(session: AsyncSession, school_id: int, metric_id: int, after: int) -> list[tuple[int, int, int]]:
    """Word, end and first position of each lesson that observations of a metric past a position name.

    The end is the time of the newest one, in microseconds: that is all that is known of when a lesson ends.
    """
    o = ObservationRow
    sql = select(o.lesson, func.max(o.time), func.min(o.position)).where(
        o.school_id == school_id, o.position > after, o.metric_id == metric_id, o.lesson.is_not(None), o.ended_by.is_(None)
    )
    rows = await session.execute(sql.group_by(o.lesson).order_by(o.lesson))
    return [(lesson, end, first) for lesson, end, first in rows if lesson is not None]


async def find_ended(
    session: AsyncSession, school_id: int, codes: Collection[str], words: Collection[int]
) -> set[tuple[str, int, int]]:
    """Which of these lessons (by word) were judged at their end, by code and version."""
    found: set[tuple[str, int, int]] = set()
    m = MomentRow
    for part in in_batches(sorted(words), _PART) if codes else ():
        sql = select(m.code, m.version, m.subject_word).where(
            m.school_id == school_id, m.code.in_(sorted(codes)), m.subject_word.in_(part), m.what == "ended"
        )
        rows = await session.execute(sql)
        found |= {(code, version, word) for code, version, word in rows if version is not None and word is not None}
    return found
