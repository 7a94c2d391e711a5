"""Work that planning does by the clock."""

from libs.common.database import Transaction
from services.planning.commands import attaining, clock, tasks_working


async def call_overdue(tx: Transaction) -> None:
    """Mark what was not submitted by the end of its due date."""
    await clock.call_overdue(tx)
    await tasks_working.call_overdue_tasks(tx)


async def renew_standings(tx: Transaction) -> None:
    """See how far goals are where a new year or a deadline that has passed says otherwise than before."""
    await attaining.renew(tx)
