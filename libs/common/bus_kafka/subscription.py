"""One member of a consumer group on Kafka."""

from __future__ import annotations

import asyncio
import fcntl
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from uuid import getnode, uuid4
from zlib import crc32

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from libs.common.bus import Record
from libs.common.bus_kafka.cluster import STOP_S, Cluster, stopped
from libs.common.bus_kafka.publisher import LARGEST_RECORD

log = structlog.get_logger()

JOIN_S = 30.0
SESSION_MS = 6000
FRESH_MS = 5
WAIT_MS = 50  # a fetch that was sent for idle partitions alone holds up those of the same broker that are busy
_ROUNDS = 3  # one record, to learn their size; what lies there; what came meanwhile: not as long as more comes
PARTITION_BYTES = 4 * 2**20  # at once, so that a fetch brings something of each partition; a larger record comes alone


@asynccontextmanager
async def joined(cluster: Cluster, group: str, topics: Sequence[str]) -> AsyncIterator[KafkaSubscription]:
    """Be a member of the group until the block ends. Raises Unavailable where the cluster does not let it in."""
    names = sorted(cluster.name(topic) for topic in topics)
    with member_name(cluster.name(group), names) as member:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=cluster.servers,
            group_id=cluster.name(group),
            group_instance_id=member,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            partition_assignment_strategy=[RangePartitionAssignor],  # partition n of every topic to the same member
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=SESSION_MS // 3,
            request_timeout_ms=15_000,
            fetch_max_wait_ms=WAIT_MS,
            max_partition_fetch_bytes=PARTITION_BYTES,
            fetch_max_bytes=LARGEST_RECORD + PARTITION_BYTES,
        )
        subscription = KafkaSubscription(cluster, consumer)
        consumer.subscribe(names, listener=subscription)
        try:
            async with cluster.asking(JOIN_S):
                await consumer.start()
            yield subscription
        finally:
            try:
                await subscription.settle()
            finally:
                await stopped(consumer)


class KafkaSubscription(ConsumerRebalanceListener):  # type: ignore[misc]  # the client has no types
    """Remembers what was fetched since the last commit: from where, and up to where."""

    def __init__(self, cluster: Cluster, consumer: AIOKafkaConsumer) -> None:
        self._cluster, self._consumer = cluster, consumer
        self._first: dict[TopicPartition, int] = {}
        self._next: dict[TopicPartition, int] = {}
        self._assigned = asyncio.Event()
        self._committing: asyncio.Task[None] | None = None

    def on_partitions_revoked(self, revoked: object) -> None:
        """Forget what was fetched: whoever gets the partitions, perhaps this member again, begins at what is committed."""
        del revoked
        self._assigned.clear()
        self._forget()

    def on_partitions_assigned(self, assigned: object) -> None:
        del assigned
        self._assigned.set()

    def _forget(self) -> None:
        self._first.clear()
        self._next.clear()

    async def fetch(self, limit: int, wait: float) -> Sequence[Record]:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._assigned.wait()
        records: list[Record] = []
        if await self._gather(records, limit, 0):
            # What lay there came while the records before were handled, and the client asks for more only now.
            await self._gather(records, limit, FRESH_MS)
        else:
            await self._gather(records, limit, int(wait * 1000))
        return records

    async def _gather(self, records: list[Record], limit: int, wait_ms: int) -> bool:
        """Add what there is, up to the limit; return whether there was any within this time."""
        size = sum([len(record.value) for record in records])
        before = len(records)
        for _ in range(_ROUNDS):
            if size >= limit or not self._assigned.is_set():
                break
            # The client counts records, not bytes: ask for about as many as are still wanted.
            most = max(1, (limit - size) * len(records) // max(1, size))
            try:
                found = await self._consumer.getmany(timeout_ms=wait_ms, max_records=most)
            except KafkaError as error:
                raise self._cluster.unavailable(str(error) or repr(error)) from error
            if not found:
                break
            size += self._take(found, records)
            wait_ms = 0
        return len(records) > before

    def _take(self, found: Mapping[TopicPartition, Sequence[Any]], records: list[Record]) -> int:
        taken = 0
        for place, entries in found.items():
            topic = self._cluster.topic(place.topic)
            self._first.setdefault(place, entries[0].offset)
            self._next[place] = entries[-1].offset + 1
            before = len(records)
            keys = {key: text(key) for key in {entry.key for entry in entries}}  # few: a partition holds some schools
            records += [Record(topic, keys[entry.key], entry.value or b"") for entry in entries]
            size = sum([len(r.value) for r in records[before:]])
            self._cluster.saw(topic, size, len(entries))
            taken += size
        return taken

    async def commit(self) -> None:
        """Tell the cluster while the next records are handled: what it does not learn is delivered again, and known then.

        Raises what telling it the time before has raised.
        """
        mine = self._consumer.assignment()
        offsets = {place: offset for place, offset in self._next.items() if place in mine}
        self._forget()
        if (before := self._committing) is not None:
            self._committing = None
            await before
        if offsets:
            self._committing = asyncio.create_task(self._commit(offsets), name="bus.commit")

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        async with self._cluster.asking(JOIN_S):
            try:
                await self._consumer.commit(offsets)
            except (CommitFailedError, IllegalStateError):
                log.warning("partitions were taken away before the commit; their new owner handles the records again")

    async def settle(self) -> None:
        """Give the cluster some seconds to learn of all that was handled; what it does not learn is delivered again."""
        if self._committing is not None:
            told, _ = await asyncio.wait({self._committing}, timeout=STOP_S)
            if told:
                self._committing.exception()  # looked at, so that nobody complains that it was not
            else:
                self._committing.cancel()

    async def rewind(self) -> None:
        mine = self._consumer.assignment()
        for place, offset in self._first.items():
            if place in mine:
                self._consumer.seek(place, offset)
        self._forget()


def text(key: bytes | None) -> str:
    """A key as text; the empty text stands for none and for one that is not UTF-8."""
    try:
        return (key or b"").decode()
    except UnicodeDecodeError:
        return ""


@contextmanager
def member_name(group: str, names: Sequence[str]) -> Iterator[str]:
    """A name in the group that a process started again in this one's place takes over, without a rebalance.

    Members on one machine each lock a place. Other topics make another name: the cluster hands a returning member its old
    partitions, whatever it subscribes to now.
    """
    host = f"{socket.gethostname()}-{getnode():x}-{crc32(' '.join(names).encode()):x}"
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
