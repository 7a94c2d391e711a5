"""Goals as Excel files and as the school's own table (目标任务分解表), out and in."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from libs.common import sheet, word
from libs.common.http import Caller, Read, Tx
from libs.common.uploads import described, read_upload
from services.planning import queries
from services.planning.api.goals import Why
from services.planning.api.plans import MayRead, MayWrite, PlanCode
from services.planning.commands import sheets as commands
from services.planning.domain.sheets import COLUMNS, columns_of
from services.planning.schemas.plans import TakenView

router = APIRouter(tags=["goals"])
TITLE = "目标"
SHEET_MOST = 16 * 2**20
Form = Annotated[Literal["excel", "word"], Query(description="The kind of file.")]


async def _uploaded(request: Request, _: MayWrite) -> bytes:
    return await read_upload(request, (sheet.MEDIA_TYPE,), SHEET_MOST)


Upload = Annotated[bytes, Depends(_uploaded)]
FILE: dict[int | str, dict[str, Any]] = {200: {"content": {sheet.MEDIA_TYPE: {}, word.MEDIA_TYPE: {}}}}


def answer(content: bytes, media: str, name: str) -> Response:
    """A file to keep."""
    return Response(content, media_type=media, headers={"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"})


@router.get("/goals/sheet", response_class=Response, responses=FILE)
async def read_goals_sheet(session: Read, scope: MayRead) -> Response:
    """Write the goals of all plans that the caller may see as an Excel file, a goal a row: of each plan its newest version."""
    plans = await queries.newest_plans(session, scope)
    rows = await queries.goals_in(session, [plan.id for plan in plans])
    names = await commands.names_for(session, scope, "", rows)
    cells = commands.rows_of(rows, COLUMNS, names, plans=True)
    return answer(await asyncio.to_thread(sheet.write_sheet, TITLE, commands.TITLES, cells), sheet.MEDIA_TYPE, "goals.xlsx")


@router.post("/goals/sheet", openapi_extra=described(sheet.MEDIA_TYPE))
async def take_goals_sheet(scope: MayWrite, body: Upload, caller: Caller, tx: Tx, why: Why = None) -> TakenView:
    """Write what an Excel file says into drafts of the plans that it names; goals that it lacks stay.

    422 names the cell of each fault, 409 a plan that is no draft: then nothing is taken. The same file again changes nothing.
    """
    rows = await asyncio.to_thread(sheet.read_sheet, body, commands.TITLES)
    return TakenView.model_validate(await commands.take_sheet(tx, scope, caller.id, rows, why, None))


@router.get("/plans/{code}/goals/sheet", response_class=Response, responses=FILE)
async def read_plan_sheet(code: PlanCode, session: Read, scope: MayRead) -> Response:
    """Write the goals of a plan's newest version as an Excel file."""
    plan = await queries.get_newest_plan(session, scope, code)
    rows = await queries.goals_of(session, plan.id)
    cells = commands.rows_of(rows, COLUMNS, await commands.names_for(session, scope, code, rows), plans=True)
    return answer(await asyncio.to_thread(sheet.write_sheet, TITLE, commands.TITLES, cells), sheet.MEDIA_TYPE, f"{code}.xlsx")


@router.post("/plans/{code}/goals/sheet", openapi_extra=described(sheet.MEDIA_TYPE))
async def take_plan_sheet(code: PlanCode, scope: MayWrite, body: Upload, caller: Caller, tx: Tx, why: Why = None) -> TakenView:
    """As `POST /goals/sheet`, of one plan alone."""
    rows = await asyncio.to_thread(sheet.read_sheet, body, commands.TITLES)
    return TakenView.model_validate(await commands.take_sheet(tx, scope, caller.id, rows, why, code))


@router.get("/plans/{code}/breakdown", response_class=Response, responses=FILE)
async def read_breakdown(code: PlanCode, session: Read, scope: MayRead, form: Form = "excel") -> Response:
    """Write a plan's goals as the table that the school's set-up names, with exactly its columns. 409 where it names none."""
    plan = await queries.get_newest_plan(session, scope, code)
    table = commands.breakdown_of(await queries.setup_of(session, scope.school))
    columns = columns_of(table)
    rows = await queries.goals_of(session, plan.id)
    cells = commands.rows_of(rows, columns, await commands.names_for(session, scope, code, rows), plans=False)
    titles = [column.title for column in columns]
    if form == "word":
        grid = word.Grid(titles, [[cell or "" for cell in row] for row in cells])
        content = await asyncio.to_thread(word.write_word, f"{plan.name} {table.name}", [grid])
        return answer(content, word.MEDIA_TYPE, f"{code}.docx")
    return answer(await asyncio.to_thread(sheet.write_sheet, table.name[:31], titles, cells), sheet.MEDIA_TYPE, f"{code}.xlsx")


@router.post("/plans/{code}/breakdown", openapi_extra=described(sheet.MEDIA_TYPE))
async def take_breakdown(code: PlanCode, scope: MayWrite, body: Upload, caller: Caller, tx: Tx, why: Why = None) -> TakenView:
    """Take the school's own table in again, as `POST /goals/sheet`; what is no column of it stays as it is."""
    table = commands.breakdown_of(await queries.setup_of(tx.session, scope.school))
    columns = columns_of(table)
    rows = await asyncio.to_thread(sheet.read_sheet, body, [column.title for column in columns])
    return TakenView.model_validate(await commands.take_breakdown(tx, scope, caller.id, code, table, columns, rows, why))
