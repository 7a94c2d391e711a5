"""The live stream: every change the caller may see, in order, once, also across lost connections.

A stream lasts as long as the signature behind it (60 seconds), then ends: whoever reads on comes back with `Last-Event-ID`
and with the rights they have by then.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.responses import StreamingResponse

from libs.common.auth import LIFETIME_S, Scope
from libs.common.database import Database
from libs.common.http import needs
from services.reporting import queries
from services.reporting.domain import is_overdue, to_json
from services.reporting.queries import Happened, Tail
from services.reporting.schemas import Change, ImprovementView, WarningView

router = APIRouter()
HEARTBEAT_S = 15.0
RETRY_MS = 1000
RETRY_AFTER_SHUTDOWN_MS = 3000
_POSITION = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Start:
    """Where a stream begins; `lost` where what lies between the caller's id and here cannot be told."""

    position: int
    lost: bool


async def _start(
    request: Request,
    scope: Annotated[Scope, needs("report.read")],
    last_event_id: Annotated[str | None, Header(description="The id of the last event seen; without it, from now on.")] = None,
) -> Start:
    """Decide before the answer begins: what is committed after a caller sees 200 is in the stream."""
    database: Database = request.app.state.database
    async with database.reading() as session:
        end = await queries.feed_end(session, scope.school)
        if last_event_id is None:
            return Start(end, lost=False)
        position = int(last_event_id) if _POSITION.fullmatch(last_event_id) else -1
        first = await queries.first_kept(session, scope.school)
    kept = first - 1 <= position <= end
    return Start(position if kept else end, lost=not kept)


@router.get(
    "/stream",
    # Not the class itself: FastAPI's own generator fails, and logs an error, when a reader leaves while something is sent.
    response_class=StreamingResponse,
    responses={200: {"content": {EventSourceResponse.media_type: {"schema": {"type": "string"}}}}},
)
async def stream(
    request: Request, scope: Annotated[Scope, needs("report.read")], start: Annotated[Start, Depends(_start)]
) -> EventSourceResponse:
    """Send `warning` and `improvement` events: the object as it is now, and under `change` what happened to it.

    `reset` says that events were missed which are no longer kept (or that the id is none of this school's): read the lists
    anew. An event with an id and nothing else only moves the place to resume from.
    """
    return EventSourceResponse(
        _events(request.app.state.database, scope, start), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


async def _events(database: Database, scope: Scope, start: Start) -> AsyncIterator[bytes]:
    position = start.position
    reset = {"event": "reset", "data_str": to_json({"position": str(position)})} if start.lost else {}
    yield format_sse_event(id=str(position), retry=RETRY_MS, **reset)
    tail, until, spoke = Tail.of(database), database.now() + timedelta(seconds=LIFETIME_S), time.monotonic()
    while database.now() < until and not database.closing:
        if await tail.beyond(scope.school, position):
            # Never inside the loop of sending: a slow reader would hold the snapshot open.
            async with database.reading() as session:
                happened, position = await queries.list_feed(session, scope, position)
            for each in happened:
                yield format_sse_event(id=str(each.row.position), event=each.row.kind, data_str=_data(each))
                spoke = time.monotonic()
        elif time.monotonic() - spoke >= HEARTBEAT_S:
            yield KEEPALIVE_COMMENT
            spoke = time.monotonic()
    yield format_sse_event(id=str(position), retry=RETRY_AFTER_SHUTDOWN_MS if database.closing else RETRY_MS)


def _data(happened: Happened) -> str:
    row, warning, task = happened.row, happened.warning, happened.improvement
    view: dict[str, Any] = {}
    if warning is not None:
        view = WarningView.model_validate({**vars(warning), "improvement": task and task.id}).model_dump()
    elif task is not None:
        view = ImprovementView.model_validate({**vars(task), "overdue": is_overdue(task.status, task.late)}).model_dump()
    change = {name: getattr(row, name) for name in Change.model_fields}
    return to_json({**view, "change": {**change, "detail": msgspec.Raw(row.detail.encode())}})
