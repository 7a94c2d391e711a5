"""Work that planning does by the clock, school by school."""

from libs.common.database import Transaction
from services.planning.commands import attaining, clock, due, entries, leads, rules, spiral, tasks_working, workflows


async def call_overdue(tx: Transaction) -> None:
    """Say of what was not submitted, of annual tasks and of entries of registers that their day has passed."""
    await clock.call_overdue(tx)
    await tasks_working.call_overdue_tasks(tx)
    await entries.call_late(tx)


async def renew_standings(tx: Transaction) -> None:
    """See how far goals are where a new year or a deadline that has passed says otherwise than before."""
    await attaining.renew(tx)


async def keep_cycles(tx: Transaction) -> None:
    """Open the cycles of the spiral that begin, and end those whose period is over."""
    await spiral.keep_cycles(tx)


async def bring_due_items_up_to_date(tx: Transaction) -> None:
    """Make, move and give what is due by the schools' routines; remind of it, and call it late."""
    await due.bring_up_to_date(tx)


async def call_late_runs(tx: Transaction) -> None:
    """Say which steps of workflows are overdue, and which rules are to be reviewed."""
    await workflows.call_late_runs(tx)
    await rules.remind_of_rules(tx)


async def place_plans(tx: Transaction) -> None:
    """See where plans lie where a new day has begun."""
    await leads.place_daily(tx)
