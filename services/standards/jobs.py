"""Work that standards does by the clock."""

from libs.common.database import Transaction
from services.standards.commands.reviewing import go_by_the_clock, remind_of_revisions


async def begin_and_end_standards(tx: Transaction) -> None:
    """A standard begins, and ends, at midnight in its school's zone; its revision is told of before it is due."""
    await go_by_the_clock(tx)
    await remind_of_revisions(tx)
