"""Endpoints of budgets: lines, what was spent from them, and what that was worth."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from libs.common.auth import Scope
from libs.common.http import Caller, Cursor, Limit, Now, Page, Read, Tx, exact, from_cursor, page
from services.planning import queries
from services.planning.api.guarantees import MayRead, MayVerify, MayWrite, Word, newest
from services.planning.commands import budgets as commands
from services.planning.domain.budgets import Appraisal, Budget, Spending
from services.planning.schemas.budgets import (
    BudgetDetail,
    BudgetView,
    SpendingView,
    SumsView,
    budget_view,
    spending_view,
    sum_view,
)
from services.planning.tables import BudgetRow

router = APIRouter(prefix="/budgets", tags=["budgets"])
Year = Annotated[int, Query(ge=2000, le=2200)]


@router.post("", status_code=201, response_model=BudgetDetail)
async def add_budget(body: Budget, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Write a budget line. 403 beyond the caller's units; 422 for a mechanism, unit, measure or goal that is not there."""
    return await _detail(tx.session, scope, await commands.add_budget(tx, scope, caller.id, body), tx.now, 201)


@router.get("", response_model=Page[BudgetView])
async def list_budgets(
    session: Read,
    scope: MayRead,
    now: Now,
    year: Year | None = None,
    unit: Word = None,
    mechanism: Word = None,
    measure: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List the budget lines of the caller's units, newest first, each with its execution rate and its warning."""
    filters = {"year": year, "unit": unit, "mechanism": mechanism, "measure": measure}
    rows = await queries.list_budgets(session, scope, filters=filters, after=newest(cursor), limit=limit)
    settings = await queries.settings_of(session, scope.school)
    today = await queries.today_in(session, scope.school, now)
    return exact(
        page(
            rows,
            limit,
            lambda row: BudgetView.model_validate(budget_view(row, settings, today)),
            lambda row: (row.created_at.isoformat(), str(row.id)),
        )
    )


@router.get("/summary", response_model=SumsView)
async def sum_budgets(session: Read, scope: MayRead, year: Year, by: Literal["mechanism", "unit"] = "mechanism") -> Response:
    """Add up the budget of a year by mechanism or by unit, as far as the caller's units go."""
    return exact(SumsView(items=[sum_view(*each) for each in await queries.sum_budgets(session, scope, year, by)]))


@router.get("/{budget}", response_model=BudgetDetail)
async def read_budget(budget: UUID, session: Read, scope: MayRead, now: Now) -> Response:
    """Read a budget line. 404 where there is none that the caller may see."""
    return await _detail(session, scope, await queries.get_budget(session, scope, budget), now)


@router.put("/{budget}", response_model=BudgetDetail)
async def change_budget(budget: UUID, body: Budget, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Replace what a line says; it keeps its year and its unit."""
    return await _detail(tx.session, scope, await commands.change_budget(tx, scope, caller.id, budget, body), tx.now)


@router.post("/{budget}/spending", status_code=201, response_model=BudgetDetail)
async def spend_budget(budget: UUID, body: Spending, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Write what was spent, a negative amount what came back. More than is approved is taken, and shown as a warning."""
    return await _detail(tx.session, scope, await commands.spend(tx, scope, caller.id, budget, body), tx.now, 201)


@router.get("/{budget}/spending", response_model=Page[SpendingView])
async def list_spending(budget: UUID, session: Read, scope: MayRead, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """List what was spent from a line, the last written first."""
    row = await queries.get_budget(session, scope, budget)
    after = from_cursor(cursor, int)
    rows = await queries.list_spending(session, row.id, before=after[0] if after else None, limit=limit)
    return exact(page(rows, limit, spending_view, lambda each: (each.position,)))


@router.post("/{budget}/appraise", response_model=BudgetDetail)
async def appraise_spending(budget: UUID, body: Appraisal, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Say what the spending was worth. 409 once a second person has confirmed what was said."""
    return await _detail(tx.session, scope, await commands.appraise(tx, scope, caller.id, budget, body), tx.now)


@router.post("/{budget}/appraise/confirm", response_model=BudgetDetail)
async def confirm_appraisal(budget: UUID, tx: Tx, caller: Caller, scope: MayVerify) -> Response:
    """Confirm an appraisal. 403 for who wrote it."""
    return await _detail(tx.session, scope, await commands.confirm(tx, scope, caller.id, budget), tx.now)


async def _detail(session: AsyncSession, scope: Scope, row: BudgetRow, now: datetime, status: int = 200) -> Response:
    await session.flush()
    settings = await queries.settings_of(session, scope.school)
    today = await queries.today_in(session, scope.school, now)
    history = list(await queries.records_of(session, row.id))
    return exact(BudgetDetail.model_validate({**budget_view(row, settings, today), "history": history}), status)
