"""What the matrix of systems and levels counts: few statements, all of them sums. What belongs to one school takes its scope first."""

from __future__ import annotations

from datetime import date

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from services.planning.domain.matrix import Found
from services.planning.domain.tasks import TaskStatus
from services.planning.queries.plans import visible
from services.planning.tables import (
    GoalRow,
    GuaranteeRow,
    ImprovementRow,
    PlaceRow,
    PlanRow,
    StandardRow,
    TaskPlaceRow,
    TaskRow,
)

UNITS = "department"
"""The level of a task that serves no goal: it is a unit's."""


async def count_for_matrix(session: AsyncSession, scope: Scope, today: date) -> list[Found]:
    """Return what there is of goals in force, standards in force, tasks and measures that are not over, and warnings that stand."""
    return [
        *await _goals(session, scope),
        *await _standards(session, scope, today),
        *await _tasks(session, scope),
        *await _measures(session, scope),
        *await _warnings(session, scope),
    ]


async def _goals(session: AsyncSession, scope: Scope) -> list[Found]:
    sql = (
        select(PlanRow.level, GoalRow.system, func.count())
        .join(GoalRow, GoalRow.plan == PlanRow.id)
        .where(visible(scope), GoalRow.current, GoalRow.live)
        .group_by(PlanRow.level, GoalRow.system)
    )
    return [Found("goals", level, many, system) for level, system, many in await session.execute(sql)]


async def _standards(session: AsyncSession, scope: Scope, today: date) -> list[Found]:
    """A standard counts once at each level that it is about."""
    newest = (
        select(StandardRow.code, func.max(StandardRow.effective_from).label("since"))
        .where(StandardRow.school == scope.school, StandardRow.effective_from <= today)
        .group_by(StandardRow.code)
        .subquery()
    )
    sql = (
        select(StandardRow.code, StandardRow.levels)
        .join(newest, and_(newest.c.code == StandardRow.code, newest.c.since == StandardRow.effective_from))
        .where(StandardRow.school == scope.school)
    )
    in_force: dict[str, list[str]] = dict((await session.execute(sql.order_by(StandardRow.code, StandardRow.version))).all())
    placed: list[tuple[str, str | None]] = [(code, level) for code, levels in in_force.items() for level in levels]
    placed += [(code, None) for code, levels in in_force.items() if not levels]
    return [Found("standards", level, 1, by=("standards", code)) for code, level in placed]


async def _tasks(session: AsyncSession, scope: Scope) -> list[Found]:
    """A task is of its goal's level and system; one without a goal is its unit's, of no system."""
    goal = and_(GoalRow.goal == TaskRow.goal, GoalRow.current)
    columns = (PlanRow.level, GoalRow.system)
    sql = (
        select(*columns, func.count())
        .select_from(TaskRow)
        .outerjoin(GoalRow, goal)
        .outerjoin(PlanRow, PlanRow.id == GoalRow.plan)
        .where(TaskRow.school == scope.school, TaskRow.status != TaskStatus.CLOSED)
        .where(scope.where(TaskPlaceRow.place, TaskPlaceRow.task == TaskRow.id))
        .group_by(*columns)
    )
    return [Found("tasks", level or UNITS, many, system) for level, system, many in await session.execute(sql)]


async def _measures(session: AsyncSession, scope: Scope) -> list[Found]:
    columns = (GuaranteeRow.level, GuaranteeRow.system, GuaranteeRow.mechanism)
    sql = select(*columns, func.count()).group_by(*columns)
    sql = sql.where(GuaranteeRow.school == scope.school, GuaranteeRow.status.in_(("planned", "running")))
    return [
        Found("measures", level, many, system, by=("mechanisms", mechanism))
        for level, system, mechanism, many in await session.execute(sql)
    ]


async def _warnings(session: AsyncSession, scope: Scope) -> list[Found]:
    mine = scope.where(PlaceRow.place, PlaceRow.improvement == ImprovementRow.id)
    columns = (ImprovementRow.level, ImprovementRow.metric)
    sql = select(*columns, func.count()).group_by(*columns)
    sql = sql.where(ImprovementRow.school == scope.school, ImprovementRow.warned, mine)
    return [Found("warnings", level, many, by=("metrics", metric or "")) for level, metric, many in await session.execute(sql)]
