"""What the clock does: call improvements and their plans overdue, the morning after in the school's zone."""

from __future__ import annotations

from datetime import date

from libs.common.database import Transaction
from libs.common.events.planning import ImprovementOverdue, ImprovementPlanOverdue
from services.planning import queries
from services.planning.commands.inbox import tell
from services.planning.commands.people import note
from services.planning.commands.telling import followers_of, notice
from services.planning.domain import wording

AT_ONCE = 1000


async def call_overdue(tx: Transaction) -> None:
    """Say once of each improvement whose date has passed that it is overdue: to everybody, to its owner, and to who follows it."""
    today = await queries.today_in(tx.session, tx.school, tx.now)
    await _call_plans(tx, today)
    await _call_work(tx, today)


async def _call_work(tx: Transaction, today: date) -> None:
    rows = await queries.list_newly_overdue(tx.session, tx.school, today, AT_ONCE)
    if not rows:
        return
    followers = await followers_of(tx, tx.school, rows, today)
    told = []
    for row in rows:
        row.overdue_at = tx.now
        note(tx, row, "overdue", None, due_on=row.due_on.isoformat())
        fact = ImprovementOverdue(improvement=row.id, warning=row.warning, due_on=row.due_on)
        tx.publish(fact, cause=f"overdue:{row.id}")
        for person in (row.owner, *followers[row.id]):
            told += notice(person, row.id, "overdue", wording.told_overdue(row.title, row.due_on))
    await tell(tx, told)


async def _call_plans(tx: Transaction, today: date) -> None:
    rows = await queries.list_newly_plan_overdue(tx.session, tx.school, today, AT_ONCE)
    if not rows:
        return
    followers = await followers_of(tx, tx.school, rows, today)
    told = []
    for row in rows:
        row.plan_overdue_at = tx.now
        note(tx, row, "plan_overdue", None, plan_due_on=row.plan_due_on.isoformat())
        fact = ImprovementPlanOverdue(improvement=row.id, warning=row.warning, plan_due_on=row.plan_due_on)
        tx.publish(fact, cause=f"plan-overdue:{row.id}")
        for person in (row.owner, *followers[row.id]):
            told += notice(person, row.id, "plan_overdue", wording.told_plan_overdue(row.title, row.plan_due_on))
    await tell(tx, told)
