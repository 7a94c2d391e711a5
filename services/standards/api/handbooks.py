"""Endpoints of post descriptions and handbooks: read, and print as Word documents from the data."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from libs.common import word
from libs.common.auth import Scope
from libs.common.http import Caller, Cursor, Limit, Now, Page, Read, from_cursor, needs, page
from services.standards.api.standards import Code, Version, sees_drafts
from services.standards.queries import handbook as queries
from services.standards.queries.standards import read, read_version
from services.standards.queries.subjects import today_in
from services.standards.schemas.documents import HandbookView, PositionView, handbook_document, standard_document

router = APIRouter(tags=["standards"])
Unit = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
Named = Annotated[str | None, Query(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
MayRead = Annotated[Scope, needs("standard.read")]
FILE: dict[int | str, dict[str, Any]] = {200: {"content": {word.MEDIA_TYPE: {}}}}


def _file(content: bytes, name: str) -> Response:
    disposition = f"attachment; filename*=UTF-8''{quote(name)}"
    return Response(content, media_type=word.MEDIA_TYPE, headers={"content-disposition": disposition})


@router.get("/positions")
async def list_positions(
    session: Read, scope: MayRead, post: Named = None, unit: Named = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[PositionView]:
    """List the descriptions of posts (岗位说明书) in force, by code. They are written and reviewed as standards are."""
    after = from_cursor(cursor, str)
    found = await queries.list_positions(session, scope, post, unit)
    rows = [each for each in found if after is None or each.code > after[0]][: limit + 1]
    return page(rows, limit, PositionView.of, lambda each: (each.code,))


@router.get("/handbooks/{unit}")
async def read_handbook(unit: Unit, session: Read, scope: MayRead, now: Now) -> HandbookView:
    """Read a unit's quality handbook (部门质量手册): its posts' descriptions, and the standards and elements it answers for."""
    return HandbookView.of(await queries.get_handbook(session, scope, unit, now))


@router.get("/handbooks/{unit}/document", response_class=Response, responses=FILE)
async def print_handbook(unit: Unit, session: Read, scope: MayRead, now: Now) -> Response:
    """Print a unit's quality handbook as a Word document."""
    found = await queries.get_handbook(session, scope, unit, now)
    day = await today_in(session, scope.school, now)
    return _file(await asyncio.to_thread(handbook_document, found, day), f"{found.name}质量手册.docx")


@router.get("/standards/{code}/versions/{version}/document", response_class=Response, responses=FILE)
async def print_standard(code: Code, version: Version, session: Read, caller: Caller, scope: MayRead) -> Response:
    """Print a version of a standard, or the description of a post, as a Word document. 404 where there is none."""
    row, _ = await read_version(session, scope, code, version, drafts=sees_drafts(caller))
    content = read(row)
    unit = content.position.unit if content.position else None
    name = unit and await queries.find_unit_name(session, scope, unit)
    return _file(await asyncio.to_thread(standard_document, code, version, content, name), f"{content.name}.docx")
