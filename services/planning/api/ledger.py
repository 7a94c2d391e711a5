"""Endpoints of the ledger of problems (问题清单、整改台账): read, filter, print, Excel out and in, count."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from libs.common import sheet, word
from libs.common.auth import Scope
from libs.common.days import MaybeDay
from libs.common.errors import Invalid
from libs.common.http import Caller, Cursor, Limit, Now, Page, Read, Tx, from_cursor, needs, page
from libs.common.uploads import described, read_upload
from services.planning import queries
from services.planning.api.sheets import SHEET_MOST, answer
from services.planning.commands import ledger as commands
from services.planning.domain.ledger import COLUMNS
from services.planning.domain.sources import WORDS, Source
from services.planning.domain.states import Status
from services.planning.queries import Wanted
from services.planning.schemas.ledger import Around, LedgerRow, LedgerTaken, SummaryView, cells, ledger_row, tally_view
from services.planning.tables import ImprovementRow

router = APIRouter(prefix="/ledger", tags=["ledger"])
MayRead = Annotated[Scope, needs("improvement.read")]
MayOpen = Annotated[Scope, needs("improvement.open")]
TITLE = "整改台账"
MOST_PRINTED = 2_000
FILE: dict[int | str, dict[str, Any]] = {200: {"content": {sheet.MEDIA_TYPE: {}, word.MEDIA_TYPE: {}}}}
Word = Annotated[str | None, Query(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _wanted(
    source: Source | None = None,
    unit: Word = None,
    owner: Word = None,
    status: Status | None = None,
    indicator: Word = None,
    overdue: bool | None = None,
    plan_overdue: bool | None = None,
    since: Annotated[MaybeDay, Query(alias="from", description="Opened on this day or later.")] = None,
    until: Annotated[MaybeDay, Query(alias="to", description="Opened before this day.")] = None,
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


@router.get("/sheet", response_class=Response, responses=FILE)
async def read_sheet(session: Read, scope: MayRead, wanted: Filters, now: Now) -> Response:
    """Write problems as an Excel file with the ledger's columns."""
    rows = await _all(session, scope, wanted, now, sheet.MOST_ROWS)
    content = await asyncio.to_thread(sheet.write_sheet, TITLE, COLUMNS, rows)
    return answer(content, sheet.MEDIA_TYPE, f"{TITLE}.xlsx")


@router.get("/document", response_class=Response, responses=FILE)
async def read_document(session: Read, scope: MayRead, wanted: Filters, now: Now) -> Response:
    """Write problems as a Word document to print: at most 2,000, the filters make them fewer."""
    rows = await _all(session, scope, wanted, now, MOST_PRINTED)
    today = await queries.today_in(session, scope.school, now)
    blocks: list[word.Block] = [word.Lines([f"{today.isoformat()}，共 {len(rows)} 项"]), word.Grid(COLUMNS, rows)]
    content = await asyncio.to_thread(word.write_word, TITLE, blocks, wide=True)
    return answer(content, word.MEDIA_TYPE, f"{TITLE}.docx")


async def _uploaded(request: Request, _: MayOpen) -> list[sheet.SheetRow]:
    """The body's rows, read before the transaction begins: nobody waits while it travels and is checked."""
    body = await read_upload(request, (sheet.MEDIA_TYPE,), SHEET_MOST)
    return await asyncio.to_thread(sheet.read_sheet, body, COLUMNS)


@router.post("/sheet", openapi_extra=described(sheet.MEDIA_TYPE))
async def take_sheet(
    scope: MayOpen, rows: Annotated[list[sheet.SheetRow], Depends(_uploaded)], caller: Caller, tx: Tx
) -> LedgerTaken:
    """Open the problems of an Excel file with the ledger's columns that the ledger does not have yet.

    422 names the cell of each fault: then nothing is taken. The same file again changes nothing, and no row changes what is there.
    """
    return LedgerTaken.model_validate(await commands.take_ledger(tx, scope, caller.id, rows))


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


async def _all(session: AsyncSession, scope: Scope, wanted: Wanted, now: datetime, most: int) -> list[list[str]]:
    """The cells of all rows that are wanted. Raises Invalid where they are more than a file holds."""
    today = await queries.today_in(session, scope.school, now)
    rows = await queries.list_ledger(session, scope, wanted, today, after=None, limit=most)
    if len(rows) > most:
        raise Invalid(f"such a file holds at most {most:,} problems: filter them")
    around = await _around(session, scope, rows, now)
    return [cells(ledger_row(row, around)) for row in rows]


async def _around(session: AsyncSession, scope: Scope, rows: Sequence[ImprovementRow], now: datetime) -> Around:
    people = [person for row in rows for person in (row.owner, row.verifier)]
    return Around(
        people=await queries.names_of(session, scope.school, people),
        units=await queries.names_of_units(session, scope.school),
        progress=await queries.progress_of(session, [row.id for row in rows]),
        numbers=await queries.numbers_of(session, [row.recurs for row in rows]),
        today=await queries.today_in(session, scope.school, now),
        zone=await queries.zone_of(session, scope.school),
    )


async def _names(session: AsyncSession, scope: Scope, by: str, keys: Sequence[str | None]) -> dict[str, str]:
    if by == "unit":
        return await queries.names_of_units(session, scope.school)
    if by == "owner":
        return await queries.names_of(session, scope.school, keys)
    return WORDS if by == "source" else {}
