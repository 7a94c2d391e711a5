"""Work that planning does by the clock: school by school, so that what fails in one holds no other back."""

from collections.abc import Awaitable, Callable, Sequence

import structlog
from sqlalchemy.exc import DBAPIError

from libs.common.database import Transaction
from libs.common.telemetry import JOB_FAILURES
from services.planning import queries
from services.planning.commands import attaining, clock, due, entries, leads, rules, spiral, tasks_working, workflows

log = structlog.get_logger()
Work = Callable[[Transaction, str], Awaitable[bool | None]]
"""What is done for a school; True: it has more to do than one transaction takes."""


async def call_overdue(tx: Transaction) -> None:
    """Say of what was not submitted, of annual tasks and of entries of registers that their day has passed, or comes."""
    works = (clock.call_overdue, tasks_working.call_overdue_tasks, tasks_working.count_down, entries.call_late)
    await _one_by_one(tx, "overdue", await queries.list_schools(tx.session), *works)


async def renew_standings(tx: Transaction) -> None:
    """See how far goals are where a new year or a deadline that has passed says otherwise than before."""
    await _one_by_one(tx, "standings", await queries.list_schools(tx.session), attaining.renew)


async def keep_cycles(tx: Transaction) -> None:
    """Open the cycles of the spiral that begin, and end those whose period is over."""
    await _one_by_one(tx, "cycles", await queries.list_schools(tx.session), spiral.keep_cycles)


async def bring_due_items_up_to_date(tx: Transaction) -> None:
    """Make, move and give what is due by the schools' routines; remind of it, and call it late."""
    await _one_by_one(tx, "due_items", await due.schools_to_bring(tx), due.bring_up_to_date)


async def call_late_runs(tx: Transaction) -> None:
    """Say which steps of workflows are overdue, and which rules are to be reviewed."""
    await _one_by_one(tx, "workflows", await queries.list_schools(tx.session), workflows.call_late_runs, rules.remind_of_rules)


async def place_plans(tx: Transaction) -> None:
    """See where plans lie where a new day has begun."""
    await _one_by_one(tx, "places", await queries.list_schools(tx.session), leads.place_daily)


async def _one_by_one(tx: Transaction, job: str, schools: Sequence[str], *works: Work) -> None:
    """Do it for each school. What fails in one is undone there alone, counted as a failure of the job, and tried again the next time.

    It ends with a school that has more to do than one transaction takes: nobody is held for the work of others.
    """
    for school in schools:
        tx.school = school
        try:
            async with tx.apart():
                left = [await work(tx, school) for work in works]
        except Exception as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
            JOB_FAILURES.labels("planning", job).inc()
            log.exception("failed for a school; the others go on", job=job, school=school)
            continue
        if any(left):
            break
