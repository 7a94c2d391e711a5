"""Endpoints of plans: write, review, publish, read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.http import Caller, Cursor, Limit, Page, Read, Tx, exact, from_cursor, needs, page
from services.planning import queries
from services.planning.commands import plans, reviewing
from services.planning.domain.goals import CODE
from services.planning.domain.plans import Plan, PlanStatus
from services.planning.domain.smart import Finding
from services.planning.schemas.plans import (
    ApproveBody,
    CommentBody,
    PlanIn,
    PlanItem,
    PlanView,
    VersionBody,
    WhyBody,
    plan_item,
    plan_view,
)
from services.planning.tables import PlanRow

router = APIRouter(prefix="/plans", tags=["plans"])
MayRead = Annotated[Scope, needs("plan.read")]
MayWrite = Annotated[Scope, needs("plan.write")]
MayApprove = Annotated[Scope, needs("plan.approve")]
PlanCode = Annotated[str, Path(pattern=CODE)]
Version = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
Word = Annotated[str | None, Query(min_length=1, max_length=500)]


@router.post(
    "", status_code=201, response_model=PlanView, responses={200: {"model": PlanView, "description": "It says this already."}}
)
async def define_plan(body: PlanIn, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Write a plan's first version as a draft; 200 where its newest version says the same, 409 where it says otherwise."""
    row, new = await plans.define_plan(tx, scope, caller.id, body.code, body.plan())
    return exact(await _view(tx, row), 201 if new else 200)


@router.get("")
async def list_plans(
    session: Read,
    scope: MayRead,
    status: PlanStatus | None = None,
    kind: Word = None,
    level: Word = None,
    unit: Word = None,
    parent: Word = None,
    subject: Word = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[PlanItem]:
    """List plans by code, each in the version that stands: the one in force, else the newest."""
    after = from_cursor(cursor, str)
    filters = {"status": status, "kind": kind, "level": level, "unit": unit, "parent": parent, "subject": subject}
    rows = await queries.list_plans(session, scope, filters=filters, after=after[0] if after else None, limit=limit)
    counts = await queries.count_goals(session, [row.id for row in rows])
    return page(rows, limit, lambda row: plan_item(row, counts), lambda row: (row.code,))


@router.get("/{code}")
async def read_plan(code: PlanCode, session: Read, scope: MayRead, version: Version = None) -> PlanView:
    """Read a version of a plan, without one the version that stands. 404 where there is none that the caller may see."""
    row = await queries.get_plan(session, scope, code, version)
    return plan_view(row, await queries.count_goals(session, [row.id]), await queries.plan_history(session, row.id))


@router.put("/{code}")
async def change_plan(code: PlanCode, body: Plan, tx: Tx, caller: Caller, scope: MayWrite) -> PlanView:
    """Replace what a draft says. 409 for what is under review or published."""
    return await _view(tx, await plans.change_plan(tx, scope, caller.id, code, body))


@router.get("/{code}/versions")
async def list_plan_versions(code: PlanCode, session: Read, scope: MayRead) -> Page[PlanItem]:
    """List the versions of a plan that the caller may see, newest first."""
    rows = await queries.list_plan_versions(session, scope, code)
    counts = await queries.count_goals(session, [row.id for row in rows])
    return Page(items=[plan_item(row, counts) for row in rows])


@router.post("/{code}/versions", status_code=201)
async def make_plan_version(code: PlanCode, body: VersionBody, tx: Tx, caller: Caller, scope: MayWrite) -> PlanView:
    """Make a draft of the published version, goals and all. 409 where one is being worked on already.

    Its `origin` is a closed cycle of what the plan is about, a new plan period, a superior document, or an exception: that takes a
    permission of its own (403), has its reason, and is listed with the second person who approves the plan.
    """
    excepted = caller.may("exception.claim")
    return await _view(tx, await plans.next_version(tx, scope, caller.id, code, body.origin, excepted=excepted))


@router.post("/{code}/submit")
async def submit_plan(code: PlanCode, tx: Tx, caller: Caller, scope: MayWrite) -> PlanView:
    """Hand a draft in for review."""
    return await _view(tx, await reviewing.submit_plan(tx, scope, caller.id, code))


@router.post("/{code}/comment")
async def comment_plan(code: PlanCode, body: CommentBody, tx: Tx, caller: Caller, scope: MayApprove) -> PlanView:
    """Say something about a plan; its state stays."""
    return await _view(tx, await reviewing.comment_plan(tx, scope, caller.id, code, body.text))


@router.post("/{code}/return")
async def return_plan(code: PlanCode, body: WhyBody, tx: Tx, caller: Caller, scope: MayApprove) -> PlanView:
    """Send a plan back to its writer, with a reason. 403 for its writer."""
    return await _view(tx, await reviewing.return_plan(tx, scope, caller.id, code, body.reason))


@router.post("/{code}/approve")
async def approve_plan(code: PlanCode, tx: Tx, caller: Caller, scope: MayApprove, body: ApproveBody | None = None) -> PlanView:
    """Approve what is under review. 403 for its writer: nobody approves their own."""
    reason = body.reason if body else None
    return await _view(tx, await reviewing.approve_plan(tx, scope, caller.id, code, reason))


@router.post("/{code}/publish")
async def publish_plan(code: PlanCode, tx: Tx, caller: Caller, scope: MayWrite) -> PlanView:
    """Put an approved plan in force. 422 names for each goal the letters of SMART that it fails; what looks out of reach is in `warnings`."""
    row, doubts = await reviewing.publish_plan(tx, scope, caller.id, code)
    return await _view(tx, row, doubts)


@router.post("/{code}/close")
async def close_plan(code: PlanCode, tx: Tx, caller: Caller, scope: MayWrite) -> PlanView:
    """End a published plan; its goals stay in the chain with what they came to."""
    return await _view(tx, await reviewing.close_plan(tx, scope, caller.id, code))


async def _view(tx: Transaction, row: PlanRow, doubts: list[Finding] | None = None) -> PlanView:
    await tx.session.flush()
    counts = await queries.count_goals(tx.session, [row.id])
    return plan_view(row, counts, await queries.plan_history(tx.session, row.id), doubts or ())
