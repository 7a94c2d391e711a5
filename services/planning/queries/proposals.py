"""Proposals as they are read. What belongs to one school takes its scope or its code first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.errors import NotFound
from services.planning.domain.proposals import ProposalStatus
from services.planning.queries.plans import covered as plan_covered
from services.planning.tables import CyclePlaceRow, CycleRow, PlanRow, ProposalPlaceRow, ProposalRow, StandardRow


def _covered(scope: Scope) -> ColumnElement[bool]:
    return and_(
        ProposalRow.school == scope.school, scope.where(ProposalPlaceRow.place, ProposalPlaceRow.proposal == ProposalRow.id)
    )


async def get_proposal(session: AsyncSession, scope: Scope, proposal: UUID, *, lock: bool = False) -> ProposalRow:
    """Raises NotFound, also for what the scope does not cover."""
    sql = select(ProposalRow).where(_covered(scope), ProposalRow.id == proposal)
    if (row := await session.scalar(sql.with_for_update() if lock else sql)) is None:
        raise NotFound("there is no such proposal")
    return row


async def list_proposals(
    session: AsyncSession,
    scope: Scope,
    *,
    filters: Mapping[str, str | UUID | None],
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[ProposalRow]:
    """Return proposals, newest first; one more than `limit`. `filters` are columns and the value wanted, None: any."""
    sql = select(ProposalRow).where(_covered(scope))
    for name, value in filters.items():
        if value is not None:
            sql = sql.where(getattr(ProposalRow, name) == value)
    if after is not None:
        at, id_ = after
        sql = sql.where(or_(ProposalRow.at < at, and_(ProposalRow.at == at, ProposalRow.id < id_)))
    return (await session.scalars(sql.order_by(ProposalRow.at.desc(), ProposalRow.id.desc()).limit(limit + 1))).all()


async def count_queued(session: AsyncSession, school: str, place: str) -> int:
    """Return how many proposals wait for the diagnosis of the object at a place."""
    mine = (ProposalRow.school == school, ProposalRow.place == place, ProposalRow.status == ProposalStatus.QUEUED)
    return await session.scalar(select(func.count()).where(*mine)) or 0


async def cycle_places(session: AsyncSession, cycle: UUID) -> list[str]:
    """Return where the object of a cycle lies."""
    return list(await session.scalars(select(CyclePlaceRow.place).where(CyclePlaceRow.cycle == cycle)))


async def has_standard(session: AsyncSession, school: str, code: str) -> bool:
    """Return whether a standard of that code is in force."""
    return bool(await session.scalar(select(exists().where(StandardRow.school == school, StandardRow.code == code))))


# --- exceptions -----------------------------------------------------------------------------------------------------------


async def list_exceptions(
    session: AsyncSession, scope: Scope, *, after: tuple[datetime, UUID] | None, limit: int
) -> Sequence[PlanRow]:
    """Return versions of plans whose origin is an exception, newest first; one more than `limit`."""
    sql = select(PlanRow).where(plan_covered(scope), PlanRow.origin["kind"].as_string() == "exception")
    if after is not None:
        at, id_ = after
        sql = sql.where(or_(PlanRow.created_at < at, and_(PlanRow.created_at == at, PlanRow.id < id_)))
    return (await session.scalars(sql.order_by(PlanRow.created_at.desc(), PlanRow.id.desc()).limit(limit + 1))).all()


async def came_of(session: AsyncSession, plan: PlanRow, cycle: UUID) -> bool:
    """Return whether a version of this plan has that cycle as its origin already."""
    of_it = PlanRow.origin["cycle"].as_string() == str(cycle)
    sql = select(exists().where(PlanRow.school == plan.school, PlanRow.code == plan.code, of_it))
    return bool(await session.scalar(sql))


async def find_cycle(session: AsyncSession, school: str, cycle: UUID) -> CycleRow | None:
    row: CycleRow | None = await session.scalar(select(CycleRow).where(CycleRow.school == school, CycleRow.id == cycle))
    return row
