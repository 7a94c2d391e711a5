"""Endpoints of goals: write them into a draft, say what is delivered, read them and their tree."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from libs.common.errors import Conflict, Fault, Invalid
from libs.common.http import Caller, Cursor, Limit, Now, Page, Read, Tx, exact, from_cursor, page, to_cursor
from services.planning import queries
from services.planning.api.plans import MayRead, MayWrite, PlanCode, Version
from services.planning.commands import attaining, goals, plans
from services.planning.domain.plans import PlanStatus
from services.planning.schemas.plans import (
    ChangedGoalBody,
    DeliverBody,
    GoalBody,
    GoalDetail,
    GoalView,
    TreeView,
    below_view,
    child_view,
    goal_detail,
    goal_view,
)

router = APIRouter(tags=["goals"])
Why = Annotated[str | None, Query(min_length=1, max_length=4000)]


@router.post("/plans/{code}/goals", status_code=201, response_model=GoalView)
async def add_goal(code: PlanCode, body: GoalBody, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Add a goal to a plan's draft. 422 for unknown measures and parents, a circle, a day outside its period, or a target past a floor."""
    plan = await plans.writable(tx, scope, caller.id, code)
    row = await goals.write_goal(tx, scope, caller.id, plan, body.goal, body.why, new=True)
    return exact(goal_view(row, {}, (set(), {})), 201)


@router.get("/plans/{code}/goals", response_model=Page[GoalView])
async def list_goals(
    code: PlanCode, session: Read, scope: MayRead, now: Now, version: Version = None, limit: Limit = 100, cursor: Cursor = None
) -> Response:
    """List the goals of a version of a plan by code, each with how far it is."""
    plan = await queries.get_plan(session, scope, code, version)
    after = from_cursor(cursor, str)
    rows = await queries.page_of_goals(session, plan.id, after=after[0] if after else None, limit=limit)
    ids = [row.goal for row in rows]
    standings = await queries.standings_of(session, ids)
    troubles = await queries.troubles_of(session, ids, await queries.today_in(session, scope.school, now))
    return exact(page(rows, limit, lambda row: goal_view(row, standings, troubles), lambda row: (row.code,)))


@router.get("/goals/{goal}", response_model=GoalDetail)
async def read_goal(goal: UUID, session: Read, scope: MayRead, now: Now, version: Version = None) -> Response:
    """Read a goal with its changes: as it stands, or in a version of its plan. 404 where there is none that the caller may see."""
    row, _ = await queries.get_goal(session, scope, goal, version)
    standings = await queries.standings_of(session, [goal])
    troubles = await queries.troubles_of(session, [goal], await queries.today_in(session, scope.school, now))
    delivered = (await queries.newest_deliveries(session, [goal])).get(goal)
    history = await queries.goal_history(session, scope, row)
    return exact(goal_detail(row, standings, troubles, delivered, history))


@router.put("/goals/{goal}", response_model=GoalView)
async def change_goal(goal: UUID, body: ChangedGoalBody, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Replace a goal in its plan's draft. 409 where the plan is published or under review: make a new version of it."""
    there, _ = await queries.get_goal(tx.session, scope, goal)
    plan = await plans.writable(tx, scope, caller.id, there.plan_code)
    if body.goal.code != there.code:
        raise Invalid("a goal keeps its code", [Fault(pointer="/goal/code", detail=f"it is {there.code}")])
    row = await goals.write_goal(tx, scope, caller.id, plan, body.goal, body.why, new=False)
    return exact(goal_view(row, {}, (set(), {})))


@router.delete("/goals/{goal}", status_code=204)
async def drop_goal(goal: UUID, tx: Tx, caller: Caller, scope: MayWrite, why: Why = None) -> None:
    """Take a goal out of its plan's draft."""
    there, _ = await queries.get_goal(tx.session, scope, goal)
    plan = await plans.writable(tx, scope, caller.id, there.plan_code)
    await goals.drop_goal(tx, caller.id, plan, goal, why)


@router.post("/goals/{goal}/deliver", response_model=GoalDetail)
async def deliver(goal: UUID, body: DeliverBody, tx: Tx, caller: Caller, scope: MayWrite) -> Response:
    """Say how many of a goal's deliverables there are by now. 409 where it has none, or is not in force."""
    row, plan = await queries.get_goal(tx.session, scope, goal)
    await plans.check_reach(tx, scope, caller.id, plan)
    if "deliverable" not in row.content or not row.live or plan.status == PlanStatus.CLOSED:
        raise Conflict("the goal is not in force, or is measured by data: nothing is delivered for it")
    await attaining.report_delivery(tx, row, caller.id, body.number, body.evidence)
    tx.session.expire_all()
    row, _ = await queries.get_goal(tx.session, scope, goal)
    standings = await queries.standings_of(tx.session, [goal])
    delivered = (await queries.newest_deliveries(tx.session, [goal])).get(goal)
    history = await queries.goal_history(tx.session, scope, row)
    return exact(goal_detail(row, standings, (set(), {}), delivered, history))


@router.get("/goals/{goal}/tree", response_model=TreeView)
async def read_tree(goal: UUID, session: Read, scope: MayRead, now: Now, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """Answer for a node of the goal tree: how far it is, what lies below it, and the goals right below it, page by page."""
    row, _ = await queries.get_goal(session, scope, goal)
    today = await queries.today_in(session, scope.school, now)
    found = await queries.below(session, scope.school, goal, today)
    after = from_cursor(cursor, str, str)
    children = await queries.children_of(session, scope, goal, after=after, limit=limit)
    shown = children[:limit]
    ids = [goal, *(child.goal for child, _, _ in shown)]
    standings, troubles = await queries.standings_of(session, ids), await queries.troubles_of(session, ids, today)
    view = TreeView(
        goal=goal_view(row, standings, troubles),
        below=below_view(found),
        children=[child_view(child, weight, standings, troubles) for child, _, weight in shown],
        next=to_cursor(shown[-1][1].code, shown[-1][0].code) if len(children) > limit else None,
    )
    return exact(view)
