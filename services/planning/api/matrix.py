"""Endpoint of the matrix of vertical systems and levels (五纵五横)."""

from __future__ import annotations

from fastapi import APIRouter

from libs.common.errors import Fault, Invalid
from libs.common.http import Now, Read
from services.planning import queries
from services.planning.api.guarantees import MayRead, Word
from services.planning.domain.matrix import fold, systems_of
from services.planning.schemas.matrix import MatrixView, matrix_view

router = APIRouter(tags=["matrix"])


@router.get("/matrix")
async def read_matrix(session: Read, scope: MayRead, now: Now, axis: Word = None) -> MatrixView:
    """Say what each vertical system has at each level and what it lacks, as far as the caller sees it. `axis`: of a framework with several
    axes of systems which one, else its first. 422 for one that it does not have.
    """
    axes = systems_of(await queries.setup_of(session, scope.school))
    if axis is not None and axis not in axes:
        raise Invalid("no such axis of systems", [Fault(pointer="/axis", detail=f"the framework has: {', '.join(axes)}")])
    chosen = axis if axis is not None else next(iter(axes), None)
    systems = axes[chosen] if chosen is not None else []
    found = await queries.count_for_matrix(session, scope, await queries.today_in(session, scope.school, now))
    return matrix_view(chosen, list(axes), systems, fold(systems, found))
