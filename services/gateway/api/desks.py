"""Desks (工作台): what somebody has to see first, in one call. Planning knows what is to be done, monitoring how it stands."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request, Response

from libs.common.auth import Principal, Scope
from libs.common.http import Caller, needs
from services.gateway.asking import Services
from services.gateway.schemas.desks import DeskView

router = APIRouter(tags=["desks"])
Desk = Literal["department-head", "course-leader", "class-teacher", "student"]
COURSES_MOST = 7
_read = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ids = msgspec.json.Decoder(list[str])
_items = msgspec.json.Decoder(list[msgspec.Raw])


@router.get("/api/v1/desks/{desk}", response_model=DeskView)
async def read_desk(
    desk: Desk,
    _: Annotated[Scope, needs("school.read")],
    caller: Caller,
    request: Request,
    of: Annotated[str | None, Query(min_length=1, max_length=128, description="One unit, course, homeroom or student.")] = None,
) -> Response:
    """Read a desk whole. 403 for whoever holds no post that has it, 404 for an `of` that is not theirs."""
    services: Services = request.app.state.services
    answer = await services.get("planning", f"/desks/{desk}", caller, {} if of is None else {"of": of})
    if answer.is_error:
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))
    body = _read.decode(answer.content)
    body["figures"] = msgspec.Raw(msgspec.json.encode(await _figures(services, caller, desk, _ids.decode(body["of"]))))
    return Response(msgspec.json.encode(body), media_type="application/json")


async def _figures(services: Services, caller: Principal, desk: Desk, of: list[str]) -> list[msgspec.Raw]:
    """How the classes of the courses, or the student, stand by every indicator; numbers pass through as monitoring wrote them."""
    match desk:
        case "course-leader":
            asked = [{"level": "class", "course": course} for course in of[:COURSES_MOST]]
        case "student":
            asked = [{"level": "student", "subject": student} for student in of[:1]]
        case _:
            return []
    answers = await asyncio.gather(*(services.get("monitoring", "/figures", caller, params) for params in asked))
    return [item for answer in answers if answer.is_success for item in _items.decode(_read.decode(answer.content)["items"])]
