"""Join the small blocks that a trickle of events leaves in the log and among the ids: reading then opens dozens, not thousands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import delete

from libs.common.database import Transaction
from services.monitoring.domain.log import decode, join
from services.monitoring.queries.log import block_of
from services.monitoring.queries.packing import Small, list_blocks, list_unpacked
from services.monitoring.queries.schools import get_school
from services.monitoring.tables import IdBlockRow, LogBlockRow

FULL = 4096  # events; a fuller block is only larger
MANY = 32  # small blocks that may stand


async def pack_all(tx: Transaction) -> None:
    """Pack every school that has many small blocks."""
    for code in await list_unpacked(tx.session, MANY):
        await pack(tx, code)


async def pack(tx: Transaction, code: str) -> None:
    """Join what stands behind the last full block of a school, in order; nothing else of it changes."""
    school = await get_school(tx.session, code, lock=True)
    blocks = [(small, decode(content)) for small, content in await list_blocks(tx.session, LogBlockRow, school.id, school.packed)]
    joined = [block_of(school.id, join([stretch for _, stretch in group])) for group in _groups(blocks)]
    await _replace(tx, LogBlockRow, school.id, school.packed, joined)
    ids = await list_blocks(tx.session, IdBlockRow, school.id, school.ids_packed)
    rows = [
        {"school_id": school.id, "first": group[0][0].first, "last": group[-1][0].last, "ids": b"".join(part for _, part in group)}
        for group in _groups(ids)
    ]
    await _replace(tx, IdBlockRow, school.id, school.ids_packed, rows)
    school.packed, school.ids_packed = _packed(joined, school.packed), _packed(rows, school.ids_packed)


def _groups(blocks: Sequence[tuple[Small, Any]]) -> Iterator[list[tuple[Small, Any]]]:
    """Neighbours that are no more than full together."""
    group: list[tuple[Small, Any]] = []
    size = 0
    for block in blocks:
        if group and size + block[0].size > FULL:
            yield group
            group, size = [], 0
        group.append(block)
        size += block[0].size
    if group:
        yield group


def _packed(rows: Sequence[dict[str, Any]], before: int) -> int:
    """The last position of what need not be looked at again: all but the newest block, which may still grow."""
    return int(rows[-2]["last"]) if len(rows) > 1 else before


async def _replace(tx: Transaction, table: Any, school_id: int, after: int, rows: Sequence[dict[str, Any]]) -> None:
    await tx.session.execute(delete(table).where(table.school_id == school_id, table.first > after))
    await tx.insert(table, rows)
