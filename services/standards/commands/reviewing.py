"""Review a standard step by step along its path, put it in force on its day, and take it out of force."""

from __future__ import annotations

from datetime import date

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Forbidden
from libs.common.events.standards import MeasureWanted, RevisionDue, StandardRetired
from services.standards.commands.standards import Found, load, note, whole_school
from services.standards.domain.attainment import wanted_of
from services.standards.domain.revision import due_on
from services.standards.domain.states import State, Step, next_state
from services.standards.queries import standards as queries
from services.standards.queries.subjects import posts_of, today_in
from services.standards.tables import FamilyRow, StandardRow, StandardVersionRow


async def approve(tx: Transaction, scope: Scope, by: str, code: str, version: int, text: str | None) -> Found:
    """Take the next step of the path; after the last one the version is approved, and in force at once where its day has come.

    Raises Conflict unless it is in review, Forbidden for its authors, who submitted it, and who does not hold the step's post.
    """
    row, standard = await load(tx, scope, code, version)
    last = row.approvals + 1 >= len(row.review_path)
    after = next_state(State(row.state), Step.APPROVE, last=last)
    today = await today_in(tx.session, row.school, tx.now)
    post = await _reviewer(tx, row, by, today)
    row.state, row.approvals = after, row.approvals + 1
    note(tx, row, "approved", by, post, text)
    if after is State.APPROVED and row.effective_from <= today:
        await activate(tx, row, standard)
    return row, standard


async def send_back(tx: Transaction, scope: Scope, by: str, code: str, version: int, reason: str) -> Found:
    """Make a version in review a draft again, with a reason; the next review begins anew.

    Who wrote or submitted it takes it back: a path that waits for a vacant post would never end. Otherwise raises as `approve`.
    """
    row, standard = await load(tx, scope, code, version)
    after = next_state(State(row.state), Step.RETURN)
    if by in {*row.authors, row.submitted_by}:
        note(tx, row, "taken_back", by, text=reason)
    else:
        post = await _reviewer(tx, row, by, await today_in(tx.session, row.school, tx.now))
        note(tx, row, "returned", by, post, reason)
    row.state, row.approvals, row.review_path = after, 0, []
    return row, standard


async def _reviewer(tx: Transaction, row: StandardVersionRow, by: str, today: date) -> str:
    """Return the post whose step it is, which the caller holds. Raises Forbidden."""
    if by in {*row.authors, row.submitted_by}:
        raise Forbidden("nobody reviews what they wrote or submitted: two persons at least")
    post = row.review_path[row.approvals]
    if all(held.post != post for held in await posts_of(tx.session, row.school, by, today)):
        raise Forbidden(f"this step is for who holds the post {post!r}")
    return post


async def retire(tx: Transaction, scope: Scope, by: str, code: str, version: int, reason: str) -> Found:
    """Take a version that is approved or in force out of force, with a reason. Raises Conflict for other states."""
    whole_school(scope, "a standard is taken out of force")
    row, standard = await load(tx, scope, code, version)
    if row.state == State.RETIRED:
        raise Conflict("it is retired already")
    _retire(tx, row, standard, "withdrawn", by, reason)
    return row, standard


def _retire(
    tx: Transaction, row: StandardVersionRow, standard: StandardRow, because: str, by: str | None = None, text: str | None = None
) -> None:
    """Raises Conflict for a version that is neither approved nor in force."""
    row.state = next_state(State(row.state), Step.RETIRE)
    row.retired_at, row.retired_because = tx.now, because
    note(tx, row, "retired", by, text=text)
    if standard.active != row.version:
        return
    standard.active = None
    if because != "superseded":
        fact = StandardRetired(code=row.code, version=row.version, because=because)
        tx.publish(fact, cause=f"retire:{row.school}:{row.code}:{row.version}", school=row.school)


async def activate(tx: Transaction, row: StandardVersionRow, standard: StandardRow) -> None:
    """Put an approved version in force in the place of the one before, and ask to be told what its elements measure."""
    row.state = next_state(State(row.state), Step.ACTIVATE)
    if standard.active is not None:
        older = await tx.session.get(StandardVersionRow, (row.school, row.code, standard.active))
        assert older is not None
        _retire(tx, older, standard, "superseded")
    standard.active, row.activated_at = row.version, tx.now
    note(tx, row, "activated", None)
    content, cause = queries.read(row), f"activate:{row.school}:{row.code}:{row.version}"
    family = await tx.session.get(FamilyRow, (row.school, standard.family))
    fact = content.activated(row.code, row.version, standard.family, family.kind if family else None)
    tx.publish(fact, cause=cause, school=row.school)
    for metric, level, window in wanted_of(content, await queries.active_indicators(tx.session, row.school)):
        tx.publish(MeasureWanted(metric=metric, level=level, window=window), cause=cause, school=row.school)


async def go_by_the_clock(tx: Transaction) -> None:
    """Put in force what is approved and whose day has come in the school's zone, and retire what has ended there."""
    today = await today_in(tx.session, tx.school, tx.now)
    for row in await queries.list_begun(tx.session, tx.school, today):
        standard = await queries.find_standard(tx.session, row.school, row.code)
        assert standard is not None
        await tx.session.refresh(row)
        if row.state == State.APPROVED and row.effective_from <= today:
            await activate(tx, row, standard)
    await tx.session.flush()
    for row in await queries.list_ended(tx.session, tx.school, today):
        standard = await queries.find_standard(tx.session, row.school, row.code)
        assert standard is not None
        await tx.session.refresh(row)
        if row.state == State.ACTIVE and row.effective_to is not None and row.effective_to <= today:
            _retire(tx, row, standard, "ended")


async def remind_of_revisions(tx: Transaction) -> None:
    """Tell once a version that its revision comes (HN: standards of teachers every three years)."""
    today = await today_in(tx.session, tx.school, tx.now)
    for row, family in await queries.list_unreminded(tx.session, today, tx.school):
        row.reminded_at = tx.now
        due = due_on(row.effective_from, family.revision_years or 0)
        fact = RevisionDue(code=row.code, version=row.version, family=family.code, name=row.content["name"], due_on=due)
        tx.publish(fact, cause=f"revision:{row.school}:{row.code}:{row.version}", school=row.school)
