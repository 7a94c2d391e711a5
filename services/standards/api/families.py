"""Endpoints of families of standards, and of what is due for revision."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from libs.common.auth import Scope
from libs.common.http import Caller, Cursor, Limit, Now, Page, Read, Tx, exact, from_cursor, needs, page
from services.standards.commands import standards as commands
from services.standards.domain.revision import due_on
from services.standards.domain.values import METRIC
from services.standards.queries import standards as queries
from services.standards.queries.subjects import today_in
from services.standards.schemas.standards import DueView, FamilyIn, FamilyView
from services.standards.tables import FamilyRow, StandardRow, StandardVersionRow

router = APIRouter(prefix="/families", tags=["standards"])
Code = Annotated[str, Path(pattern=METRIC)]
MayRead = Annotated[Scope, needs("standard.read")]


@router.put(
    "/{code}",
    response_model=FamilyView,
    responses={201: {"model": FamilyView, "description": "The family is new."}},
)
async def put_family(
    code: Code, body: FamilyIn, tx: Tx, caller: Caller, scope: Annotated[Scope, needs("standard.manage")]
) -> Response:
    """Write a family, the whole of it: 201 where it is new. Versions in review keep the path they have."""
    row, new = await commands.put_family(tx, scope, caller.id, code, body.model_dump())
    return exact(FamilyView.of(row), 201 if new else 200)


@router.get("")
async def list_families(session: Read, scope: MayRead, limit: Limit = 100, cursor: Cursor = None) -> Page[FamilyView]:
    """List the school's families of standards by code."""
    after = from_cursor(cursor, str)
    rows = await queries.list_families(session, scope, after=after[0] if after else None, limit=limit)
    return page(rows, limit, FamilyView.of, lambda row: (row.code,))


@router.get("/due")
async def list_due(session: Read, scope: MayRead, now: Now, limit: Limit = 100, cursor: Cursor = None) -> Page[DueView]:
    """List the standards in force whose family's revision cycle is over, by code."""
    after = from_cursor(cursor, str)
    today = await today_in(session, scope.school, now)
    rows = [_due(*found) for found in await queries.list_revisable(session, scope)]
    due = [each for each in rows if each.due_on <= today and (after is None or each.standard > after[0])]
    return page(due[: limit + 1], limit, lambda each: each, lambda each: (each.standard,))


def _due(row: StandardVersionRow, standard: StandardRow, family: FamilyRow) -> DueView:
    years = family.revision_years or 0
    return DueView(
        standard=row.code,
        name=row.content["name"],
        family=family.code,
        revision_years=years,
        version=row.version,
        effective_from=row.effective_from,
        due_on=due_on(row.effective_from, years),
        in_work=standard.newest > row.version,
    )
