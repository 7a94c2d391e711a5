"""What Kafka promises besides: groups of several members, and a broker that comes back."""

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

import pytest

from libs.common.bus import Bus, Record, Subscription, open_bus
from libs.common.errors import Unavailable
from tests.conftest import KAFKA
from tests.contract.buses import MUCH, PROMPT_S, eventually, opened, record, take


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
            await take(first, len(sent) - len(found))  # the batch in hand, from every partition
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
@pytest.mark.parametrize("days", [3, -3])
async def test_who_writes_with_a_clock_that_is_days_wrong_is_heard(kafka_url: str, days: int) -> None:
    from aiokafka import AIOKafkaProducer

    async with opened(kafka_url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        producer = AIOKafkaProducer(bootstrap_servers=KAFKA)
        await producer.start()
        wrong = int((time.time() + days * 86_400) * 1000)
        try:
            await producer.send_and_wait(f"{kafka_url.rpartition('/')[2]}planning", b"said", key=b"demo", timestamp_ms=wrong)
        finally:
            await producer.stop()
        assert await take(subscription, 1) == [Record("planning", "demo", b"said")]


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
