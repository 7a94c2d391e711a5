"""From the bus to a service's handlers: at least once, effective once, in the order of each key."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import structlog
from sqlalchemy import func, select

from libs.common.bus import Bus, Record, Subscription
from libs.common.database import Database, OutboxRow, Transaction
from libs.common.errors import Invalid, Unavailable
from libs.common.event import Message, decode
from libs.common.runtime.deadletters import put_aside
from libs.common.runtime.health import Health
from libs.common.runtime.inbox import for_the_first_time
from libs.common.runtime.leases import end
from libs.common.service import Service
from libs.common.settings import Settings
from libs.common.telemetry import BATCH_EVENTS, BATCH_SECONDS, CONSUMER_LAG, bind_trace
from libs.common.turns import turns

log = structlog.get_logger()

FETCH_BYTES = 16 << 20
BATCH_BYTES = 256 << 10  # of one transaction: what it computes at a stretch, requests wait for
TAKEN_BYTES = 4 << 20  # the same where what comes is read beforehand, and then taken by columns
SHORT_BYTES = 384 << 10  # while people wait
AT_ONCE = 4  # keys of which batches are taken at the same time
SMALL = 16_384  # bytes read at once without a thread of their own
OUTBOX_FULL = 10_000


class TooManyDeadLetters(Exception):
    """So many records in a row could not be handled that the code is more likely wrong than the records."""


def _parts(records: Sequence[Record], size: Callable[[], int]) -> Iterator[Sequence[Record]]:
    """The records in parts for one transaction each, with at least one and of about `size` bytes, which is asked for each."""
    part: list[Record] = []
    left = size()
    for record in records:
        part.append(record)
        left -= len(record.value)
        if left <= 0:
            yield part
            part, left = [], size()
    if part:
        yield part


def _by_key(records: Sequence[Record]) -> list[Sequence[Record]]:
    """The records of each key, in their order."""
    keys: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        keys[record.key].append(record)
    return list(keys.values())


async def _together(works: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Do these, some at once: while one waits for the database another computes. Raises what failed once all have ended."""
    if len(works) == 1:
        await works[0]()
        return
    gate = asyncio.Semaphore(AT_ONCE)

    async def do(work: Callable[[], Awaitable[None]]) -> None:
        async with gate:
            await work()

    tasks = [asyncio.create_task(do(work)) for work in works]
    try:
        await asyncio.wait(tasks)
    finally:
        await end(*tasks)
    for task in tasks:
        task.result()


class Consumer:
    """One consumer group of a service: fetch, handle, commit, for ever."""

    def __init__(self, service: Service, group: str, database: Database, bus: Bus, settings: Settings) -> None:
        self.service, self.group, self.database, self.bus = service, group, database, bus
        self.topics = service.groups[group]
        self._intake = next((work for topic, work in service.intake.items() if group == f"{service.name}.{topic}"), None)
        self._limit = settings.dead_letter_limit
        self._in_a_row = 0
        self._room_until = 0
        self._reading = asyncio.Lock()  # one thread beside the event loop: more would only take the interpreter from it in turns

    async def run(self, health: Health) -> None:
        """Never returns; raises what a batch that keeps failing raised."""
        async with self.bus.subscribe(self.group, self.topics) as subscription:
            while True:
                await self._wait_for_outbox()
                if records := await subscription.fetch(FETCH_BYTES if self._intake else BATCH_BYTES, wait=1.0):
                    await self._take(records, subscription)
                for topic in self.topics:
                    CONSUMER_LAG.labels(self.group, topic).set(await self.bus.backlog(self.group, topic))
                health.works(self.group)

    async def _take(self, records: Sequence[Record], subscription: Subscription) -> None:
        try:
            if self._intake is None:
                await self._handle_in_parts(_parts(records, self._size))
            else:
                await _together([partial(self._handle_in_parts, _parts(each, self._size)) for each in _by_key(records)])
        except BaseException:
            await subscription.rewind()
            raise
        await subscription.commit()

    def _size(self) -> int:
        """How many bytes a transaction takes in."""
        if self._intake is None or self._intake.read is None:
            return BATCH_BYTES
        return SHORT_BYTES if turns.people_wait() else TAKEN_BYTES

    async def _handle_in_parts(self, parts: Iterator[Sequence[Record]]) -> None:
        """Handle the parts one after the other, none while the outbox is full; the next one is read while one is handled."""
        records = next(parts)
        ahead = asyncio.create_task(self._read(records))
        try:
            while records:
                batch = await ahead
                if after := next(parts, ()):
                    ahead = asyncio.create_task(self._read(after))
                start = perf_counter()
                await self._handle_read(records, batch)
                BATCH_EVENTS.labels(self.group).observe(len(records))
                BATCH_SECONDS.labels(self.group).observe(perf_counter() - start)
                if records := after:
                    await self._wait_for_outbox()
        finally:
            await end(ahead)

    async def _read(self, records: Sequence[Record]) -> Any:
        if self._intake is None or self._intake.read is None:
            return records
        if sum(len(record.value) for record in records) < SMALL:
            return self._intake.read(records)
        async with self._reading:
            return await asyncio.to_thread(self._intake.read, records)

    async def _wait_for_outbox(self) -> None:
        """Return once the outbox is not full; looked at again only when this process may have filled what was free."""
        while self.database.sent >= self._room_until:
            async with self.database.reading() as session:
                waiting = await session.scalar(
                    select(func.count()).select_from(select(1).select_from(OutboxRow).limit(OUTBOX_FULL).subquery())
                )
            if (free := OUTBOX_FULL - (waiting or 0)) > 0:
                self._room_until = self.database.sent + free
            else:
                await asyncio.sleep(0.1)

    async def handle_batch(self, records: Sequence[Record]) -> None:
        """One transaction for the whole batch; only if that fails, one per record."""
        await self._handle_read(records, await self._read(records))

    async def _handle_read(self, records: Sequence[Record], batch: Any) -> None:
        try:
            async with self.database.transaction() as tx:
                await self._handle(batch, tx)
            self._in_a_row = 0
        except Unavailable:
            raise
        except Exception as error:
            if len(records) > 1:  # also before an unknown version: what came before it is handled
                log.warning(
                    "batch failed; trying its records one by one", group=self.group, records=len(records), error=repr(error)
                )
                for record in records:
                    await self.handle_batch([record])
            elif isinstance(error, Invalid):
                await self._put_aside(records[0], error)
            else:
                raise

    async def _handle(self, batch: Any, tx: Transaction) -> None:
        """`batch` is what reading made of the records: without a reader, the records."""
        if self._intake is not None:
            await self._intake.take(batch, tx)
            return
        messages = [message for record in batch if (message := decode(record.value, self.service.wanted)) is not None]
        for message in await for_the_first_time(messages, tx):
            await self._handle_one(message, tx)

    async def _handle_one(self, message: Message, tx: Transaction) -> None:
        tx.school, tx.cause, tx.happened = message.school, str(message.id), message.time
        tx.traceparent = bind_trace(message.traceparent)
        await self.service.handlers[type(message.event)](message.event, tx)

    async def _put_aside(self, record: Record, error: Invalid) -> None:
        self._in_a_row += 1
        if self._in_a_row > self._limit:
            raise TooManyDeadLetters(
                f"{self._limit} records in a row could not be handled, the last because: {error}; "
                "mend the cause or raise ZHENGAI_DEAD_LETTER_LIMIT"
            )
        async with self.database.transaction() as tx:
            put_aside(tx, self.service.name, record.topic, record.key, record.value, error)
