"""All SQL that reporting runs to read, and the tail of the feed that live streams wait at."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased

from libs.common.auth import Scope
from libs.common.database import Database
from libs.common.errors import Invalid
from services.reporting.domain import UNCLEARED, Measure, is_overdue
from services.reporting.tables import FeedEndRow, FeedRow, ImprovementRow, MetricRow, OrgRow, PlaceRow, SchoolRow, WarningRow

POLL_S = 0.5
STREAM_ROWS = 200
STREAMED = ("warning", "improvement")
"""What the stream sends; the timeline has more."""


# --- single rows -----------------------------------------------------------------------------------------------------


async def get_warning(session: AsyncSession, school: str, id_: UUID) -> WarningRow:
    """Return the warning. Raises Invalid where none was raised: a fact about it can never be told."""
    row = await session.get(WarningRow, id_)
    if row is None or row.school != school:
        raise Invalid(f"no warning {id_} was raised in {school}")
    return row


async def get_improvement(session: AsyncSession, school: str, id_: UUID) -> ImprovementRow:
    """Return the improvement. Raises Invalid where none was opened."""
    row = await session.get(ImprovementRow, id_)
    if row is None or row.school != school:
        raise Invalid(f"no improvement {id_} was opened in {school}")
    return row


async def measure_of(session: AsyncSession, school: str, metric: str) -> Measure:
    """How a metric's values are printed; looked up once a transaction."""
    known: dict[tuple[str, str], Measure] = session.info.setdefault("measures", {})
    if (school, metric) not in known:
        row = await session.get(MetricRow, (school, metric))
        known[school, metric] = Measure(row.kind, row.unit) if row else Measure(None)
    return known[school, metric]


# --- overview --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """How many uncleared warnings share these four words."""

    level: str
    severity: str
    status: str
    indicator: str
    name: str
    count: int


async def school_name(session: AsyncSession, scope: Scope) -> str | None:
    return await session.scalar(select(SchoolRow.name).where(SchoolRow.code == scope.school))


async def uncleared(session: AsyncSession, scope: Scope) -> Sequence[Group]:
    """Count uncleared warnings by level, severity, status and indicator."""
    words = (WarningRow.level, WarningRow.severity, WarningRow.status, WarningRow.indicator)
    sql = (
        select(*words, func.max(WarningRow.indicator_name), func.count())
        .where(_seen_warning(scope), WarningRow.status.in_(UNCLEARED))
        .group_by(*words)
    )
    return [Group(*row) for row in await session.execute(sql)]


async def uncleared_by_unit(session: AsyncSession, scope: Scope) -> Sequence[tuple[str, str, int]]:
    """Count uncleared warnings by department: id, name, how many; most first."""
    sql = (
        select(OrgRow.id, OrgRow.name, func.count())
        .select_from(OrgRow)
        .join(PlaceRow, PlaceRow.place == "unit:" + OrgRow.id)
        .join(WarningRow, WarningRow.id == PlaceRow.object)
        .where(OrgRow.school == scope.school, OrgRow.kind == "department")
        .where(_seen_warning(scope), WarningRow.status.in_(UNCLEARED))
        .group_by(OrgRow.id, OrgRow.name)
        .order_by(func.count().desc(), OrgRow.id)
    )
    return [(id_, name, count) for id_, name, count in await session.execute(sql)]


async def improvements_by_status(session: AsyncSession, scope: Scope) -> tuple[Counter[str], int]:
    """Count improvements by status, and those overdue: past their date and not submitted."""
    words = (ImprovementRow.status, ImprovementRow.late)
    sql = select(*words, func.count()).where(_seen_improvement(scope)).group_by(*words)
    states: Counter[str] = Counter()
    overdue = 0
    for status, late, count in await session.execute(sql):
        states[status] += count
        overdue += count if is_overdue(status, late) else 0
    return states, overdue


async def uncleared_by_severity(session: AsyncSession) -> dict[str, int]:
    """Count uncleared warnings of every school: for the operator's gauge alone."""
    sql = select(WarningRow.severity, func.count()).where(WarningRow.status.in_(UNCLEARED)).group_by(WarningRow.severity)
    return dict((await session.execute(sql)).all())


def _seen_warning(scope: Scope) -> ColumnElement[bool]:
    return (WarningRow.school == scope.school) & _lies_in(scope, WarningRow.id)


def _seen_improvement(scope: Scope) -> ColumnElement[bool]:
    return (ImprovementRow.school == scope.school) & _lies_in(scope, ImprovementRow.id)


def _lies_in(scope: Scope, id_: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    within = aliased(PlaceRow)
    return scope.where(within.place, within.object == id_)


# --- feed ------------------------------------------------------------------------------------------------------------


async def feed_end(session: AsyncSession, school: str) -> int:
    """Return the newest position of a school's feed; 0 before anything happened."""
    return await session.scalar(select(FeedEndRow.position).where(FeedEndRow.school == school)) or 0


async def feed_ends(session: AsyncSession) -> dict[str, int]:
    """Return the newest position of each school."""
    return dict((await session.execute(select(FeedEndRow.school, FeedEndRow.position))).all())


async def first_kept(session: AsyncSession, school: str, since: datetime | None = None) -> int:
    """Return the oldest position kept, or the oldest not before `since`; where there is none, the next to come."""
    sql = select(func.min(FeedRow.position)).where(FeedRow.school == school)
    if since is not None:
        sql = sql.where(FeedRow.at >= since)
    end = await feed_end(session, school)
    return await session.scalar(sql) or end + 1


async def list_timeline(session: AsyncSession, scope: Scope, *, before: int | None, limit: int) -> Sequence[FeedRow]:
    """Return what happened, newest first, older than position `before`; one row more than `limit`."""
    sql = select(FeedRow).where(FeedRow.school == scope.school, _lies_in(scope, FeedRow.object))
    if before is not None:
        sql = sql.where(FeedRow.position < before)
    return (await session.scalars(sql.order_by(FeedRow.position.desc()).limit(limit + 1))).all()


@dataclass(frozen=True, slots=True)
class Happened:
    """A line of the feed with its object as it is now."""

    row: FeedRow
    warning: WarningRow | None
    improvement: ImprovementRow | None


async def list_feed(session: AsyncSession, scope: Scope, after: int) -> tuple[Sequence[Happened], int]:
    """Return what this scope sees of the feed after a position, oldest first, and the position up to which that is all."""
    end = await feed_end(session, scope.school)
    sql = (
        select(FeedRow)
        .where(FeedRow.school == scope.school, FeedRow.position > after, FeedRow.position <= end, _lies_in(scope, FeedRow.object))
        .where(FeedRow.kind.in_(STREAMED))
        .order_by(FeedRow.position)
        .limit(STREAM_ROWS)
    )
    rows = (await session.scalars(sql)).all()
    objects = {row.object for row in rows}
    warnings = await _warnings(session, scope.school, objects)
    tasks = await _improvements(session, scope.school, objects)
    of_warning = {task.warning: task for task in tasks.values()}
    told = [
        Happened(row, warnings.get(row.object), of_warning.get(row.object) if row.kind == "warning" else tasks.get(row.object))
        for row in rows
    ]
    return told, rows[-1].position if len(rows) == STREAM_ROWS else max(end, after)


async def _warnings(session: AsyncSession, school: str, ids: Iterable[UUID]) -> dict[UUID, WarningRow]:
    sql = select(WarningRow).where(WarningRow.school == school, WarningRow.id.in_(ids))
    return {row.id: row for row in await session.scalars(sql)}


async def _improvements(session: AsyncSession, school: str, ids: Iterable[UUID]) -> dict[UUID, ImprovementRow]:
    """Improvements by their own id or their warning's."""
    mine = ImprovementRow.id.in_(ids) | ImprovementRow.warning.in_(ids)
    return {row.id: row for row in await session.scalars(select(ImprovementRow).where(ImprovementRow.school == school, mine))}


class Tail:
    """Where each school's feed ends, as this process knows.

    Its own commits tell it at once; of other replicas' it learns by a look each half second, which all streams share.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ends: dict[str, int] = {}
        self._bell = asyncio.Event()
        self._looking = asyncio.Lock()
        self._looked_at = 0.0

    @classmethod
    def of(cls, database: Database) -> Tail:
        """The one tail of this database in this process."""
        tail: Tail = database.memory.setdefault("feed", cls(database))
        return tail

    def reached(self, school: str, position: int) -> None:
        """Wake the streams: the feed of this school is this long now."""
        if position > self._ends.get(school, 0):
            self._ends[school] = position
            self._bell.set()
            self._bell = asyncio.Event()

    async def beyond(self, school: str, position: int) -> bool:
        """Wait until the school's feed goes beyond a position, half a second at most; return whether it does."""
        bell = self._bell
        if self._ends.get(school, 0) <= position:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):  # wait_for can lose a cancellation before Python 3.12
                    await bell.wait()
            await self._look()
        return self._ends.get(school, 0) > position

    async def _look(self) -> None:
        async with self._looking:
            if time.monotonic() - self._looked_at < POLL_S:
                return
            async with self._database.reading() as session:
                ends = await feed_ends(session)
            self._looked_at = time.monotonic()
        for school, position in ends.items():
            self.reached(school, position)
