"""Sums that are kept, read for judging."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import BigInteger, ColumnElement, Row, Select, SQLColumnExpression, and_, delete, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.database import in_batches
from services.monitoring.domain.attribution import LEVEL_CODE, LEVELS, WORD_BITS, series_key
from services.monitoring.domain.episodes import Sum
from services.monitoring.domain.windows import Window
from services.monitoring.tables import MetricRow, TotalRow, WordRow

_PART = 10_000


async def list_series(session: AsyncSession, metric_id: int, level: int) -> Sequence[tuple[int, int, str]]:
    """Series, word and code of every subject with data of a metric at a level, in order of code."""
    return [(key, word, code) for key, word, code in await session.execute(subjects_of(metric_id, level))]


def subjects_of(metric_id: int, level: int) -> Select[int, int, str]:
    """Series, word and code of every subject with data of a metric at a level, in order of code."""
    series = WordRow.id + series_key(metric_id, level, 0)
    data = select(1).where(TotalRow.series == series).exists()
    return (
        select(series, WordRow.id, WordRow.code)
        .join(MetricRow, and_(MetricRow.id == metric_id, MetricRow.school_id == WordRow.school_id))
        .where(WordRow.kind == LEVELS[level], data)
        .order_by(WordRow.code)
    )


def of_metric(metric_id: SQLColumnExpression[int]) -> ColumnElement[bool]:
    """Whether a sum is one of a metric."""
    each = literal(len(LEVELS) << WORD_BITS, BigInteger)  # beyond the type that PostgreSQL would take for that of the metric's id
    return and_(TotalRow.series >= metric_id * each, TotalRow.series < (metric_id + 1) * each)


def of_level(metric_id: int, level: int) -> ColumnElement[bool]:
    """Whether a sum is one of a metric at a level."""
    return and_(TotalRow.series >= series_key(metric_id, level, 0), TotalRow.series < series_key(metric_id, level + 1, 0))


async def names_of(session: AsyncSession, metric_id: int, level: int, words: Collection[int]) -> dict[int, tuple[int, str]]:
    """Map the series of these subjects (by word) to word and code, in order of code."""
    found: list[tuple[str, int, int]] = []
    for part in in_batches(sorted(words), _PART):
        rows = await session.execute(subjects_of(metric_id, level).where(WordRow.id.in_(part)))
        found += [(code, key, word) for key, word, code in rows]
    return {key: (word, code) for code, key, word in sorted(found)}


async def find_whole(session: AsyncSession, metric_id: int) -> int:
    """The larger of numerator and denominator of all that a school has of a metric, in millionths."""
    sql = select(func.sum(TotalRow.numerator), func.sum(TotalRow.denominator)).where(
        of_level(metric_id, LEVEL_CODE["school"]), TotalRow.window == Window.DAY
    )
    numerator, denominator = (await session.execute(sql)).one()
    return max(int(numerator or 0), int(denominator or 0))


async def list_days(session: AsyncSession, series: Sequence[int]) -> list[Row[int, int, int, int, int, int, int]]:
    """Series, day, numerator, denominator, revision, at, measured_at of all days of the series."""
    rows: list[Row[int, int, int, int, int, int, int]] = []
    for part in in_batches(series, _PART):
        rows += (
            await session.execute(
                select(
                    TotalRow.series,
                    TotalRow.start,
                    TotalRow.numerator,
                    TotalRow.denominator,
                    TotalRow.revision,
                    TotalRow.at,
                    TotalRow.measured_at,
                ).where(TotalRow.series.in_(part), TotalRow.window == Window.DAY)
            )
        ).all()
    return rows


async def delete_totals(session: AsyncSession, series: Sequence[int], window: Window) -> None:
    """Forget a longer window of these series: it is about to be filled anew from the days."""
    for part in in_batches(series, _PART):
        await session.execute(delete(TotalRow).where(TotalRow.series.in_(part), TotalRow.window == window))


async def list_starts(session: AsyncSession, metric_id: int, level: int, window: Window, after: int, through: int) -> list[int]:
    """Starts of the windows with data after `after` and through `through`, in order."""
    sql = (
        select(TotalRow.start)
        .where(
            of_level(metric_id, level),
            TotalRow.window == window,
            TotalRow.start > after,
            TotalRow.start <= through,
        )
        .distinct()
        .order_by(TotalRow.start)
    )
    return list(await session.scalars(sql))


async def latest_closed(
    session: AsyncSession, metric_id: int, level: int, window: Window, start: int, min_denominator: int
) -> list[tuple[int, int, str, Sum]]:
    """Series, word, code and sum of each subject with enough data in the window that starts on `start`."""
    sql = (
        select(TotalRow.series, WordRow.id, WordRow.code, TotalRow.numerator, TotalRow.denominator, TotalRow.revision, TotalRow.at)
        .join(WordRow, WordRow.id == TotalRow.series - series_key(metric_id, level, 0))
        .where(
            of_level(metric_id, level),
            TotalRow.window == window,
            TotalRow.start == start,
            TotalRow.denominator >= min_denominator,
            TotalRow.denominator > 0,
        )
        .order_by(WordRow.code)
    )
    rows = await session.execute(sql)
    return [(key, word, code, Sum(*total)) for key, word, code, *total in rows]
