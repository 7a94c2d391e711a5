"""What the tests of the buses share."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from libs.common.bus import Bus, Record, Subscription, open_bus
from tests.conftest import KAFKA

MUCH = 2**30
PROMPT_S = 30.0  # a busy machine may take long; a promise broken takes for ever


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Bus]:
    bus = open_bus(url)
    try:
        await bus.check()
        yield bus
    finally:
        await bus.close()


def record(n: int | str, key: str = "demo", topic: str = "planning") -> Record:
    return Record(topic, key, f"record {n}".encode())


async def take(subscription: Subscription, count: int, limit: int = MUCH) -> list[Record]:
    """Fetch until there are so many records; more than that is a failure too."""
    found: list[Record] = []
    async with asyncio.timeout(PROMPT_S):
        while len(found) < count:
            found += await subscription.fetch(limit, wait=1.0)
    assert len(found) == count, found
    return found


async def eventually(claim: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PROMPT_S):
        while not await claim():  # noqa: ASYNC110 - the cluster tells nobody
            await asyncio.sleep(0.05)


def values(records: Sequence[Record]) -> list[bytes]:
    return [r.value for r in records]


class topics_of_its_own:  # noqa: N801 - reads as the function that it replaces
    """A prefix that nobody else uses; its topics are deleted at the end."""

    def __enter__(self) -> str:
        assert KAFKA, "make test-servers starts Kafka"
        self.prefix = f"t{uuid4().hex}."
        return f"kafka://{KAFKA}/{self.prefix}"

    def __exit__(self, *_: object) -> None:
        asyncio.run(self._delete())

    async def _delete(self) -> None:
        from aiokafka.admin import AIOKafkaAdminClient

        admin = AIOKafkaAdminClient(bootstrap_servers=KAFKA)
        await admin.start()
        if made := [topic for topic in await admin.list_topics() if topic.startswith(self.prefix)]:
            await admin.delete_topics(made)
        await admin.close()
