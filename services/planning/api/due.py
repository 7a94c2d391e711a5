"""Endpoints of routines and of what is due by them."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.days import MaybeDay
from libs.common.errors import Fault, Invalid
from libs.common.http import Caller, Cursor, Limit, Page, Read, Tx, from_cursor, needs, page
from services.planning import queries
from services.planning.commands import due as commands
from services.planning.commands import routines as routine_commands
from services.planning.domain.due import DueStatus, Routines, TeacherKinds
from services.planning.schemas.due import DoneBody, DueItemView, due_item
from services.planning.tables import DueItemRow

router = APIRouter(tags=["routines"])
MayRead = Annotated[Scope, needs("due.read")]
MayWork = Annotated[Scope, needs("due.work")]
MaySet = Annotated[Scope, needs("settings.write")]
Id = Annotated[str | None, Query(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]


# --- what the school sets -------------------------------------------------------------------------------------------------


@router.get("/routines")
async def read_routines(session: Read, scope: MayRead) -> Routines:
    """Read what the school does again and again: its own routines, else those of its set-up."""
    return Routines(routines=await queries.routines_of(session, scope.school))


@router.put("/routines")
async def change_routines(body: Routines, tx: Tx, caller: Caller, scope: MaySet) -> Routines:
    """Replace the school's routines; from then on they hold in place of the set-up's. What is done or late stays."""
    await routine_commands.change_routines(tx, scope, caller.id, body.routines)
    return body


@router.get("/teacher-kinds")
async def read_teacher_kinds(session: Read, scope: Annotated[Scope, needs("settings.write")]) -> TeacherKinds:
    """Read which teachers are new, part-time or of another kind that routines ask for."""
    return await queries.teacher_kinds_of(session, scope.school)


@router.put("/teacher-kinds")
async def change_teacher_kinds(body: TeacherKinds, tx: Tx, caller: Caller, scope: MaySet) -> TeacherKinds:
    """Replace which teachers are of which kind; items already made stay."""
    await routine_commands.change_teacher_kinds(tx, scope, caller.id, body)
    return body


# --- what is due ----------------------------------------------------------------------------------------------------------


@router.get("/due-items")
async def list_due_items(
    session: Read,
    scope: MayRead,
    caller: Caller,
    routine: Id = None,
    unit: Id = None,
    owner: Id = None,
    subject: Id = None,
    status: DueStatus | None = None,
    overdue: bool | None = None,
    from_: Annotated[MaybeDay, Query(alias="from")] = None,
    to: MaybeDay = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DueItemView]:
    """List due items by due date: `from` inclusive, `to` exclusive; `unit` with the units below it."""
    rows = await queries.list_due_items(
        session,
        scope,
        caller.id,
        among={"routine": routine, "owner": owner, "subject": subject, "status": status},
        unit=unit,
        overdue=overdue,
        span=(from_, to),
        after=_after(from_cursor(cursor, str, str)),
        limit=limit,
    )
    names = await queries.names_of(session, scope.school, [row.owner for row in rows])
    return page(rows, limit, lambda row: due_item(row, names), lambda row: (row.due_on.isoformat(), str(row.id)))


@router.get("/due-items/{item}")
async def read_due_item(item: UUID, session: Read, scope: MayRead, caller: Caller) -> DueItemView:
    """Read a due item. 404 where there is none that the caller may see."""
    return await _view(session, scope, await queries.get_due_item(session, scope, caller.id, item))


@router.post("/due-items/{item}/done")
async def end_due_item(item: UUID, tx: Tx, scope: MayWork, caller: Caller, body: DoneBody | None = None) -> DueItemView:
    """Say that it is done, as its owner. 409 where it is already; 422 without the minutes or the document that it needs."""
    body = body or DoneBody()
    row = await commands.end_item(tx, scope, caller.id, item, note=body.note, minutes=body.minutes, evidence=body.evidence)
    return await _view(tx.session, scope, row)


async def _view(session: AsyncSession, scope: Scope, row: DueItemRow) -> DueItemView:
    return due_item(row, await queries.names_of(session, scope.school, [row.owner]))


def _after(cursor: tuple[str, str] | None) -> tuple[date, UUID] | None:
    if cursor is None:
        return None
    try:
        return date.fromisoformat(cursor[0]), UUID(cursor[1])
    except ValueError as error:
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")]) from error
