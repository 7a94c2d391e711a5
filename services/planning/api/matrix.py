"""Endpoint of the matrix of vertical systems and levels (五纵五横)."""

from __future__ import annotations

from fastapi import APIRouter

from libs.common.errors import Fault, Invalid
from libs.common.events.setup import System
from libs.common.http import Now, Read
from services.planning import queries
from services.planning.api.guarantees import MayRead, Word
from services.planning.domain.matrix import fold, frames_of
from services.planning.schemas.matrix import MatrixView, matrix_view

router = APIRouter(tags=["matrix"])


@router.get("/matrix")
async def read_matrix(session: Read, scope: MayRead, now: Now, frame: Word = None) -> MatrixView:
    """Say what each vertical system has at each level and what it lacks, as far as the caller sees it. `frame`: of a school that works by
    several frames of systems which one, else its first. 422 for one that the school does not have.
    """
    setup = await queries.setup_of(session, scope.school)
    systems = [System.model_validate(each) for each in setup.get("systems", ())]
    frames = frames_of(systems)
    if frame is not None and frame not in frames:
        raise Invalid("the school has no such frame", [Fault(pointer="/frame", detail=f"there are: {', '.join(map(str, frames))}")])
    chosen = frame if frame is not None else next(iter(frames), None)
    own = [system for system in systems if system.frame == chosen]
    found = await queries.count_for_matrix(session, scope, await queries.today_in(session, scope.school, now))
    return matrix_view(chosen, frames, own, fold(own, found))
