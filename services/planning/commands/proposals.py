"""Keep what people propose to change, and decide it in a diagnosis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid5

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid
from libs.common.event import NAMESPACE
from services.planning import queries
from services.planning.domain.objects import NEAREST
from services.planning.domain.proposals import OF_GOALS, OF_INDICATORS, Change, Decision, ProposalStatus, said
from services.planning.domain.tasks import DONE
from services.planning.queries import cycles
from services.planning.queries import proposals as proposed
from services.planning.queries import tasks as find_tasks
from services.planning.tables import CycleRow, ProposalPlaceRow, ProposalRow


async def propose(tx: Transaction, scope: Scope, by: str, improvement: UUID, change: Change) -> ProposalRow:
    """Keep a change that an improvement asks for, for the next diagnosis of the object nearest to it that has cycles.

    The same change of the same improvement again is the one that is there. Raises NotFound, Conflict for an improvement that is closed,
    Invalid for what there is not.
    """
    row = await queries.get_improvement(tx.session, scope, improvement)
    if row.closed_at is not None:
        raise Conflict("the improvement is closed: what is to change now is a matter of the diagnosis")
    await _check(tx, scope, change)
    places = (await queries.places_of(tx.session, [improvement]))[improvement]
    place, around = await _nearest(tx, scope.school, places)
    return await _keep(tx, scope.school, by, change, place, {*places, *around}, improvement=improvement)


async def propose_of_task(tx: Transaction, scope: Scope, by: str, task: UUID, change: Change) -> ProposalRow:
    """As `propose`, for an annual task: whoever has it does not move what it is measured by. Raises Conflict once it is over."""
    row = await find_tasks.get_task(tx.session, scope, task)
    if row.status in DONE:
        raise Conflict("the task is over: what is to change now is a matter of the diagnosis")
    await _check(tx, scope, change)
    places = await find_tasks.places_of_task(tx.session, scope.school, row.unit, [row.owner] if row.owner else [])
    near = {each for each in places if row.unit is None or each.partition(":")[0] in {"unit", "school"}}
    place, around = await _nearest(tx, scope.school, near)
    return await _keep(tx, scope.school, by, change, place, {*places, *around}, task=task)


async def _nearest(tx: Transaction, school: str, places: Iterable[str]) -> tuple[str, Sequence[str]]:
    """The own place of the nearest object with an open cycle among these places, the school where there is none; and where that object
    lies, for who diagnoses it has to see what waits there.
    """
    open_ = await cycles.open_at(tx.session, school, list(places))
    near = min(open_, key=lambda each: NEAREST.index(each.level), default=None)
    if near is None:
        return f"school:{school}", []
    return near.place, await proposed.cycle_places(tx.session, near.id)


async def propose_in_diagnosis(tx: Transaction, scope: Scope, by: str, cycle: CycleRow, changes: Iterable[Change]) -> None:
    """Keep what a diagnosis asks for. Raises Invalid for what there is not, with its place in the list."""
    for n, change in enumerate(changes):
        await _check(tx, scope, change, f"/proposals/{n}")
        places = await proposed.cycle_places(tx.session, cycle.id)
        await _keep(tx, cycle.school, by, change, cycle.place, places, cycle=cycle.id)


async def _keep(
    tx: Transaction,
    school: str,
    by: str,
    change: Change,
    place: str,
    places: Iterable[str],
    *,
    improvement: UUID | None = None,
    task: UUID | None = None,
    cycle: UUID | None = None,
) -> ProposalRow:
    new = said(change.new)
    id_ = uuid5(NAMESPACE, f"{school}|proposal|{improvement or task or cycle}|{change.kind}|{change.of}|{new}")
    if (there := await tx.session.get(ProposalRow, id_)) is not None:
        return there
    row = ProposalRow(
        id=id_,
        school=school,
        kind=change.kind,
        of=change.of,
        old=None if change.old is None else said(change.old),
        new=new,
        why=change.why,
        place=place,
        improvement=improvement,
        task=task,
        cycle=cycle,
        by=by,
        at=tx.now,
        status=ProposalStatus.QUEUED,
        decided_by=None,
        decided_at=None,
        reason=None,
    )
    tx.session.add(row)
    await tx.session.flush()
    tx.session.add_all(ProposalPlaceRow(proposal=id_, place=each) for each in sorted({place, *places}))
    await tx.session.flush()
    return row


async def _check(tx: Transaction, scope: Scope, change: Change, where: str = "") -> None:
    """Raises Invalid where nothing of that kind has that code or id."""
    school = scope.school
    if change.kind in OF_INDICATORS and await queries.find_indicator(tx.session, school, change.of) is not None:
        return
    if change.kind in OF_GOALS and await _is_goal(tx, school, change.of):
        return
    if change.kind == "standard" and await proposed.has_standard(tx.session, school, change.of):
        return
    raise Invalid(
        "there is nothing of that kind", [Fault(pointer=f"{where}/of", detail=f"no {change.kind} in force is of {change.of!r}")]
    )


async def _is_goal(tx: Transaction, school: str, of: str) -> bool:
    try:
        goal = UUID(of)
    except ValueError:
        return False
    found = (await queries.live_of(tx.session, [goal])).get(goal)
    return found is not None and found.school == school


async def decide(
    tx: Transaction, scope: Scope, by: str, cycle: UUID, proposal: UUID, decision: Decision, reason: str
) -> ProposalRow:
    """Accept or reject a proposal in the diagnosis of a cycle of its object. What is accepted is the ground for a new version.

    Raises NotFound, Conflict without a diagnosis or where it is decided, Forbidden for who proposed it.
    """
    row = await cycles.get_cycle(tx.session, scope, cycle, lock=True)
    found = await proposed.get_proposal(tx.session, scope, proposal, lock=True)
    if found.place != row.place:
        raise Conflict("the proposal waits for the diagnosis of another object")
    if row.diagnosed_by is None or row.approved_by is not None:
        raise Conflict("proposals are decided in a diagnosis that is written and not yet approved")
    if found.status != ProposalStatus.QUEUED:
        raise Conflict(f"the proposal is {found.status} already")
    if by == found.by:
        raise Forbidden("nobody decides what they proposed: it takes a second person")
    found.status = ProposalStatus.ACCEPTED if decision == "accept" else ProposalStatus.REJECTED
    found.cycle, found.decided_by, found.decided_at, found.reason = row.id, by, tx.now, reason
    return found
