"""Endpoints of standards: write, review step by step, read, compare."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from libs.common.auth import Principal, Scope
from libs.common.http import Caller, Cursor, Limit, Page, Read, Tx, exact, from_cursor, needs, page
from services.standards.commands import reviewing
from services.standards.commands import standards as commands
from services.standards.domain.states import State
from services.standards.domain.values import METRIC
from services.standards.queries import standards as queries
from services.standards.schemas.standards import (
    CommentIn,
    DifferenceView,
    ReasonIn,
    StandardIn,
    StandardItem,
    StandardView,
    differing,
    item,
    whole,
)

router = APIRouter(prefix="/standards", tags=["standards"])
Code = Annotated[str, Path(pattern=METRIC)]
Version = Annotated[int, Path(ge=1, le=2**31 - 1)]
MayRead = Annotated[Scope, needs("standard.read")]
MayWrite = Annotated[Scope, needs("standard.write")]
MayReview = Annotated[Scope, needs("standard.review")]
MayManage = Annotated[Scope, needs("standard.manage")]


def sees_drafts(caller: Principal) -> bool:
    """Who neither writes nor reviews standards sees what has been approved."""
    return caller.may("standard.write") or caller.may("standard.review")


async def _whole(session: AsyncSession, found: commands.Found, status: int = 200) -> Response:
    await session.flush()
    return exact(whole(*found, await queries.steps_of(session, found[0])), status)


@router.post(
    "",
    status_code=201,
    response_model=StandardView,
    responses={200: {"model": StandardView, "description": "The newest version says this, or was a draft and says it now."}},
)
async def write_standard(body: StandardIn, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Write a standard's first or next version as a draft, or change the draft that is there. 409 while the newest is in review."""
    row, standard, new = await commands.write_standard(tx, scope, caller.id, body.code, body.family, body.content(), body.origin)
    return await _whole(tx.session, (row, standard), 201 if new else 200)


@router.get("")
async def list_standards(
    session: Read,
    caller: Caller,
    scope: MayRead,
    family: str | None = None,
    state: State | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[StandardItem]:
    """List standards by code, each in the version in force, or the newest that the caller may see."""
    after = from_cursor(cursor, str)
    rows = await queries.list_standards(
        session, scope, family=family, state=state, drafts=sees_drafts(caller), after=after[0] if after else None, limit=limit
    )
    return page(rows, limit, lambda found: item(*found), lambda found: (found[0].code,))


@router.get("/{code}/versions")
async def list_standard_versions(
    code: Code, session: Read, caller: Caller, scope: MayRead, limit: Limit = 100, cursor: Cursor = None
) -> Page[StandardItem]:
    """List all versions of a standard, newest first. 404 where there is none."""
    before = from_cursor(cursor, int)
    rows = await queries.list_versions(
        session, scope, code, drafts=sees_drafts(caller), before=before[0] if before else None, limit=limit
    )
    return page(rows, limit, lambda found: item(*found), lambda found: (found[0].version,))


@router.get("/{code}/versions/{version}", response_model=StandardView)
async def read_standard_version(code: Code, version: Version, session: Read, caller: Caller, scope: MayRead) -> Response:
    """Read one version: what it says, and what happened to it. 404 where there is none."""
    row, standard = await queries.read_version(session, scope, code, version, drafts=sees_drafts(caller))
    return exact(whole(row, standard, await queries.steps_of(session, row)))


@router.get("/{code}/versions/{version}/difference/{other}", response_model=DifferenceView)
async def compare_versions(code: Code, version: Version, other: Version, session: Read, caller: Caller, scope: MayRead) -> Response:
    """Show two versions side by side. 404 where one is missing."""
    old, _ = await queries.read_version(session, scope, code, version, drafts=sees_drafts(caller))
    new, _ = await queries.read_version(session, scope, code, other, drafts=sees_drafts(caller))
    return exact(differing(old, new))


@router.post("/{code}/versions/{version}/submit", response_model=StandardView)
async def submit_version(
    code: Code, version: Version, tx: Tx, caller: Caller, scope: MayWrite, body: CommentIn | None = None
) -> Response:
    """Give a draft to the posts that review its family, in their order. 409 unless it is a draft."""
    text = body.comment if body else None
    return await _whole(tx.session, await commands.submit(tx, scope, caller.id, code, version, text))


@router.post("/{code}/versions/{version}/approve", response_model=StandardView)
async def approve_version(
    code: Code, version: Version, tx: Tx, caller: Caller, scope: MayReview, body: CommentIn | None = None
) -> Response:
    """Take the next step of the review. 403 for its authors and for who does not hold the step's post; 409 unless in review."""
    text = body.comment if body else None
    return await _whole(tx.session, await reviewing.approve(tx, scope, caller.id, code, version, text))


@router.post("/{code}/versions/{version}/return", response_model=StandardView)
async def return_version(code: Code, version: Version, body: ReasonIn, tx: Tx, caller: Caller, scope: MayReview) -> Response:
    """Make it a draft again, with a reason. Its authors take it back; for others 403 and 409 are as for `approve`."""
    return await _whole(tx.session, await reviewing.send_back(tx, scope, caller.id, code, version, body.reason))


@router.post("/{code}/versions/{version}/retire", response_model=StandardView)
async def retire_version(code: Code, version: Version, body: ReasonIn, tx: Tx, caller: Caller, scope: MayManage) -> Response:
    """Take it out of force, with a reason. 409 unless it is approved or in force."""
    return await _whole(tx.session, await reviewing.retire(tx, scope, caller.id, code, version, body.reason))
