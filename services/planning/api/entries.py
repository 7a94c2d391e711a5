"""Endpoints of the registers: an endpoint for each kind of entry, one list, the steps of an entry, and what is read of them."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Fault, Invalid
from libs.common.http import Caller, Cursor, Limit, Now, Page, Read, Tx, exact, from_cursor, needs, page
from services.planning import queries
from services.planning.api.guarantees import MayRead, MayVerify, MayWrite, Word
from services.planning.commands import entries as commands
from services.planning.domain import entries as domain
from services.planning.domain.settings import SEVERITIES
from services.planning.schemas.entries import (
    AidsView,
    EntryDetail,
    EntryView,
    aid_view,
    entry_detail,
    entry_view,
)
from services.planning.tables import EntryRow

router = APIRouter(tags=["entries"])
Year = Annotated[int, Query(ge=2000, le=2200)]


# --- writing: 403 beyond the caller's units or students, 422 for a day to come and for words, people and metrics that are not there --------


@router.post("/entries/training", status_code=201, response_model=EntryDetail)
async def add_training(body: domain.Training, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Write down a training."""
    return await _written(tx, scope, await commands.add_entry(tx, scope, caller.id, body))


@router.post("/entries/meeting", status_code=201, response_model=EntryDetail)
async def add_meeting(body: domain.Meeting, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Write down a meeting with its minutes and decisions."""
    return await _written(tx, scope, await commands.add_entry(tx, scope, caller.id, body))


@router.post("/entries/hazard", status_code=201, response_model=EntryDetail)
async def add_hazard(body: domain.Hazard, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Write down a hazard; who answers for it is told."""
    return await _written(tx, scope, await commands.add_entry(tx, scope, caller.id, body))


@router.post("/entries/incident", status_code=201, response_model=EntryDetail)
async def add_incident(body: domain.Incident, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Write down a quality incident or a complaint; who answers for it is told."""
    return await _written(tx, scope, await commands.add_entry(tx, scope, caller.id, body))


@router.post("/entries/drill", status_code=201, response_model=EntryDetail)
async def add_drill(body: domain.Drill, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Write down a drill."""
    return await _written(tx, scope, await commands.add_entry(tx, scope, caller.id, body))


@router.post("/entries/contingency", status_code=201, response_model=EntryDetail)
async def add_contingency(body: domain.Contingency, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Put a contingency plan in force."""
    return await _written(tx, scope, await commands.add_entry(tx, scope, caller.id, body))


@router.post("/entries/control", status_code=201, response_model=EntryDetail)
async def add_control(body: domain.Control, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Write down the decision on an economic matter; two others execute and supervise it."""
    return await _written(tx, scope, await commands.add_entry(tx, scope, caller.id, body))


@router.post("/entries/aid", status_code=201, response_model=EntryDetail)
async def add_aid(body: domain.Aid, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Grant a student aid that is due on a day."""
    return await _written(tx, scope, await commands.add_entry(tx, scope, caller.id, body))


@router.post("/entries/activity", status_code=201, response_model=EntryDetail)
async def add_activity(body: domain.Activity, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Write down an activity of quality culture."""
    return await _written(tx, scope, await commands.add_entry(tx, scope, caller.id, body))


# --- steps: 409 where the step does not follow, 403 for who may not take it after what they did before -----------------------------------


@router.post("/entries/{entry}/done", response_model=EntryDetail)
async def done_entry(entry: UUID, body: domain.Told, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Say that a hazard or an incident is put right."""
    return await _written(tx, scope, await commands.go_on(tx, scope, caller.id, entry, "done", body))


@router.post("/entries/{entry}/verify", response_model=EntryDetail)
async def verify_entry(entry: UUID, tx: Tx, caller: Caller, scope: MayVerify) -> Response:
    """Confirm that it is; 403 for who answers for it, and for who said so."""
    return await _written(tx, scope, await commands.go_on(tx, scope, caller.id, entry, "verify", None))


@router.post("/entries/{entry}/return", response_model=EntryDetail)
async def return_entry(entry: UUID, body: domain.Reason, tx: Tx, caller: Caller, scope: MayVerify) -> Response:
    """Send it back with a reason; 403 for who answers for it."""
    return await _written(tx, scope, await commands.go_on(tx, scope, caller.id, entry, "return", body))


@router.post("/entries/{entry}/execute", response_model=EntryDetail)
async def execute_entry(entry: UUID, body: domain.Told, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Say how a decision was executed; 403 for who decided."""
    return await _written(tx, scope, await commands.go_on(tx, scope, caller.id, entry, "execute", body))


@router.post("/entries/{entry}/supervise", response_model=EntryDetail)
async def supervise_entry(entry: UUID, body: domain.Told, tx: Tx, caller: Caller, scope: MayVerify) -> Response:
    """Say what supervision found; 403 for who decided or executed."""
    return await _written(tx, scope, await commands.go_on(tx, scope, caller.id, entry, "supervise", body))


@router.post("/entries/{entry}/pay", response_model=EntryDetail)
async def pay_entry(entry: UUID, body: domain.Payment, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Pay out aid, whole or in parts; 422 for more than is due."""
    return await _written(tx, scope, await commands.go_on(tx, scope, caller.id, entry, "pay", body))


@router.post("/entries/{entry}/withdraw", response_model=EntryDetail)
async def withdraw_entry(entry: UUID, body: domain.Reason, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Take back an entry that was wrong, or a contingency plan that no longer holds; it stays to be read, with the reason."""
    return await _written(tx, scope, await commands.go_on(tx, scope, caller.id, entry, "withdraw", body))


# --- reading ----------------------------------------------------------------------------------------------------------------


@router.get("/entries", response_model=Page[EntryView])
async def list_entries(
    session: Read,
    scope: MayRead,
    now: Now,
    kind: domain.Kind | None = None,
    status: domain.Status | None = None,
    category: Word = None,
    unit: Word = None,
    student: Word = None,
    owner: Word = None,
    overdue: bool | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List entries of the caller's units and students, the latest day first."""
    filters = {"kind": kind, "status": status, "category": category, "unit": unit, "student": student, "owner": owner}
    today = await queries.today_in(session, scope.school, now)
    rows = await queries.list_entries(session, scope, today, filters=filters, overdue=overdue, after=_after(cursor), limit=limit)
    return exact(page(rows, limit, lambda row: entry_view(row, today), lambda row: (row.on.isoformat(), str(row.id))))


@router.get("/entries/aid/rates", response_model=AidsView)
async def read_aid_rates(session: Read, scope: MayRead, now: Now, year: Year) -> Response:
    """Say how much of a year's aid whose day has come was paid in full, and in time, by its kinds."""
    today = await queries.today_in(session, scope.school, now)
    return exact(AidsView(items=[aid_view(each) for each in await queries.sum_aid(session, scope, year, today)]))


@router.get("/entries/{entry}", response_model=EntryDetail)
async def read_entry(entry: UUID, session: Read, scope: MayRead, now: Now) -> Response:
    """Read an entry. 404 where there is none that the caller may see."""
    today = await queries.today_in(session, scope.school, now)
    row = await queries.get_entry(session, scope, entry, today)
    return exact(entry_detail(row, today, await queries.records_of(session, row.id)))


@router.get("/contingency", response_model=Page[EntryView])
async def list_contingency(session: Read, scope: Annotated[Scope, needs("improvement.read")], now: Now, warning: UUID) -> Response:
    """List the contingency plans that a warning calls for: in force, about its metric, and for warnings as severe. Empty where there is
    none, or no such warning that the caller may see.
    """
    warned = await queries.find_warned(session, scope, warning)
    if warned is None or warned.metric is None or not warned.warned:
        return exact(Page[EntryView](items=[]))
    names = await queries.names_of_metric(session, scope.school, warned.metric)
    today = await queries.today_in(session, scope.school, now)
    plans = [entry_view(row, today) for row in await queries.contingencies_in_force(session, scope.school)]
    worst = SEVERITIES.index(warned.severity)
    called = [
        each for each in plans if not names.isdisjoint(each.entry["metrics"]) and SEVERITIES.index(each.entry["severe"]) <= worst
    ]
    return exact(Page[EntryView](items=called))


def _after(cursor: str | None) -> tuple[date, UUID] | None:
    if (after := from_cursor(cursor, str, str)) is None:
        return None
    try:
        return date.fromisoformat(after[0]), UUID(after[1])
    except ValueError as error:
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")]) from error


async def _written(tx: Transaction, scope: Scope, row: EntryRow) -> Response:
    """What an entry is after a change. The status of the answer is the route's."""
    await tx.session.flush()
    today = await queries.today_in(tx.session, scope.school, tx.now)
    history = await queries.records_of(tx.session, row.id)
    return exact(entry_detail(row, today, history), 201 if len(history) == 1 else 200)
