"""The bus on a Kafka cluster: the same promises as the embedded one, for any number of processes.

Kafka's transactions are not used: delivery is at least once, and the receiver's inbox makes it once. A group's members
share the partitions; the assignor gives a school's partition of every topic to the same member, so that one worker at a
time sees a school. Before the client's producer stands one queue a partition: the producer alone lets some of those that
wait for a full batch starve for seconds.
"""

from __future__ import annotations

import asyncio
import fcntl
import re
import socket
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import gettempdir
from time import monotonic
from typing import Any
from urllib.parse import urlsplit
from uuid import getnode, uuid4
from zlib import crc32

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.partitioner import DefaultPartitioner

from libs.common.bus import Record
from libs.common.errors import Unavailable

log = structlog.get_logger()

TOPICS = ("observations", "gateway", "standards", "monitoring", "planning", "reporting", "deadletters")
PREFIX = "zhengai."
LARGEST_RECORD = 6 * 2**20  # a request of 5 MiB and what surrounds it
RETENTION_MS = 7 * 24 * 3600 * 1000
BATCH_BYTES = 2**20  # before compression; a larger record is a batch of its own
WAITING_BYTES = 64 * 2**20
PUBLISH_S, ANSWER_S, JOIN_S, STOP_S = 10.0, 10.0, 30.0, 5.0
SESSION_MS = 6000
LAG_FRESH_S, LAG_STALE_S = 1.0, 15.0
_partition_of = DefaultPartitioner()


class KafkaBus:
    """Topics are the prefix and the record's topic; a key's records lie in one partition."""

    def __init__(self, servers: Sequence[str], prefix: str = PREFIX, partitions: int = 4) -> None:
        self.servers, self.prefix = list(servers), prefix
        self._new_partitions = partitions
        self._partitions: dict[str, list[int]] = {}
        self._admin: AIOKafkaAdminClient | None = None
        self._meter: AIOKafkaConsumer | None = None
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()
        self._starting = asyncio.Lock()
        self._lanes: dict[TopicPartition, _Lane] = {}
        self._waiting_bytes = 0
        self._mean: dict[str, float] = {}
        self._coordinators: dict[str, int] = {}
        self._lags: dict[tuple[str, str], tuple[float, int]] = {}
        self._measuring: dict[tuple[str, str], asyncio.Task[int]] = {}
        self._ending: set[asyncio.Task[None]] = set()
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

    # --- reaching the cluster

    async def check(self) -> None:
        """Connect, and make the topics that are missing. Raises Unavailable when no broker answers."""
        async with self._opening, self._asking():
            if self._closed:
                raise Unavailable("the bus is closed")
            if self._admin is None:
                self._admin = await _started(AIOKafkaAdminClient(bootstrap_servers=self.servers, request_timeout_ms=10_000))
            if self._meter is None:
                self._meter = await _started(
                    AIOKafkaConsumer(bootstrap_servers=self.servers, isolation_level="read_committed", request_timeout_ms=10_000)
                )
            await self._see_topics(self._admin)

    async def _see_topics(self, admin: AIOKafkaAdminClient) -> None:
        wanted = {self.prefix + topic for topic in TOPICS}
        while True:
            there = {
                topic["topic"]: sorted(p["partition"] for p in topic["partitions"])
                for topic in await admin.describe_topics()
                if not topic["error_code"] and all(p["leader"] >= 0 for p in topic["partitions"])
            }
            if wanted <= there.keys():
                self._partitions = {topic: there[topic] for topic in wanted}
                return
            await self._create(admin, sorted(wanted - there.keys()))
            await asyncio.sleep(0.05)

    async def _create(self, admin: AIOKafkaAdminClient, topics: Sequence[str]) -> None:
        replicas = min(3, len((await admin.describe_cluster())["brokers"]))
        configs = {
            "max.message.bytes": str(LARGEST_RECORD),
            "retention.ms": str(RETENTION_MS),
            "min.insync.replicas": str(min(2, replicas)),
        }
        answer = await admin.create_topics([NewTopic(t, self._new_partitions, replicas, topic_configs=configs) for t in topics])
        for topic, code, *message in answer.topic_errors:
            if (error := for_code(code)) is not TopicAlreadyExistsError and code:
                raise error(f"topic {topic} cannot be made: {' '.join(map(str, message))}")

    @asynccontextmanager
    async def _asking(self, seconds: float = ANSWER_S) -> AsyncIterator[None]:
        """Give the cluster some seconds to answer. Raises Unavailable in place of the client's errors."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except (KafkaError, OSError) as error:  # a timeout is an OSError
            reason = f"no answer within {seconds:.0f} s" if isinstance(error, TimeoutError) else str(error) or repr(error)
            raise Unavailable(
                f"Kafka at {','.join(self.servers)} cannot be used now: {reason}", headers={"Retry-After": "5"}
            ) from error

    async def _opened(self) -> None:
        if not self._partitions:
            await self.check()

    def _place(self, topic: str, key: bytes) -> TopicPartition:
        name = self.prefix + topic
        return TopicPartition(name, _partition_of(key, self._partitions[name], []))

    def _saw(self, topic: str, size: int, records: int) -> None:
        mean = size / records
        self._mean[topic] = 0.8 * self._mean.get(topic, mean) + 0.2 * mean

    # --- publishing

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when all in-sync replicas have every record.

        Raises Unavailable where that is not known within ten seconds: some of them may be there, and publishing all of
        them again is harmless.
        """
        await self._opened()
        size = sum(len(r.value) for r in records)
        if self._closed or self._waiting_bytes + size > WAITING_BYTES:
            raise Unavailable(
                "the bus is closed" if self._closed else "too much waits for Kafka already", headers={"Retry-After": "2"}
            )
        parcels: dict[TopicPartition, _Parcel] = {}
        for r in records:
            key = r.key.encode()
            parcels.setdefault(self._place(r.topic, key), _Parcel()).records.append((key, r.value))
        async with self._asking(PUBLISH_S):
            await asyncio.gather(*(self._lane(partition).put(parcel) for partition, parcel in parcels.items()))
        for partition, parcel in parcels.items():
            topic = partition.topic.removeprefix(self.prefix)
            self._saw(topic, sum(len(value) for _, value in parcel.records), len(parcel.records))

    def _lane(self, partition: TopicPartition) -> _Lane:
        if (lane := self._lanes.get(partition)) is None:
            lane = self._lanes[partition] = _Lane(self, partition)
        return lane

    async def _ready_producer(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                async with self._asking():
                    self._producer = await _started(
                        AIOKafkaProducer(
                            bootstrap_servers=self.servers,
                            acks="all",
                            enable_idempotence=True,
                            compression_type="zstd",  # a quarter of the time of the client's lz4, and smaller
                            max_batch_size=BATCH_BYTES,
                            max_request_size=LARGEST_RECORD,
                            request_timeout_ms=10_000,
                        )
                    )
            return self._producer

    def _discard(self, producer: AIOKafkaProducer) -> None:
        """After a failure the producer's sequence has a gap, and the broker would refuse what follows: begin anew."""
        if self._producer is producer:
            self._producer = None
            ending = asyncio.create_task(_stopped(producer), name="bus.discard")
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    # --- subscribing

    @asynccontextmanager
    async def subscribe(self, group: str, topics: Sequence[str]) -> AsyncIterator[_KafkaSubscription]:
        """Join the group; its partitions are shared out among its members."""
        await self.check()
        names = sorted(self.prefix + topic for topic in topics)
        with _member_name(self.prefix + group, names) as member:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self.servers,
                group_id=self.prefix + group,
                group_instance_id=member,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                partition_assignment_strategy=[RangePartitionAssignor],
                session_timeout_ms=SESSION_MS,
                heartbeat_interval_ms=SESSION_MS // 3,
                request_timeout_ms=15_000,
                max_partition_fetch_bytes=LARGEST_RECORD,
                fetch_max_bytes=LARGEST_RECORD + 2 * 2**20,
            )
            subscription = _KafkaSubscription(self, consumer)
            consumer.subscribe(names, listener=subscription)
            try:
                async with self._asking(JOIN_S):
                    await consumer.start()
                yield subscription
            finally:
                await _stopped(consumer)

    # --- measuring

    async def end(self, topic: str, key: str) -> int:
        """Return the offset after the newest record of the key's partition."""
        await self._opened()
        place = self._place(topic, key.encode())
        return (await self._ends([place]))[place]

    async def committed(self, group: str, topic: str, key: str) -> int:
        """Return the offset that the group committed in the key's partition; at least that of the oldest record kept."""
        await self._opened()
        place = self._place(topic, key.encode())
        return (await self._commits(group, [place]))[place]

    async def _ends(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        assert self._meter is not None
        async with self._asking():
            ends: dict[TopicPartition, int] = await self._meter.end_offsets(list(places))
        return ends

    async def _commits(self, group: str, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        assert self._admin is not None
        assert self._meter is not None
        name = self.prefix + group
        async with self._asking():
            try:
                if name not in self._coordinators:
                    self._coordinators[name] = await self._admin.find_coordinator(name)
                found = await self._admin.list_consumer_group_offsets(name, self._coordinators[name], list(places))
            except (KafkaError, AttributeError) as error:  # the client trips over its own error answer
                self._coordinators.pop(name, None)
                raise KafkaError(f"the coordinator of {name} does not answer: {error}") from error
            commits = {place: found[place].offset for place in places}
            if missing := [place for place, offset in commits.items() if offset < 0]:
                commits |= await self._meter.beginning_offsets(missing)
        return commits

    async def backlog(self, group: str, topic: str) -> int:
        """Return records to come times their mean size, at most some seconds old. Raises Unavailable when it cannot be known."""
        await self._opened()
        at, lag = self._lags.get((group, topic), (0.0, 0))
        age = monotonic() - at
        if age > LAG_FRESH_S:
            if (task := self._measuring.get((group, topic))) is None or task.done():
                task = self._measuring[group, topic] = asyncio.create_task(self._measure(group, topic), name="bus.lag")
                task.add_done_callback(lambda done: done.cancelled() or done.exception())  # its caller may be gone
            if age > LAG_STALE_S:
                lag = await asyncio.shield(task)
        return int(lag * self._mean.get(topic, 1024.0))

    async def _measure(self, group: str, topic: str) -> int:
        name = self.prefix + topic
        places = [TopicPartition(name, partition) for partition in self._partitions[name]]
        commits = await self._commits(group, places)
        ends = await self._ends(places)
        lag = sum(max(0, ends[place] - commits[place]) for place in places)
        self._lags[group, topic] = (monotonic(), lag)
        return lag

    async def prune(self, older_than_s: int) -> int:
        """Do nothing: the cluster deletes by the retention of its topics."""
        del older_than_s
        return 0

    async def close(self) -> None:
        """Finish what is under way, for some seconds, and disconnect."""
        self._closed = True
        sending = [lane.task for lane in self._lanes.values() if lane.task is not None]
        if sending:
            await asyncio.wait(sending, timeout=PUBLISH_S)
        background = [*sending, *self._measuring.values()]
        for task in background:
            task.cancel()
        await asyncio.gather(*background, *self._ending, return_exceptions=True)
        for client in (self._producer, self._meter, self._admin):
            if client is not None:
                await _stopped(client)
        self._producer = self._meter = self._admin = None


class _Parcel:
    """The records of one publish that go to one partition; they stay together."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes]] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class _Lane:
    """One partition's queue: all that waits goes out as one batch, first come, first served; then the next."""

    def __init__(self, bus: KafkaBus, partition: TopicPartition) -> None:
        self._bus, self._partition = bus, partition
        self._waiting: deque[tuple[bytes, bytes, _Parcel, bool]] = deque()
        self.task: asyncio.Task[None] | None = None

    def put(self, parcel: _Parcel) -> asyncio.Future[None]:
        last = len(parcel.records) - 1
        for n, (key, value) in enumerate(parcel.records):
            self._waiting.append((key, value, parcel, n == last))
            self._bus._waiting_bytes += len(value)
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._send_waiting(), name="bus.send")
        return parcel.done

    async def _send_waiting(self) -> None:
        while self._waiting:
            batch: list[tuple[_Parcel, bool]] = []
            try:
                producer = await self._bus._ready_producer()
                await self._send(producer, batch)
            except (KafkaError, Unavailable) as error:
                for parcel, _ in batch or [(parcel, last) for _, _, parcel, last in self._waiting]:
                    if not parcel.done.done():
                        parcel.done.set_exception(error)
            for parcel, last in batch:
                if last and not parcel.done.done():
                    parcel.done.set_result(None)

    async def _send(self, producer: AIOKafkaProducer, batch: list[tuple[_Parcel, bool]]) -> None:
        builder = producer.create_batch()
        while self._waiting:
            key, value, parcel, last = self._waiting[0]
            if parcel.done.done():  # given up, or failed in the batch before
                pass
            elif builder.append(timestamp=None, key=key, value=value) is None:
                break
            else:
                batch.append((parcel, last))
            self._waiting.popleft()
            self._bus._waiting_bytes -= len(value)
        if batch:
            try:
                await (await producer.send_batch(builder, self._partition.topic, partition=self._partition.partition))
            except KafkaError:
                self._bus._discard(producer)
                raise


class _KafkaSubscription(ConsumerRebalanceListener):  # type: ignore[misc]  # the client has no types
    def __init__(self, bus: KafkaBus, consumer: AIOKafkaConsumer) -> None:
        self._bus, self._consumer = bus, consumer
        self._first: dict[TopicPartition, int] = {}
        self._next: dict[TopicPartition, int] = {}
        self._assigned = asyncio.Event()

    def on_partitions_revoked(self, revoked: object) -> None:
        """Forget what was fetched: whoever gets the partitions, perhaps this member again, begins at what is committed."""
        del revoked
        self._assigned.clear()
        self._first.clear()
        self._next.clear()

    def on_partitions_assigned(self, assigned: object) -> None:
        del assigned
        self._assigned.set()

    async def fetch(self, limit: int, wait: float) -> Sequence[Record]:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._assigned.wait()
        records: list[Record] = []
        size, most, timeout_ms = 0, 1, int(wait * 1000)
        while size < limit and self._assigned.is_set():
            try:
                found = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=most)
            except KafkaError as error:
                raise Unavailable(f"Kafka at {','.join(self._bus.servers)} cannot be read now: {error}") from error
            if not found:
                break
            size += self._take(found, records)
            # Records are unpacked one by one: ask for about as many as are still wanted.
            most, timeout_ms = max(1, (limit - size) * len(records) // max(1, size)), 0
        return records

    def _take(self, found: Mapping[TopicPartition, Sequence[Any]], records: list[Record]) -> int:
        taken = 0
        for place, entries in found.items():
            topic = place.topic.removeprefix(self._bus.prefix)
            self._first.setdefault(place, entries[0].offset)
            self._next[place] = entries[-1].offset + 1
            size = 0
            for entry in entries:
                value = entry.value or b""
                size += len(value)
                records.append(Record(topic, _text(entry.key), value))
            self._bus._saw(topic, size, len(entries))
            taken += size
        return taken

    async def commit(self) -> None:
        mine = self._consumer.assignment()
        offsets = {place: offset for place, offset in self._next.items() if place in mine}
        self._first.clear()
        self._next.clear()
        if offsets:
            try:
                async with self._bus._asking(JOIN_S):
                    await self._commit(offsets)
            except IllegalStateError:
                log.warning("partitions were taken away before the commit; their new owner handles the records again")

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        try:
            await self._consumer.commit(offsets)
        except CommitFailedError as error:
            raise IllegalStateError from error

    async def rewind(self) -> None:
        mine = self._consumer.assignment()
        for place, offset in self._first.items():
            if place in mine:
                self._consumer.seek(place, offset)
        self._first.clear()
        self._next.clear()


def _text(key: bytes | None) -> str:
    try:
        return (key or b"").decode()
    except UnicodeDecodeError:
        return ""


@contextmanager
def _member_name(group: str, topics: Sequence[str]) -> Iterator[str]:
    """A name in the group that a process started again in this one's place takes over, without a rebalance.

    Members on one machine each lock a place; another set of topics is another name, because the cluster hands a returning
    member its old partitions whatever it asks for.
    """
    host = f"{socket.gethostname()}-{getnode():x}-{crc32(' '.join(topics).encode()):x}"
    folder = Path(gettempdir()) / "zhengai-members"
    for n in count():
        try:
            folder.mkdir(exist_ok=True)
            place = (folder / f"{group}-{n}").open("w")
        except OSError:  # another user's folder: a name of one's own costs a rebalance at each start
            yield f"{host}-{uuid4().hex}"
            return
        with place:
            try:
                fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield f"{host}-{n}"
            return


async def _started(client: Any) -> Any:
    """Start a client of Kafka; where that fails, leave nothing of it behind."""
    try:
        await client.start()
    except BaseException:
        await _stopped(client)
        raise
    return client


async def _stopped(client: Any) -> None:
    """Stop a client of Kafka, also while no broker answers: then it is cut off after some seconds."""
    with suppress(KafkaError, OSError):
        async with asyncio.timeout(STOP_S):
            await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
            return
    with suppress(KafkaError, OSError):
        async with asyncio.timeout(STOP_S):
            await (client.client if isinstance(client, AIOKafkaProducer) else client._client).close()
