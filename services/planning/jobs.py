"""Work that planning does by the clock, for one school at a time."""

from datetime import timedelta

from libs.common.database import Transaction
from libs.common.service import Job
from services.planning import queries
from services.planning.commands import attaining, clock, due, entries, leads, rules, spiral, tasks_working, workflows


async def call_overdue(tx: Transaction) -> None:
    """Say of what was not submitted, of annual tasks and of entries of registers that their day has passed."""
    await clock.call_overdue(tx)
    await tasks_working.call_overdue_tasks(tx)
    await entries.call_late(tx)


async def begin_day(tx: Transaction) -> None:
    """See where plans lie now that a new day has begun, and say what falls due soon; again where one transaction does not take it all."""
    if not await tasks_working.count_down(tx):
        await leads.place_daily(tx)


async def call_late_runs(tx: Transaction) -> None:
    """Say which steps of workflows are overdue, and which rules are to be reviewed."""
    await workflows.call_late_runs(tx)
    await rules.remind_of_rules(tx)


_MINUTE = timedelta(minutes=1)
JOBS = (
    Job(name="overdue", every=_MINUTE, run=call_overdue, schools=queries.list_schools),
    Job(name="standings", every=_MINUTE, run=attaining.renew, schools=queries.list_schools),
    Job(name="cycles", every=_MINUTE, run=spiral.keep_cycles, schools=queries.list_schools),
    Job(name="places", every=_MINUTE, run=begin_day, schools=queries.list_schools_of_yesterday),
    Job(name="due_items", every=timedelta(seconds=10), run=due.bring_up_to_date, schools=queries.list_schools_to_bring),
    Job(name="workflows", every=_MINUTE, run=call_late_runs, schools=queries.list_schools),
)
