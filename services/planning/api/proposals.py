"""Endpoints of proposals: what the dynamic loop may not change waits for a diagnosis."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from libs.common.asgi import problem
from libs.common.auth import Scope
from libs.common.errors import BecameProposal, Fault, Invalid
from libs.common.http import Caller, Cursor, Limit, Page, Read, Tx, from_cursor, needs, page
from services.planning.commands import proposals as commands
from services.planning.domain.proposals import Change, Kind, ProposalStatus
from services.planning.queries import proposals as proposed
from services.planning.schemas.spiral import ExceptionView, ProposalView, exception_view, proposal_view
from services.planning.tables import ProposalRow

router = APIRouter(tags=["spiral"])
Word = Annotated[str | None, Query(min_length=1, max_length=200)]


@router.post("/improvements/{improvement}/changes", status_code=403, response_class=Response)
async def ask_for_change(
    improvement: UUID, body: Change, tx: Tx, caller: Caller, scope: Annotated[Scope, needs("improvement.work")]
) -> Response:
    """Try to change a goal, target, standard, weight or warning line out of an improvement: always 403 `change-proposed`.

    Nothing of that changes; what was asked for is kept as a proposal (named by `Location`) for the next diagnosis, which decides it.
    """
    return _proposed("improvement", await commands.propose(tx, scope, caller.id, improvement, body))


@router.post("/tasks/{task}/changes", status_code=403, response_class=Response)
async def ask_for_change_of_task(
    task: UUID, body: Change, tx: Tx, caller: Caller, scope: Annotated[Scope, needs("task.work")]
) -> Response:
    """As for an improvement, out of an annual task that one has: always 403 `change-proposed`."""
    return _proposed("task", await commands.propose_of_task(tx, scope, caller.id, task, body))


def _proposed(what: str, row: ProposalRow) -> Response:
    detail = f"no {what} changes a {row.kind}: the change is proposal {row.id} for the next diagnosis, and nothing has changed"
    return problem(BecameProposal(detail, headers={"Location": f"/api/v1/planning/proposals/{row.id}"}))


@router.get("/proposals")
async def list_proposals(
    session: Read,
    scope: Annotated[Scope, needs("cycle.read")],
    status: ProposalStatus | None = None,
    kind: Kind | None = None,
    of: Word = None,
    place: Word = None,
    improvement: UUID | None = None,
    cycle: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ProposalView]:
    """List proposals, newest first; `place` is the object (`course:CNC101`) in whose diagnosis they are decided."""
    filters = {"status": status, "kind": kind, "of": of, "place": place, "improvement": improvement, "cycle": cycle}
    rows = await proposed.list_proposals(session, scope, filters=filters, after=_after(from_cursor(cursor, str, str)), limit=limit)
    return page(rows, limit, proposal_view, lambda row: (row.at.isoformat(), str(row.id)))


@router.get("/proposals/{proposal}")
async def read_proposal(proposal: UUID, session: Read, scope: Annotated[Scope, needs("cycle.read")]) -> ProposalView:
    """Read a proposal. 404 where there is none that the caller may see."""
    return proposal_view(await proposed.get_proposal(session, scope, proposal))


@router.get("/exceptions")
async def list_exceptions(
    session: Read, scope: Annotated[Scope, needs("exception.claim")], limit: Limit = 100, cursor: Cursor = None
) -> Page[ExceptionView]:
    """List versions of plans that no cycle, period or document called for: who made them, why, and who confirmed them; newest first."""
    rows = await proposed.list_exceptions(session, scope, after=_after(from_cursor(cursor, str, str)), limit=limit)
    return page(rows, limit, exception_view, lambda row: (row.created_at.isoformat(), str(row.id)))


def _after(cursor: tuple[str, str] | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    try:
        return datetime.fromisoformat(cursor[0]).astimezone(UTC), UUID(cursor[1])
    except (ValueError, OverflowError) as error:
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")]) from error
