"""Join the small blocks that a trickle of events leaves in the log and among the ids: reading then opens dozens, not thousands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import delete

from libs.common.database import Transaction
from services.monitoring.domain.log import decode, join
from services.monitoring.queries.log import block_of
from services.monitoring.queries.packing import Small, list_blocks
from services.monitoring.queries.schools import get_school
from services.monitoring.tables import IdBlockRow, LogBlockRow

Parts = Sequence[tuple[Small, bytes]]
FULL = 4096  # events; a fuller block is only larger


async def pack(tx: Transaction) -> None:
    """Join what stands behind the last full block of a school, in order; nothing else of it changes.

    A block never changes once it is written, and one process packs at a time: so counting goes on until the joined blocks are there.
    """
    school = await get_school(tx.session, tx.school)
    log = await _joined(tx, LogBlockRow, school.id, school.packed, partial(_log_block, school.id))
    ids = await _joined(tx, IdBlockRow, school.id, school.ids_packed, partial(_id_block, school.id))
    await get_school(tx.session, tx.school, lock=True)
    school.packed, school.ids_packed = await _replace(tx, log), await _replace(tx, ids)


def _log_block(school_id: int, parts: Parts) -> dict[str, Any]:
    return block_of(school_id, join([decode(content) for _, content in parts]))


def _id_block(school_id: int, parts: Parts) -> dict[str, Any]:
    whole = b"".join(part for _, part in parts)
    return {"school_id": school_id, "first": parts[0][0].first, "last": parts[-1][0].last, "ids": whole}


@dataclass(frozen=True, slots=True)
class _Joined:
    """The blocks of a table, each in the place of so many others, and the last position that need not be looked at again."""

    table: Any
    blocks: Sequence[tuple[dict[str, Any], int]]
    packed: int


async def _joined(tx: Transaction, table: Any, school_id: int, packed: int, joined: Callable[[Parts], dict[str, Any]]) -> _Joined:
    """Join blocks past a position. Looked at again is the newest block alone, which may still grow; one that has no small neighbour
    stays as it is.
    """
    groups = list(_groups(await list_blocks(tx.session, table, school_id, packed)))
    several = [group for group in groups if len(group) > 1]
    blocks = await asyncio.to_thread(lambda: [(joined(group), len(group)) for group in several])
    return _Joined(table, blocks, groups[-2][-1][0].last if len(groups) > 1 else packed)


async def _replace(tx: Transaction, joined: _Joined) -> int:
    table = joined.table
    for block, parts in joined.blocks:
        gone = table.first.between(block["first"], block["last"])
        deleted = await tx.session.execute(delete(table).where(table.school_id == block["school_id"], gone))
        if deleted.rowcount != parts:  # type: ignore[attr-defined]  # a cursor result: a DELETE has a row count
            raise RuntimeError(f"the blocks of {tx.school} were packed by somebody else meanwhile")
    await tx.insert(table, [block for block, _ in joined.blocks])
    return joined.packed


def _groups(blocks: Parts) -> Iterator[list[tuple[Small, bytes]]]:
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
