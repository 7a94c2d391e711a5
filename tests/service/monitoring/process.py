"""Monitoring and planning as one process has them, done step by step: one turn of each piece of their background work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from libs.common.bus import open_bus
from libs.common.database import Database, OutboxRow
from libs.common.runtime import Consumer, Health, Lease, relay_once, run_job
from services.monitoring.jobs import JOBS
from services.monitoring.service import service as monitoring
from services.planning.service import service as planning
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest

SERVICES = {service.name: service for service in (monitoring, planning)}
TOPICS = {group: topics for service in SERVICES.values() for group, topics in service.groups.items()}

Op = tuple[str, Any]


class Over(Exception):
    """One turn was taken."""


class OneTurn(Health):
    """Ends work that goes on for ever when it says for the first time that it works."""

    def works(self, name: str) -> None:
        raise Over(name)


class Process:
    """What a process makes of a folder: monitoring and planning, and the bus between them."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self.clock = SettableClock(now)
        self.suts = {
            name: ServiceUnderTest(service, Database(f"sqlite+aiosqlite:///{folder}/{name}.db", self.clock), folder)
            for name, service in SERVICES.items()
        }
        self.bus = open_bus(f"sqlite:{folder}/bus.db")
        self.consumers = {
            group: Consumer(sut.service, group, sut.database, self.bus, sut.settings)
            for sut in self.suts.values()
            for group in sut.service.groups
        }
        self.leases: dict[tuple[str, str], Lease] = {}

    async def start(self) -> None:
        for group, topics in TOPICS.items():
            async with self.bus.subscribe(group, topics):
                pass
        for name, work in (("monitoring", "relay"), ("planning", "relay"), ("monitoring", JOBS[0].name)):
            self.leases[name, work] = Lease(self.suts[name].database, work, alone=True)
            assert await self.leases[name, work].take()

    async def close(self) -> None:
        await self.bus.close()
        for sut in self.suts.values():
            await sut.bus.close()
            await sut.database.close()

    async def do(self, op: Op) -> None:
        """One step of the history; done again it does what is left of it."""
        match op:
            case "send", records:
                await self.bus.publish(records)
            case "take", str(group):
                if sum([await self.bus.backlog(group, topic) for topic in TOPICS[group]]):
                    await one_turn(self.consumers[group].run)
            case "hand on", str(name):
                await relay_once(self.suts[name].database, self.bus, self.leases[name, "relay"])
            case "day", datetime() as now:
                self.clock.now = now
                sut = self.suts["monitoring"]
                job = partial(run_job, sut.service, JOBS[0], sut.database, self.leases["monitoring", JOBS[0].name])
                await one_turn(lambda health: job(lambda: health.works("job")))

    async def left(self) -> int:
        """How much is still to be done."""
        bytes_ = [await self.bus.backlog(group, topic) for group, topics in TOPICS.items() for topic in topics]
        rows = []
        for sut in self.suts.values():
            async with sut.database.reading() as session:
                rows.append(await session.scalar(select(func.count()).select_from(OutboxRow)) or 0)
        return sum(bytes_) + sum(rows)


async def one_turn(run: Callable[[Health], Awaitable[None]]) -> None:
    try:
        await run(OneTurn())
    except Over:
        return


@asynccontextmanager
async def process(folder: Path, now: datetime) -> AsyncIterator[Process]:
    """Start it, and end it as an operator does."""
    started = Process(folder, now)
    try:
        await started.start()
        yield started
    finally:
        await started.close()
