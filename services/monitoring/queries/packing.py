"""Which blocks of log and ids are small, and stand behind the last full one of their school."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitoring.tables import IdBlockRow, LogBlockRow, SchoolRow


class Small(NamedTuple):
    """A block: its first and last position, and how many events it holds."""

    first: int
    last: int
    size: int


MANY = 32  # small blocks that may stand


async def list_unpacked(session: AsyncSession, _now: datetime) -> Sequence[str]:
    """Codes of the schools that have more than `MANY` blocks behind the last full one."""
    asked = [
        select(SchoolRow.code)
        .join(table, (table.school_id == SchoolRow.id) & (table.first > packed))
        .group_by(SchoolRow.code)
        .having(func.count() > MANY)
        for table, packed in ((LogBlockRow, SchoolRow.packed), (IdBlockRow, SchoolRow.ids_packed))
    ]
    return sorted(await session.scalars(union(*asked)))


async def list_blocks(session: AsyncSession, table: Any, school_id: int, after: int) -> list[tuple[Small, bytes]]:
    """The blocks past a position with what they hold, in order."""
    content, size = (
        (LogBlockRow.content, LogBlockRow.observations)
        if table is LogBlockRow
        else (IdBlockRow.ids, IdBlockRow.last - IdBlockRow.first + 1)
    )
    sql = select(table.first, table.last, size, content).where(table.school_id == school_id, table.first > after)
    return [(Small(first, last, n), bytes(held)) for first, last, n, held in await session.execute(sql.order_by(table.first))]
