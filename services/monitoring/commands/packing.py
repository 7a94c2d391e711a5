"""Join the small blocks that a trickle of events leaves in the log and among the ids: reading then opens dozens, not thousands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import delete

from libs.common.database import Transaction
from services.monitoring.domain.log import decode, join
from services.monitoring.queries.log import block_of
from services.monitoring.queries.packing import Small, list_blocks
from services.monitoring.queries.schools import get_school
from services.monitoring.tables import IdBlockRow, LogBlockRow

FULL = 4096  # events; a fuller block is only larger


async def pack(tx: Transaction) -> None:
    """Join what stands behind the last full block of a school, in order; nothing else of it changes."""
    school = await get_school(tx.session, tx.school, lock=True)

    def log(parts: Sequence[tuple[Small, bytes]]) -> dict[str, Any]:
        return block_of(school.id, join([decode(content) for _, content in parts]))

    def ids(parts: Sequence[tuple[Small, bytes]]) -> dict[str, Any]:
        whole = b"".join(part for _, part in parts)
        return {"school_id": school.id, "first": parts[0][0].first, "last": parts[-1][0].last, "ids": whole}

    school.packed = await _pack(tx, LogBlockRow, school.id, school.packed, log)
    school.ids_packed = await _pack(tx, IdBlockRow, school.id, school.ids_packed, ids)


async def _pack(
    tx: Transaction, table: Any, school_id: int, packed: int, joined: Callable[[Sequence[tuple[Small, bytes]]], dict[str, Any]]
) -> int:
    """Join blocks past a position; return the last one of what need not be looked at again: all but the newest block, which may
    still grow. A block that has no small neighbour stays as it is.
    """
    groups = list(_groups(await list_blocks(tx.session, table, school_id, packed)))
    several = [group for group in groups if len(group) > 1]
    for group in several:
        gone = table.first.between(group[0][0].first, group[-1][0].first)
        await tx.session.execute(delete(table).where(table.school_id == school_id, gone))
    await tx.insert(table, [joined(group) for group in several])
    return groups[-2][-1][0].last if len(groups) > 1 else packed


def _groups(blocks: Sequence[tuple[Small, bytes]]) -> Iterator[list[tuple[Small, bytes]]]:
    """Neighbours that are no more than full together."""
    group: list[tuple[Small, bytes]] = []
    size = 0
    for block in blocks:
        if group and size + block[0].size > FULL:
            yield group
            group, size = [], 0
        group.append(block)
        size += block[0].size
    if group:
        yield group
