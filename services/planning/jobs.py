"""Work that planning does by the clock."""

from libs.common.database import Transaction
from services.planning.commands import clock


async def call_overdue(tx: Transaction) -> None:
    """Mark what was not submitted by the end of its due date."""
    await clock.call_overdue(tx)
