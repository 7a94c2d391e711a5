"""What could never be handled."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.errors import NotFound
from services.gateway.tables import DeadLetterRow


async def list_letters(
    session: AsyncSession,
    scope: Scope,
    *,
    service: str | None,
    topic: str | None,
    replayed: bool | None,
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[DeadLetterRow]:
    """Return dead letters, newest first, just past `after`, one more than `limit`; of every school where none is named."""
    statement = select(DeadLetterRow).order_by(DeadLetterRow.at.desc(), DeadLetterRow.id.desc()).limit(limit + 1)
    if scope.school:
        statement = statement.filter_by(school=scope.school)
    if service is not None:
        statement = statement.filter_by(service=service)
    if topic is not None:
        statement = statement.filter_by(topic=topic)
    if replayed is not None:
        statement = statement.where(DeadLetterRow.replayed_at.is_not(None) if replayed else DeadLetterRow.replayed_at.is_(None))
    if after is not None:
        at, id_ = after
        statement = statement.where(or_(DeadLetterRow.at < at, and_(DeadLetterRow.at == at, DeadLetterRow.id < id_)))
    return (await session.scalars(statement)).all()


async def find_letter(session: AsyncSession, id_: str) -> DeadLetterRow | None:
    """Return the letter, whatever its school."""
    return await session.get(DeadLetterRow, id_, with_for_update=True)


async def get_letter(session: AsyncSession, scope: Scope, id_: str) -> DeadLetterRow:
    """Return a letter of the school, locked until the transaction ends. Raises NotFound."""
    row = await find_letter(session, id_)
    if row is None or scope.school not in {"", row.school}:
        raise NotFound(f"no dead letter {id_!r}")
    return row
