"""What the clock does: call improvements overdue."""

from __future__ import annotations

from libs.common.database import Transaction
from libs.common.events.planning import ImprovementOverdue
from services.planning import queries
from services.planning.commands.people import note

AT_ONCE = 1000


async def call_overdue(tx: Transaction) -> None:
    """Say once of each improvement whose due date has passed in the school's zone that it is overdue."""
    for school in await queries.list_schools(tx.session):
        today = await queries.today_in(tx.session, school, tx.now)
        for row in await queries.list_newly_overdue(tx.session, school, today, AT_ONCE):
            row.overdue_at = tx.now
            note(tx, row, "overdue", None, due_on=row.due_on.isoformat())
            fact = ImprovementOverdue(improvement=row.id, warning=row.warning, due_on=row.due_on)
            tx.publish(fact, cause=f"overdue:{row.id}", school=school)
