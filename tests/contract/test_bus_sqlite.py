"""What the embedded bus promises besides."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from libs.common.bus import Record, open_bus
from libs.common.bus_sqlite import SqliteBus
from libs.common.errors import Unavailable
from tests.contract.buses import opened, record, take


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
