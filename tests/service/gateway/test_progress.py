"""Whether everything accepted has taken hold: three services in a row on the embedded bus, driven step by step."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from fastapi import APIRouter
from sqlalchemy import MetaData
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.common import migrate
from libs.common.asgi import problem
from libs.common.bus import Subscription, open_bus
from libs.common.database import Database, Transaction
from libs.common.errors import Unavailable
from libs.common.events.gateway import SchoolAdded
from libs.common.events.monitoring import MetricDefined
from libs.common.http import service_app
from libs.common.runtime import Consumer, Lease, relay_once
from libs.common.service import Service
from libs.common.settings import Settings
from services.gateway.asking import Services
from services.gateway.front import Front
from services.gateway.queries.progress import Progress
from tests.conftest import SettableClock
from tests.service.gateway.door import Door, door
from tests.service.harness import SECRET


async def _define(event: SchoolAdded, tx: Transaction) -> None:
    tx.publish(MetricDefined(code=event.code, name="", grain=[], kind="ratio", direction="higher"))


async def _take(event: MetricDefined, tx: Transaction) -> None:
    del event, tx


SERVICES = {
    "gateway": Service(name="gateway", router=APIRouter(), tables=MetaData()),
    "monitoring": Service(name="monitoring", router=APIRouter(), tables=MetaData(), handlers={SchoolAdded: _define}),
    "planning": Service(name="planning", router=APIRouter(), tables=MetaData(), handlers={MetricDefined: _take}),
}
TOPOLOGY = [("monitoring", "gateway"), ("planning", "monitoring")]


class Chain:
    """Each step is taken by hand: `publish` moves an outbox to the bus, `handle` takes in what is on the bus."""

    def __init__(self, folder: Path, clock: SettableClock) -> None:
        self.bus = open_bus(f"sqlite:{folder}/bus.db")
        self.databases = {name: Database(f"sqlite+aiosqlite:///{folder}/{name}.db", clock) for name in SERVICES}
        self.apps = {name: service_app(SERVICES[name], self.databases[name], self.bus, SECRET) for name in SERVICES}
        answers, seconds = {name: self._answer(name) for name in SERVICES}, self.databases["gateway"].clock.seconds
        self.progress = Progress(Services(answers, SECRET, seconds), TOPOLOGY, self.bus)
        self.settings = Settings(home=folder)
        self.subscriptions: dict[str, Subscription] = {}
        self.down: set[str] = set()

    def _answer(self, name: str) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if name in self.down:
                await problem(Unavailable("down"))(scope, receive, send)
            else:
                await self.apps[name](scope, receive, send)

        return app

    async def accept(self, school: str = "demo") -> None:
        async with self.databases["gateway"].transaction() as tx:
            tx.publish(SchoolAdded(code=school, name=""), school=school)

    async def publish(self, name: str) -> None:
        lease = Lease(self.databases[name], "relay", alone=True)
        await lease.take()
        while await relay_once(self.databases[name], self.bus, lease):
            pass

    async def handle(self, name: str) -> None:
        subscription = self.subscriptions[name]
        records = await subscription.fetch(1 << 20, 0)
        await Consumer(SERVICES[name], name, self.databases[name], self.bus, self.settings).handle_batch(records)
        await subscription.commit()

    async def everything(self) -> None:
        for name in ("gateway", "monitoring", "planning"):
            if name in self.subscriptions:
                await self.handle(name)
            await self.publish(name)


@asynccontextmanager
async def chain(folder: Path, clock: SettableClock) -> AsyncIterator[Chain]:
    here = Chain(folder, clock)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(here.bus.close)
        for name, service in SERVICES.items():
            tables = Service(name="gateway", router=APIRouter(), tables=service.tables)  # any service has the common tables
            migrate.upgrade(tables, here.databases[name].url)
            stack.push_async_callback(here.databases[name].close)
            if service.handlers:
                groups = service.groups[name]
                here.subscriptions[name] = await stack.enter_async_context(here.bus.subscribe(name, groups))
        yield here


async def test_a_position_is_reached_only_after_the_last_service_has_taken_in_what_followed(
    tmp_path: Path, clock: SettableClock
) -> None:
    async with chain(tmp_path, clock) as here:
        assert await here.progress.reached("demo", "1-00000000")
        await here.accept()
        steps = [
            here.publish("gateway"),
            here.handle("monitoring"),
            here.publish("monitoring"),
            here.handle("planning"),
        ]
        for step in steps:
            assert not await here.progress.reached("demo", "1-00000001")
            await step
        assert await here.progress.reached("demo", "1-00000001")
        await here.accept()
        assert await here.progress.reached("demo", "1-00000001")
        assert not await here.progress.reached("demo", "1-00000002")


async def test_a_position_is_reached_under_traffic_that_never_stops(tmp_path: Path, clock: SettableClock) -> None:
    async with chain(tmp_path, clock) as here:
        await here.accept()
        for _ in range(20):
            await here.accept()
            if await here.progress.reached("demo", "1-00000000"):
                break
            await here.everything()
        else:
            pytest.fail("never reached")


async def test_another_schools_outbox_does_not_hold_up_a_school(tmp_path: Path, clock: SettableClock) -> None:
    async with chain(tmp_path, clock) as here:
        await here.accept("busy")

        assert await here.progress.reached("demo", "1-00000000")
        assert not await here.progress.reached("busy", "1-00000000")


async def test_a_service_that_does_not_answer_holds_up_every_position(tmp_path: Path, clock: SettableClock) -> None:
    async with chain(tmp_path, clock) as here:
        here.down.add("planning")
        assert not await here.progress.reached("demo", "1-00000000")
        here.down.clear()
        assert await here.progress.reached("demo", "1-00000000")


async def test_without_a_position_it_is_asked_about_this_moment(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as there:  # the school was just added: that waits to be published
        here = Door(there.sut, Front(there.sut.app, {}, [], there.sut.settings))
        given = await here.operate("GET", "/api/v1/progress?school=demo")
        await here.sut.published()
        quiet = await here.operate("GET", "/api/v1/progress?school=demo")
        bent = await here.operate("GET", "/api/v1/progress?school=demo&after=yesterday")
        unnamed = await here.operate("GET", "/api/v1/progress")

        assert given.status_code == 202
        assert quiet.status_code == 200
        for answer in (given, quiet):
            assert answer.headers["zhengai-position"] == answer.json()["position"]
        assert bent.status_code == unnamed.status_code == 422
