"""What whoever follows measurements has not been told yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitoring.domain.attribution import LEVEL_CODE, WORD_BITS
from services.monitoring.domain.windows import Window
from services.monitoring.queries.totals import of_level
from services.monitoring.tables import FollowedRow, MetricRow, SchoolRow, TotalRow, UntoldRow, WordRow

TOLD = 1 << 62  # beyond every series


async def list_waiting(session: AsyncSession, _now: datetime) -> Sequence[str]:
    """Schools in which somebody has something to be told: of a metric that the school does not have there is nothing yet."""
    changed = exists().where(UntoldRow.school_id == SchoolRow.id)
    named = or_(MetricRow.code == FollowedRow.metric, MetricRow.alias == FollowedRow.metric)
    there = exists().where(MetricRow.school_id == FollowedRow.school_id, named)
    new = exists().where(FollowedRow.school_id == SchoolRow.id, FollowedRow.told_through < TOLD, there)
    return (await session.scalars(select(SchoolRow.code).where(or_(changed, new)).order_by(SchoolRow.code))).all()


async def list_followed(session: AsyncSession, school_id: int) -> Sequence[FollowedRow]:
    """Everything that is followed in a school, in the order in which it was asked for."""
    return (await session.scalars(select(FollowedRow).filter_by(school_id=school_id).order_by(FollowedRow.id))).all()


async def is_followed(session: AsyncSession, school_id: int, asked: tuple[str, str, str, str], subject: str | None) -> bool:
    """Whether a service follows this subject, or everybody; asked: by whom, metric, level, window."""
    wanted_by, metric, level, window = asked
    sql = select(FollowedRow.id).filter_by(school_id=school_id, metric=metric, level=level, window=window, wanted_by=wanted_by)
    sql = sql.where(or_(FollowedRow.subject.is_(None), FollowedRow.subject == subject))
    return await session.scalar(sql.limit(1)) is not None


async def followed_places(session: AsyncSession, school_id: int) -> frozenset[int]:
    """What the series that somebody follows begin with: metric and level, as `series_key` has them."""
    sql = (
        select(MetricRow.id, FollowedRow.level)
        .join(FollowedRow, or_(FollowedRow.metric == MetricRow.code, FollowedRow.metric == MetricRow.alias))
        .where(MetricRow.school_id == school_id, FollowedRow.school_id == school_id)
        .distinct()
    )
    return frozenset(place_of(metric_id, level) for metric_id, level in await session.execute(sql))


def place_of(metric_id: int, level: str) -> int:
    """What the series of a metric at a level begin with."""
    return metric_id * len(LEVEL_CODE) + LEVEL_CODE[level]


async def next_untold(session: AsyncSession, school_id: int, limit: int) -> Sequence[int]:
    """The first series of a school with days that were not told, in order."""
    sql = select(UntoldRow.series).filter_by(school_id=school_id).distinct().order_by(UntoldRow.series)
    return (await session.scalars(sql.limit(limit))).all()


async def take_untold(session: AsyncSession, school_id: int, series: Collection[int]) -> Sequence[tuple[int, int]]:
    """Series and day of what was not told of these series; from now on it counts as told."""
    mine = (UntoldRow.school_id == school_id, UntoldRow.series.in_(series))
    found = [(key, day) for key, day in await session.execute(select(UntoldRow.series, UntoldRow.start).where(*mine))]
    await session.execute(delete(UntoldRow).where(*mine))
    return found


async def next_series(session: AsyncSession, metric_id: int, level: str, after: int, limit: int) -> Sequence[int]:
    """The first series past `after` of a metric at a level, in order."""
    sql = select(TotalRow.series).where(
        of_level(metric_id, LEVEL_CODE[level]), TotalRow.series > after, TotalRow.window == Window.DAY
    )
    return (await session.scalars(sql.distinct().order_by(TotalRow.series).limit(limit))).all()


async def find_word(session: AsyncSession, school_id: int, level: str, code: str) -> int | None:
    """The word of a subject, None where nothing was ever observed of it."""
    return await session.scalar(select(WordRow.id).filter_by(school_id=school_id, kind=level, code=code))


async def subjects_by_series(session: AsyncSession, series: Collection[int]) -> dict[int, str]:
    """Map series to the codes of their subjects."""
    words = {key: key & (1 << WORD_BITS) - 1 for key in series}
    sql = select(WordRow.id, WordRow.code).where(WordRow.id.in_(set(words.values())))
    codes = {word: code for word, code in await session.execute(sql)}  # noqa: C416 - rows are no pairs to dict's type
    return {key: codes[word] for key, word in words.items() if word in codes}
