"""A plan's way through review into force: submit, comment, return, approve, publish, close."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from uuid import UUID

from sqlalchemy import update

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Fault, Forbidden, Invalid
from libs.common.events.planning import PlanPublished
from services.planning import queries
from services.planning.commands import attaining
from services.planning.commands.goals import circle, floor_faults, periods_of, read, resolve
from services.planning.commands.origins import period_origin_faults
from services.planning.commands.plans import note_plan, writable
from services.planning.commands.spiral import note_plan_in_force
from services.planning.domain.goals import Goal
from services.planning.domain.plans import PlanStatus, PlanStep, leads_back, next_status, period_faults, weight_fault
from services.planning.domain.smart import Finding, doubtful, failing
from services.planning.tables import GoalRow, LinkRow, PlanRow


async def submit_plan(tx: Transaction, scope: Scope, by: str, code: str) -> PlanRow:
    """Hand a draft in for review. Raises Conflict for what is no draft."""
    plan = await writable(tx, scope, by, code)
    plan.status, plan.submitted_by = next_status(PlanStatus(plan.status), PlanStep.SUBMIT), by
    note_plan(tx, plan, "submitted", by)
    return plan


async def comment_plan(tx: Transaction, scope: Scope, by: str, code: str, text: str) -> PlanRow:
    """Say something about a plan's newest version; its state stays."""
    plan = await queries.lock_newest(tx.session, scope, code)
    note_plan(tx, plan, "commented", by, text=text)
    return plan


async def return_plan(tx: Transaction, scope: Scope, by: str, code: str, reason: str) -> PlanRow:
    """Send a plan back to its writer, with a reason. Raises Forbidden as `approve_plan`."""
    plan = await _judged(tx, scope, by, code)
    plan.status = next_status(PlanStatus(plan.status), PlanStep.RETURN)
    plan.approved_by = None
    note_plan(tx, plan, "returned", by, reason=reason)
    return plan


async def approve_plan(tx: Transaction, scope: Scope, by: str, code: str, reason: str | None) -> PlanRow:
    """Approve what is under review. Raises Forbidden for who wrote, submitted or answers for it: nobody approves their own."""
    plan = await _judged(tx, scope, by, code)
    plan.status, plan.approved_by = next_status(PlanStatus(plan.status), PlanStep.APPROVE), by
    note_plan(tx, plan, "approved", by, **({} if reason is None else {"reason": reason}))
    return plan


async def _judged(tx: Transaction, scope: Scope, by: str, code: str) -> PlanRow:
    plan = await queries.lock_newest(tx.session, scope, code)
    theirs = {plan.submitted_by, plan.owner, plan.subject, *await queries.writers_of(tx.session, plan)}
    if by in theirs or by in await _holding(tx, plan):
        raise Forbidden("nobody judges their own plan: it takes somebody who neither wrote nor answers for it")
    return plan


async def _holding(tx: Transaction, plan: PlanRow) -> list[str]:
    """Who holds the post that answers for a plan."""
    if plan.owner_post is None:
        return []
    today = await queries.today_in(tx.session, plan.school, tx.now)
    places = await queries.places_for(tx.session, plan.school, [plan], today)
    return await queries.holders_of(tx.session, plan.school, plan.owner_post, places[plan.id], today)


async def close_plan(tx: Transaction, scope: Scope, by: str, code: str) -> PlanRow:
    """End a published plan; its goals stay where they are in the chain, with what they came to."""
    plan = await writable(tx, scope, by, code)
    plan.status = next_status(PlanStatus(plan.status), PlanStep.CLOSE)
    note_plan(tx, plan, "closed", by)
    await attaining.freeze(tx, plan.id)
    return plan


# --- publication ----------------------------------------------------------------------------------------------------------


async def publish_plan(tx: Transaction, scope: Scope, by: str, code: str) -> tuple[PlanRow, list[Finding]]:
    """Put an approved plan in force in the place of its version before. Returns it, and what looks out of reach.

    Raises Conflict for what is not approved; Invalid where a goal is not SMART, is past a floor, or does not fit with the rest.
    """
    plan = await writable(tx, scope, by, code)
    after = next_status(PlanStatus(plan.status), PlanStep.PUBLISH)
    rows = await queries.goals_of(tx.session, plan.id)
    goals = {row.goal: read(row) for row in rows}
    faults = [
        *await _plan_faults(tx, plan),
        *await period_origin_faults(tx, plan),
        *await _goal_faults(tx, plan, rows, goals),
        *await _chain_faults(tx, plan, goals),
    ]
    if faults:
        raise Invalid("the plan cannot be published like this", faults)
    doubts = [each for row in rows for each in doubtful(goals[row.goal], await _history(tx, row))]
    plan.status, plan.published_on = after, await queries.today_in(tx.session, plan.school, tx.now)
    note_plan(tx, plan, "published", by, doubts=[f"{each.goal}: {each.detail}" for each in doubts])
    await _put_in_force(tx, plan, rows)
    await note_plan_in_force(tx, plan)
    said = {name: getattr(plan, name) for name in PlanPublished.model_fields if name not in {"plan", "goals"}}
    tx.publish(PlanPublished(plan=plan.code, goals=len(rows), **said))
    return plan, doubts


async def _plan_faults(tx: Transaction, plan: PlanRow) -> list[Fault]:
    """What has changed around the plan since it was written."""
    faults = []
    parent = None if plan.parent is None else await queries.find_current(tx.session, plan.school, plan.parent)
    if parent is not None and not parent.live:
        faults.append(Fault(pointer="/parent", detail=f"the plan {parent.code} above it is not published yet"))
    if leads_back(plan.code, plan.parent, await queries.plan_parents(tx.session, plan.school)):
        faults.append(Fault(pointer="/parent", detail="the plan would lie below itself"))
    above = None if parent is None else periods_of(parent)
    return faults + period_faults(periods_of(plan), above, await queries.periods_below(tx.session, plan.school, plan.code))


async def _goal_faults(tx: Transaction, plan: PlanRow, rows: Sequence[GoalRow], goals: dict[UUID, Goal]) -> list[Fault]:
    """SMART, what measures it, and the floors, goal by goal."""
    floors = await queries.floors_in_force(tx.session, plan.school, await queries.today_in(tx.session, plan.school, tx.now))
    faults = []
    for row in rows:
        goal = goals[row.goal]
        faults += [
            Fault(pointer=each.pointer, detail=f"{each.letter}: {each.detail}")
            for each in failing(goal, periods_of(plan), root=plan.parent is None)
        ]
        measured_by, wrong = await resolve(tx, plan, goal)
        if not wrong:
            for name, value in measured_by.items():
                setattr(row, name, value)
        for fault in (*wrong, *floor_faults(goal, measured_by, floors)):
            faults.append(Fault(pointer=f"/goals/{goal.code}{fault['pointer']}", detail=fault["detail"]))
    return faults


async def _chain_faults(tx: Transaction, plan: PlanRow, goals: dict[UUID, Goal]) -> list[Fault]:
    """Parents in force, no circle, and weights that add up."""
    faults = []
    above = {parent.goal for goal in goals.values() for parent in goal.parents} - set(goals)
    # What this version of the plan no longer has is live in the version before, but only until this one stands.
    live = {id_: row for id_, row in (await queries.live_of(tx.session, above)).items() if row.plan_code != plan.code}
    for goal in goals.values():
        for n, parent in enumerate(goal.parents):
            if parent.goal not in goals and parent.goal not in live:
                detail = "R: the goal that it serves is not in force"
                faults.append(Fault(pointer=f"/goals/{goal.code}/parents/{n}/goal", detail=detail))
    edges = await queries.edges_above(tx.session, list(goals), plan)
    if circle(edges):
        faults.append(Fault(pointer="/goals", detail="links between goals form a circle"))
    return faults + await _weight_faults(tx, plan, goals, live)


async def _weight_faults(tx: Transaction, plan: PlanRow, goals: dict[UUID, Goal], live: dict[UUID, GoalRow]) -> list[Fault]:
    """Under a weighted goal weights are 1 together where all goals below it are this plan's, and at most 1 where other plans' are there.

    What other plans lack is not this one's fault: the lint says it.
    """
    weighted = {id_: goal.code for id_, goal in goals.items() if goal.roll_up == "weighted"}
    weighted |= {id_: row.code for id_, row in live.items() if row.roll_up == "weighted"}
    own: dict[UUID, list[Fraction | None]] = {id_: [] for id_ in weighted}
    others: dict[UUID, list[Fraction | None]] = {id_: [] for id_ in weighted}
    for link in await queries.live_links_to(tx.session, list(weighted)):
        if link.goal not in goals and not await _is_of(tx, link, plan):
            others[link.parent].append(Fraction(link.weight or 0))
    for goal in goals.values():
        for parent in goal.parents:
            if parent.goal in weighted:
                own[parent.goal].append(None if parent.weight is None else Fraction(parent.weight))
    faults = []
    for id_, found in own.items():
        wrong = weight_fault([*found, *others[id_]], whole=id_ in goals and not others[id_]) if found else None
        if wrong is not None:
            faults.append(Fault(pointer=f"/goals/{weighted[id_]}/roll_up", detail=wrong))
    return faults


async def _is_of(tx: Transaction, link: LinkRow, plan: PlanRow) -> bool:
    """Whether a link is of a version of the plan that is being replaced."""
    owner = await tx.session.get(PlanRow, link.plan)
    return owner is not None and owner.code == plan.code


async def _history(tx: Transaction, row: GoalRow) -> list[tuple[date, Fraction]]:
    keys = queries.keys_of([row])
    return [(each.start, each.value) for key in keys for each in await queries.history_of_measure(tx.session, row.school, key)]


async def _put_in_force(tx: Transaction, plan: PlanRow, rows: Sequence[GoalRow]) -> None:
    """The version before steps back with its goals and links, this one comes; then see how far all of them are."""
    served: set[UUID] = set()
    before = await queries.find_current(tx.session, plan.school, plan.code)
    if before is not None and before.id != plan.id:
        old = {row.goal for row in await queries.goals_of(tx.session, before.id)}
        served = {link.parent for link in await queries.links_of(tx.session, before.id)}
        before.status = PlanStatus.REPLACED
        await _flag(tx, before, live=False)
        await attaining.forget_standings(tx, old - {row.goal for row in rows})
    await _flag(tx, plan, live=True)
    await attaining.follow(tx, rows)
    await attaining.reassess(tx, {row.goal for row in rows} | served)


async def _flag(tx: Transaction, plan: PlanRow, *, live: bool) -> None:
    plan.live = plan.current = live
    await tx.session.flush()
    for table in (GoalRow, LinkRow):
        await tx.session.execute(update(table).where(table.plan == plan.id).values(live=live, current=live))
