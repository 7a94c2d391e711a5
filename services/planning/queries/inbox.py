"""What people were told. Everybody reads their own alone."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.database import in_batches
from services.planning.queries.school import IN_AT_ONCE
from services.planning.tables import NoticeRow


async def told_before(session: AsyncSession, school: str, keys: Sequence[str]) -> set[tuple[str, str]]:
    """Return who was told which of these keys."""
    found: set[tuple[str, str]] = set()
    for some in in_batches(keys, IN_AT_ONCE):
        sql = select(NoticeRow.person, NoticeRow.key).where(NoticeRow.school == school, NoticeRow.key.in_(some))
        found.update((person, key) for person, key in await session.execute(sql))
    return found


async def list_notices(
    session: AsyncSession, scope: Scope, person: str, *, unread: bool | None, before: int | None, limit: int
) -> Sequence[NoticeRow]:
    """Return a page of a person's messages and one more, newest first."""
    sql = select(NoticeRow).where(NoticeRow.school == scope.school, NoticeRow.person == person)
    if unread is not None:
        sql = sql.where(NoticeRow.read_at.is_(None) if unread else NoticeRow.read_at.is_not(None))
    if before is not None:
        sql = sql.where(NoticeRow.position < before)
    return (await session.scalars(sql.order_by(NoticeRow.position.desc()).limit(limit + 1))).all()


async def count_unread(session: AsyncSession, scope: Scope, person: str) -> int:
    """Return how many messages wait for a person."""
    mine = (NoticeRow.school == scope.school, NoticeRow.person == person, NoticeRow.read_at.is_(None))
    return await session.scalar(select(func.count()).where(*mine)) or 0
