"""What a table of goals needs to be written and read. What belongs to one school takes its scope first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.database import in_batches
from libs.common.errors import NotFound
from services.planning.domain.plans import PlanStatus
from services.planning.queries.plans import visible
from services.planning.queries.school import IN_AT_ONCE
from services.planning.tables import GoalRow, OrgRow, PlanRow


async def newest_plans(session: AsyncSession, scope: Scope) -> list[PlanRow]:
    """Return each plan's newest version that the caller may see, by code."""
    sql = select(PlanRow).where(visible(scope), PlanRow.status != PlanStatus.REPLACED).order_by(PlanRow.code, PlanRow.version)
    return list({row.code: row for row in await session.scalars(sql)}.values())


async def get_newest_plan(session: AsyncSession, scope: Scope, code: str) -> PlanRow:
    """Return a plan's newest version that the caller may see. Raises NotFound where there is none."""
    sql = select(PlanRow).where(visible(scope), PlanRow.code == code).order_by(PlanRow.version.desc()).limit(1)
    if (row := await session.scalar(sql)) is None:
        raise NotFound(f"there is no such plan: {code}")
    return row


async def goals_in(session: AsyncSession, plans: Collection[UUID]) -> Sequence[GoalRow]:
    """Return the goals of these versions, which the caller has been given, by plan and code."""
    found: list[GoalRow] = []
    for some in in_batches(list(plans), IN_AT_ONCE):
        found += await session.scalars(select(GoalRow).where(GoalRow.plan.in_(some)))
    return sorted(found, key=lambda row: (row.plan_code, row.code))


async def codes_of_goals(session: AsyncSession, scope: Scope, goals: Collection[UUID]) -> dict[str, str]:
    """Return `plan/code` of those of these goals that the caller may see, by id."""
    found: dict[str, str] = {}
    columns = select(GoalRow.goal, GoalRow.plan_code, GoalRow.code).join(PlanRow, PlanRow.id == GoalRow.plan).distinct()
    for some in in_batches(list(goals), IN_AT_ONCE):
        rows = await session.execute(columns.where(visible(scope), GoalRow.goal.in_(some)))
        found.update({str(row.goal): f"{row.plan_code}/{row.code}" for row in rows})
    return found


async def names_of_units(session: AsyncSession, school: str) -> dict[str, str]:
    """Return the names of the units, but those that several units have: such a name would not say which."""
    rows = await session.execute(select(OrgRow.id, OrgRow.name).where(OrgRow.school == school, OrgRow.active))
    names = {row.id: row.name for row in rows}
    many = Counter(names.values())
    return {id_: name for id_, name in names.items() if many[name] == 1}
