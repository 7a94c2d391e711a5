"""What people do with improvements: start, submit, verify, return; one, or many of one indicator and owner at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid
from libs.common.events.planning import ImprovementReturned, ImprovementStarted, ImprovementSubmitted, ImprovementVerified
from libs.common.events.setup import Fact
from services.planning import queries
from services.planning.commands.opening import close
from services.planning.commands.people import note
from services.planning.commands.spiral import note_facts
from services.planning.domain.states import Status, Step, next_state
from services.planning.tables import ImprovementRow

CURVE_IS_ENOUGH = frozenset({"blue", "yellow"})


async def start_improvements(
    tx: Transaction,
    scope: Scope,
    by: str,
    ids: Sequence[UUID],
    *,
    measures: Sequence[str] | None,
    goal: str | None,
    deadline: date | None,
) -> Sequence[ImprovementRow]:
    """Accept the plan; what is None is as proposed: the school's measures, the clear line, the due date."""
    settings = await queries.settings_of(tx.session, scope.school)
    rows = await _take(tx, scope, ids)
    for row in rows:
        row.status = _after(row, rows, Step.START)
        row.measures = list(measures if measures is not None else settings.measures[row.level])  # type: ignore[index]  # a level
        row.goal = goal if goal is not None else row.goal_proposed
        row.deadline = deadline or row.due_on
        note(tx, row, "started", by, measures=row.measures, goal=row.goal, deadline=row.deadline.isoformat())
        tx.publish(
            ImprovementStarted(
                improvement=row.id, warning=row.warning, by=by, measures=row.measures, goal=row.goal, deadline=row.deadline
            )
        )
    await _note(tx, rows, "improvement_started")
    return rows


async def submit_improvements(
    tx: Transaction, scope: Scope, by: str, ids: Sequence[UUID], *, done: str, evidence: Sequence[str]
) -> Sequence[ImprovementRow]:
    """Say what was done. The curve is evidence by itself; an orange or red one needs more. Raises Invalid where it lacks."""
    rows = await _take(tx, scope, ids)
    for row in rows:
        row.status = _after(row, rows, Step.SUBMIT)
        if not evidence and row.severity not in CURVE_IS_ENOUGH:
            raise Invalid(
                f"a {row.severity} warning needs evidence of what was done",
                [Fault(pointer="/evidence", detail=f"the curve alone is enough for blue and yellow, not for {row.severity}")],
            )
        row.done, row.evidence, row.submitted_by = done, [*evidence, row.curve], by
        note(tx, row, "submitted", by, done=done, evidence=row.evidence)
        tx.publish(ImprovementSubmitted(improvement=row.id, warning=row.warning, by=by, done=done, evidence=row.evidence))
    return rows


async def verify_improvements(
    tx: Transaction, scope: Scope, by: str, ids: Sequence[UUID], *, reason: str | None
) -> Sequence[ImprovementRow]:
    """Confirm what was submitted; it closes at once where the warning is cleared or a reason says why not to wait.

    Raises Forbidden for the submitter, Invalid without a reason while the warning is not cleared.
    """
    rows = await _take(tx, scope, ids)
    for row in rows:
        after = _after(row, rows, Step.VERIFY, excused=reason is not None)
        _not_the_submitter(row, by)
        if reason is None and not row.cleared:
            raise Invalid(
                "the warning is not cleared: say why the work is good all the same",
                [Fault(pointer="/reason", detail="required while the data has not cleared the warning")],
            )
        row.status, row.verified_by = Status.VERIFIED, by
        note(tx, row, "verified", by, **({} if reason is None else {"reason": reason}))
        tx.publish(ImprovementVerified(improvement=row.id, warning=row.warning, by=by, reason=reason))
        if after is Status.CLOSED:
            close(tx, row, "verified", by)
    await _note(tx, rows, "improvement_verified")
    return rows


async def return_improvements(
    tx: Transaction, scope: Scope, by: str, ids: Sequence[UUID], *, reason: str
) -> Sequence[ImprovementRow]:
    """Send back what was submitted, with a reason. Raises Forbidden for the submitter."""
    rows = await _take(tx, scope, ids)
    for row in rows:
        row.status = _after(row, rows, Step.RETURN)
        _not_the_submitter(row, by)
        note(tx, row, "returned", by, reason=reason)
        tx.publish(ImprovementReturned(improvement=row.id, warning=row.warning, by=by, reason=reason))
    return rows


async def _note(tx: Transaction, rows: Sequence[ImprovementRow], fact: Fact) -> None:
    """Let the cycles in which these improvements are loops know."""
    lies = await queries.places_of(tx.session, [row.id for row in rows])
    await note_facts(tx, {place for here in lies.values() for place in here}, fact)


async def _take(tx: Transaction, scope: Scope, ids: Sequence[UUID]) -> Sequence[ImprovementRow]:
    """Load and lock them. Raises Invalid unless they are different ones of one indicator and owner."""
    if len(set(ids)) < len(ids):
        raise Invalid("each improvement is named once", [Fault(pointer="/ids", detail="one stands twice")])
    rows = await queries.lock_improvements(tx.session, scope, ids)
    if len({(row.indicator, row.owner) for row in rows}) > 1:
        raise Invalid(
            "one call takes improvements of one indicator and owner",
            [Fault(pointer="/ids", detail="of several indicators or owners")],
        )
    return rows


def _after(row: ImprovementRow, rows: Sequence[ImprovementRow], step: Step, *, excused: bool = False) -> Status:
    try:
        return next_state(Status(row.status), step, cleared=row.cleared, excused=excused)
    except Conflict as error:
        raise Conflict(error.detail if len(rows) == 1 else f"{row.id}: {error.detail}; nothing was changed") from error


def _not_the_submitter(row: ImprovementRow, by: str) -> None:
    if row.submitted_by == by:
        raise Forbidden("who submitted an improvement cannot judge it: a verifier is never the submitter")
