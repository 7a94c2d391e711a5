"""The observation log, read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, false, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from libs.common.database import in_batches
from libs.common.events.observations import REFERENCES
from services.monitoring.tables import MetricRow, ObservationRow, UnplacedRow, WordRow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PHASES = ("before", "during", "after")
COLUMNS = {"class": ObservationRow.class_} | {kind: getattr(ObservationRow, kind) for kind in REFERENCES if kind != "class"}


@dataclass(frozen=True, slots=True)
class Logged:
    """An observation of the log, in words. Numbers are millionths."""

    position: int
    metric: str
    source: str
    event: str
    time: datetime
    day: int
    numerator: int
    denominator: int
    phase: str | None
    references: Mapping[str, str]
    counted_at: datetime


def instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _log(school_id: int) -> Select[ObservationRow, str, str]:
    source = aliased(WordRow)
    return (
        select(ObservationRow, MetricRow.code, source.code)
        .join(MetricRow, MetricRow.id == ObservationRow.metric_id)
        .join(source, source.id == ObservationRow.source)
        .where(ObservationRow.school_id == school_id)
        .order_by(ObservationRow.position)
    )


async def _in_words(session: AsyncSession, rows: Sequence[Any]) -> list[Logged]:
    wanted = {getattr(row[0], "class_" if kind == "class" else kind) for row in rows for kind in REFERENCES} - {None}
    words: dict[int, str] = {}
    for part in in_batches(sorted(wanted), 10_000):
        found = await session.execute(select(WordRow.id, WordRow.code).where(WordRow.id.in_(part)))
        words |= {id_: code for id_, code in found}  # noqa: C416 - rows are no pairs to dict's type
    logged = []
    for o, metric, source in rows:
        named = {kind: getattr(o, "class_" if kind == "class" else kind) for kind in REFERENCES}
        logged.append(
            Logged(
                position=o.position,
                metric=metric,
                source=source,
                event=o.event,
                time=instant(o.time),
                day=o.day,
                numerator=o.numerator,
                denominator=o.denominator,
                phase=None if o.phase is None else PHASES[o.phase],
                references={kind: words[word] for kind, word in named.items() if word is not None},
                counted_at=instant(o.counted_at),
            )
        )
    return logged


async def list_unplaced(session: AsyncSession, school_id: int, words: Sequence[int], after: int, limit: int) -> list[Logged]:
    """Observations past a position that named one of these words when the roster did not know it, in order of counting."""
    positions: set[int] = set()
    for part in in_batches(words, 10_000):
        sql = (
            select(UnplacedRow.position)
            .where(UnplacedRow.word.in_(part), UnplacedRow.position > after)
            .order_by(UnplacedRow.position)
            .limit(limit)
        )
        positions.update(await session.scalars(sql))
    first = sorted(positions)[:limit]
    rows = (await session.execute(_log(school_id).where(ObservationRow.position.in_(first)))).all()
    return await _in_words(session, rows)


async def list_at(session: AsyncSession, school_id: int, positions: Sequence[int]) -> dict[int, Logged]:
    """The observations at these positions."""
    rows = (await session.execute(_log(school_id).where(ObservationRow.position.in_(positions)))).all()
    return {each.position: each for each in await _in_words(session, rows)}


async def list_window(
    session: AsyncSession,
    school_id: int,
    metric: str,
    days: Sequence[tuple[int, int]],
    named: tuple[str, str] | None,
    after: int,
    limit: int,
) -> list[Logged]:
    """Observations of a metric in spans of days past a position; `named`: only those that name this (kind, id)."""
    sql = _log(school_id).where(
        MetricRow.code == metric,
        or_(false(), *(and_(ObservationRow.day >= first, ObservationRow.day < end) for first, end in days)),
        ObservationRow.position > after,
    )
    if named is not None:
        word = select(WordRow.id).filter_by(school_id=school_id, kind=named[0], code=named[1]).scalar_subquery()
        sql = sql.where(COLUMNS[named[0]] == word)
    rows = (await session.execute(sql.limit(limit))).all()
    return await _in_words(session, rows)
