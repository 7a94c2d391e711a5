"""The bus on a Kafka cluster: the same promises as the embedded one, for any number of processes.

Kafka's transactions are not used: delivery is at least once, and the receiver's inbox makes it once. A group's members
share the partitions; a school's partition of every topic goes to the same member, so that one worker at a time sees a
school.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from libs.common.bus import Record, Subscription
from libs.common.bus_kafka.cluster import Cluster
from libs.common.bus_kafka.meter import Meter
from libs.common.bus_kafka.publisher import LARGEST_RECORD, Publisher
from libs.common.bus_kafka.subscription import joined
from libs.common.errors import Unavailable

TOPICS = ("observations", "gateway", "standards", "monitoring", "planning", "reporting", "deadletters")
PREFIX = "zhengai."
PARTITIONS = 4
CONFIGS = {
    "max.message.bytes": str(LARGEST_RECORD),
    "retention.ms": str(7 * 24 * 3600 * 1000),
    # Records bear the broker's time: it refuses those of a process whose own clock is more than an hour ahead.
    "message.timestamp.type": "LogAppendTime",
}


class KafkaBus:
    """Topics are the prefix and the record's topic; a key's records lie in one partition."""

    def __init__(self, servers: Sequence[str], prefix: str = PREFIX) -> None:
        self._cluster = Cluster(servers, prefix)
        self._meter = Meter(self._cluster)
        self._publisher = Publisher(self._cluster)
        self._closed = False

    @classmethod
    def from_url(cls, url: str) -> KafkaBus:
        """Read `kafka://HOST:PORT[,HOST:PORT][/PREFIX]`. Raises ValueError for anything else."""
        parts = urlsplit(url)
        prefix = parts.path.strip("/") or PREFIX
        servers = [server if ":" in server else f"{server}:9092" for server in parts.netloc.split(",") if server]
        if parts.scheme != "kafka" or not servers or not re.fullmatch(r"[A-Za-z0-9._-]{1,150}", prefix):
            raise ValueError(f"not the URL of a Kafka bus: {url!r}; use kafka://HOST:PORT[,HOST:PORT][/PREFIX]")
        return cls(servers, prefix)

    async def check(self) -> None:
        """Connect, and make the topics that are missing. Raises Unavailable when no broker answers."""
        if self._closed:
            raise Unavailable("the bus is closed")
        await self._meter.see_topics(TOPICS, PARTITIONS, CONFIGS)

    async def _opened(self) -> None:
        if self._closed or not self._cluster.partitions:
            await self.check()

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when all in-sync replicas have every record.

        Raises Unavailable where that is not known within ten seconds: some of them may be there, and publishing all of
        them again is harmless.
        """
        await self._opened()
        await self._publisher.publish(records)

    @asynccontextmanager
    async def subscribe(self, group: str, topics: Sequence[str]) -> AsyncIterator[Subscription]:
        """Join the group; its partitions are shared out among its members."""
        await self.check()
        async with joined(self._cluster, group, topics) as subscription:
            yield subscription

    async def end(self, topic: str, key: str) -> int:
        """Return the offset after the newest record of the key's partition."""
        await self._opened()
        place = self._cluster.place(topic, key.encode())
        return (await self._meter.ends([place]))[place]

    async def committed(self, group: str, topic: str, key: str) -> int:
        """Return the offset that the group committed in the key's partition; at least that of the oldest record kept."""
        await self._opened()
        place = self._cluster.place(topic, key.encode())
        return (await self._meter.commits(group, [place]))[place]

    async def backlog(self, group: str, topic: str) -> int:
        """Return the records to come times their mean size, as it was a second ago. Raises Unavailable."""
        await self._opened()
        return int(await self._meter.lag(group, topic) * self._cluster.mean_size(topic))

    async def prune(self, older_than_s: int) -> int:
        """Do nothing: the cluster deletes by the retention of its topics."""
        del older_than_s
        return 0

    async def close(self) -> None:
        """Finish what is under way, for some seconds, and disconnect."""
        self._closed = True
        await self._publisher.close()
        await self._meter.close()
