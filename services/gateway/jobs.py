"""What the gateway does by the clock."""

from libs.common.database import Transaction
from services.gateway.commands.accounts import forget_old_tokens
from services.gateway.commands.letters import forget_old_letters


async def forget(tx: Transaction) -> None:
    """Delete tokens and attempts that are over, and dead letters past their time."""
    await forget_old_tokens(tx)
    await forget_old_letters(tx)
