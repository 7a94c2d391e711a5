"""Who is told of an improvement (站内消息): its owner, its verifier, and the body that follows it (推进组)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from libs.common.database import Transaction
from services.planning import queries
from services.planning.commands.inbox import Notice
from services.planning.domain.owners import Subject
from services.planning.tables import ImprovementRow


def notice(person: str | None, improvement: UUID, what: str, text: str, again: str = "") -> list[Notice]:
    """What a person is told of an improvement; nothing where nobody holds the post. `again` tells one time from another."""
    if person is None:
        return []
    key = f"improvement:{improvement}:{what}{again and f':{again}'}"
    return [Notice(person, key, f"improvement_{what}", text, f"/api/v1/planning/improvements/{improvement}")]


async def followers_of(tx: Transaction, school: str, rows: Sequence[ImprovementRow], day: date) -> dict[UUID, list[str]]:
    """Return everybody who holds each row's tracking post that day: few statements, however many rows."""
    places = await queries.places_of(tx.session, [row.id for row in rows])
    abouts = {row.id: Subject(row.level, row.subject, tuple(places[row.id]), day) for row in rows}
    directory = await queries.directory_of(tx.session, school, list(abouts.values()))
    found = {row.id: directory.holders(abouts[row.id], [row.tracking])[row.tracking] for row in rows}
    return {id_: sorted({holder.person for holder in holders}) for id_, holders in found.items()}
