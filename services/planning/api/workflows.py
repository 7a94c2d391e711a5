"""Endpoints of workflows (流程) and registers (备案): what the school's set-up names, at work."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.responses import JSONResponse, Response

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Fault, Invalid
from libs.common.http import Caller, Cursor, Limit, Now, Page, Read, Tx, from_cursor, needs, page
from services.planning import queries
from services.planning.commands import workflows as commands
from services.planning.domain.workflows import AboutKind, Filing, RunStatus
from services.planning.schemas.workflows import (
    BackBody,
    DoneBody,
    FilingView,
    RegisterView,
    RunIn,
    RunItem,
    RunView,
    StopBody,
    WorkflowView,
    filing_view,
    run_item,
    run_view,
)
from services.planning.tables import RunRow

router = APIRouter(tags=["workflows"])
MayRead = Annotated[Scope, needs("process.read")]
MayWork = Annotated[Scope, needs("process.work")]
MayKeep = Annotated[Scope, needs("process.write")]
Code = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Word = Annotated[str | None, Query(min_length=1, max_length=500)]


@router.get("/workflows")
async def list_workflows(session: Read, scope: MayRead) -> Page[WorkflowView]:
    """List the workflows that the school's set-up names, with their steps."""
    found = commands.workflows_in(await queries.setup_of(session, scope.school))
    return Page(items=[WorkflowView.model_validate(each) for each in found.values()])


@router.post("/workflows/{code}/runs", status_code=201)
async def start_run(code: Code, body: RunIn, tx: Tx, caller: Caller, scope: MayKeep) -> RunView:
    """Let a workflow begin. Its steps stay as they are now; 409 where a run about the same has not ended."""
    return await _view(tx, await commands.start_run(tx, scope, caller.id, code, body.about, body.name))


@router.get("/workflow-runs")
async def list_runs(
    session: Read,
    scope: MayRead,
    caller: Caller,
    workflow: Word = None,
    status: RunStatus | None = None,
    about_kind: AboutKind | None = None,
    about: Word = None,
    overdue: bool | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[RunItem]:
    """List the runs that the caller may see, newest first."""
    filters = {"workflow": workflow, "status": status, "about_kind": about_kind, "about": about}
    before = _before(cursor)
    rows = await queries.list_runs(session, scope, caller.id, filters=filters, overdue=overdue, before=before, limit=limit)
    return page(rows, limit, run_item, lambda row: (row.started_at.isoformat(), str(row.id)))


def _before(cursor: str | None) -> tuple[datetime, UUID] | None:
    if (values := from_cursor(cursor, str, str)) is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), UUID(values[1])
    except ValueError as error:
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")]) from error


@router.get("/workflow-runs/{run}")
async def read_run(run: UUID, session: Read, scope: MayRead, caller: Caller, now: Now) -> RunView:
    """Read a run with its steps, who does the one that waits, and its history."""
    row = await queries.get_run(session, scope, caller.id, run)
    doers = await queries.doers_of(session, row, await queries.today_in(session, scope.school, now))
    return run_view(row, doers, await queries.run_history(session, run))


@router.post("/workflow-runs/{run}/done")
async def do_step(run: UUID, tx: Tx, caller: Caller, scope: MayWork, body: DoneBody | None = None) -> RunView:
    """Do the step that waits. 403 for who does not hold its post, 422 without the document that it asks for."""
    said = body or DoneBody()
    row = await commands.do_step(tx, scope, caller.id, run, document=said.document, evidence=said.evidence, text=said.text)
    return await _view(tx, row)


@router.post("/workflow-runs/{run}/return")
async def return_run(run: UUID, body: BackBody, tx: Tx, caller: Caller, scope: MayWork) -> RunView:
    """Send a run back to an earlier step, with a reason. 409 at a step that files: filing gives no verdict."""
    return await _view(tx, await commands.return_run(tx, scope, caller.id, run, to=body.to, reason=body.reason))


@router.post("/workflow-runs/{run}/stop")
async def stop_run(run: UUID, body: StopBody, tx: Tx, caller: Caller, scope: MayWork) -> RunView:
    """End a run before its last step, with a reason: who started it, or who answers for the whole school."""
    return await _view(tx, await commands.stop_run(tx, scope, caller.id, run, body.reason))


async def _view(tx: Transaction, row: RunRow) -> RunView:
    await tx.session.flush()
    return run_view(row, await commands.doers_of(tx, row), await queries.run_history(tx.session, row.id))


# --- registers ------------------------------------------------------------------------------------------------------------


@router.get("/registers")
async def list_registers(session: Read, scope: MayRead) -> Page[RegisterView]:
    """List the registers that the school's set-up names, and how much stands in each."""
    counts = await queries.count_filed(session, scope)
    found = commands.registers_in(await queries.setup_of(session, scope.school)).values()
    items = [RegisterView(code=each.code, name=each.name, keeper=each.keeper, filed=counts.get(each.code, 0)) for each in found]
    return Page(items=items)


@router.get("/registers/{code}/filings")
async def list_filings(
    code: Code,
    session: Read,
    scope: MayRead,
    unit: Word = None,
    status: Literal["filed", "replaced"] | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[FilingView]:
    """List what units have filed, newest first."""
    before = from_cursor(cursor, int)
    rows = await queries.list_filings(
        session, scope, code, unit=unit, status=status, before=before[0] if before else None, limit=limit
    )
    return page(rows, limit, filing_view, lambda row: (row.position,))


@router.post(
    "/registers/{code}/filings",
    status_code=201,
    response_model=FilingView,
    responses={200: {"model": FilingView, "description": "It is filed like this already."}},
)
async def put_on_file(code: Code, body: Filing, tx: Tx, caller: Caller, scope: MayKeep) -> Response:
    """File something of a unit: it stands as filed at once, without a verdict, in the place of what the unit filed before."""
    row, new = await commands.put_on_file(tx, scope, caller.id, code, body)
    return JSONResponse(filing_view(row).model_dump(mode="json"), 201 if new else 200)
