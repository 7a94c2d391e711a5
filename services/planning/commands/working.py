"""What people do with improvements: start, note progress, submit, verify, return; one, or many of one indicator and owner at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid
from libs.common.events.planning import (
    ImprovementProgressed,
    ImprovementReturned,
    ImprovementStarted,
    ImprovementSubmitted,
    ImprovementVerified,
)
from libs.common.events.setup import Fact
from services.planning import queries
from services.planning.commands.evidence import keep_evidence, listed
from services.planning.commands.inbox import Notice, tell
from services.planning.commands.opening import close
from services.planning.commands.people import note
from services.planning.commands.spiral import note_facts
from services.planning.commands.telling import notice
from services.planning.domain import wording
from services.planning.domain.settings import SchoolSettings
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
    """Accept the plan; what is None is as proposed: of a warning the school's measures, the clear line, the due date.

    Raises Invalid where a plan for what people found lacks measures, goal or deadline (digest §12 scenario 13), or ends past its date.
    """
    settings = await queries.settings_of(tx.session, scope.school)
    today = await queries.today_in(tx.session, scope.school, tx.now)
    rows = await _take(tx, scope, ids)
    for row in rows:
        row.status = _after(row, rows, Step.START)
        row.measures, row.goal, row.deadline = plan = _plan(row, settings, today, measures, goal, deadline)
        said = dict(zip(("measures", "goal", "deadline"), plan, strict=True))
        note(tx, row, "started", by, **{**said, "deadline": row.deadline.isoformat()})
        about = {} if row.indicator is None else {"indicator": row.indicator, "level": row.level, "subject": row.subject}
        tx.publish(ImprovementStarted(improvement=row.id, warning=row.warning, by=by, **said, **about))
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
            raise _lacks_evidence(row.severity)
        row.done, row.submitted_by = done, by
        row.evidence = [*evidence, *([] if row.curve is None else [row.curve])]
        note(tx, row, "submitted", by, done=done, evidence=row.evidence)
        tx.publish(ImprovementSubmitted(improvement=row.id, warning=row.warning, by=by, done=done, evidence=row.evidence))
    await keep_evidence(tx, "improvement", ids, by, listed(evidence))
    await _tell(tx, [notice(row.verifier, row.id, "submitted", wording.told_submitted(row.title), tx.cause) for row in rows])
    return rows


async def verify_improvements(
    tx: Transaction, scope: Scope, by: str, ids: Sequence[UUID], *, reason: str | None
) -> Sequence[ImprovementRow]:
    """Confirm what was submitted; it closes at once where no warning waits to be cleared, or a reason says why not to wait.

    Raises Forbidden for the submitter and the owner, Invalid without a reason while the warning is not cleared.
    """
    today = await queries.today_in(tx.session, scope.school, tx.now)
    rows = await _take(tx, scope, ids)
    for row in rows:
        after = _after(row, rows, Step.VERIFY, excused=reason is not None)
        _not_ones_own(row, by)
        if reason is None and not _waits_for_nothing(row):
            raise Invalid(
                "the warning is not cleared: say why the work is good all the same",
                [Fault(pointer="/reason", detail="required while the data has not cleared the warning")],
            )
        row.status, row.verified_by, row.verified_on = Status.VERIFIED, by, today
        note(tx, row, "verified", by, **({} if reason is None else {"reason": reason}))
        tx.publish(ImprovementVerified(improvement=row.id, warning=row.warning, by=by, reason=reason))
        if after is Status.CLOSED:
            close(tx, row, "verified", by)
    await _note(tx, rows, "improvement_verified")
    await _tell(tx, [notice(row.owner, row.id, "verified", wording.told_verified(row.title)) for row in rows])
    return rows


async def return_improvements(
    tx: Transaction, scope: Scope, by: str, ids: Sequence[UUID], *, reason: str
) -> Sequence[ImprovementRow]:
    """Send back what was submitted, with a reason. Raises Forbidden for the submitter and the owner."""
    rows = await _take(tx, scope, ids)
    for row in rows:
        row.status = _after(row, rows, Step.RETURN)
        _not_ones_own(row, by)
        note(tx, row, "returned", by, reason=reason)
        tx.publish(ImprovementReturned(improvement=row.id, warning=row.warning, by=by, reason=reason))
    await _tell(tx, [notice(row.owner, row.id, "returned", wording.told_returned(row.title, reason), tx.cause) for row in rows])
    return rows


async def _note(tx: Transaction, rows: Sequence[ImprovementRow], fact: Fact) -> None:
    """Let the cycles in which these improvements are loops know."""
    lies = await queries.places_of(tx.session, [row.id for row in rows])
    await note_facts(tx, {place for here in lies.values() for place in here}, fact)


async def note_progress(
    tx: Transaction, scope: Scope, by: str, improvement: UUID, *, text: str, evidence: Sequence[str]
) -> ImprovementRow:
    """Write down how far it is; its state stays. Raises Conflict once it is closed."""
    (row,) = await queries.lock_improvements(tx.session, scope, [improvement])
    if row.status == Status.CLOSED:
        raise Conflict("the improvement is closed: its log is too")
    await log_progress(tx, row, by, text, evidence)
    return row


async def log_progress(tx: Transaction, row: ImprovementRow, by: str, text: str, evidence: Sequence[str]) -> None:
    """Add an entry to the log of one that is not closed."""
    await keep_evidence(tx, "improvement", [row.id], by, listed(evidence))
    note(tx, row, "progress", by, text=text, evidence=list(evidence))
    tx.publish(ImprovementProgressed(improvement=row.id, warning=row.warning, by=by, text=text, evidence=list(evidence)))


def _plan(
    row: ImprovementRow,
    settings: SchoolSettings,
    today: date,
    measures: Sequence[str] | None,
    goal: str | None,
    deadline: date | None,
) -> tuple[list[str], str, date]:
    """The plan whole: what is said now, else what was written before, else of a warning what the school proposes.

    Raises Invalid where a part is missing, and for what people found also where it ends past a date that is still to come.
    """
    warned = row.warning is not None
    measures = measures or row.measures or (settings.measures[row.level] if warned else None)  # type: ignore[index]  # a level
    goal = goal or row.goal or row.goal_proposed
    deadline = deadline or row.deadline or (row.due_on if warned else None)
    if measures is None or goal is None or deadline is None:
        said = {"measures": measures, "goal": goal, "deadline": deadline}
        lacking = [Fault(pointer=f"/{name}", detail="required") for name, value in said.items() if value is None]
        raise Invalid("a plan has measures, a goal and a deadline", lacking)
    if not warned and deadline > row.due_on >= today:
        late = f"the problem is to be solved by {row.due_on.isoformat()}"
        raise Invalid("the plan ends too late", [Fault(pointer="/deadline", detail=late)])
    return list(measures), goal, deadline


def _lacks_evidence(severity: str | None) -> Invalid:
    if severity is None:
        return Invalid("what was done needs evidence", [Fault(pointer="/evidence", detail="required")])
    return Invalid(
        f"a {severity} warning needs evidence of what was done",
        [Fault(pointer="/evidence", detail=f"the curve alone is enough for blue and yellow, not for {severity}")],
    )


def _waits_for_nothing(row: ImprovementRow) -> bool:
    return row.cleared or row.warning is None


async def _tell(tx: Transaction, told: Sequence[Sequence[Notice]]) -> None:
    await tell(tx, [each for some in told for each in some])


async def _take(tx: Transaction, scope: Scope, ids: Sequence[UUID]) -> Sequence[ImprovementRow]:
    """Load and lock them. Raises Invalid unless they are different ones of one indicator and owner."""
    if len(set(ids)) < len(ids):
        raise Invalid("each improvement is named once", [Fault(pointer="/ids", detail="one stands twice")])
    rows = await queries.lock_improvements(tx.session, scope, ids)
    if len({(row.indicator, row.source, row.owner) for row in rows}) > 1:
        raise Invalid(
            "one call takes improvements of one indicator or source, and one owner",
            [Fault(pointer="/ids", detail="of several indicators, sources or owners")],
        )
    return rows


def _after(row: ImprovementRow, rows: Sequence[ImprovementRow], step: Step, *, excused: bool = False) -> Status:
    try:
        return next_state(Status(row.status), step, cleared=_waits_for_nothing(row), excused=excused)
    except Conflict as error:
        raise Conflict(error.detail if len(rows) == 1 else f"{row.id}: {error.detail}; nothing was changed") from error


def _not_ones_own(row: ImprovementRow, by: str) -> None:
    if by in {row.owner, row.submitted_by}:
        raise Forbidden("who has an improvement or submitted it cannot judge it: a verifier is never the submitter nor the owner")
