"""What improvements have changed."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from libs.common.auth import Scope
from libs.common.errors import NotFound
from libs.common.http import Read, exact, needs
from services.planning import queries
from services.planning.schemas.effects import EffectView

router = APIRouter(tags=["improvements"])


@router.get("/improvements/{improvement}/effect", response_model=EffectView)
async def read_effect(improvement: UUID, session: Read, scope: Annotated[Scope, needs("improvement.read")]) -> Response:
    """What an improvement has changed, beside peers that were as low before. 404 while it has not been measured: that takes whole
    windows after it was verified.
    """
    row = await queries.get_improvement(session, scope, improvement)
    fact = (await queries.effects_of(session, scope.school, [row.id])).get(row.id)
    if fact is None:
        raise NotFound("the effect of this improvement has not been measured yet")
    return exact(EffectView.of(fact, await queries.number_of(session, scope.school, fact.metric)))
