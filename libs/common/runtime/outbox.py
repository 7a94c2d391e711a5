"""From a service's outbox to the bus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Row, select

from libs.common.bus import Bus, Record
from libs.common.database import Database, OutboxRow
from libs.common.runtime.leases import Lease

RELAY_ROWS = 500
RELAY_BYTES = 8 << 20  # what a broker takes well within the time a publish may last


async def relay(database: Database, bus: Bus, lease: Lease, works: Callable[[], None]) -> None:
    """Move committed outbox rows to the bus, oldest first, for ever; woken by commits of this process."""
    look_again_s = 1.0 if lease.alone else 0.2  # other processes' commits wake nobody here
    while True:
        database.outbox_filled.clear()
        while await relay_once(database, bus, lease):
            pass
        works()
        with suppress(TimeoutError):
            async with asyncio.timeout(look_again_s):  # wait_for can lose a cancellation before Python 3.12
                await database.outbox_filled.wait()


async def relay_once(database: Database, bus: Bus, lease: Lease) -> int:
    """Read, publish, then delete: publishing inside the transaction would hold the write lock during a network call."""
    async with database.reading() as session:
        columns = (OutboxRow.position, OutboxRow.topic, OutboxRow.key, OutboxRow.payload)
        found = await session.execute(select(*columns).order_by(OutboxRow.position).limit(RELAY_ROWS))
        rows = _within(found.all(), RELAY_BYTES)
    if rows:
        await bus.publish([Record(topic, key, payload) for _, topic, key, payload in rows])
        async with database.transaction() as tx:
            await lease.guard(tx)
            # By id, never "<= last": a smaller id may have committed meanwhile.
            await tx.delete(OutboxRow, "position", [position for position, *_ in rows])
    return len(rows)


def _within(rows: Sequence[Row[int, str, str, bytes]], size: int) -> Sequence[Row[int, str, str, bytes]]:
    """The first rows, at least one, that are together no larger than `size` bytes."""
    for n, (*_, payload) in enumerate(rows):
        size -= len(payload)
        if size < 0:
            return rows[: max(n, 1)]
    return rows
