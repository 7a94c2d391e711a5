"""What could never be handled, and why."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter

from libs.common.auth import Scope
from libs.common.errors import Fault, Invalid
from libs.common.http import Cursor, Limit, Page, Read, Tx, from_cursor, needs, page
from services.gateway.commands import letters as commands
from services.gateway.queries import letters as queries
from services.gateway.schemas.accounts import LetterView

router = APIRouter(prefix="/api/v1/deadletters", tags=["dead letters"])


@router.get("")
async def list_letters(
    scope: Annotated[Scope, needs("deadletter.read")],
    session: Read,
    service: str | None = None,
    topic: str | None = None,
    replayed: bool | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[LetterView]:
    """List dead letters, newest first; the operator who names no school sees those of all."""
    rows = await queries.list_letters(
        session, scope, service=service, topic=topic, replayed=replayed, after=_place(cursor), limit=limit
    )
    return page(rows, limit, LetterView.model_validate, lambda row: (row.at.isoformat(), row.id))


def _place(cursor: str | None) -> tuple[datetime, str] | None:
    if (values := from_cursor(cursor, str, str)) is None:
        return None
    try:
        at = datetime.fromisoformat(values[0])
    except ValueError as error:
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")]) from error
    if at.tzinfo is None:
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")])
    return at, values[1]


@router.post("/{letter}/replay")
async def replay_letter(letter: str, scope: Annotated[Scope, needs("deadletter.replay")], tx: Tx) -> LetterView:
    """Put the original record on its topic again; if it fails again, it is listed again."""
    return LetterView.model_validate(await commands.replay_letter(tx, scope, letter))
