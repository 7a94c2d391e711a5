"""What was handled before is not handled again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from libs.common.database import InboxRow, Transaction
from libs.common.event import Message


async def for_the_first_time(messages: Sequence[Message], tx: Transaction) -> list[Message]:
    """Those that this service has not handled yet, each once; they are marked as handled when the transaction commits."""
    ids = [message.id for message in messages]
    seen = set(await tx.session.scalars(select(InboxRow.event_id).where(InboxRow.event_id.in_(ids)))) if ids else set()
    new = []
    for message in messages:
        if message.id not in seen:
            seen.add(message.id)
            new.append(message)
            tx.append(InboxRow, event_id=message.id, handled_at=tx.now)
    return new
