"""Work that standards does by the clock."""

from libs.common.database import Transaction
from services.standards.commands.reviewing import go_by_the_clock


async def begin_and_end_standards(tx: Transaction) -> None:
    """A standard begins, and ends, at midnight in its school's zone."""
    await go_by_the_clock(tx)
