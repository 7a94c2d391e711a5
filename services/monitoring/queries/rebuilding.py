"""What a rebuild reads: the log part by part, sums that differ, and the canonical state of a school."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitoring.domain.attribution import WORD_BITS, series_key
from services.monitoring.queries.totals import of_metric
from services.monitoring.tables import (
    MetricRow,
    RebuildRow,
    RebuiltTotalRow,
    SchoolRow,
    TotalRow,
    TurnRow,
    WarningRow,
    WordRow,
)

Cell = tuple[int, int, int]


async def find_rebuild(session: AsyncSession, school_id: int) -> RebuildRow | None:
    """The school's last rebuild, running or finished."""
    return await session.get(RebuildRow, school_id)


async def list_rebuilding(session: AsyncSession, _now: datetime) -> Sequence[str]:
    """Schools that are being rebuilt."""
    sql = select(SchoolRow.code).join(RebuildRow, RebuildRow.school_id == SchoolRow.id).where(RebuildRow.finished_at.is_(None))
    return (await session.scalars(sql.order_by(SchoolRow.code))).all()


async def forget_rebuilt(session: AsyncSession, school_id: int) -> None:
    """Drop what a rebuild of the school has added up."""
    await session.execute(delete(RebuiltTotalRow).where(await _of_school(session, school_id, RebuiltTotalRow.series)))


async def _of_school(session: AsyncSession, school_id: int, series: Any) -> ColumnElement[bool]:
    """Whether a series is one of the school's metrics that are added up."""
    mine = await session.scalars(select(MetricRow.id).where(MetricRow.school_id == school_id, MetricRow.kind != "latest"))
    spans = [and_(series >= series_key(metric_id, 0, 0), series < series_key(metric_id + 1, 0, 0)) for metric_id in mine]
    return or_(false(), *spans)


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
    sql = (
        select(*kept, *rebuilt).outerjoin(RebuiltTotalRow, same).where(await _of_school(session, school_id, TotalRow.series), wrong)
    )
    found = [(s, w, start, (rn or 0) - n, (rd or 0) - d) for s, w, start, n, d, rn, rd in await session.execute(sql)]
    key = (RebuiltTotalRow.series, RebuiltTotalRow.window, RebuiltTotalRow.start)
    lost = (
        select(*key, *rebuilt)
        .outerjoin(TotalRow, same)
        .where(await _of_school(session, school_id, RebuiltTotalRow.series), TotalRow.series.is_(None))
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
        WordRow.kind,
        WordRow.code,
        TotalRow.window,
        TotalRow.start,
        TotalRow.numerator,
        TotalRow.denominator,
    )
    return (
        select(*columns)
        .join(MetricRow, of_metric(MetricRow.id))
        .join(WordRow, WordRow.id == TotalRow.series.bitwise_and((1 << WORD_BITS) - 1))
        .where(MetricRow.school_id == school_id, (TotalRow.denominator != 0) | (TotalRow.numerator != 0))
        .order_by(MetricRow.code, WordRow.kind, WordRow.code, TotalRow.window, TotalRow.start)
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
