"""Background work of one service: publish its outbox, handle its subscriptions, run its jobs under a lease.

What handlers may rely on: delivered at least once, effective once; ordered per key; `Invalid` becomes a dead letter at
once, anything else is rolled back and tried again until it works, and `/readyz` shows it meanwhile.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from time import perf_counter
from uuid import uuid4

import structlog
from sqlalchemy import delete, func, select

from libs.common.bus import Bus, Record, Subscription
from libs.common.database import AnswerRow, Database, InboxRow, LeaseRow, OutboxRow, Transaction, days_ago
from libs.common.errors import Invalid, Unavailable
from libs.common.event import Message, UnknownVersion, decode
from libs.common.events.deadletters import DeadLettered
from libs.common.service import Job, Service
from libs.common.settings import Settings
from libs.common.telemetry import (
    BATCH_EVENTS,
    BATCH_SECONDS,
    CONSUMER_FAILURES,
    CONSUMER_LAG,
    DEAD_LETTERS,
    JOB_FAILURES,
    LEASES,
    OUTBOX_ROWS,
    bind_trace,
)

log = structlog.get_logger()

RELAY_ROWS = 500
BATCH_BYTES = 1 << 20
OUTBOX_FULL = 10_000
LEASE_S = 10.0
RENEW_S = 3.0
_HOUR = timedelta(hours=1)
FIRST_DELAY_S, LONGEST_DELAY_S = 0.2, 15.0


class Health:
    """What is wrong now, by name of the work that fails; empty means ready."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}

    def failed(self, name: str, reason: object) -> None:
        self.problems[name] = str(reason)

    def works(self, name: str) -> None:
        self.problems.pop(name, None)


# --- leases ----------------------------------------------------------------------------------------------------------


class LeaseLost(Exception):
    """Another process does this work now; what this one was about to write must not stand."""


class Lease:
    """The right to do one kind of background work, held by one process at a time.

    The row's times are the database's own, so a worker with a wrong clock cannot take or keep it. Where the process is
    alone by an OS lock (`alone`), whoever held the lease before is dead, and it is taken at once.
    """

    def __init__(self, database: Database, name: str, *, alone: bool) -> None:
        self._database, self.name, self._alone = database, name, alone
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self.token: int | None = None

    async def take(self) -> bool:
        """Take or renew; return whether it is held now."""
        async with self._database.transaction() as tx:
            now = await self._database.seconds(tx.session)
            row = await tx.session.get(LeaseRow, self.name, with_for_update=True)
            if row is None:
                row = LeaseRow(name=self.name, holder=self._holder, token=1, until=now + LEASE_S)
                tx.session.add(row)
            elif row.holder == self._holder and row.token == self.token:
                row.until = now + LEASE_S
            elif self._alone or row.until < now:
                row.holder, row.token, row.until = self._holder, row.token + 1, now + LEASE_S
            else:
                self.token = None
                return False
            token = row.token
        self.token = token
        return True

    async def guard(self, tx: Transaction) -> None:
        """Make this transaction fail unless the lease is still held. Raises LeaseLost."""
        sql = select(LeaseRow.token).where(LeaseRow.name == self.name, LeaseRow.holder == self._holder).with_for_update()
        if self.token is None or await tx.session.scalar(sql) != self.token:
            self.token = None
            raise LeaseLost(self.name)

    async def give_back(self) -> None:
        """Let the next process take over at once."""
        if self.token is not None:
            async with self._database.transaction() as tx:
                if (row := await tx.session.get(LeaseRow, self.name)) is not None and row.holder == self._holder:
                    row.until = 0.0
            self.token = None


async def hold(lease: Lease, service: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` for ever while the lease is held, and wait for the lease while it is not."""
    gauge = LEASES.labels(service, lease.name)
    while not await lease.take():
        gauge.set(0)
        await asyncio.sleep(RENEW_S)
    gauge.set(1)
    running = asyncio.ensure_future(work())
    try:
        while True:
            done, _ = await asyncio.wait({running}, timeout=RENEW_S)
            if done:
                running.result()
                return
            if not await lease.take():
                raise LeaseLost(lease.name)
    finally:
        gauge.set(0)
        running.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await running
        await asyncio.shield(lease.give_back())


# --- outbox ----------------------------------------------------------------------------------------------------------


async def relay(service: Service, database: Database, bus: Bus, lease: Lease) -> None:
    """Move committed outbox rows to the bus, oldest first, for ever; woken by commits of this process."""
    depth = OUTBOX_ROWS.labels(service.name)
    while True:
        database.outbox_filled.clear()
        while moved := await relay_once(database, bus, lease):
            depth.set(moved)
        depth.set(0)
        with suppress(TimeoutError):
            await asyncio.wait_for(database.outbox_filled.wait(), 1.0)


async def relay_once(database: Database, bus: Bus, lease: Lease) -> int:
    """Read, publish, then delete: publishing inside the transaction would hold the write lock during a network call."""
    async with database.reading() as session:
        rows = (await session.scalars(select(OutboxRow).order_by(OutboxRow.position).limit(RELAY_ROWS))).all()
    if rows:
        await bus.publish([Record(r.topic, r.key, r.payload) for r in rows])
        async with database.transaction() as tx:
            await lease.guard(tx)
            # By id, never "<= last": a smaller id may have committed meanwhile.
            await tx.session.execute(delete(OutboxRow).where(OutboxRow.position.in_([r.position for r in rows])))
    return len(rows)


# --- consumers -------------------------------------------------------------------------------------------------------


class TooManyDeadLetters(Exception):
    """So many records in a row could not be handled that the code is more likely wrong than the records."""


class Consumer:
    """One consumer group of a service: fetch, handle, commit, for ever."""

    def __init__(self, service: Service, group: str, database: Database, bus: Bus, settings: Settings) -> None:
        self.service, self.group, self.database, self.bus = service, group, database, bus
        self.topics = service.groups[group]
        self._limit = settings.dead_letter_limit
        self._in_a_row = 0

    async def run(self, health: Health) -> None:
        """Never returns; raises what a batch that keeps failing raised."""
        async with self.bus.subscribe(self.group, self.topics) as subscription:
            while True:
                await self._wait_for_outbox()
                if records := await subscription.fetch(BATCH_BYTES, wait=1.0):
                    await self._take(records, subscription)
                health.works(self.group)
                for topic in self.topics:
                    CONSUMER_LAG.labels(self.group, topic).set(await self.bus.backlog(self.group, topic))

    async def _take(self, records: Sequence[Record], subscription: Subscription) -> None:
        start = perf_counter()
        try:
            await self.handle_batch(records)
        except BaseException:
            await subscription.rewind()
            raise
        await subscription.commit()
        BATCH_EVENTS.labels(self.group).observe(len(records))
        BATCH_SECONDS.labels(self.group).observe(perf_counter() - start)

    async def _wait_for_outbox(self) -> None:
        while True:
            async with self.database.reading() as session:
                waiting = await session.scalar(
                    select(func.count()).select_from(select(1).select_from(OutboxRow).limit(OUTBOX_FULL).subquery())
                )
            if (waiting or 0) < OUTBOX_FULL:
                return
            await asyncio.sleep(0.1)

    async def handle_batch(self, records: Sequence[Record]) -> None:
        """One transaction for the whole batch; only if that fails, one per record."""
        try:
            async with self.database.transaction() as tx:
                await self._handle(records, tx)
            self._in_a_row = 0
        except (Unavailable, UnknownVersion):
            raise
        except Exception as error:
            if len(records) > 1:
                log.warning(
                    "batch failed; trying its records one by one", group=self.group, records=len(records), error=repr(error)
                )
                for record in records:
                    await self.handle_batch([record])
            elif isinstance(error, Invalid):
                await self._put_aside(records[0], error)
            else:
                raise

    async def _handle(self, records: Sequence[Record], tx: Transaction) -> None:
        if intake := self.service.intake.get(self.topics[0]):
            await intake(records, tx)
            return
        messages = [message for record in records if (message := decode(record.value, self.service.wanted)) is not None]
        ids = [message.id for message in messages]
        seen = set(await tx.session.scalars(select(InboxRow.event_id).where(InboxRow.event_id.in_(ids)))) if ids else set()
        for message in messages:
            if message.id not in seen:
                seen.add(message.id)
                await self._handle_one(message, tx)
                tx.session.add(InboxRow(event_id=message.id, handled_at=tx.now))

    async def _handle_one(self, message: Message, tx: Transaction) -> None:
        tx.school, tx.cause = message.school, str(message.id)
        tx.traceparent = bind_trace(message.traceparent)
        await self.service.handlers[type(message.event)](message.event, tx)
        await tx.session.flush()

    async def _put_aside(self, record: Record, error: Invalid) -> None:
        self._in_a_row += 1
        if self._in_a_row > self._limit:
            raise TooManyDeadLetters(
                f"{self._limit} records in a row could not be handled, the last because: {error}; "
                "mend the cause or raise ZHENGAI_DEAD_LETTER_LIMIT"
            )
        async with self.database.transaction() as tx:
            put_aside(tx, self.service.name, record.topic, record.key, record.value, error)


def put_aside(tx: Transaction, service: str, topic: str, key: str, payload: bytes, error: Invalid) -> None:
    """Publish a dead letter with its cause; the same payload put aside again is the same letter."""
    letter = hashlib.blake2b(
        b"\0".join((service.encode(), topic.encode(), key.encode("utf-8", "replace"), payload)), digest_size=16
    )
    try:
        text, exact = payload.decode(), None
        if "\0" in text:
            raise UnicodeError("PostgreSQL keeps no NUL in text")  # noqa: TRY301 - both roads lead to the escaped form
    except UnicodeError:
        text = payload.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
        exact = base64.b64encode(payload).decode()
    fact = DeadLettered(
        letter=letter.hexdigest(),
        service=service,
        topic=topic,
        key=key,
        payload=text,
        payload_base64=exact,
        problem=error.slug,
        detail="; ".join([error.detail, *(f"{e['pointer']}: {e['detail']}" for e in error.errors)]),
    )
    tx.publish(fact, cause=f"deadletter:{letter.hexdigest()}", school=tx.school or key)
    DEAD_LETTERS.labels(service, topic).inc()
    log.warning("put aside", service=service, topic=topic, letter=fact.letter, reason=fact.detail)


# --- jobs ------------------------------------------------------------------------------------------------------------


async def run_job(service: Service, job: Job, database: Database, lease: Lease) -> None:
    """Run a job each time its period has passed, for ever."""
    while True:
        try:
            async with database.transaction() as tx:
                await lease.guard(tx)
                await job.run(tx)
        except Exception:
            JOB_FAILURES.labels(service.name, job.name).inc()
            raise
        await asyncio.sleep(job.every.total_seconds())


async def prune(tx: Transaction, settings: Settings) -> None:
    """Delete inbox marks and kept answers that are past their time."""
    await tx.session.execute(delete(InboxRow).where(InboxRow.handled_at < days_ago(tx.now, settings.inbox_retention_days)))
    await tx.session.execute(delete(AnswerRow).where(AnswerRow.at < days_ago(tx.now, 1)))


# --- all of it -------------------------------------------------------------------------------------------------------


async def keep_running(name: str, work: Callable[[], Awaitable[None]], health: Health) -> None:
    """Run `work` for ever; when it fails, say so, wait, resume from the last commit."""
    delay = FIRST_DELAY_S
    while True:
        started = perf_counter()
        try:
            await work()
        except LeaseLost:
            log.warning("lease lost", work=name)
        except Exception as error:
            if perf_counter() - started > LONGEST_DELAY_S:
                delay = FIRST_DELAY_S
            health.failed(name, f"{type(error).__name__}: {error}")
            CONSUMER_FAILURES.labels(name).inc()
            log.exception("failed; will try again", work=name, again_in_s=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY_S)


@asynccontextmanager
async def background(service: Service, database: Database, bus: Bus, settings: Settings, health: Health) -> AsyncIterator[None]:
    """Run everything of a service that is not a request, until the block ends."""
    database.settings = settings

    def lease(name: str) -> Lease:
        return Lease(database, name, alone=settings.embedded)

    relay_lease = lease("relay")
    work: dict[str, Callable[[], Awaitable[None]]] = {
        f"{service.name}.relay": lambda: hold(relay_lease, service.name, partial(relay, service, database, bus, relay_lease))
    }
    for group in service.groups:
        work[group] = partial(Consumer(service, group, database, bus, settings).run, health)
    for job in (*service.jobs, Job(name="prune", every=_HOUR, run=partial(prune, settings=settings))):
        job_lease = lease(job.name)
        work[f"{service.name}.{job.name}"] = partial(
            hold, job_lease, service.name, partial(run_job, service, job, database, job_lease)
        )
    tasks = [asyncio.create_task(keep_running(name, each, health), name=name) for name, each in work.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
