"""Work that planning does by the clock, school by school."""

from libs.common.database import Transaction
from libs.common.runtime.schools import Work, one_by_one
from services.planning import queries
from services.planning.commands import attaining, clock, due, entries, leads, rules, spiral, tasks_working, workflows


async def call_overdue(tx: Transaction) -> None:
    """Say of what was not submitted, of annual tasks and of entries of registers that their day has passed, or comes."""
    await _everywhere(
        tx, "overdue", clock.call_overdue, tasks_working.call_overdue_tasks, tasks_working.count_down, entries.call_late
    )


async def renew_standings(tx: Transaction) -> None:
    """See how far goals are where a new year or a deadline that has passed says otherwise than before."""
    await _everywhere(tx, "standings", attaining.renew)


async def keep_cycles(tx: Transaction) -> None:
    """Open the cycles of the spiral that begin, and end those whose period is over."""
    await _everywhere(tx, "cycles", spiral.keep_cycles)


async def bring_due_items_up_to_date(tx: Transaction) -> None:
    """Make, move and give what is due by the schools' routines; remind of it, and call it late."""
    await one_by_one(tx, "planning", "due_items", await due.schools_to_bring(tx), due.bring_up_to_date)


async def call_late_runs(tx: Transaction) -> None:
    """Say which steps of workflows are overdue, and which rules are to be reviewed."""
    await _everywhere(tx, "workflows", workflows.call_late_runs, rules.remind_of_rules)


async def place_plans(tx: Transaction) -> None:
    """See where plans lie where a new day has begun."""
    await _everywhere(tx, "places", leads.place_daily)


async def _everywhere(tx: Transaction, job: str, *works: Work) -> None:
    await one_by_one(tx, "planning", job, await queries.list_schools(tx.session), *works)
