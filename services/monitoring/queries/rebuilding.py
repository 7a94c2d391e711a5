"""What a rebuild reads: the log part by part, sums that differ, and the canonical state of a school."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitoring.queries.observations import Logged, in_words, log_of
from services.monitoring.tables import (
    MetricRow,
    ObservationRow,
    RebuildRow,
    RebuiltTotalRow,
    SchoolRow,
    SeriesRow,
    TotalRow,
    TurnRow,
    WarningRow,
    WordRow,
)

Cell = tuple[int, int, int]


async def find_rebuild(session: AsyncSession, school_id: int) -> RebuildRow | None:
    """The school's last rebuild, running or finished."""
    return await session.get(RebuildRow, school_id)


async def list_rebuilding(session: AsyncSession) -> Sequence[str]:
    """Schools that are being rebuilt."""
    sql = select(SchoolRow.code).join(RebuildRow, RebuildRow.school_id == SchoolRow.id).where(RebuildRow.finished_at.is_(None))
    return (await session.scalars(sql.order_by(SchoolRow.code))).all()


async def standing_after(session: AsyncSession, school_id: int, position: int, limit: int) -> list[Logged]:
    """Up to `limit` observations that stand, past a position, in the order of the log."""
    sql = log_of(school_id).where(ObservationRow.position > position, ObservationRow.ended_by.is_(None)).limit(limit)
    return await in_words(session, (await session.execute(sql)).all())


async def forget_rebuilt(session: AsyncSession, school_id: int) -> None:
    """Drop what a rebuild of the school has added up."""
    await session.execute(delete(RebuiltTotalRow).where(RebuiltTotalRow.series.in_(_series(school_id))))


def _series(school_id: int) -> Any:
    return (
        select(SeriesRow.id)
        .join(MetricRow, MetricRow.id == SeriesRow.metric_id)
        .where(MetricRow.school_id == school_id, MetricRow.kind != "latest")
    )


async def differing_totals(session: AsyncSession, school_id: int) -> list[tuple[int, int, int, int, int]]:
    """What must be added to the kept sums to make them those of the rebuild: series, window, start, numerator, denominator."""
    same = (
        (RebuiltTotalRow.series == TotalRow.series)
        & (RebuiltTotalRow.window == TotalRow.window)
        & (RebuiltTotalRow.start == TotalRow.start)
    )
    kept = (TotalRow.series, TotalRow.window, TotalRow.start, TotalRow.numerator, TotalRow.denominator)
    rebuilt = (RebuiltTotalRow.numerator, RebuiltTotalRow.denominator)
    wrong = or_(
        TotalRow.numerator != RebuiltTotalRow.numerator,
        TotalRow.denominator != RebuiltTotalRow.denominator,
        RebuiltTotalRow.series.is_(None) & ((TotalRow.denominator != 0) | (TotalRow.numerator != 0)),
    )
    sql = select(*kept, *rebuilt).outerjoin(RebuiltTotalRow, same).where(TotalRow.series.in_(_series(school_id)), wrong)
    found = [(s, w, start, (rn or 0) - n, (rd or 0) - d) for s, w, start, n, d, rn, rd in await session.execute(sql)]
    key = (RebuiltTotalRow.series, RebuiltTotalRow.window, RebuiltTotalRow.start)
    lost = (
        select(*key, *rebuilt)
        .outerjoin(TotalRow, same)
        .where(RebuiltTotalRow.series.in_(_series(school_id)), TotalRow.series.is_(None))
    )
    return found + [(s, w, start, n, d) for s, w, start, n, d in await session.execute(lost) if n or d]


async def canonical_state(session: AsyncSession, school_id: int) -> str:
    """SHA-256 of a school's sums, stories and warnings, in an order and form that nothing but their content decides."""
    digest = hashlib.sha256()
    for sql in (_sums(school_id), _turns(school_id), _warnings(school_id)):
        for row in await session.execute(sql):
            digest.update(json.dumps([str(value) for value in row], ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def _sums(school_id: int) -> Any:
    columns = (
        MetricRow.code,
        SeriesRow.level,
        WordRow.code,
        TotalRow.window,
        TotalRow.start,
        TotalRow.numerator,
        TotalRow.denominator,
    )
    return (
        select(*columns)
        .join(SeriesRow, SeriesRow.id == TotalRow.series)
        .join(MetricRow, MetricRow.id == SeriesRow.metric_id)
        .join(WordRow, WordRow.id == SeriesRow.subject)
        .where(MetricRow.school_id == school_id, (TotalRow.denominator != 0) | (TotalRow.numerator != 0))
        .order_by(MetricRow.code, SeriesRow.level, WordRow.code, TotalRow.window, TotalRow.start)
    )


def _turns(school_id: int) -> Any:
    columns = (TurnRow.indicator, WordRow.kind, WordRow.code, TurnRow.place, TurnRow.severity, TurnRow.quiet)
    return (
        select(*columns)
        .join(WordRow, WordRow.id == TurnRow.subject_word)
        .where(TurnRow.school_id == school_id)
        .order_by(TurnRow.indicator, WordRow.kind, WordRow.code, TurnRow.place, TurnRow.id)
    )


def _warnings(school_id: int) -> Any:
    w = WarningRow
    columns = (
        w.id,
        w.indicator,
        w.version,
        w.level,
        w.subject,
        w.severity,
        w.status,
        w.window,
        w.start,
        w.numerator,
        w.denominator,
        w.line,
        w.override,
    )
    return select(*columns).where(w.school_id == school_id).order_by(w.id)
