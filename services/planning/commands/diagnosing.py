"""The end of a cycle by people: its diagnosis, the second person who approves it, and the lesson."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Forbidden
from libs.common.events.setup import Fact
from services.planning import queries
from services.planning.commands.proposals import propose_in_diagnosis
from services.planning.commands.spiral import move
from services.planning.domain.proposals import Change
from services.planning.queries import cycles
from services.planning.queries import proposals as proposed
from services.planning.queries.projects import posted
from services.planning.tables import CycleRow

PERSONS = frozenset({"teacher", "student"})


async def write_diagnosis(
    tx: Transaction, scope: Scope, by: str, cycle: UUID, findings: str, proposals: Sequence[Change]
) -> CycleRow:
    """Write a cycle's diagnosis, or write it anew until it is approved; what it proposes to change waits for decisions.

    Raises NotFound, Conflict while the period lasts (diagnosis follows implementation) or once it is approved, Invalid as `propose`.
    """
    row = await _ended(tx, scope, cycle)
    row.findings, row.diagnosed_by, row.diagnosed_at = findings, by, tx.now
    await propose_in_diagnosis(tx, scope, by, row, proposals)
    await _note(tx, row, "diagnosis_written")
    return row


async def approve_diagnosis(tx: Transaction, scope: Scope, by: str, cycle: UUID) -> CycleRow:
    """Confirm a diagnosis, as a second person; the cycle closes unless a lesson is still asked for.

    Raises NotFound, Conflict without a diagnosis or while proposals wait, Forbidden for who wrote it or whom it is about.
    """
    row = await _ended(tx, scope, cycle)
    if row.diagnosed_by is None:
        raise Conflict("there is no diagnosis to approve yet")
    if by == row.diagnosed_by or await _is_about(tx, row, by):
        raise Forbidden("nobody approves their own diagnosis: it takes a second person")
    if waiting := await proposed.count_queued(tx.session, row.school, row.place):
        raise Conflict(f"{waiting} proposals wait for a decision in this diagnosis")
    row.approved_by, row.approved_at = by, tx.now
    await _note(tx, row, "diagnosis_approved", "proposals_decided", *(() if row.asks_lesson else ("lesson_stored",)))
    return row


async def store_lesson(tx: Transaction, scope: Scope, by: str, cycle: UUID, lesson: str | None, reason: str | None) -> CycleRow:
    """Keep what was learnt in a cycle, or why there is nothing.

    Raises NotFound, Conflict while the period lasts, where no lesson is asked for, or where there is one.
    """
    row = await cycles.get_cycle(tx.session, scope, cycle, lock=True)
    if not row.asks_lesson:
        raise Conflict("no lesson is asked for in this cycle: it is shorter than a year, or of a level without lessons")
    if row.status == "open":
        raise Conflict(f"the period lasts until {row.ends_on}: lessons follow from what was done in it")
    if row.lesson_by is not None:
        raise Conflict("the lesson of this cycle is stored already")
    row.lesson, row.lesson_reason, row.lesson_by = lesson, reason, by
    await _note(tx, row, "lesson_stored")
    return row


async def _is_about(tx: Transaction, row: CycleRow, person: str) -> bool:
    """Whether a cycle is this person's own, or that of a post that they hold today."""
    if row.level == "post":
        post, _, over = row.subject.partition("@")
        today = await queries.today_in(tx.session, row.school, tx.now)
        return person in await posted(tx.session, row.school, post, today, over or None)
    return row.level in PERSONS and person == row.subject


async def _ended(tx: Transaction, scope: Scope, cycle: UUID) -> CycleRow:
    row = await cycles.get_cycle(tx.session, scope, cycle, lock=True)
    if row.status == "open":
        raise Conflict(f"the period lasts until {row.ends_on}: diagnosis follows when implementation is over")
    if row.approved_by is not None:
        raise Conflict("the diagnosis is approved already")
    return row


async def _note(tx: Transaction, row: CycleRow, *facts: Fact) -> None:
    today = await queries.today_in(tx.session, row.school, tx.now)
    for fact in facts:
        await move(tx, row, fact, today)
