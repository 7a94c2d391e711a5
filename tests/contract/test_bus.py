"""What every bus promises (libs/common/bus.py), held against the embedded one and against a real Kafka."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from libs.common.bus import Bus, Record, Subscription, open_bus
from libs.common.bus_sqlite import SqliteBus
from libs.common.errors import Unavailable
from tests.conftest import KAFKA

MUCH = 2**30
PROMPT_S = 30.0  # a busy machine may take long; a promise broken takes for ever


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.servers)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A bus on which nothing was ever published."""
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path}/bus.db"
        return
    with topics_of_its_own() as kafka:
        yield kafka


@pytest.fixture
def kafka_url() -> Iterator[str]:
    with topics_of_its_own() as kafka:
        yield kafka


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


# --- publishing ------------------------------------------------------------------------------------------------------


async def test_a_published_record_outlives_the_process_that_published_it(url: str) -> None:
    program = (
        "import asyncio, os, sys\n"
        "from libs.common.bus import Record, open_bus\n"
        "async def main():\n"
        "    await open_bus(sys.argv[1]).publish([Record('planning', 'demo', b'record 1')])\n"
        "    os._exit(9)\n"
        "asyncio.run(main())\n"
    )
    gone = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program, url], check=False)
    assert gone.returncode == 9
    async with opened(url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        assert await take(subscription, 1) == [record(1)]


async def test_records_of_one_key_keep_their_order(url: str) -> None:
    sent = [record(n, key=f"school-{n % 7}") for n in range(700)]
    async with opened(url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        for start in range(0, len(sent), 50):
            await bus.publish(sent[start : start + 50])
        found = await take(subscription, len(sent))
    for n in range(7):
        assert [r for r in found if r.key == f"school-{n}"] == [r for r in sent if r.key == f"school-{n}"]


async def test_of_many_who_publish_at_once_each_finds_its_records_together_and_in_order(url: str) -> None:
    requests = [[record(f"{request}.{n}", key=f"school-{request % 3}") for n in range(5)] for request in range(200)]
    async with opened(url) as bus:
        await asyncio.gather(*(bus.publish(records) for records in requests))
    async with opened(url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        found = await take(subscription, 1000)
    lanes: dict[str, list[bytes]] = defaultdict(list)
    for r in found:
        lanes[r.key].append(r.value)
    for records in requests:
        lane = lanes[records[0].key]
        start = lane.index(records[0].value)
        assert lane[start : start + 5] == values(records)


async def test_a_record_of_five_mebibytes_travels_between_small_ones(url: str) -> None:
    large = Record("planning", "demo", os.urandom(5 * 2**20))
    async with opened(url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        await bus.publish([record(1), large, record(2)])
        assert await take(subscription, 3) == [record(1), large, record(2)]


async def test_one_publish_may_serve_several_topics(url: str) -> None:
    async with opened(url) as bus:
        await bus.publish([record(1), record(2, topic="monitoring"), record(3), record(4, topic="standards")])
        async with bus.subscribe("reporting", ["monitoring", "planning"]) as subscription:
            found = await take(subscription, 3)
    assert sorted(values(found)) == values([record(1), record(2), record(3)])
    assert {r.topic for r in found if r.value == b"record 2"} == {"monitoring"}


async def test_a_record_with_an_empty_key_or_value_travels(url: str) -> None:
    async with opened(url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        await bus.publish([Record("planning", "", b"no key"), Record("planning", "", b"")])
        assert await take(subscription, 2) == [Record("planning", "", b"no key"), Record("planning", "", b"")]


async def test_a_publisher_that_gives_up_does_not_disturb_the_others(url: str) -> None:
    async with opened(url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        publishing = [asyncio.create_task(bus.publish([record(n)])) for n in range(20)]
        await asyncio.sleep(0)
        publishing[7].cancel()
        results = await asyncio.gather(*publishing, return_exceptions=True)
        assert [n for n, result in enumerate(results) if result is not None] == [7]
        await bus.publish([record("last")])
        found: list[Record] = []
        while record("last") not in found:
            found += await take_some(subscription)
    assert {record(n) for n in range(20) if n != 7} <= set(found)


async def take_some(subscription: Subscription) -> Sequence[Record]:
    async with asyncio.timeout(PROMPT_S):
        while not (found := await subscription.fetch(MUCH, wait=1.0)):
            pass
    return found


async def test_a_closed_bus_takes_nothing(url: str) -> None:
    async with opened(url) as bus:
        await bus.publish([record(1)])
    with pytest.raises(Unavailable):
        await bus.publish([record(2)])
    await bus.close()


# --- reading ---------------------------------------------------------------------------------------------------------


async def test_a_record_comes_again_until_it_is_committed(url: str) -> None:
    async with opened(url) as bus:
        await bus.publish([record(1), record(2)])
        for _ in range(2):
            async with bus.subscribe("planning", ["planning"]) as subscription:
                assert await take(subscription, 2) == [record(1), record(2)]
        async with bus.subscribe("planning", ["planning"]) as subscription:
            await take(subscription, 2)
            await subscription.commit()
        await bus.publish([record(3)])
        async with bus.subscribe("planning", ["planning"]) as subscription:
            assert await take(subscription, 1) == [record(3)]


async def test_a_group_goes_on_where_it_was_after_a_restart(url: str) -> None:
    async with opened(url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        await bus.publish([record(1), record(2)])
        await take(subscription, 2)
        await subscription.commit()
    async with opened(url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        await bus.publish([record(3)])
        assert await take(subscription, 1) == [record(3)]


async def test_a_new_group_starts_at_the_oldest_record(url: str) -> None:
    async with opened(url) as bus:
        await bus.publish([record(1), record(2)])
        async with bus.subscribe("planning", ["planning"]) as subscription:
            await take(subscription, 2)
            await subscription.commit()
        async with bus.subscribe("reporting", ["planning"]) as subscription:
            assert await take(subscription, 2) == [record(1), record(2)]


async def test_groups_read_independently(url: str) -> None:
    async with opened(url) as bus:
        await bus.publish([record(1)])
        async with bus.subscribe("a", ["planning"]) as a, bus.subscribe("b", ["planning"]) as b:
            assert await take(a, 1) == [record(1)]
            await a.commit()
            assert await take(b, 1) == [record(1)]
            await b.rewind()
            await bus.publish([record(2)])
            assert await take(a, 1) == [record(2)]
            assert await take(b, 2) == [record(1), record(2)]


async def test_after_a_rewind_what_was_not_committed_comes_again(url: str) -> None:
    async with opened(url) as bus:
        await bus.publish([record(1), record(2)])
        async with bus.subscribe("planning", ["planning"]) as subscription:
            await take(subscription, 2)
            await subscription.commit()
            await bus.publish([record(3), record(4)])
            await take(subscription, 2)
            await subscription.rewind()
            await subscription.commit()  # what was rewound is not committed by it
            assert await take(subscription, 2) == [record(3), record(4)]
            await subscription.rewind()
        async with bus.subscribe("planning", ["planning"]) as subscription:
            assert await take(subscription, 2) == [record(3), record(4)]


async def test_a_fetch_returns_about_the_bytes_asked_for_and_at_least_one_record(url: str) -> None:
    thousand = Record("planning", "demo", os.urandom(1000))
    async with opened(url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        await bus.publish([thousand] * 50)
        sizes: list[int] = []
        async with asyncio.timeout(PROMPT_S):
            while sum(sizes) < 50:
                sizes.append(len(await subscription.fetch(10_000, wait=1.0)))
        assert max(sizes) <= 11
        await bus.publish([thousand])
        assert await take(subscription, 1, limit=1) == [thousand]


async def test_a_fetch_waits_as_long_as_it_was_told_where_nothing_comes(url: str) -> None:
    async with opened(url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        start = time.monotonic()
        assert not await subscription.fetch(MUCH, wait=0.3)
        assert 0.25 < time.monotonic() - start < PROMPT_S


async def test_a_waiting_fetch_wakes_when_something_is_published(url: str) -> None:
    async with opened(url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        waiting = asyncio.create_task(subscription.fetch(MUCH, wait=PROMPT_S))
        await asyncio.sleep(0.1)
        start = time.monotonic()
        await bus.publish([record(1)])
        assert await waiting == [record(1)]
        assert time.monotonic() - start < PROMPT_S / 3


# --- positions -------------------------------------------------------------------------------------------------------


async def test_a_group_has_committed_up_to_the_end_when_it_has_committed_everything(url: str) -> None:
    async with opened(url) as bus:
        assert await bus.end("planning", "demo") == await bus.committed("planning", "planning", "demo") == 0
        await bus.publish([record(n) for n in range(3)])
        end = await bus.end("planning", "demo")
        assert end > 0
        assert await bus.end("monitoring", "demo") == 0
        assert await bus.committed("planning", "planning", "demo") == 0
        async with bus.subscribe("planning", ["planning"]) as subscription:
            await take(subscription, 3)
            assert await bus.committed("planning", "planning", "demo") == 0
            await subscription.commit()
            assert await bus.committed("planning", "planning", "demo") == end
        await bus.publish([record(4)])
        assert await bus.end("planning", "demo") > end
    async with opened(url) as bus:
        assert await bus.committed("planning", "planning", "demo") == end
        assert await bus.end("planning", "demo") > end


async def test_the_backlog_is_what_a_group_has_yet_to_commit(url: str) -> None:
    kilobyte = Record("planning", "demo", os.urandom(1000))
    async with opened(url) as bus:
        assert await bus.backlog("planning", "planning") == 0
        await bus.publish([kilobyte] * 20)
        async with bus.subscribe("planning", ["planning"]) as subscription:
            await eventually(lambda: is_about(bus.backlog("planning", "planning"), 20_000))
            await take(subscription, 20)
            await subscription.commit()
            await eventually(lambda: is_about(bus.backlog("planning", "planning"), 0))
        assert not await is_about(bus.backlog("reporting", "monitoring"), 1)


async def is_about(measured: Awaitable[int], wanted: int) -> bool:
    return abs(await measured - wanted) <= wanted // 5


async def test_pruning_takes_nothing_that_a_group_has_yet_to_read(url: str) -> None:
    async with opened(url) as bus:
        await bus.publish([record(n) for n in range(5)])
        async with bus.subscribe("reading", ["planning"]) as reading, bus.subscribe("stuck", ["planning"]) as stuck:
            await take(reading, 5)
            await reading.commit()
            await bus.prune(older_than_s=-1)
            assert await take(stuck, 5) == [record(n) for n in range(5)]


# --- the embedded bus ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[SqliteBus]:
    async with opened(f"sqlite:{folder}/bus.db") as bus:
        assert isinstance(bus, SqliteBus)
        yield bus


async def test_each_append_is_synced(tmp_path: Path) -> None:
    async with embedded(tmp_path) as bus:
        assert await bus._in(bus._append_thread, lambda: bus._writer.execute("PRAGMA synchronous").fetchone()) == (2,)
        assert await bus._in(bus._append_thread, lambda: bus._writer.execute("PRAGMA journal_mode").fetchone()) == ("wal",)


async def test_pruning_deletes_what_every_group_has_passed_and_keeps_the_end(tmp_path: Path) -> None:
    async with embedded(tmp_path) as bus:
        await bus.publish([record(n) for n in range(450)])
        end = await bus.end("planning", "demo")
        async with bus.subscribe("fast", ["planning"]) as fast, bus.subscribe("slow", ["planning"]) as slow:
            await take(fast, 450)
            await fast.commit()
            first = await slow.fetch(4000, wait=1.0)
            await slow.commit()
            assert await bus.prune(older_than_s=3600) == 0
            assert await bus.prune(older_than_s=-1) == len(first)
            assert await take(slow, 450 - len(first)) == [record(n) for n in range(len(first), 450)]
            await slow.commit()
            assert await bus.prune(older_than_s=-1) == 450 - len(first) - 1
    async with embedded(tmp_path) as bus:
        assert await bus.end("planning", "demo") == end
        await bus.publish([record("next")])
        assert await bus.end("planning", "demo") > end


async def test_a_group_that_joined_and_never_committed_is_remembered_after_a_restart(tmp_path: Path) -> None:
    async with embedded(tmp_path) as bus, bus.subscribe("fast", ["planning"]) as fast:
        async with bus.subscribe("stuck", ["planning"]):
            await bus.publish([record(n) for n in range(5)])
        await take(fast, 5)
        await fast.commit()
    async with embedded(tmp_path) as bus:
        assert await bus.prune(older_than_s=-1) == 0
        async with bus.subscribe("stuck", ["planning"]) as stuck:
            assert len(await take(stuck, 5)) == 5


async def test_a_full_disk_is_said_and_never_acknowledged(tmp_path: Path) -> None:
    async with embedded(tmp_path) as bus:
        await bus.publish([record(1)])
        (pages,) = await bus._in(bus._append_thread, lambda: bus._writer.execute("PRAGMA page_count").fetchone())
        await bus._in(bus._append_thread, lambda: bus._writer.execute(f"PRAGMA max_page_count = {pages}").fetchone())
        large = Record("planning", "demo", os.urandom(2**20))
        refused = await asyncio.gather(*(bus.publish([large]) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in refused] == [Unavailable] * 3
        assert isinstance(refused[0], Unavailable)
        assert refused[0].headers["Retry-After"]
        await bus._in(bus._append_thread, lambda: bus._writer.execute("PRAGMA max_page_count = 1000000").fetchone())
        await bus.publish([record(2)])
    async with embedded(tmp_path) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        assert await take(subscription, 2) == [record(1), record(2)]


async def test_positions_that_could_not_be_written_are_written_later(tmp_path: Path) -> None:
    async with embedded(tmp_path) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        await bus.publish([record(1)])
        await take(subscription, 1)
        await subscription.commit()
        await bus._in(bus._append_thread, lambda: bus._writer.execute("PRAGMA query_only = 1"))
        with pytest.raises(Unavailable):
            await bus.publish([record(2)])
        await bus._in(bus._append_thread, lambda: bus._writer.execute("PRAGMA query_only = 0"))
    async with embedded(tmp_path) as bus:
        assert await bus.committed("planning", "planning", "demo") == await bus.end("planning", "demo")


async def test_a_group_that_joins_while_others_publish_counts_each_record_once(tmp_path: Path) -> None:
    async with embedded(tmp_path) as bus, AsyncExitStack() as stack:
        publishing = [asyncio.create_task(bus.publish([Record("planning", "demo", b"x" * 10)])) for _ in range(50)]
        for n in range(20):
            await stack.enter_async_context(bus.subscribe(f"group {n}", ["planning"]))
            publishing.append(asyncio.create_task(bus.publish([Record("planning", "demo", b"x" * 10)])))
        await asyncio.gather(*publishing)
        assert {await bus.backlog(f"group {n}", "planning") for n in range(20)} == {700}


async def test_a_file_that_cannot_be_opened_is_said_in_a_sentence(tmp_path: Path) -> None:
    bus = open_bus(f"sqlite:{tmp_path}/absent/bus.db")
    with pytest.raises(Unavailable, match=r"absent/bus\.db cannot be opened"):
        await bus.check()
    await bus.close()


# --- Kafka -----------------------------------------------------------------------------------------------------------


@pytest.mark.servers
async def test_two_members_of_a_group_share_the_partitions(kafka_url: str) -> None:
    sent = [record(n, key=f"school-{n % 40}") for n in range(400)]
    counted: Counter[Record] = Counter()
    workers: dict[str, set[int]] = defaultdict(set)

    async def work(name: int, subscription: Subscription) -> None:
        while counted.total() < len(sent):
            found = await subscription.fetch(1000, wait=0.2)
            await subscription.commit()
            counted.update(found)
            for r in found:
                workers[r.key].add(name)

    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(opened(kafka_url)) for _ in range(2)]
        first, second = [await stack.enter_async_context(bus.subscribe("planning", ["planning"])) for bus in (one, two)]
        await eventually(lambda: both_have_some(first, second))
        await one.publish(sent)
        async with asyncio.timeout(PROMPT_S):
            await asyncio.gather(work(1, first), work(2, second))
    assert counted == Counter(sent)
    assert {len(names) for names in workers.values()} == {1}
    assert set.union(*workers.values()) == {1, 2}


async def both_have_some(*members: Subscription) -> bool:
    return all(len(member._consumer.assignment()) == 2 for member in members)  # type: ignore[attr-defined]


@pytest.mark.servers
async def test_a_rebalance_in_the_middle_of_a_batch_redelivers_what_was_not_committed(kafka_url: str) -> None:
    sent = [record(n, key=f"school-{n % 40}") for n in range(400)]
    committed: Counter[Record] = Counter()
    async with opened(kafka_url) as one, opened(kafka_url) as two:
        await one.publish(sent)
        async with one.subscribe("planning", ["planning"]) as first:
            found = await first.fetch(1000, wait=PROMPT_S)
            await first.commit()
            committed.update(found)
            in_the_middle = await first.fetch(1000, wait=PROMPT_S)
            assert in_the_middle
            async with two.subscribe("planning", ["planning"]) as second:
                await eventually(lambda: both_have_some(first, second))
                await first.commit()  # too late: its partitions were taken away meanwhile
                async with asyncio.timeout(PROMPT_S):
                    while committed.total() < len(sent):
                        for member in (first, second):
                            found = await member.fetch(MUCH, wait=0.2)
                            await member.commit()
                            committed.update(found)
    assert committed == Counter(sent)


@pytest.mark.servers
async def test_who_starts_again_after_a_kill_has_its_partitions_without_a_rebalance(kafka_url: str) -> None:
    program = (
        "import asyncio, os, signal, sys\n"
        "from libs.common.bus import open_bus\n"
        "async def main():\n"
        "    bus = open_bus(sys.argv[1])\n"
        "    async with bus.subscribe('planning', ['planning']) as subscription:\n"
        "        await subscription.fetch(1, 0.1)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    gone = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program, kafka_url], check=False)
    assert gone.returncode == -signal.SIGKILL
    async with opened(kafka_url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        await bus.publish([record(1)])
        assert await take(subscription, 1) == [record(1)]
        assert subscription._consumer._coordinator.generation == 1  # type: ignore[attr-defined]


@pytest.mark.servers
async def test_what_others_write_to_a_topic_never_stops_a_reader(kafka_url: str) -> None:
    from aiokafka import AIOKafkaProducer

    prefix = kafka_url.rpartition("/")[2]
    async with opened(kafka_url) as bus:
        for codec in (None, "gzip", "snappy", "lz4", "zstd"):
            producer = AIOKafkaProducer(bootstrap_servers=KAFKA, compression_type=codec)
            await producer.start()
            topic = f"{prefix}observations"
            await producer.send_and_wait(topic, b"no key", partition=0)
            await producer.send_and_wait(topic, b"not UTF-8", key=b"\xff\xfe", partition=0)
            await producer.send_and_wait(topic, None, key=b"demo", partition=0, headers=[("a", b"b")])
            await producer.stop()
        async with bus.subscribe("monitoring.observations", ["observations"]) as subscription:
            found = await take(subscription, 15)
    three = [Record("observations", "", b"no key"), Record("observations", "", b"not UTF-8"), Record("observations", "demo", b"")]
    assert found == three * 5


@pytest.mark.servers
async def test_topics_can_hold_a_large_record_and_are_made_once(kafka_url: str) -> None:
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    prefix = kafka_url.rpartition("/")[2]
    async with opened(kafka_url), opened(kafka_url):
        admin = AIOKafkaAdminClient(bootstrap_servers=KAFKA)
        await admin.start()
        (topic,) = await admin.describe_topics([f"{prefix}observations"])
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, f"{prefix}observations")])
        await admin.close()
    assert len(topic["partitions"]) == 4
    configs = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    assert configs["max.message.bytes"] == str(6 * 2**20)


@pytest.mark.servers
async def test_a_broker_killed_under_load_costs_delay_and_no_acknowledged_record(tmp_path: Path) -> None:
    from tests.servers import kafka_server

    acknowledged: list[Record] = []
    enough = asyncio.Event()

    async def publish(bus: Bus, name: int) -> None:
        while not enough.is_set():
            sent = record(f"{name}.{len(acknowledged)}", key=f"school-{name}")
            with suppress(Unavailable):
                await bus.publish([sent])
                acknowledged.append(sent)

    async def more_than(count: int) -> bool:
        return len(acknowledged) > count

    with kafka_server(tmp_path) as server:
        async with opened(f"kafka://{server.address}") as bus, bus.subscribe("planning", ["planning"]) as subscription:
            publishing = [asyncio.create_task(publish(bus, name)) for name in range(4)]
            await eventually(lambda: more_than(50))
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await eventually(partial(more_than, len(acknowledged) + 50))
            enough.set()
            await asyncio.gather(*publishing)
            missing = set(acknowledged)
            async with asyncio.timeout(PROMPT_S):
                while missing:
                    missing -= set(await subscription.fetch(MUCH, wait=1.0))
                    await subscription.commit()


@pytest.mark.servers
async def test_a_broker_that_does_not_answer_is_said_in_a_sentence() -> None:
    bus = open_bus("kafka://127.0.0.1:1/zhengai.")
    with pytest.raises(Unavailable, match=r"^Kafka at 127\.0\.0\.1:1 cannot be used now"):
        await bus.check()
    with pytest.raises(Unavailable):
        await bus.publish([record(1)])
    await bus.close()
