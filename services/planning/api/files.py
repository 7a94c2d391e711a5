"""Endpoints of files: hand one in as evidence, read one."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from libs.common.auth import Scope
from libs.common.database import Database
from libs.common.http import Caller, Now, Read, Tx, needs
from libs.common.uploads import described, read_upload
from services.planning.commands import files
from services.planning.domain.files import CSV, ENDINGS, TEXT, path_of
from services.planning.queries import files as find
from services.planning.queries import today_in
from services.planning.schemas.files import FileView

router = APIRouter(prefix="/files", tags=["files"])
MayRead = Annotated[Scope, needs("file.read")]
MayWrite = Annotated[Scope, needs("file.write")]
Name = Annotated[
    str | None, Query(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]*$", description="What it is called.")
]


async def _uploaded(request: Request, _: MayWrite) -> bytes:
    """The body, read before the transaction begins: nobody waits while it travels."""
    database: Database = request.app.state.database
    return await read_upload(request, tuple(ENDINGS), database.settings.file_max_bytes)


@router.post(
    "", status_code=201, openapi_extra=described(*ENDINGS), responses={200: {"model": FileView, "description": "It is there."}}
)
async def hand_in(
    request: Request,
    response: Response,
    scope: MayWrite,
    content: Annotated[bytes, Depends(_uploaded)],
    caller: Caller,
    tx: Tx,
    name: Name = None,
) -> FileView:
    """Hand in a file as the body, of the type that `Content-Type` says: pdf, png, jpeg, docx, xlsx, text or csv.

    200 where the caller has handed it in before. 415 for another type, 413 for a larger file, 422 where the content is of another type.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    called = name or f"file{ENDINGS[media]}"
    row, file, new = await files.keep_file(tx, scope.school, caller.id, media=media, name=called, content=content)
    response.status_code = 201 if new else 200
    return FileView(path=path_of(row.sha256), sha256=row.sha256, name=row.name, media=file.media, size=file.size, at=row.at)


@router.get("/{sha256}", response_class=Response, responses={200: {"content": {media: {} for media in ENDINGS}}})
async def read_file(sha256: str, session: Read, scope: MayRead, caller: Caller, now: Now) -> Response:
    """Read a file, to be saved, never shown or run (`nosniff` comes with every answer of the gateway).

    404 unless the caller handed it in or may see what it is evidence of.
    """
    scopes = {permission: caller.scope(permission) for permission in sorted({*find.SEEN_BY.values()}) if caller.may(permission)}
    row, name = await find.get_file(session, scope.school, caller.id, scopes, sha256, await today_in(session, scope.school, now))
    media = f"{TEXT}; charset=utf-8" if row.media in {TEXT, CSV} else row.media
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, no-store",
    }
    return Response(row.content, media_type=media, headers=headers)
