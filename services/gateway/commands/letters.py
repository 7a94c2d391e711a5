"""Dead letters are kept, and sent again once their cause is mended."""

import base64
from uuid import UUID

from sqlalchemy import delete

from libs.common.auth import Scope
from libs.common.database import InboxRow, Transaction, days_ago
from libs.common.events.deadletters import DeadLettered
from services.gateway.queries.letters import find_letter, get_letter
from services.gateway.tables import DeadLetterRow


async def keep_letter(tx: Transaction, fact: DeadLettered) -> None:
    """Keep what a service put aside; one that was replayed and failed again is listed again."""
    exact = base64.b64decode(fact.payload_base64) if fact.payload_base64 is not None else fact.payload.encode()
    if (row := await find_letter(tx.session, fact.letter)) is None:
        row = DeadLetterRow(id=fact.letter, service=fact.service, topic=fact.topic, payload=exact)
        tx.session.add(row)
    row.school, row.key = _without_nul(tx.school), _without_nul(fact.key)
    row.problem, row.detail = fact.problem, _without_nul(fact.detail)
    row.event, row.at, row.replayed_at = UUID(tx.cause), tx.now, None


def _without_nul(text: str) -> str:
    """PostgreSQL keeps no NUL in text."""
    return text.replace("\0", "\\x00")


async def replay_letter(tx: Transaction, scope: Scope, id_: str) -> DeadLetterRow:
    """Put the original record on its topic again. Raises NotFound.

    The event that told of it has the same id when the record fails again, so it is no longer marked as handled.
    """
    row = await get_letter(tx.session, scope, id_)
    tx.outgoing.append({"topic": row.topic, "key": row.key, "payload": row.payload})
    await tx.session.execute(delete(InboxRow).where(InboxRow.event_id == row.event))
    row.replayed_at = tx.now
    return row


async def forget_old_letters(tx: Transaction) -> None:
    """Delete letters that are older than the feed is kept."""
    oldest = days_ago(tx.now, tx.database.settings.feed_retention_days)
    await tx.session.execute(delete(DeadLetterRow).where(DeadLetterRow.at < oldest))
