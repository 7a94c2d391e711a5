"""Endpoints of the spiral: cycles as they stand, and how people end them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.errors import Fault, Invalid
from libs.common.events.setup import Spiral
from libs.common.http import Caller, Cursor, Limit, Page, Read, Tx, from_cursor, needs, page
from services.planning.commands import diagnosing
from services.planning.commands import proposals as proposing
from services.planning.domain.objects import Going
from services.planning.queries import cycles
from services.planning.schemas.spiral import (
    CycleItem,
    CycleView,
    DecideBody,
    DiagnosisBody,
    LessonBody,
    ProposalView,
    cycle_item,
    cycle_view,
    proposal_view,
)
from services.planning.tables import CycleRow

router = APIRouter(prefix="/cycles", tags=["spiral"])
MayRead = Annotated[Scope, needs("cycle.read")]
MayDiagnose = Annotated[Scope, needs("diagnosis.write")]
MayApprove = Annotated[Scope, needs("diagnosis.approve")]
Word = Annotated[str | None, Query(min_length=1, max_length=200)]
LOOPS_SHOWN = 200


@router.get("")
async def list_cycles(
    session: Read,
    scope: MayRead,
    level: Word = None,
    subject: Word = None,
    status: Literal["open", "ended", "closed"] | None = None,
    length: Word = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[CycleItem]:
    """List cycles, those that began last first: the step each stands at, what it waits for, and how many improvements are in it."""
    filters = {"level": level, "subject": subject, "status": status, "length": length}
    rows = await cycles.list_cycles(session, scope, filters=filters, after=_after(from_cursor(cursor, str, str)), limit=limit)
    loops = await cycles.count_loops(session, scope, [row.id for row in rows[:limit]])
    going = await cycles.going_of(session, scope.school)
    return page(
        rows,
        limit,
        lambda row: cycle_item(row, _spiral(going, row), loops.get(row.id, (0, 0))),
        lambda row: (row.starts_on.isoformat(), str(row.id)),
    )


@router.get("/{cycle}")
async def read_cycle(cycle: UUID, session: Read, scope: MayRead) -> CycleView:
    """Read a cycle: each step, its dynamic loops, diagnosis and lesson. 404 where there is none that the caller may see."""
    return await _view(session, scope, await cycles.get_cycle(session, scope, cycle))


@router.post("/{cycle}/diagnosis")
async def write_diagnosis(cycle: UUID, body: DiagnosisBody, tx: Tx, caller: Caller, scope: MayDiagnose) -> CycleView:
    """Write the diagnosis, or write it anew until it is approved. 409 while the period lasts."""
    row = await diagnosing.write_diagnosis(tx, scope, caller.id, cycle, body.findings, body.proposals)
    return await _view(tx.session, scope, row)


@router.post("/{cycle}/diagnosis/approve")
async def approve_diagnosis(cycle: UUID, tx: Tx, caller: Caller, scope: MayApprove) -> CycleView:
    """Confirm the diagnosis. 403 for who wrote it or whom it is about; 409 while proposals wait for a decision."""
    return await _view(tx.session, scope, await diagnosing.approve_diagnosis(tx, scope, caller.id, cycle))


@router.post("/{cycle}/lesson")
async def store_lesson(cycle: UUID, body: LessonBody, tx: Tx, caller: Caller, scope: MayDiagnose) -> CycleView:
    """Keep what was learnt, or why there is nothing. 409 where no lesson is asked for."""
    row = await diagnosing.store_lesson(tx, scope, caller.id, cycle, body.lesson, body.none_because)
    return await _view(tx.session, scope, row)


@router.post("/{cycle}/proposals/{proposal}/decide")
async def decide_proposal(cycle: UUID, proposal: UUID, body: DecideBody, tx: Tx, caller: Caller, scope: MayApprove) -> ProposalView:
    """Accept or reject a proposal in the diagnosis. 403 for who proposed it; 409 without a diagnosis, or where it is decided."""
    return proposal_view(await proposing.decide(tx, scope, caller.id, cycle, proposal, body.decision, body.reason))


def _spiral(going: dict[str, Going], row: CycleRow) -> Spiral | None:
    found = going.get(row.level)
    return found.spiral if found is not None else None


def _after(cursor: tuple[str, str] | None) -> tuple[date, UUID] | None:
    if cursor is None:
        return None
    try:
        return date.fromisoformat(cursor[0]), UUID(cursor[1])
    except ValueError as error:
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")]) from error


async def _view(session: AsyncSession, scope: Scope, row: CycleRow) -> CycleView:
    await session.flush()
    loops = (await cycles.count_loops(session, scope, [row.id])).get(row.id, (0, 0))
    shown = await cycles.loops_of(session, scope, row.id, LOOPS_SHOWN)
    return cycle_view(row, _spiral(await cycles.going_of(session, scope.school), row), loops, shown)
