"""Background work of one service: publish its outbox, handle its subscriptions, run its jobs under a lease.

What handlers may rely on: delivered at least once, effective once; ordered per key; `Invalid` becomes a dead letter at
once, anything else is rolled back and tried again until it works, and `/readyz` shows it meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from time import perf_counter

import structlog
from sqlalchemy import delete

from libs.common.bus import Bus
from libs.common.database import AnswerRow, Database, InboxRow, Transaction, days_ago
from libs.common.errors import Unavailable
from libs.common.event import UnknownVersion
from libs.common.runtime.clock import keep_clock, set_clock
from libs.common.runtime.consumers import Consumer, TooManyDeadLetters
from libs.common.runtime.deadletters import put_aside
from libs.common.runtime.gauges import gauges
from libs.common.runtime.health import Health
from libs.common.runtime.inbox import for_the_first_time
from libs.common.runtime.leases import Lease, LeaseLost, end, hold
from libs.common.runtime.outbox import relay, relay_once
from libs.common.runtime.silent import end_silent
from libs.common.service import Job, Service
from libs.common.settings import Settings
from libs.common.telemetry import CONSUMER_FAILURES, JOB_FAILURES

__all__ = [
    "Consumer",
    "Health",
    "Lease",
    "LeaseLost",
    "TooManyDeadLetters",
    "background",
    "for_the_first_time",
    "hold",
    "keep_clock",
    "keep_running",
    "prune",
    "put_aside",
    "relay",
    "relay_once",
    "run_job",
    "run_once",
    "set_clock",
    "upkeep",
]

log = structlog.get_logger()

_HOUR = timedelta(hours=1)
_DAY_S = 24 * 3600
FIRST_DELAY_S, LONGEST_DELAY_S = 0.2, 15.0
EXPECTED = (Unavailable, UnknownVersion, TooManyDeadLetters)  # say enough by themselves; anything else is shown with its trace


async def run_job(service: Service, job: Job, database: Database, lease: Lease, works: Callable[[], None]) -> None:
    """Run a job each time its period has passed, for ever."""
    while True:
        try:
            await run_once(job, database, lease.guard)
        except LeaseLost:
            raise
        except Exception:
            JOB_FAILURES.labels(service.name, job.name).inc()
            raise
        works()
        await asyncio.sleep(job.every.total_seconds())


async def run_once(job: Job, database: Database, guard: Callable[[Transaction], Awaitable[None]]) -> None:
    """Run a job: for each school that it has work for, where it goes by schools. A school for which it fails holds no other back.

    Raises what failed, once the others are done.
    """
    schools: Sequence[str] = [""]
    if job.schools is not None:
        async with database.reading() as session:
            schools = await job.schools(session, database.now())
    failed: Exception | None = None
    for school in schools:
        try:
            async with database.transaction() as tx:
                tx.school, tx.traceparent = school, None
                await guard(tx)
                await job.run(tx)
        except (LeaseLost, Unavailable):
            raise
        except Exception as error:  # raised again below: no school waits for what fails in another
            if job.schools is not None:
                log.warning("failed for a school; the others go on", job=job.name, school=school, exc_info=True)
            failed = error
    if failed is not None:
        raise failed


async def prune(tx: Transaction, settings: Settings) -> None:
    """Delete inbox marks and kept answers that are past their time."""
    await tx.session.execute(delete(InboxRow).where(InboxRow.handled_at < days_ago(tx.now, settings.inbox_retention_days)))
    await tx.session.execute(delete(AnswerRow).where(AnswerRow.at < days_ago(tx.now, 1)))


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
            trace = not isinstance(error, EXPECTED)
            log.warning("failed; will try again", work=name, reason=str(error), again_in_s=delay, exc_info=trace)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY_S)


@asynccontextmanager
async def background(service: Service, database: Database, bus: Bus, settings: Settings, health: Health) -> AsyncIterator[None]:
    """Run everything of a service that is not a request, until the block ends."""
    database.settings = settings

    def lease(name: str) -> Lease:
        return Lease(database, name, alone=settings.embedded)

    def under_lease(name: str, held: Lease, run: Callable[..., Awaitable[None]]) -> None:
        works = partial(health.works, name)
        work[name] = partial(hold, held, service.name, partial(run, lease=held, works=works), works)

    work: dict[str, Callable[[], Awaitable[None]]] = {}
    under_lease(f"{service.name}.relay", lease("relay"), partial(relay, database, bus))
    work[f"{service.name}.clock"] = partial(keep_clock, service.name, database, partial(health.works, f"{service.name}.clock"))
    if not database.is_sqlite:
        work[f"{service.name}.silent"] = partial(end_silent, database, partial(health.works, f"{service.name}.silent"))
    work[f"{service.name}.gauges"] = partial(gauges, service, database, partial(health.works, f"{service.name}.gauges"))
    for group in service.groups:
        work[group] = partial(Consumer(service, group, database, bus, settings).run, health)
    for job in (*service.jobs, Job(name="prune", every=_HOUR, run=partial(prune, settings=settings))):
        under_lease(f"{service.name}.{job.name}", lease(job.name), partial(run_job, service, job, database))
    async with _running(work, health):
        yield


@asynccontextmanager
async def upkeep(bus: Bus, settings: Settings, health: Health) -> AsyncIterator[None]:
    """Let the bus forget, every hour, what everybody has read and is old enough, until the block ends."""

    async def prune_hourly() -> None:
        while True:
            await bus.prune(settings.bus_retention_days * _DAY_S)
            health.works("bus.prune")
            await asyncio.sleep(_HOUR.total_seconds())

    async with _running({"bus.prune": prune_hourly}, health):
        yield


@asynccontextmanager
async def _running(work: Mapping[str, Callable[[], Awaitable[None]]], health: Health) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(keep_running(name, each, health), name=name) for name, each in work.items()]
    try:
        yield
    finally:
        await end(*tasks)
