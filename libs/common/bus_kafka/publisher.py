"""Publishing to Kafka: before the client's producer stands one queue a partition.

The producer alone lets some of those who wait for a full batch starve for seconds; here whoever came first is sent first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from libs.common.bus import Record
from libs.common.bus_kafka.cluster import Cluster, started, stopped
from libs.common.errors import Unavailable

LARGEST_RECORD = 6 * 2**20  # a request of 5 MiB and what surrounds it
BATCH_BYTES = 2**20  # before compression; a larger record is a batch of its own
WAITING_BYTES = 64 * 2**20
PUBLISH_S = 10.0


class Publisher:
    """One idempotent producer and the queues before it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._lanes: dict[TopicPartition, _Lane] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self.waiting_bytes = 0

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when all in-sync replicas have every record. Raises Unavailable where that is not known in time."""
        if self.waiting_bytes > WAITING_BYTES:
            raise self._cluster.unavailable("too much waits for it already")
        parcels: dict[TopicPartition, _Parcel] = {}
        for r in records:
            key = r.key.encode()
            parcels.setdefault(self._cluster.place(r.topic, key), _Parcel()).records.append((key, r.value))
        sent = [self._lane(place).put(parcel) for place, parcel in parcels.items()]
        try:
            await (sent[0] if len(sent) == 1 else asyncio.gather(*sent))
        except (KafkaError, OSError) as error:  # a timeout is an OSError
            raise self._cluster.failed(error, PUBLISH_S) from error
        for place, parcel in parcels.items():
            sizes = [len(value) for _, value in parcel.records]
            self._cluster.saw(self._cluster.topic(place.topic), sum(sizes), len(sizes))

    def _lane(self, place: TopicPartition) -> _Lane:
        if (lane := self._lanes.get(place)) is None:
            lane = self._lanes[place] = _Lane(self, place)
        return lane

    async def producer(self) -> AIOKafkaProducer:
        """Return the producer, started. Raises Unavailable where no broker answers."""
        async with self._starting:
            if self._producer is None:
                async with self._cluster.asking():
                    self._producer = await started(
                        AIOKafkaProducer(
                            bootstrap_servers=self._cluster.servers,
                            acks="all",
                            enable_idempotence=True,
                            compression_type="zstd",  # a quarter of the time of the client's lz4, and smaller
                            max_batch_size=BATCH_BYTES,
                            max_request_size=LARGEST_RECORD,
                            request_timeout_ms=10_000,
                        )
                    )
            return self._producer

    def discard(self, producer: AIOKafkaProducer) -> None:
        """After a failure the producer's sequence has a gap, and the broker would refuse what follows: begin anew."""
        if self._producer is producer:
            self._producer = None
            ending = asyncio.create_task(stopped(producer), name="bus.discard")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """Send what waits, for some seconds, and disconnect."""
        sending = [lane.task for lane in self._lanes.values() if lane.task is not None]
        if sending:
            await asyncio.wait(sending, timeout=PUBLISH_S)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, *self._ending, return_exceptions=True)
        if self._producer is not None:
            await stopped(self._producer)
            self._producer = None


class _Parcel:
    """The records of one publish that go to one partition; they stay together, and wait for some seconds at most."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.records: list[tuple[bytes, bytes]] = []
        self.done: asyncio.Future[None] = loop.create_future()
        self._limit = loop.call_later(PUBLISH_S, self.fail, TimeoutError())

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
        self._limit.cancel()

    def succeed(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        self._limit.cancel()


class _Lane:
    """One partition's queue: all that waits goes out as one batch, first come, first served; then the next."""

    def __init__(self, publisher: Publisher, place: TopicPartition) -> None:
        self._publisher, self._place = publisher, place
        self._waiting: deque[tuple[bytes, bytes, _Parcel, bool]] = deque()
        self.task: asyncio.Task[None] | None = None

    def put(self, parcel: _Parcel) -> asyncio.Future[None]:
        last = len(parcel.records) - 1
        for n, (key, value) in enumerate(parcel.records):
            self._waiting.append((key, value, parcel, n == last))
            self._publisher.waiting_bytes += len(value)
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._send_waiting(), name="bus.send")
        return parcel.done

    async def _send_waiting(self) -> None:
        while self._waiting:
            batch: list[tuple[_Parcel, bool]] = []
            try:
                producer = await self._publisher.producer()
                await self._send(producer, batch)
            except (KafkaError, Unavailable) as error:
                for parcel, _ in batch or [(parcel, last) for _, _, parcel, last in self._waiting]:
                    parcel.fail(error)
            for parcel, last in batch:
                if last:
                    parcel.succeed()

    async def _send(self, producer: AIOKafkaProducer, batch: list[tuple[_Parcel, bool]]) -> None:
        """Send the next batch and wait for its acknowledgement; `batch` gets what was in it."""
        builder = producer.create_batch()
        while self._waiting:
            key, value, parcel, last = self._waiting[0]
            if not parcel.done.done():  # else: given up, or failed in the batch before
                if builder.append(timestamp=None, key=key, value=value) is None:
                    break
                batch.append((parcel, last))
            self._waiting.popleft()
            self._publisher.waiting_bytes -= len(value)
        if batch:
            try:
                await (await producer.send_batch(builder, self._place.topic, partition=self._place.partition))
            except KafkaError:
                self._publisher.discard(producer)
                raise
