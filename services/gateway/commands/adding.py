"""Rows whose name somebody else may take at the same moment."""

from sqlalchemy.exc import IntegrityError

from libs.common.database import Transaction
from libs.common.errors import Conflict
from services.gateway.tables import Table


async def add_once(tx: Transaction, row: Table, taken: str) -> None:
    """Add a row. Raises Conflict, saying `taken`, where another request added it since this one looked."""
    tx.session.add(row)
    try:
        await tx.session.flush()
    except IntegrityError as error:
        raise Conflict(taken) from error
