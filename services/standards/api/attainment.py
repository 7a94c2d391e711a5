"""Endpoints of judgements, of what a subject meets, and of where it stands on a ladder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from libs.common.auth import Scope
from libs.common.errors import Fault, Invalid
from libs.common.http import Caller, Cursor, Limit, Now, Page, Read, Tx, exact, from_cursor, needs, page
from services.standards.commands import judging
from services.standards.domain.values import METRIC, Level
from services.standards.queries import attainment as queries
from services.standards.queries.subjects import list_judgements as judgements
from services.standards.schemas.standards import (
    AttainmentView,
    FindingView,
    JudgementIn,
    JudgementView,
    LadderView,
    on_ladder,
)

router = APIRouter(tags=["standards"])
Code = Annotated[str, Path(pattern=METRIC)]
Subject = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
Named = Annotated[str | None, Query(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
MayRead = Annotated[Scope, needs("standard.read")]


@router.post("/judgements", status_code=201)
async def judge(body: JudgementIn, tx: Tx, caller: Caller, scope: Annotated[Scope, needs("judgement.write")]) -> JudgementView:
    """Judge a subject by an element of a standard in force; the newest judgement counts. 403 for who does not hold the post."""
    return JudgementView.of(await judging.judge(tx, scope, caller.id, **body.model_dump()))


@router.get("/judgements")
async def list_judgements(
    session: Read,
    scope: MayRead,
    standard: Named = None,
    element: Named = None,
    level: Level | None = None,
    subject: Named = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[JudgementView]:
    """List judgements of subjects that the caller sees, newest first."""
    after = _after(from_cursor(cursor, str, str))
    rows = await judgements(
        session, scope, standard=standard, element=element, level=level, subject=subject, after=after, limit=limit
    )
    return page(rows, limit, JudgementView.of, lambda row: (row.judged_at.isoformat(), str(row.id)))


def _after(cursor: tuple[str, str] | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    try:
        return datetime.fromisoformat(cursor[0]).astimezone(UTC), UUID(cursor[1])
    except (ValueError, OverflowError) as error:
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")]) from error


@router.get("/standards/{code}/elements/{level}/{subject}", response_model=AttainmentView)
async def read_elements(code: Code, level: Level, subject: Subject, session: Read, scope: MayRead, now: Now) -> Response:
    """Say of each element of a standard in force whether the subject meets it: met, not met, or undetermined (未认定)."""
    standard, found = await queries.elements_of(session, scope, code, level, subject, now)
    shown = [FindingView.of(each) for each in found]
    return exact(AttainmentView(standard=code, version=standard.version, level=level, subject=subject, elements=shown))


@router.get("/ladders/{standard}/{ladder}/{subject}", response_model=LadderView)
async def read_ladder(standard: Code, ladder: Code, subject: Subject, session: Read, scope: MayRead, now: Now) -> Response:
    """Say where a subject stands on a ladder: each rung, what is missing or undetermined there, and the gap to the next."""
    found, on, known, result = await queries.ladder_of(session, scope, standard, ladder, subject, now)
    return exact(on_ladder(found, on, known, subject, result))
