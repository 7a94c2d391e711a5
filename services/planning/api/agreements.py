"""Endpoints of letters of responsibility (责任状): issue, sign, read, print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from libs.common.auth import Scope
from libs.common.errors import Fault, Invalid
from libs.common.http import Caller, Cursor, Limit, Page, Read, Tx, from_cursor, needs, page
from libs.common.word import MEDIA_TYPE, write_word
from services.planning import queries
from services.planning.commands import agreements
from services.planning.domain.agreements import AgreementStatus, blocks_of
from services.planning.queries import agreements as find
from services.planning.schemas.agreements import (
    AgreementItem,
    AgreementView,
    IssueBody,
    IssuedView,
    SignBody,
    SignedView,
    SignManyBody,
    agreement_item,
    agreement_view,
)
from services.planning.tables import AgreementRow

router = APIRouter(prefix="/agreements", tags=["agreements"])
MayRead = Annotated[Scope, needs("task.read")]
MaySign = Annotated[Scope, needs("task.work")]
MayIssue = Annotated[Scope, needs("agreement.issue")]
Word = Annotated[str | None, Query(min_length=1, max_length=128)]
Year = Annotated[int | None, Query(ge=2000, le=2200)]
FILE = {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}, "description": "A Word document."}


@router.get("")
async def list_agreements(
    session: Read,
    scope: MayRead,
    kind: Word = None,
    year: Year = None,
    unit: Word = None,
    signer: Word = None,
    status: AgreementStatus | None = None,
    newest: bool | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AgreementItem]:
    """List agreements, the latest year first."""
    filters = {"kind": kind, "year": year, "unit": unit, "signer": signer, "status": status, "newest": newest}
    rows = await find.list_agreements(session, scope, filters=filters, after=_after(cursor), limit=limit)
    names = await _names(session, scope, rows)
    return page(rows, limit, lambda row: agreement_item(row, names), lambda row: (row.year, str(row.id)))


@router.post("")
async def issue_agreements(body: IssueBody, tx: Tx, caller: Caller, scope: MayIssue) -> IssuedView:
    """Issue the agreements of a kind and year; the same again changes nothing, and what has changed since becomes the next version."""
    rows, there = await agreements.issue_agreements(tx, scope, caller.id, body.kind, body.year, body.unit)
    names = await _names(tx.session, scope, rows)
    return IssuedView(made=len(rows), there=there, items=[agreement_item(row, names) for row in rows])


@router.post("/sign")
async def sign_agreements(body: SignManyBody, tx: Tx, caller: Caller, scope: MaySign) -> SignedView:
    """Sign many that are the caller's to sign: all or none."""
    rows = await agreements.sign_agreements(tx, scope, caller.id, body.ids)
    names = await _names(tx.session, scope, rows)
    return SignedView(items=[agreement_item(row, names) for row in rows])


@router.get("/{agreement}")
async def read_agreement(agreement: UUID, session: Read, scope: MayRead) -> AgreementView:
    """Read an agreement with what it freezes. 404 where there is none that the caller may see."""
    row = await find.get_agreement(session, scope, agreement)
    return agreement_view(row, await _names(session, scope, [row]))


@router.post("/{agreement}/sign")
async def sign_agreement(agreement: UUID, tx: Tx, caller: Caller, scope: MaySign, body: SignBody | None = None) -> AgreementView:
    """Sign it. 403 for anybody but the unit's head or the holder of the post; 409 once it is outdated or replaced."""
    (row,) = await agreements.sign_agreements(tx, scope, caller.id, [agreement], body.hash if body else None)
    return agreement_view(row, await _names(tx.session, scope, [row]))


@router.get("/{agreement}/document", response_class=Response, responses={200: FILE})
async def print_agreement(agreement: UUID, session: Read, scope: MayRead) -> Response:
    """Give an agreement as a Word document, with who signed it and the hash of what was signed."""
    row = await find.get_agreement(session, scope, agreement)
    names = await queries.names_of(session, scope.school, [row.signer, row.signed_by])
    zone = await queries.zone_of(session, scope.school)
    by, at = row.signed_by or row.signer or "", row.signed_at
    signed = [
        ("签署人", names.get(by, by)),
        ("签署时间", "" if at is None else f"{at.astimezone(zone):%Y-%m-%d %H:%M}"),
        ("内容摘要（SHA-256）", row.hash),
    ]
    title = f"{row.year} 年{row.content['name']}（{row.content['party']}）"
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(title, safe='')}.docx",
    }
    return Response(write_word(title, blocks_of(row.content, signed)), media_type=MEDIA_TYPE, headers=headers)


def _after(cursor: str | None) -> tuple[int, UUID] | None:
    after = from_cursor(cursor, int, str)
    if after is None:
        return None
    try:
        return after[0], UUID(after[1])
    except ValueError as error:
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")]) from error


async def _names(session: AsyncSession, scope: Scope, rows: Sequence[AgreementRow]) -> dict[str, str]:
    return await queries.names_of(session, scope.school, [row.signer for row in rows])
