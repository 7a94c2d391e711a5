"""Lessons that are over: what `lesson_end_plus_minutes` judges."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.database import in_batches
from services.monitoring.queries.log import read_log
from services.monitoring.tables import MomentRow

_PART = 10_000


async def list_lessons(session: AsyncSession, school_id: int, metric_id: int, after: int) -> list[tuple[int, int, int]]:
    """Word, end and first position of each lesson that observations of a metric past a position name.

    The end is the time of the newest one, in microseconds: that is all that is known of when a lesson ends.
    """
    lessons: dict[int, tuple[int, int]] = {}
    async for part in read_log(session, school_id, since=after + 1):
        stretch = part.stretch
        mask = part.stands & part.of("metric", [metric_id]) & (stretch.columns["lesson"] > 0) & (stretch.positions > after)
        rows = stretch.take(np.flatnonzero(mask))
        for lesson, time, position in zip(
            *(c.tolist() for c in (rows.columns["lesson"], rows.columns["time"], rows.positions)), strict=True
        ):
            end, first = lessons.get(lesson, (time, position))
            lessons[lesson] = max(end, time), first
    return [(lesson, *known) for lesson, known in sorted(lessons.items())]


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
