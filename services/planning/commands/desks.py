"""What people do at their desk in one tap."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import NotFound
from services.planning import queries
from services.planning.commands.inbox import Notice, tell
from services.planning.commands.people import note
from services.planning.queries import desks
from services.planning.tables import ImprovementRow


async def note_talk(tx: Transaction, scope: Scope, by: str, student: str, text: str) -> Sequence[UUID]:
    """Write a talk beside every standing warning of a student. Raises NotFound where none stands that the scope covers."""
    rows = await desks.standing_of_student(tx.session, scope, student)
    if not rows:
        raise NotFound("no warning of such a student stands")
    for row in rows:
        note(tx, row, "talked", by, text=text)
    return [row.id for row in rows]


async def answer(tx: Transaction, scope: Scope, student: str, improvement: UUID, text: str) -> ImprovementRow:
    """Write down what a student answers to a warning of theirs, and tell whoever answers for it."""
    row = await queries.get_improvement(tx.session, scope, improvement)
    note(tx, row, "answered", student, text=text)
    if row.owner is not None:
        link = f"{desks.API}/improvements/{row.id}"
        told = Notice(
            row.owner, f"answered:{tx.cause}", "improvement_answered", f"{row.subject_name or row.subject} 回应：{text}", link
        )
        await tell(tx, [told])
    return row
