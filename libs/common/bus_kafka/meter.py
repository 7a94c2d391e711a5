"""Asking the cluster: which topics there are, where they end, how far groups are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from libs.common.bus_kafka.cluster import Cluster, started, stopped

LAG_FRESH_S, LAG_STALE_S = 1.0, 15.0


class Meter:
    """One connection for administration, one for offsets."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._admin: Any = None
        self._offsets: Any = None
        self._opening = asyncio.Lock()
        self._coordinators: dict[str, int] = {}
        self._lags: dict[tuple[str, str], tuple[float, int]] = {}
        self._measuring: dict[tuple[str, str], asyncio.Task[int]] = {}

    async def see_topics(self, topics: Sequence[str], partitions: int, configs: Mapping[str, str]) -> None:
        """Learn the topics' partitions; make the topics that are missing. Raises Unavailable when no broker answers."""
        wanted = {self._cluster.name(topic) for topic in topics}
        async with self._opening, self._cluster.asking():
            await self._open()
            while True:
                there = {
                    topic["topic"]: sorted(p["partition"] for p in topic["partitions"])
                    for topic in await self._admin.describe_topics()
                    if not topic["error_code"] and all(p["leader"] >= 0 for p in topic["partitions"])
                }
                if wanted <= there.keys():
                    self._cluster.partitions = {topic: there[topic] for topic in wanted}
                    return
                await self._create(sorted(wanted - there.keys()), partitions, configs)
                await asyncio.sleep(0.05)

    async def _open(self) -> None:
        servers = self._cluster.servers
        if self._admin is None:
            self._admin = await started(AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=10_000))
        if self._offsets is None:
            self._offsets = await started(
                AIOKafkaConsumer(bootstrap_servers=servers, isolation_level="read_committed", request_timeout_ms=10_000)
            )

    async def _create(self, names: Sequence[str], partitions: int, configs: Mapping[str, str]) -> None:
        replicas = min(3, len((await self._admin.describe_cluster())["brokers"]))
        configs = {**configs, "min.insync.replicas": str(min(2, replicas))}
        answer = await self._admin.create_topics([NewTopic(n, partitions, replicas, topic_configs=configs) for n in names])
        for name, code, *message in answer.topic_errors:
            if code and (error := for_code(code)) is not TopicAlreadyExistsError:  # another process was first
                raise error(f"topic {name} cannot be made: {' '.join(map(str, message))}")

    async def ends(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the offsets after the newest records."""
        async with self._cluster.asking():
            ends: dict[TopicPartition, int] = await self._offsets.end_offsets(list(places))
        return ends

    async def commits(self, group: str, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the offsets that the group has committed; where it has none, that of the oldest record kept."""
        name = self._cluster.name(group)
        async with self._cluster.asking():
            try:
                if name not in self._coordinators:
                    self._coordinators[name] = await self._admin.find_coordinator(name)
                found = await self._admin.list_consumer_group_offsets(name, self._coordinators[name], list(places))
            except (KafkaError, AttributeError) as error:  # the client trips over its own error answer
                self._coordinators.pop(name, None)
                raise KafkaError(f"the coordinator of {name} does not answer: {error}") from error
            commits = {place: found[place].offset for place in places}
            if missing := [place for place, offset in commits.items() if offset < 0]:
                commits |= await self._offsets.beginning_offsets(missing)
        return commits

    async def lag(self, group: str, topic: str) -> int:
        """Return how many records the group has yet to commit, as it was a second ago.

        An older figure is measured anew without waiting for it, a much older one is waited for. Raises Unavailable.
        """
        at, lag = self._lags.get((group, topic), (float("-inf"), 0))
        age = monotonic() - at
        if age > LAG_FRESH_S:
            if (task := self._measuring.get((group, topic))) is None or task.done():
                task = self._measuring[group, topic] = asyncio.create_task(self._measure(group, topic), name="bus.lag")
                task.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may wait for it
            if age > LAG_STALE_S:
                lag = await asyncio.shield(task)
        return lag

    async def _measure(self, group: str, topic: str) -> int:
        places = self._cluster.places(topic)
        commits = await self.commits(group, places)
        ends = await self.ends(places)
        lag = sum(max(0, ends[place] - commits[place]) for place in places)
        self._lags[group, topic] = (monotonic(), lag)
        return lag

    async def close(self) -> None:
        measuring = list(self._measuring.values())
        for task in measuring:
            task.cancel()
        await asyncio.gather(*measuring, return_exceptions=True)
        for client in (self._offsets, self._admin):
            if client is not None:
                await stopped(client)
        self._offsets = self._admin = None
