"""The observation log, written and read. It is the evidence behind every number and the source of a rebuild.

It lies in blocks of columns (`domain.log`): whoever asks gets the blocks that can hold what is asked for, and looks through them
column by column.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.database import Transaction, in_batches
from libs.common.events.observations import REFERENCES
from services.monitoring.domain.log import PHASES, Mask, Stretch, decode
from services.monitoring.tables import AmendedRow, IdBlockRow, LogBlockRow, MetricRow, SourceRow, WordRow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 8  # blocks read by one statement
MEASURED = "measured"
NEVER = 1 << 30  # a day after all days
Days = Sequence[tuple[int, int]]  # spans of days: the first, and the one after the last


@dataclass(frozen=True, slots=True)
class Logged:
    """An observation of the log, in words. Numbers are millionths; `place` is where it stands in the order of counting, `label` says
    how the numbers of its source arise.
    """

    position: int
    place: int
    metric: str
    source: str
    label: str
    event: str
    time: datetime
    day: int
    numerator: int
    denominator: int
    phase: str | None
    references: Mapping[str, str]
    counted_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A stretch with the places of its observations, and whether each stands."""

    stretch: Stretch
    places: np.ndarray[tuple[int], np.dtype[np.int64]]
    stands: Mask

    def of(self, name: str, wanted: Collection[int]) -> Mask:
        """Where a column has one of these values."""
        column = self.stretch.columns[name]
        return column == next(iter(wanted)) if len(wanted) == 1 else np.isin(column, list(wanted))

    def within(self, days: Days) -> Mask:
        """Where the day lies in one of the spans."""
        day = self.stretch.columns["day"]
        found = np.zeros(len(day), dtype=np.bool_)
        for first, end in days:
            found |= (day >= first) & (day < end)
        return found


Which = Callable[[Standing], Mask]


def instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


async def add_to_log(tx: Transaction, school_id: int, stretch: Stretch, ended_by: int | None = None) -> None:
    """Append a stretch; `ended_by`: none of it stands yet."""
    await tx.insert(LogBlockRow, [block_of(school_id, stretch)])
    if ended_by is not None:
        positions = stretch.positions.tolist()
        await tx.insert(
            AmendedRow, [{"school_id": school_id, "position": p, "place": None, "ended_by": ended_by} for p in positions]
        )


def block_of(school_id: int, stretch: Stretch) -> dict[str, Any]:
    """The row of a stretch."""
    positions, days = stretch.positions, stretch.columns["day"]
    return {
        "school_id": school_id,
        "first": int(positions[0]),
        "last": int(positions[-1]),
        "day_min": int(days.min()),
        "day_max": int(days.max()),
        "observations": len(stretch),
        "content": stretch.encode(),
    }


def _blocks(school_id: int) -> Select[int, int, bytes]:
    return (
        select(LogBlockRow.first, LogBlockRow.last, LogBlockRow.content)
        .where(LogBlockRow.school_id == school_id)
        .order_by(LogBlockRow.first)
    )


async def read_log(
    session: AsyncSession, school_id: int, since: int = 0, days: tuple[int, int] | None = None
) -> AsyncIterator[Standing]:
    """The blocks with positions from `since` on that can hold something of the days (first, and the one after the last)."""
    holds = LogBlockRow.first >= block_at(LogBlockRow, school_id, since)
    sql = _blocks(school_id).where(holds, LogBlockRow.last >= since)
    if days is not None:
        sql = sql.where(LogBlockRow.day_max >= days[0], LogBlockRow.day_min < days[1])
    after = -1
    while rows := (await session.execute(sql.where(LogBlockRow.first > after).limit(_AT_ONCE))).all():
        for standing in await _standing(session, school_id, [(first, last, decode(content)) for first, last, content in rows]):
            yield standing
        if len(rows) < _AT_ONCE:
            break
        after = rows[-1][0]


def block_at(table: type[LogBlockRow | IdBlockRow], school_id: int, position: int) -> ColumnElement[int]:
    """The first position of the block that can hold a position, as SQL: found by the key, however many blocks there are."""
    first = select(func.max(table.first)).where(table.school_id == school_id, table.first <= position)
    return func.coalesce(first.scalar_subquery(), 0)


async def _standing(session: AsyncSession, school_id: int, blocks: Sequence[tuple[int, int, Stretch]]) -> list[Standing]:
    amended = select(AmendedRow.position, AmendedRow.place, AmendedRow.ended_by).where(
        AmendedRow.school_id == school_id, AmendedRow.position >= blocks[0][0], AmendedRow.position <= blocks[-1][1]
    )
    changes = (await session.execute(amended)).all()
    found = []
    for first, last, stretch in blocks:
        places, stands = stretch.positions.copy(), np.ones(len(stretch), dtype=np.bool_)
        for position, place, ended_by in changes:
            if first <= position <= last:
                at = np.searchsorted(stretch.positions, position)
                places[at] = position if place is None else place
                stands[at] = ended_by is None
        found.append(Standing(stretch, places, stands))
    return found


async def _in_words(session: AsyncSession, school_id: int, parts: Sequence[tuple[Standing, Mask]]) -> list[Logged]:
    """What a mask leaves of each part, in words."""
    if not any(mask.any() for _, mask in parts):
        return []
    known = await session.execute(select(MetricRow.id, MetricRow.code).filter_by(school_id=school_id))
    metrics = {id_: code for id_, code in known}  # noqa: C416 - rows are no pairs to dict's type
    picked = [(p.stretch.take(rows), p.places[rows]) for p, mask in parts if len(rows := np.flatnonzero(mask))]
    wanted: set[int] = set()
    for stretch, _ in picked:
        for kind in ("source", *REFERENCES):
            wanted.update(np.unique(stretch.columns[kind]).tolist())
    words: dict[int, str] = {}
    for part in in_batches(sorted(wanted - {0}), 10_000):
        found = await session.execute(select(WordRow.id, WordRow.code).where(WordRow.id.in_(part)))
        words |= {id_: code for id_, code in found}  # noqa: C416 - rows are no pairs to dict's type
    labelled = await session.execute(select(SourceRow.uri, SourceRow.label).filter_by(school_id=school_id))
    labels = {uri: label for uri, label in labelled}  # noqa: C416 - as above
    return [each for stretch, places in picked for each in _logged(stretch, places.tolist(), metrics, words, labels)]


def _logged(
    stretch: Stretch, places: Sequence[int], metrics: Mapping[int, str], words: Mapping[int, str], labels: Mapping[str, str]
) -> Iterable[Logged]:
    plain = {name: column.tolist() for name, column in stretch.columns.items()}
    kinds = [kind for kind in REFERENCES if any(plain[kind])]
    for n, position in enumerate(stretch.positions.tolist()):
        phase = plain["phase"][n]
        yield Logged(
            position=position,
            place=places[n],
            metric=metrics[plain["metric"][n]],
            source=(source := words[plain["source"][n]]),
            label=labels.get(source, MEASURED),
            event=stretch.events[n],
            time=instant(plain["time"][n]),
            day=plain["day"][n],
            numerator=plain["numerator"][n],
            denominator=plain["denominator"][n],
            phase=PHASES[phase - 1] if phase else None,
            references={kind: words[word] for kind in kinds if (word := plain[kind][n])},
            counted_at=instant(plain["counted_at"][n]),
        )


async def list_at(session: AsyncSession, school_id: int, positions: Iterable[int]) -> dict[int, Logged]:
    """The observations at these positions, whether they stand or not."""
    wanted = sorted(positions)
    parts = []
    at = 0
    while at < len(wanted):
        sql = _blocks(school_id).where(
            LogBlockRow.first >= block_at(LogBlockRow, school_id, wanted[at]), LogBlockRow.last >= wanted[at]
        )
        if (row := (await session.execute(sql.limit(1))).first()) is None:
            break
        first, last, content = row
        here = [position for position in wanted[at:] if position <= last]
        (part,) = await _standing(session, school_id, [(first, last, decode(content))])
        parts.append((part, np.isin(part.stretch.positions, here)))
        at += len(here)
    return {each.position: each for each in await _in_words(session, school_id, parts)}


async def standing_after(session: AsyncSession, school_id: int, position: int, limit: int) -> list[Logged]:
    """Up to `limit` observations that stand, past a position, in the order of the log."""
    return await _pick(session, school_id, lambda part: part.stretch.positions > position, since=position + 1, limit=limit)


async def list_window(
    session: AsyncSession, school_id: int, metric_id: int, days: Days, named: tuple[str, str] | None, after: int, limit: int
) -> list[Logged]:
    """Up to `limit` that stand of a metric in spans of days, past a position, in the order of the log; `named`: only those that
    name this (kind, id).
    """
    words: Collection[int] = ()
    if named is not None:
        sql = select(WordRow.id).filter_by(school_id=school_id, kind=named[0], code=named[1])
        if not (words := list(await session.scalars(sql))):
            return []

    def which(part: Standing) -> Mask:
        mask = part.of("metric", [metric_id]) & part.within(days) & (part.stretch.positions > after)
        return mask if named is None else mask & part.of(named[0], words)

    return await _pick(session, school_id, which, since=after + 1, days=days, limit=limit)


async def list_standing_of(session: AsyncSession, school_id: int, metric_id: int, days: Days) -> list[Logged]:
    """What stands of a metric in spans of days."""
    return await _pick(session, school_id, lambda part: part.of("metric", [metric_id]) & part.within(days), days=days)


async def first_place(session: AsyncSession, school_id: int, metric_id: int, since_day: int) -> int | None:
    """The first place in the order of counting of what stands of a metric from a day on; None where nothing does."""
    found: list[int] = []
    async for part in read_log(session, school_id, days=(since_day, NEVER)):
        mask = part.stands & part.of("metric", [metric_id]) & (part.stretch.columns["day"] >= since_day)
        if mask.any():
            found.append(int(part.places[mask].min()))
    return min(found, default=None)


async def _pick(
    session: AsyncSession, school_id: int, which: Which, *, since: int = 0, days: Days | None = None, limit: int | None = None
) -> list[Logged]:
    """What stands and `which` chooses, in the order of the log, up to `limit`."""
    parts, found = [], 0
    if days is not None and not days:
        return []
    span = None if days is None else (min(first for first, _ in days), max(end for _, end in days))
    async for part in read_log(session, school_id, since, span):
        mask = part.stands & which(part)
        parts.append((part, mask))
        found += int(mask.sum())
        if limit is not None and found >= limit:
            break
    return (await _in_words(session, school_id, parts))[:limit]


async def list_standing(
    session: AsyncSession, school_id: int, metric_ids: Collection[int], since: int, named: Named | None = None
) -> AsyncIterator[list[Logged]]:
    """What stands from a place on, of these metrics, in no particular order; `named`: what names none of these words may be left out."""

    def which(part: Standing) -> Mask:
        mask = part.of("metric", metric_ids)
        return mask if named is None else mask & _names(part, named)

    async for part in read_log(session, school_id, since):
        mask = part.stands & (part.places >= since) & (part.places == part.stretch.positions) & which(part)
        if mask.any():
            yield await _in_words(session, school_id, [(part, mask)])
    # What corrects an observation from there on, or one before: it stands in its original's place.
    moved = select(AmendedRow.position).where(
        AmendedRow.school_id == school_id, AmendedRow.place >= since, AmendedRow.ended_by.is_(None)
    )
    codes = set(await session.scalars(select(MetricRow.code).where(MetricRow.id.in_(metric_ids))))
    for positions in in_batches(list(await session.scalars(moved.order_by(AmendedRow.position))), 10_000):
        yield [o for o in (await list_at(session, school_id, positions)).values() if o.metric in codes]


Named = Mapping[str, Collection[int]]  # kind → words


def _names(part: Standing, named: Named) -> Mask:
    found = np.zeros(len(part.stretch), dtype=np.bool_)
    for kind, words in named.items():
        found |= part.of(kind, words)
    return found


async def list_naming(
    session: AsyncSession, school_id: int, named: Named, *, since: int = 0, since_day: int | None = None
) -> AsyncIterator[list[Logged]]:
    """What stands from a position, or from a day, on and names one of these words, part by part."""
    if not any(named.values()):
        return
    named = {kind: words for kind, words in named.items() if words}
    async for part in read_log(session, school_id, since, None if since_day is None else (since_day, NEVER)):
        mask = part.stands & (part.stretch.positions >= since) & _names(part, named)
        if since_day is not None:
            mask &= part.stretch.columns["day"] >= since_day
        if mask.any():
            yield await _in_words(session, school_id, [(part, mask)])


async def words_of(session: AsyncSession, school_id: int, codes: Collection[tuple[str, str]]) -> dict[str, set[int]]:
    """The words of these (kind, id), by kind, of those that have one."""
    words: dict[str, set[int]] = {}
    for part in in_batches(sorted(codes), 10_000):
        sql = select(WordRow.kind, WordRow.code, WordRow.id).where(
            WordRow.school_id == school_id, WordRow.kind.in_({kind for kind, _ in part}), WordRow.code.in_([c for _, c in part])
        )
        for kind, code, word in await session.execute(sql):
            if (kind, code) in codes:
                words.setdefault(kind, set()).add(word)
    return words
