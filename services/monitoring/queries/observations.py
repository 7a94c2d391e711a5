"""The observation log, read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
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
_PART = 10_000
PHASES = ("before", "during", "after")
COLUMNS = {"class": ObservationRow.class_} | {kind: getattr(ObservationRow, kind) for kind in REFERENCES if kind != "class"}


@dataclass(frozen=True, slots=True)
class Logged:
    """An observation of the log, in words. Numbers are millionths; `place` is where it stands in the order of counting."""

    position: int
    place: int
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


def log_of(school_id: int) -> Select[ObservationRow, str, str]:
    source = aliased(WordRow)
    return (
        select(ObservationRow, MetricRow.code, source.code)
        .join(MetricRow, MetricRow.id == ObservationRow.metric_id)
        .join(source, source.id == ObservationRow.source)
        .where(ObservationRow.school_id == school_id)
        .order_by(ObservationRow.position)
    )


async def in_words(session: AsyncSession, rows: Sequence[Any]) -> list[Logged]:
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
                place=o.position if o.place is None else o.place,
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


async def list_unplaced(
    session: AsyncSession, school_id: int, words: Sequence[int], after: int, limit: int
) -> tuple[list[Logged], int | None]:
    """What stands of the next `limit` positions that named one of these words when the roster did not know it, and the last of
    these positions; None where there is none.
    """
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
    stands = log_of(school_id).where(ObservationRow.position.in_(first), ObservationRow.ended_by.is_(None))
    return await in_words(session, (await session.execute(stands)).all()), first[-1] if first else None


async def list_at(session: AsyncSession, school_id: int, positions: Sequence[int]) -> dict[int, Logged]:
    """The observations at these positions."""
    rows = (await session.execute(log_of(school_id).where(ObservationRow.position.in_(positions)))).all()
    return {each.position: each for each in await in_words(session, rows)}


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
    sql = log_of(school_id).where(
        MetricRow.code == metric,
        or_(false(), *(and_(ObservationRow.day >= first, ObservationRow.day < end) for first, end in days)),
        ObservationRow.position > after,
        ObservationRow.ended_by.is_(None),
    )
    if named is not None:
        word = select(WordRow.id).filter_by(school_id=school_id, kind=named[0], code=named[1]).scalar_subquery()
        sql = sql.where(COLUMNS[named[0]] == word)
    rows = (await session.execute(sql.limit(limit))).all()
    return await in_words(session, rows)


async def list_standing(session: AsyncSession, school_id: int, metric_ids: Sequence[int], since: int) -> AsyncIterator[Logged]:
    """What stands in the log from a place on, of these metrics; in no particular order."""
    stands = log_of(school_id).where(ObservationRow.metric_id.in_(metric_ids), ObservationRow.ended_by.is_(None))
    after = since - 1
    while True:
        sql = stands.where(ObservationRow.position > after, ObservationRow.place.is_(None)).limit(_PART)
        rows = (await session.execute(sql)).all()
        for logged in await in_words(session, rows):
            yield logged
        if len(rows) < _PART:
            break
        after = rows[-1][0].position
    rows = (await session.execute(stands.where(ObservationRow.place >= since))).all()
    for logged in await in_words(session, rows):
        yield logged


async def list_standing_of(session: AsyncSession, school_id: int, metric_id: int, days: Sequence[tuple[int, int]]) -> list[Logged]:
    """What stands of a metric in spans of days."""
    spans = [and_(ObservationRow.day >= first, ObservationRow.day < end) for first, end in days]
    sql = log_of(school_id).where(ObservationRow.metric_id == metric_id, or_(false(), *spans), ObservationRow.ended_by.is_(None))
    return await in_words(session, (await session.execute(sql)).all())


async def list_naming(
    session: AsyncSession, school_id: int, named: Collection[tuple[str, str]], since_day: int
) -> AsyncIterator[list[Logged]]:
    """What stands of the days from `since_day` on and names one of these (kind, id), part by part."""
    words: dict[str, list[int]] = {}
    for part in in_batches(sorted(named), _PART):
        codes = select(WordRow.kind, WordRow.code, WordRow.id).where(
            WordRow.school_id == school_id,
            WordRow.kind.in_({kind for kind, _ in part}),
            WordRow.code.in_([code for _, code in part]),
        )
        for kind, code, word in await session.execute(codes):
            if (kind, code) in named:
                words.setdefault(kind, []).append(word)
    names = [COLUMNS[kind].in_(part) for kind, found in words.items() for part in in_batches(sorted(found), 5_000)]
    metrics = list(await session.scalars(select(MetricRow.id).filter_by(school_id=school_id)))
    after = 0
    while names:
        sql = log_of(school_id).where(
            ObservationRow.metric_id.in_(metrics), ObservationRow.day >= since_day, or_(*names),
            ObservationRow.ended_by.is_(None), ObservationRow.position > after,
        )  # fmt: skip
        rows = (await session.execute(sql.limit(_PART))).all()
        yield await in_words(session, rows)
        if len(rows) < _PART:
            break
        after = rows[-1][0].position
