"""Work that planning does by the clock."""

from libs.common.database import Transaction
from services.planning.commands import attaining, clock, registers, tasks_working


async def call_overdue(tx: Transaction) -> None:
    """Say of what was not submitted, of annual tasks and of entries of registers that their day has passed."""
    await clock.call_overdue(tx)
    await tasks_working.call_overdue_tasks(tx)
    await registers.call_late(tx)


async def renew_standings(tx: Transaction) -> None:
    """See how far goals are where a new year or a deadline that has passed says otherwise than before."""
    await attaining.renew(tx)
