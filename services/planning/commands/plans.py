"""Write plans: a first draft, its changes, the next version; keep where each lies."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid
from libs.common.events.origin import FIRST, Origin
from services.planning import queries
from services.planning.commands.goals import copy_goals, must_be_draft
from services.planning.commands.origins import check_origin
from services.planning.domain.plans import PERSONAL, Plan, PlanStatus, leads_back, period_faults
from services.planning.queries import plan_id
from services.planning.tables import PlanHistoryRow, PlanPlaceRow, PlanRow

WRITTEN = tuple(Plan.model_fields)


def note_plan(tx: Transaction, plan: PlanRow, step: str, by: str | None, **what: Any) -> None:
    """Write a line of a plan's history; `by` None: nobody, it follows from set-up and roster."""
    tx.session.add(PlanHistoryRow(plan=plan.id, step=step, at=tx.now, by=by, what=what))


async def define_plan(tx: Transaction, scope: Scope, by: str, code: str, plan: Plan) -> tuple[PlanRow, bool]:
    """Write a plan's first version as a draft; what its newest version says already gives that one. Returns it and whether it is new.

    Raises Forbidden where the caller's posts do not reach the plan, Conflict where there is one of that code that says otherwise,
    Invalid for periods and parents that do not fit.
    """
    if (there := await queries.find_newest(tx.session, scope.school, code)) is not None:
        await check_reach(tx, scope, by, there)
        if written(there) == plan:
            return there, False
        raise Conflict(f"there is a plan {code} already: change its draft, or make a new version of it")
    await _check(tx, scope, code, plan)
    row = PlanRow(
        **{name: getattr(plan, name) for name in WRITTEN if name != "swot"},
        swot=_swot(plan),
        id=plan_id(scope.school, code, 1),
        school=scope.school,
        code=code,
        version=1,
        status=PlanStatus.DRAFT,
        current=True,
        live=False,
        origin=FIRST,
        created_at=tx.now,
        created_by=by,
        submitted_by=None,
        approved_by=None,
        published_on=None,
    )
    await check_reach(tx, scope, by, row)
    tx.session.add(row)
    await tx.session.flush()
    await put_places(tx, row)
    note_plan(tx, row, "written", by)
    return row, True


def written(row: PlanRow) -> Plan:
    """What people wrote of a plan."""
    return Plan.model_validate({name: getattr(row, name) for name in WRITTEN})


async def change_plan(tx: Transaction, scope: Scope, by: str, code: str, plan: Plan) -> PlanRow:
    """Replace what a draft says. Raises NotFound, Conflict for what is no draft, Forbidden and Invalid as `define_plan`."""
    row = await writable(tx, scope, by, code)
    must_be_draft(row)
    await _check(tx, scope, code, plan)
    before = written(row)
    for name in WRITTEN:
        setattr(row, name, _swot(plan) if name == "swot" else getattr(plan, name))
    await check_reach(tx, scope, by, row)
    changed = sorted(name for name in WRITTEN if getattr(before, name) != getattr(plan, name))
    if changed:
        note_plan(tx, row, "changed", by, fields=changed)
    await put_places(tx, row)
    return row


async def next_version(tx: Transaction, scope: Scope, by: str, code: str, origin: Origin, *, excepted: bool) -> PlanRow:
    """Make a draft of what is published or closed, goals and all; that stands until the draft is published.

    Raises NotFound, Forbidden as `define_plan`, Conflict where a version is being worked on already, and as `check_origin`.
    """
    source = await writable(tx, scope, by, code)
    if source.status not in {PlanStatus.PUBLISHED, PlanStatus.CLOSED}:
        raise Conflict(f"version {source.version} of the plan is {source.status}: a new version is made of what is published")
    await check_origin(tx, source, origin, excepted=excepted)
    number = source.version + 1
    said = {name: getattr(source, name) for name in WRITTEN}
    draft = PlanRow(
        **said,
        id=plan_id(scope.school, code, number),
        school=scope.school,
        code=code,
        version=number,
        status=PlanStatus.DRAFT,
        current=False,
        live=False,
        origin=origin.document(),
        created_at=tx.now,
        created_by=by,
        submitted_by=None,
        approved_by=None,
        published_on=None,
    )
    tx.session.add(draft)
    await tx.session.flush()
    await put_places(tx, draft)
    await copy_goals(tx, source, draft)
    note_plan(tx, draft, "written", by, version=source.version, origin=draft.origin)
    return draft


async def writable(tx: Transaction, scope: Scope, by: str, code: str) -> PlanRow:
    """Return a plan's newest version, its school locked. Raises NotFound where the scope does not reach it, Forbidden as `check_reach`."""
    row = await queries.lock_newest(tx.session, scope, code)
    check_writer(scope, by, row)
    return row


def check_writer(scope: Scope, by: str, plan: PlanRow) -> None:
    """Raises Forbidden where somebody would write the plan of another person; who governs the whole school may."""
    if plan.kind == PERSONAL and plan.subject != by and scope.places is not None:
        raise Forbidden("a personal plan is written by the person whom it is about")


async def check_reach(tx: Transaction, scope: Scope, by: str, plan: PlanRow) -> None:
    """Raises Forbidden where the caller's posts do not reach a plan, or it is another person's."""
    places = await queries.places_for(tx.session, scope.school, [plan], await queries.today_in(tx.session, scope.school, tx.now))
    if not scope.covers(places[plan.id]):
        raise Forbidden("your posts do not reach such a plan")
    check_writer(scope, by, plan)


async def _check(tx: Transaction, scope: Scope, code: str, plan: Plan) -> None:
    faults = []
    parent = None
    if plan.parent is not None:
        parent = await queries.find_plan(tx.session, scope, plan.parent)
        if parent is None:
            faults.append(Fault(pointer="/parent", detail=f"there is no plan {plan.parent}"))
        elif leads_back(code, plan.parent, await queries.plan_parents(tx.session, scope.school)):
            faults.append(Fault(pointer="/parent", detail="the plan would lie below itself: parents form no circle"))
    above = None if parent is None else (parent.period_from, parent.period_to)
    below = await queries.periods_below(tx.session, scope.school, code)
    faults += period_faults((plan.period_from, plan.period_to), above, below)
    if faults:
        raise Invalid("the plan cannot stand like this", faults)


async def put_places(tx: Transaction, plan: PlanRow) -> None:
    """Write down where a plan lies by what it says now."""
    places = await queries.places_for(tx.session, plan.school, [plan], await queries.today_in(tx.session, plan.school, tx.now))
    await tx.session.execute(delete(PlanPlaceRow).where(PlanPlaceRow.plan == plan.id))
    tx.session.add_all(PlanPlaceRow(plan=plan.id, place=place) for place in sorted(places[plan.id]))
    await tx.session.flush()


async def place_again(tx: Transaction) -> None:
    """After a roster, and each day: who moved takes their plan along."""
    await queries.lock_school(tx.session, tx.school)
    plans = await queries.list_placed(tx.session, tx.school)
    wanted = await queries.places_for(tx.session, tx.school, plans, await queries.today_in(tx.session, tx.school, tx.now))
    there = await queries.all_places(tx.session, tx.school)
    for plan in plans:
        if wanted[plan.id] != there.get(plan.id, set()):
            await tx.session.execute(delete(PlanPlaceRow).where(PlanPlaceRow.plan == plan.id))
            tx.session.add_all(PlanPlaceRow(plan=plan.id, place=place) for place in sorted(wanted[plan.id]))


def _swot(plan: Plan) -> list[dict[str, Any]]:
    return [item.model_dump(mode="json") for item in plan.swot]
