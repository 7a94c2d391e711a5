"""Endpoints of the ledger of problems (问题清单、整改台账): read, filter, count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.http import Cursor, Limit, Now, Page, Read, from_cursor, needs, page
from services.planning import queries
from services.planning.domain.sources import WORDS, Source
from services.planning.domain.states import Status
from services.planning.queries import Wanted
from services.planning.schemas.ledger import Around, LedgerRow, SummaryView, ledger_row, tally_view
from services.planning.tables import ImprovementRow

router = APIRouter(prefix="/ledger", tags=["ledger"])
MayRead = Annotated[Scope, needs("improvement.read")]
Word = Annotated[str | None, Query(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _wanted(
    source: Source | None = None,
    unit: Word = None,
    owner: Word = None,
    status: Status | None = None,
    indicator: Word = None,
    overdue: bool | None = None,
    plan_overdue: bool | None = None,
    since: Annotated[date | None, Query(alias="from", description="Opened on this day or later.")] = None,
    until: Annotated[date | None, Query(alias="to", description="Opened before this day.")] = None,
) -> Wanted:
    return Wanted(source, unit, owner, status, indicator, overdue, plan_overdue, since, until)


Filters = Annotated[Wanted, Depends(_wanted)]


@router.get("")
async def list_ledger(
    session: Read, scope: MayRead, wanted: Filters, now: Now, limit: Limit = 100, cursor: Cursor = None
) -> Page[LedgerRow]:
    """List problems by their number."""
    after = from_cursor(cursor, int)
    today = await queries.today_in(session, scope.school, now)
    rows = await queries.list_ledger(session, scope, wanted, today, after=after[0] if after else None, limit=limit)
    around = await _around(session, scope, rows, now)
    return page(rows, limit, lambda row: ledger_row(row, around), lambda row: (row.number,))


@router.get("/summary")
async def read_summary(
    session: Read, scope: MayRead, wanted: Filters, now: Now, by: Literal["unit", "source", "owner", "level", "indicator"]
) -> SummaryView:
    """Count problems by unit, source or another column: completed, met, overdue, with rates; the most overdue first."""
    today = await queries.today_in(session, scope.school, now)
    tallies = await queries.tally(session, scope, wanted, today, by)
    names = await _names(session, scope, by, [key for key, _ in tallies])
    tallies.sort(key=lambda each: (-each[1].overdue, -each[1].plan_overdue, each[0] is None, each[0] or ""))
    return SummaryView(by=by, items=[tally_view(key, names.get(key or ""), tally) for key, tally in tallies])


async def _around(session: AsyncSession, scope: Scope, rows: Sequence[ImprovementRow], now: datetime) -> Around:
    people = [person for row in rows for person in (row.owner, row.verifier)]
    return Around(
        people=await queries.names_of(session, scope.school, people),
        units=await queries.unit_names(session, scope.school, [row.unit for row in rows]),
        progress=await queries.progress_of(session, [row.id for row in rows]),
        numbers=await queries.numbers_of(session, [row.recurs for row in rows]),
        today=await queries.today_in(session, scope.school, now),
        zone=await queries.zone_of(session, scope.school),
    )


async def _names(session: AsyncSession, scope: Scope, by: str, keys: Sequence[str | None]) -> dict[str, str]:
    if by == "unit":
        return await queries.unit_names(session, scope.school, keys)
    if by == "owner":
        return await queries.names_of(session, scope.school, keys)
    return WORDS if by == "source" else {}
