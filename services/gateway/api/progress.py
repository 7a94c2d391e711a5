"""Whether what was accepted has taken hold."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from libs.common.auth import Scope
from libs.common.http import POSITION, needs
from services.gateway.queries import progress as queries
from services.gateway.schemas.accounts import PositionView

router = APIRouter(tags=["progress"])
After = Annotated[str | None, Query(pattern=f"^{queries.POSITION.pattern}$", description="The `Zhengai-Position` of a change.")]


@router.get(
    "/api/v1/progress",
    responses={202: {"model": PositionView, "description": "Not everything before the position has taken hold yet."}},
)
async def read_progress(
    scope: Annotated[Scope, needs("progress.read")], request: Request, response: Response, after: After = None
) -> PositionView:
    """Say whether all that was accepted before `after` has taken hold in every service: 200, else 202.

    Without `after` it is asked about this moment: 200 where nothing is under way, else 202 with the position to be asked for next.
    """
    state = request.app.state
    position = after or queries.new_position(state.database.now)
    progress: queries.Progress = state.progress
    if not await progress.reached(scope.school, position):
        response.status_code = 202
    response.headers[POSITION] = position
    return PositionView(position=position)
