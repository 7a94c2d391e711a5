"""One service on a real database, without the other four: events in, requests in, events out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx
from sqlalchemy import delete, make_url, select
from starlette.routing import BaseRoute

from libs.common import auth, migrate
from libs.common.auth import Grant, Principal
from libs.common.bus import Record, open_bus
from libs.common.database import Clock, Database, OutboxRow, Transaction
from libs.common.event import Event, Message, decode, encode
from libs.common.http import service_app
from libs.common.runtime import Consumer, run_once
from libs.common.service import Service
from libs.common.settings import Settings

SECRET = b"s" * 32
SCHOOL = "demo"


def principal(*permissions: str, over: Sequence[str] = (auth.EVERYWHERE,), id: str = "P1", school: str = SCHOOL) -> Principal:  # noqa: A002
    """Somebody with these permissions over these places."""
    return Principal("person", id, school, (Grant(frozenset(permissions), frozenset(over)),))


class ServiceUnderTest:
    """Drives one service exactly as the runtime does."""

    def __init__(self, service: Service, database: Database, folder: Path) -> None:
        self.service, self.database = service, database
        self.bus = open_bus(f"sqlite:{folder}/bus-of-{service.name}.db")
        self.settings = Settings(home=folder)
        self.app = service_app(service, database, self.bus, SECRET)
        # The framework works out what each route depends on at an app's first request: once a service is enough.
        self.app.router.routes = _routes.setdefault(service.name, self.app.router.routes)

    async def handle(self, *events: Event, school: str = SCHOOL, at: datetime | None = None) -> None:
        """Deliver events as one batch of the service's own consumer."""
        at = at or self.database.now()
        messages = [Message(uuid4(), at, school, event) for event in events]
        await self.redeliver(*messages)

    async def redeliver(self, *messages: Message) -> None:
        """Deliver messages, whose ids may have been handled before."""
        records = [Record(m.event.producer(), m.school, encode(m)) for m in messages]
        await self._consumer(self.service.name).handle_batch(records)

    async def take(self, topic: str, *values: bytes, school: str = SCHOOL) -> None:
        """Deliver raw records as one batch of the service's intake of `topic`."""
        await self._consumer(f"{self.service.name}.{topic}").handle_batch([Record(topic, school, value) for value in values])

    async def run(self, name: str) -> None:
        """Run a job of the service once, as the runtime does."""
        (job,) = (job for job in self.service.jobs if job.name == name)
        await run_once(job, self.database, nobody_else)

    def _consumer(self, group: str) -> Consumer:
        return Consumer(self.service, group, self.database, self.bus, self.settings)

    async def published(self) -> list[Message]:
        """What the service has sent since the last call, in order; the outbox is empty afterwards."""
        async with self.database.transaction() as tx:
            rows = (await tx.session.scalars(select(OutboxRow).order_by(OutboxRow.position))).all()
            await tx.session.execute(delete(OutboxRow))
        messages = [decode(row.payload, Everything()) for row in rows]
        return [message for message in messages if message is not None]

    @asynccontextmanager
    async def as_(self, who: Principal) -> AsyncIterator[httpx.AsyncClient]:
        """A client whose requests carry this principal, as the gateway would sign it."""
        token = auth.sign(who, self.service.name, SECRET)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers={auth.HEADER: token}) as client:
            yield client


async def nobody_else(_: Transaction) -> None:
    """No lease is asked for: nobody else runs the job."""


class Everything:
    """A container that holds every event type."""

    def __contains__(self, _: object) -> bool:
        return True


_empty: dict[str, bytes] = {}
_routes: dict[str, list[BaseRoute]] = {}


def _make_tables(service: Service, url: str) -> None:
    """Migrate the database. A new SQLite file is a copy of one that was migrated once: there are more than a thousand such tests."""
    file = Path(make_url(url).database or "")
    if not url.startswith("sqlite") or file.exists():
        migrate.upgrade(service, url)
        return
    if service.name not in _empty:
        migrate.upgrade(service, url)
        _empty[service.name] = file.read_bytes()
    else:
        file.write_bytes(_empty[service.name])


@asynccontextmanager
async def running(
    service: Service, url: str, folder: Path, clock: Clock = lambda: datetime.now(UTC)
) -> AsyncIterator[ServiceUnderTest]:
    """The service with its tables in place."""
    await asyncio.to_thread(_make_tables, service, url)
    database = Database(url, clock)
    sut = ServiceUnderTest(service, database, folder)
    try:
        yield sut
    finally:
        await sut.bus.close()
        await database.close()
