"""Versions that no cycle, period or document called for: who made them, why, and who confirmed them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter

from libs.common.auth import Scope
from libs.common.errors import Fault, Invalid
from libs.common.http import Cursor, Limit, Page, Read, from_cursor, needs, page
from services.standards.queries import origins as queries
from services.standards.schemas.exceptions import ExceptionView

router = APIRouter(tags=["standards"])


@router.get("/exceptions")
async def list_exceptions(
    session: Read, scope: Annotated[Scope, needs("standard.manage")], limit: Limit = 100, cursor: Cursor = None
) -> Page[ExceptionView]:
    """List versions of indicators and standards whose origin is an exception, newest first."""
    after = _after(from_cursor(cursor, str, str, str, int))
    rows = await queries.list_exceptions(session, scope, after=after, limit=limit)
    return page(rows, limit, ExceptionView.model_validate, lambda row: (row.at.isoformat(), row.kind, row.code, row.version))


def _after(cursor: tuple[str, str, str, int] | None) -> queries.Key | None:
    if cursor is None:
        return None
    try:
        return datetime.fromisoformat(cursor[0]).astimezone(UTC), cursor[1], cursor[2], cursor[3]
    except (ValueError, OverflowError) as error:
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")]) from error
