"""Endpoints of the guarantee chain: its measures, and the goals that nothing protects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from libs.common.auth import Scope
from libs.common.errors import Fault, Invalid
from libs.common.http import Caller, Cursor, Limit, Page, Read, Tx, exact, from_cursor, needs, page
from services.planning import queries
from services.planning.commands import guarantees as commands
from services.planning.domain.guarantees import Guarantee, Status
from services.planning.domain.settings import Level
from services.planning.schemas.guarantees import (
    GuaranteeDetail,
    GuaranteeView,
    UnservedView,
    guarantee_detail,
    guarantee_view,
    unserved_view,
)
from services.planning.tables import GuaranteeRow

router = APIRouter(prefix="/guarantees", tags=["guarantees"])
MayRead = Annotated[Scope, needs("guarantee.read")]
MayWrite = Annotated[Scope, needs("guarantee.write")]
MayVerify = Annotated[Scope, needs("guarantee.verify")]
Word = Annotated[str | None, Query(min_length=1, max_length=500)]


@router.post("", status_code=201, response_model=GuaranteeDetail)
async def add_guarantee(body: Guarantee, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Write a measure. 403 beyond the caller's units; 422 for a mechanism, unit, indicator or goal that is not there."""
    return await _detail(tx.session, await commands.add_guarantee(tx, scope, caller.id, body), 201)


@router.get("", response_model=Page[GuaranteeView])
async def list_guarantees(
    session: Read,
    scope: MayRead,
    mechanism: Word = None,
    unit: Word = None,
    level: Level | None = None,
    status: Status | None = None,
    goal: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List measures, newest first; `goal`: those that protect it."""
    filters = {"mechanism": mechanism, "unit": unit, "level": level, "status": status}
    rows = await queries.list_guarantees(session, scope, filters=filters, goal=goal, after=newest(cursor), limit=limit)
    budgets = await queries.budgets_of(session, [row.id for row in rows])
    return exact(page(rows, limit, lambda row: guarantee_view(row, budgets), lambda row: (row.created_at.isoformat(), str(row.id))))


@router.get("/unserved")
async def list_unserved(
    session: Read, scope: MayRead, plan: Word = None, level: Level | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[UnservedView]:
    """List the goals in force, by plan and code, that no measure and no budget line protects."""
    after = from_cursor(cursor, str, str)
    rows = await queries.list_unserved(session, scope, plan=plan, level=level, after=after and (after[0], after[1]), limit=limit)
    return page(rows, limit, lambda row: unserved_view(*row), lambda row: (row[1].code, row[0].code))


@router.get("/{guarantee}", response_model=GuaranteeDetail)
async def read_guarantee(guarantee: UUID, session: Read, scope: MayRead) -> Response:
    """Read a measure with its budget and what happened to it."""
    return await _detail(session, await queries.get_guarantee(session, scope, guarantee))


@router.put("/{guarantee}", response_model=GuaranteeDetail)
async def change_guarantee(guarantee: UUID, body: Guarantee, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Replace what a measure says, its status included: dropped, it protects nothing any more."""
    return await _detail(tx.session, await commands.change_guarantee(tx, scope, caller.id, guarantee, body))


async def _detail(session: AsyncSession, row: GuaranteeRow, status: int = 200) -> Response:
    await session.flush()
    budgets = await queries.budgets_of(session, [row.id])
    return exact(guarantee_detail(row, budgets, await queries.records_of(session, row.id)), status)


def newest(cursor: str | None) -> tuple[datetime, UUID] | None:
    """The cursor of a list that has the newest first. Raises Invalid."""
    if (after := from_cursor(cursor, str, str)) is None:
        return None
    try:
        return datetime.fromisoformat(after[0]).astimezone(UTC), UUID(after[1])
    except (ValueError, OverflowError) as error:
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")]) from error
