"""What every bus promises (libs/common/bus.py), held against the embedded one and against a real Kafka."""

import asyncio
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Sequence

import pytest

from libs.common.bus import Record, Subscription
from libs.common.errors import Unavailable
from tests.contract.buses import MUCH, PROMPT_S, eventually, opened, record, take, values

# --- publishing ------------------------------------------------------------------------------------------------------


async def test_a_published_record_outlives_the_process_that_published_it(bus_url: str) -> None:
    program = (
        "import asyncio, os, sys\n"
        "from libs.common.bus import Record, open_bus\n"
        "async def main():\n"
        "    await open_bus(sys.argv[1]).publish([Record('planning', 'demo', b'record 1')])\n"
        "    os._exit(9)\n"
        "asyncio.run(main())\n"
    )
    gone = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program, bus_url], check=False)
    assert gone.returncode == 9
    async with opened(bus_url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        assert await take(subscription, 1) == [record(1)]


async def test_records_of_one_key_keep_their_order(bus_url: str) -> None:
    sent = [record(n, key=f"school-{n % 7}") for n in range(700)]
    async with opened(bus_url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        for start in range(0, len(sent), 50):
            await bus.publish(sent[start : start + 50])
        found = await take(subscription, len(sent))
    for n in range(7):
        assert [r for r in found if r.key == f"school-{n}"] == [r for r in sent if r.key == f"school-{n}"]


async def test_of_many_who_publish_at_once_each_finds_its_records_together_and_in_order(bus_url: str) -> None:
    requests = [[record(f"{request}.{n}", key=f"school-{request % 3}") for n in range(5)] for request in range(200)]
    async with opened(bus_url) as bus:
        await asyncio.gather(*(bus.publish(records) for records in requests))
    async with opened(bus_url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        found = await take(subscription, 1000)
    lanes: dict[str, list[bytes]] = defaultdict(list)
    for r in found:
        lanes[r.key].append(r.value)
    for records in requests:
        lane = lanes[records[0].key]
        start = lane.index(records[0].value)
        assert lane[start : start + 5] == values(records)


async def test_a_record_of_five_mebibytes_travels_between_small_ones(bus_url: str) -> None:
    large = Record("planning", "demo", os.urandom(5 * 2**20))
    async with opened(bus_url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        await bus.publish([record(1), large, record(2)])
        assert await take(subscription, 3) == [record(1), large, record(2)]


async def test_one_publish_may_serve_several_topics(bus_url: str) -> None:
    async with opened(bus_url) as bus:
        await bus.publish([record(1), record(2, topic="monitoring"), record(3), record(4, topic="standards")])
        async with bus.subscribe("reporting", ["monitoring", "planning"]) as subscription:
            found = await take(subscription, 3)
    assert sorted(values(found)) == values([record(1), record(2), record(3)])
    assert {r.topic for r in found if r.value == b"record 2"} == {"monitoring"}


async def test_a_record_with_an_empty_key_or_value_travels(bus_url: str) -> None:
    async with opened(bus_url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        await bus.publish([Record("planning", "", b"no key"), Record("planning", "", b"")])
        assert await take(subscription, 2) == [Record("planning", "", b"no key"), Record("planning", "", b"")]


async def test_a_publisher_that_gives_up_does_not_disturb_the_others(bus_url: str) -> None:
    async with opened(bus_url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
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


async def test_a_closed_bus_takes_nothing(bus_url: str) -> None:
    async with opened(bus_url) as bus:
        await bus.publish([record(1)])
    with pytest.raises(Unavailable):
        await bus.publish([record(2)])
    await bus.close()


# --- reading ---------------------------------------------------------------------------------------------------------


async def test_a_record_comes_again_until_it_is_committed(bus_url: str) -> None:
    async with opened(bus_url) as bus:
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


async def test_a_group_goes_on_where_it_was_after_a_restart(bus_url: str) -> None:
    async with opened(bus_url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        await bus.publish([record(1), record(2)])
        await take(subscription, 2)
        await subscription.commit()
    async with opened(bus_url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        await bus.publish([record(3)])
        assert await take(subscription, 1) == [record(3)]


async def test_a_new_group_starts_at_the_oldest_record(bus_url: str) -> None:
    async with opened(bus_url) as bus:
        await bus.publish([record(1), record(2)])
        async with bus.subscribe("planning", ["planning"]) as subscription:
            await take(subscription, 2)
            await subscription.commit()
        async with bus.subscribe("reporting", ["planning"]) as subscription:
            assert await take(subscription, 2) == [record(1), record(2)]


async def test_groups_read_independently(bus_url: str) -> None:
    async with opened(bus_url) as bus:
        await bus.publish([record(1)])
        async with bus.subscribe("a", ["planning"]) as a, bus.subscribe("b", ["planning"]) as b:
            assert await take(a, 1) == [record(1)]
            await a.commit()
            assert await take(b, 1) == [record(1)]
            await b.rewind()
            await bus.publish([record(2)])
            assert await take(a, 1) == [record(2)]
            assert await take(b, 2) == [record(1), record(2)]


async def test_after_a_rewind_what_was_not_committed_comes_again(bus_url: str) -> None:
    async with opened(bus_url) as bus:
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


async def test_a_fetch_returns_about_the_bytes_asked_for_and_at_least_one_record(bus_url: str) -> None:
    thousand = Record("planning", "demo", os.urandom(1000))
    async with opened(bus_url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        await bus.publish([thousand] * 50)
        sizes: list[int] = []
        async with asyncio.timeout(PROMPT_S):
            while sum(sizes) < 50:
                sizes.append(len(await subscription.fetch(10_000, wait=1.0)))
        assert max(sizes) <= 11
        await bus.publish([thousand])
        assert await take(subscription, 1, limit=1) == [thousand]


async def test_a_fetch_waits_as_long_as_it_was_told_where_nothing_comes(bus_url: str) -> None:
    async with opened(bus_url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        start = time.monotonic()
        assert not await subscription.fetch(MUCH, wait=0.3)
        assert 0.25 < time.monotonic() - start < PROMPT_S


async def test_a_waiting_fetch_wakes_when_something_is_published(bus_url: str) -> None:
    async with opened(bus_url) as bus, bus.subscribe("planning", ["planning"]) as subscription:
        waiting = asyncio.create_task(subscription.fetch(MUCH, wait=PROMPT_S))
        await asyncio.sleep(0.1)
        start = time.monotonic()
        await bus.publish([record(1)])
        assert await waiting == [record(1)]
        assert time.monotonic() - start < PROMPT_S / 3


# --- positions -------------------------------------------------------------------------------------------------------


async def test_a_group_has_committed_up_to_the_end_when_it_has_committed_everything(bus_url: str) -> None:
    async with opened(bus_url) as bus:
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

            async def everything() -> bool:
                return await bus.committed("planning", "planning", "demo") == end

            await eventually(everything)
        await bus.publish([record(4)])
        assert await bus.end("planning", "demo") > end
    async with opened(bus_url) as bus:
        assert await bus.committed("planning", "planning", "demo") == end
        assert await bus.end("planning", "demo") > end


async def test_the_backlog_is_what_a_group_has_yet_to_commit(bus_url: str) -> None:
    kilobyte = Record("planning", "demo", os.urandom(1000))
    async with opened(bus_url) as bus:
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


async def test_pruning_takes_nothing_that_a_group_has_yet_to_read(bus_url: str) -> None:
    async with opened(bus_url) as bus:
        await bus.publish([record(n) for n in range(5)])
        async with bus.subscribe("reading", ["planning"]) as reading, bus.subscribe("stuck", ["planning"]) as stuck:
            await take(reading, 5)
            await reading.commit()
            await bus.prune(older_than_s=-1)
            assert await take(stuck, 5) == [record(n) for n in range(5)]
