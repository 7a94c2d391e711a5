"""What every part of the Kafka bus must know: where the cluster is, what a topic is called there, what is in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from libs.common.errors import Unavailable

ANSWER_S, STOP_S = 10.0, 5.0
_SIZE_UNSEEN = 1024.0
_partitioner = DefaultPartitioner()


class Cluster:
    """Addresses, names, partitions, and the mean size of the records seen."""

    def __init__(self, servers: Sequence[str], prefix: str) -> None:
        self.servers, self.prefix = list(servers), prefix
        self.partitions: dict[str, list[int]] = {}
        self._mean: dict[str, float] = {}

    def name(self, topic: str) -> str:
        return self.prefix + topic

    def topic(self, name: str) -> str:
        return name.removeprefix(self.prefix)

    def place(self, topic: str, key: bytes) -> TopicPartition:
        """The partition of a key, as any client with the usual partitioner (murmur2) finds it."""
        name = self.name(topic)
        partitions = self.partitions[name]
        return TopicPartition(name, partitions[_nth(key, len(partitions))])

    def places(self, topic: str) -> list[TopicPartition]:
        name = self.name(topic)
        return [TopicPartition(name, partition) for partition in self.partitions[name]]

    def saw(self, topic: str, size: int, records: int) -> None:
        """Remember how large records of this topic are of late."""
        mean = size / records
        self._mean[topic] = 0.8 * self._mean.get(topic, mean) + 0.2 * mean

    def mean_size(self, topic: str) -> float:
        return self._mean.get(topic, _SIZE_UNSEEN)

    @asynccontextmanager
    async def asking(self, seconds: float = ANSWER_S) -> AsyncIterator[None]:
        """Give the cluster some seconds to answer. Raises Unavailable in place of the client's errors."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except (KafkaError, OSError) as error:  # a timeout is an OSError
            raise self.failed(error, seconds) from error

    def failed(self, error: KafkaError | OSError, seconds: float) -> Unavailable:
        """What to say where the cluster did not answer within so many seconds, or with this error."""
        reason = f"no answer within {seconds:.0f} s" if isinstance(error, TimeoutError) else str(error) or repr(error)
        return self.unavailable(reason)

    def unavailable(self, reason: str) -> Unavailable:
        return Unavailable(f"Kafka at {','.join(self.servers)} cannot be used now: {reason}", headers={"Retry-After": "5"})


@lru_cache(maxsize=10_000)
def _nth(key: bytes, partitions: int) -> int:
    """Which of so many partitions a key belongs to."""
    return int(_partitioner(key, range(partitions), []))


async def started(client: Any) -> Any:
    """Start a client of Kafka; where that fails, leave nothing of it behind."""
    try:
        await client.start()
    except BaseException:
        await stopped(client)
        raise
    return client


async def stopped(client: Any) -> None:
    """Stop a client of Kafka, also while no broker answers: then it is cut off after some seconds."""
    with suppress(KafkaError, OSError):
        async with asyncio.timeout(STOP_S):
            await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
            return
    with suppress(KafkaError, OSError):
        async with asyncio.timeout(STOP_S):
            await (client.client if isinstance(client, AIOKafkaProducer) else client._client).close()  # noqa: SLF001 - no public way
