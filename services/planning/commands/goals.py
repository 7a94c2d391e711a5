"""Write goals into a draft of a plan: each change is kept with what it said before, who, and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from graphlib import CycleError, TopologicalSorter
from typing import Any
from uuid import UUID

from sqlalchemy import delete

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Invalid, NotFound
from services.planning import queries
from services.planning.domain.floors import Bottom, past
from services.planning.domain.goals import Goal, Measure, document_of, kept
from services.planning.domain.guarantees import word_faults
from services.planning.domain.matrix import system_codes
from services.planning.domain.plans import PlanStatus
from services.planning.domain.smart import outside
from services.planning.queries import goal_id
from services.planning.tables import GoalHistoryRow, GoalRow, LinkRow, PlanRow

NO_MEASURE: dict[str, str | None] = {"indicator": None, "metric": None, "level": None, "window": None, "subject": None}


def must_be_draft(plan: PlanRow) -> None:
    """Raises Conflict for a plan that is under review, or stands."""
    if plan.status != PlanStatus.DRAFT:
        raise Conflict(
            f"version {plan.version} of the plan {plan.code} is {plan.status}: only a draft is edited; make a new version of what is published"
        )


async def write_goal(tx: Transaction, scope: Scope, by: str, plan: PlanRow, goal: Goal, why: str | None, *, new: bool) -> GoalRow:
    """Add a goal to a draft, or replace it there. The caller may write the plan, which `writable` gave.

    Raises Conflict for a code that is taken, or a plan that is no draft; NotFound for one that is not there; Invalid for unknown
    measures or parents, a circle, a target past a floor, or a day or year outside the plan's period.
    """
    must_be_draft(plan)
    id_ = goal_id(plan.school, plan.code, goal.code)
    there = await tx.session.get(GoalRow, (id_, plan.version), populate_existing=True)
    if new and there is not None:
        raise Conflict(f"the plan has a goal {goal.code} already")
    if not new and there is None:
        raise NotFound("there is no such goal in the draft")
    measured_by, faults = await resolve(tx, plan, goal)
    faults += floor_faults(
        goal,
        measured_by,
        await queries.floors_in_force(tx.session, plan.school, await queries.today_in(tx.session, plan.school, tx.now)),
    )
    faults += await _parent_faults(tx, scope, plan, id_, goal)
    systems = system_codes(await queries.setup_of(tx.session, plan.school))
    faults += word_faults([("/system", goal.system, systems)])
    faults += [Fault(pointer=f"/{field}", detail=detail) for field, detail in outside(goal, periods_of(plan))]
    if faults:
        named = [Fault(pointer=f"/goal{each['pointer']}", detail=each["detail"]) for each in faults]
        raise Invalid("the goal cannot stand like this", named)
    document = document_of(goal)
    note(tx, id_, plan.version, by, why, old=there and there.content, new=document)
    values = {"roll_up": goal.roll_up, "system": goal.system, **measured_by, "content": document}
    if there is None:
        there = GoalRow(goal=id_, version=plan.version, plan_code=plan.code, code=goal.code, **_as(plan), **values)
        tx.session.add(there)
    else:
        for name, value in values.items():
            setattr(there, name, value)
    await tx.session.flush()
    await _link(tx, plan, id_, goal)
    return there


async def drop_goal(tx: Transaction, by: str, plan: PlanRow, goal: UUID, why: str | None) -> None:
    """Take a goal out of a draft. Raises NotFound, Conflict for a plan that is no draft."""
    must_be_draft(plan)
    if (row := await tx.session.get(GoalRow, (goal, plan.version), populate_existing=True)) is None:
        raise NotFound("there is no such goal in the draft")
    note(tx, goal, plan.version, by, why, old=row.content, new=None)
    await tx.session.execute(delete(LinkRow).where(LinkRow.goal == goal, LinkRow.version == plan.version))
    await tx.session.delete(row)


def note(tx: Transaction, goal: UUID, version: int, by: str, why: str | None, *, old: Any, new: Any) -> None:
    """Keep a change; what stays as it is, is none."""
    if old != new:
        tx.session.add(GoalHistoryRow(goal=goal, version=version, at=tx.now, by=by, why=why, old=old, new=new))


async def copy_goals(tx: Transaction, source: PlanRow, draft: PlanRow) -> None:
    """Give a new version the goals and links of the one that it is made from."""
    rows = [{**fields(row), **_as(draft), "version": draft.version} for row in await queries.goals_of(tx.session, source.id)]
    links = [{**fields(row), **_as(draft), "version": draft.version} for row in await queries.links_of(tx.session, source.id)]
    tx.session.add_all(GoalRow(**row) for row in rows)
    tx.session.add_all(LinkRow(**row) for row in links)
    await tx.session.flush()


def fields(row: GoalRow | LinkRow) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}


def _as(plan: PlanRow) -> dict[str, Any]:
    return {"school": plan.school, "plan": plan.id, "current": plan.current, "live": plan.live}


async def _link(tx: Transaction, plan: PlanRow, id_: UUID, goal: Goal) -> None:
    await tx.session.execute(delete(LinkRow).where(LinkRow.goal == id_, LinkRow.version == plan.version))
    for parent in goal.parents:
        weight = None if parent.weight is None else f"{parent.weight:f}"
        tx.session.add(LinkRow(goal=id_, version=plan.version, parent=parent.goal, weight=weight, **_as(plan)))
    await tx.session.flush()


PERSONS = frozenset({"student", "teacher"})
"""Levels whose subjects are persons."""


# --- what measures it -----------------------------------------------------------------------------------------------------


async def resolve(tx: Transaction, plan: PlanRow, goal: Goal) -> tuple[dict[str, str | None], list[Fault]]:
    """Return the columns that say what measures a goal, and what is wrong with that."""
    measure = goal.measure
    if measure is None or not measure.of_data:
        return NO_MEASURE, []
    if measure.indicator is not None:
        indicator = await queries.find_indicator(tx.session, plan.school, measure.indicator)
        if indicator is None:
            detail = f"the school has no indicator {measure.indicator!r} in force"
            return NO_MEASURE, [Fault(pointer="/measure/indicator", detail=detail)]
        metric, level, window = indicator.metric, indicator.level, indicator.window
    else:
        known = await queries.find_metric(tx.session, plan.school, measure.metric or "")
        if known is None:
            return NO_MEASURE, [Fault(pointer="/measure/metric", detail=f"the school has no metric {measure.metric!r}")]
        metric, level, window = known.code, str(measure.level), str(measure.window)
    subject = _subject(plan, measure, level)
    if subject is None:
        detail = f"name the {level} that is measured: the plan is not about one"
        return NO_MEASURE, [Fault(pointer="/measure/subject", detail=detail)]
    if level in PERSONS and subject != plan.subject:
        detail = f"a {level} is measured by a plan of their own alone: others would read their numbers"
        return NO_MEASURE, [Fault(pointer="/measure/subject", detail=detail)]
    found = {"indicator": measure.indicator, "metric": metric, "level": level, "window": window, "subject": subject}
    return found, []


def _subject(plan: PlanRow, measure: Measure, level: str) -> str | None:
    if measure.subject is not None:
        return measure.subject
    if level == "school":
        return plan.school
    if level == plan.level and plan.subject is not None:
        return plan.subject
    return plan.unit if level in {"department", "programme"} else None


def floor_faults(goal: Goal, measured_by: dict[str, str | None], floors: dict[str, list[Bottom]]) -> list[Fault]:
    """What of a goal's targets is past a bottom line; each fault names the clause."""
    bottoms = floors.get(measured_by["metric"] or "", [])
    return [Fault(pointer=f"/{field}", detail=detail) for field, detail in past(goal.measure, bottoms)]


# --- what it serves -------------------------------------------------------------------------------------------------------


async def _parent_faults(tx: Transaction, scope: Scope, plan: PlanRow, id_: UUID, goal: Goal) -> list[Fault]:
    wanted = [parent.goal for parent in goal.parents]
    if not wanted:
        return []
    seen = await queries.which_visible(tx.session, scope, wanted)
    faults = [
        Fault(pointer=f"/parents/{n}/goal", detail="there is no such goal") for n, parent in enumerate(wanted) if parent not in seen
    ]
    edges = {edge for edge in await queries.edges_above(tx.session, wanted, plan) if edge[0] != id_}
    if circle(edges | {(id_, parent) for parent in wanted}):
        faults.append(Fault(pointer="/parents", detail="the goal would serve itself: links between goals form no circle"))
    return faults


def circle(edges: Collection[tuple[UUID, UUID]]) -> bool:
    """Whether links (goal, parent) lead back to where they begin."""
    graph: dict[UUID, list[UUID]] = {}
    for goal, parent in edges:
        graph.setdefault(goal, []).append(parent)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError:
        return True
    return False


# --- an indicator's next version ------------------------------------------------------------------------------------------


async def follow_indicator(tx: Transaction, code: str, metric: str, level: str, window: str) -> Sequence[GoalRow]:
    """Goals that an indicator measures follow its newest version; return the live ones that have changed.

    One whose plan does not say whom the indicator is about at its new level is measured by nothing until a version of the plan does.
    """
    await queries.lock_school(tx.session, tx.school)
    changed = []
    for row in await queries.goals_by_indicator(tx.session, tx.school, code):
        before = (row.metric, row.level, row.window)
        if before == (metric, level, window):
            continue
        if row.level == level:
            row.metric, row.window = metric, window
        else:
            await _follow_level(tx, row)
        if row.live and before != (row.metric, row.level, row.window):
            changed.append(row)
    await tx.session.flush()
    return changed


async def _follow_level(tx: Transaction, row: GoalRow) -> None:
    plan = await tx.session.get_one(PlanRow, row.plan)
    found, faults = await resolve(tx, plan, kept(row.content))
    for name in ("metric", "level", "window", "subject"):
        setattr(row, name, None if faults else found[name])


def periods_of(plan: PlanRow) -> tuple[date, date]:
    return plan.period_from, plan.period_to


def read(row: GoalRow) -> Goal:
    """What people wrote."""
    return kept(row.content)
