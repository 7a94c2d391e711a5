"""Work that planning does by the clock."""

from libs.common.database import Transaction
from services.planning.commands import attaining, clock, registers


async def call_overdue(tx: Transaction) -> None:
    """Mark what was not submitted by the end of its due date, and tell who answers for an entry of a register that is late."""
    await clock.call_overdue(tx)
    await registers.call_late(tx)


async def renew_standings(tx: Transaction) -> None:
    """See how far goals are where a new year or a deadline that has passed says otherwise than before."""
    await attaining.renew(tx)
