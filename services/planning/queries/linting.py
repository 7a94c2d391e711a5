"""All that stands of a school, for the chain lint: four statements, however much it is."""

from __future__ import annotations

from datetime import date

from sqlalchemy import case, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from services.planning.domain.floors import floors_of
from services.planning.domain.goals import kept
from services.planning.domain.lint import Chain, LintedGoal, LintedPlan, children_of
from services.planning.queries.goals import standards_in_force
from services.planning.queries.plans import visible
from services.planning.tables import GoalRow, PlanRow, StandingRow


async def load_chain(session: AsyncSession, scope: Scope, today: date) -> Chain:
    """Return the plans that stand, each with whether the caller may see it, their goals, and the standards in force."""
    columns = (PlanRow.id, PlanRow.code, PlanRow.kind, PlanRow.parent, PlanRow.period_from, PlanRow.period_to)
    seen = case((visible(scope), True), else_=False).label("seen")
    sql = select(*columns, PlanRow.approved_by, seen).where(PlanRow.school == scope.school, PlanRow.current).order_by(PlanRow.code)
    plans = {
        row.id: LintedPlan(
            row.code, row.kind, row.parent, row.period_from, row.period_to, row.approved_by is not None, bool(row.seen)
        )
        for row in await session.execute(sql)
    }
    goals = (
        select(
            GoalRow.goal,
            GoalRow.plan,
            GoalRow.content,
            GoalRow.live,
            GoalRow.metric,
            GoalRow.level,
            GoalRow.window,
            GoalRow.subject,
            StandingRow.state,
        )
        .outerjoin(StandingRow, StandingRow.goal == GoalRow.goal)
        .where(GoalRow.school == scope.school, GoalRow.current)
        .order_by(GoalRow.plan_code, GoalRow.code)
    )
    found = []
    for id_, plan, content, live, metric, level, window, subject, state in await session.execute(goals):
        key = (metric, level, window, subject) if metric is not None else None
        found.append(LintedGoal(id_, plans[plan], kept(content), live, key, state))
    standards = await standards_in_force(session, scope.school, today)
    return Chain(today, list(plans.values()), found, standards, floors_of(standards), children_of(found))
