"""Endpoints of the school's calendar (校历)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from libs.common.auth import Scope
from libs.common.http import Caller, Read, Tx, needs
from services.planning import queries
from services.planning.commands import calendar as commands
from services.planning.domain.calendar import CalendarDocument

router = APIRouter(tags=["calendar"])


@router.get("/calendar")
async def read_calendar(session: Read, scope: Annotated[Scope, needs("plan.read")]) -> CalendarDocument:
    """Read what the school says of its calendar; terms and the academic year are the roster's and the school's own."""
    return await queries.calendar_document(session, scope.school)


@router.put("/calendar")
async def change_calendar(
    body: CalendarDocument, tx: Tx, caller: Caller, scope: Annotated[Scope, needs("settings.write")]
) -> CalendarDocument:
    """Replace the school's calendar. What is open and not overdue falls due by the new one; the rest stays."""
    await commands.change_calendar(tx, scope, caller.id, body)
    return body
