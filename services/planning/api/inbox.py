"""Endpoints of the inbox (站内消息): everybody reads their own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from libs.common.auth import Scope
from libs.common.http import Caller, Cursor, Limit, Page, Read, Tx, from_cursor, needs, page
from services.planning import queries
from services.planning.commands import inbox as commands
from services.planning.schemas.inbox import NoticeView, ReadBody, UnreadView

router = APIRouter(tags=["inbox"])
MayRead = Annotated[Scope, needs("inbox.read")]


@router.get("/inbox")
async def list_notices(
    session: Read, scope: MayRead, caller: Caller, unread: bool | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[NoticeView]:
    """List the caller's messages, newest first."""
    after = from_cursor(cursor, int)
    rows = await queries.list_notices(session, scope, caller.id, unread=unread, before=after[0] if after else None, limit=limit)
    return page(rows, limit, NoticeView.model_validate, lambda row: (row.position,))


@router.get("/inbox/unread")
async def count_unread(session: Read, scope: MayRead, caller: Caller) -> UnreadView:
    """Count the messages that the caller has not read."""
    return UnreadView(unread=await queries.count_unread(session, scope, caller.id))


@router.post("/inbox/read")
async def mark_read(tx: Tx, scope: MayRead, caller: Caller, body: ReadBody | None = None) -> UnreadView:
    """Mark messages as read, all of them without a body; answers how many wait."""
    await commands.mark_read(tx, caller.id, (body or ReadBody()).ids)
    return UnreadView(unread=await queries.count_unread(tx.session, scope, caller.id))
