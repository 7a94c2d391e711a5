"""One process at a time: by the database's clock, and checked in the transaction that writes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from uuid import uuid4

import pytest
from sqlalchemy import update

from libs.common.database import Database, LeaseRow
from libs.common.runtime import Lease, LeaseLost, hold, leases
from tests.conftest import SettableClock
from tests.service.common.little import NoteRow, make_tables


@asynccontextmanager
async def processes(url: str, count: int, clock: SettableClock) -> AsyncIterator[list[Database]]:
    """So many processes' views of one database."""
    make_tables(url)
    async with AsyncExitStack() as stack:
        databases = [Database(url, clock) for _ in range(count)]
        for database in databases:
            stack.push_async_callback(database.close)
        yield databases


def lease(database: Database, *, alone: bool = False) -> Lease:
    return Lease(database, "relay", alone=alone)


async def let_it_expire(database: Database) -> None:
    """As if its holder had slept: by the database's clock, the only one that counts, its time is over."""
    async with database.transaction() as tx:
        now = await database.seconds(tx.session)
        await tx.session.execute(update(LeaseRow).values(until=now - 0.001))


async def guarded_write(held: Lease, database: Database) -> None:
    async with database.transaction() as tx:
        tx.session.add(NoteRow(about=uuid4(), told="written"))
        await held.guard(tx)


async def written(database: Database) -> int:
    async with database.reading() as session:
        return len(await session.run_sync(lambda s: s.query(NoteRow).all()))


async def test_two_processes_never_both_hold_it(database_url: str, clock: SettableClock) -> None:
    async with processes(database_url, 2, clock) as (one, two):
        first, second = lease(one), lease(two)
        assert await first.take()
        assert not await second.take()
        assert await first.take()
        await guarded_write(first, one)
        with pytest.raises(LeaseLost):
            await guarded_write(second, two)
        assert await written(one) == 1


async def test_of_many_who_reach_for_it_at_once_one_gets_it(database_url: str, clock: SettableClock) -> None:
    many = 3 if database_url.startswith("sqlite") else 8  # SQLite's own wait for its lock is not fair, and ends after 5 s
    async with processes(database_url, many, clock) as databases:
        for _ in range(3):
            took = await asyncio.gather(*(lease(database).take() for database in databases))
            assert took.count(True) == 1
            await let_it_expire(databases[0])


async def test_a_wrong_clock_of_a_worker_neither_takes_nor_keeps_it(database_url: str, clock: SettableClock) -> None:
    async with processes(database_url, 2, clock) as (one, two):
        first, second = lease(one), lease(two)
        assert await first.take()
        clock.advance(days=3)
        assert not await second.take()
        clock.advance(days=-6)
        await let_it_expire(one)
        assert await second.take()


async def test_a_holder_past_its_time_can_write_nothing_once_another_has_it(database_url: str, clock: SettableClock) -> None:
    async with processes(database_url, 2, clock) as (one, two):
        asleep, awake = lease(one), lease(two)
        assert await asleep.take()
        await let_it_expire(one)
        assert await awake.take()
        with pytest.raises(LeaseLost):
            await guarded_write(asleep, one)
        assert await written(one) == 0
        assert not await asleep.take()
        await guarded_write(awake, two)
        assert await written(one) == 1


async def test_while_a_guarded_write_is_under_way_nobody_takes_the_lease(database_url: str, clock: SettableClock) -> None:
    async with processes(database_url, 2, clock) as (one, two):
        held, other = lease(one), lease(two)
        assert await held.take()
        await let_it_expire(one)
        async with one.transaction() as tx:
            await held.guard(tx)
            taking = asyncio.create_task(other.take())
            done, _ = await asyncio.wait({taking}, timeout=0.3)
            assert not done
        assert await taking


async def test_a_lease_given_back_is_taken_at_once(database_url: str, clock: SettableClock) -> None:
    async with processes(database_url, 2, clock) as (one, two):
        first, second = lease(one), lease(two)
        assert await first.take()
        await first.give_back()
        assert await second.take()
        with pytest.raises(LeaseLost):
            await guarded_write(first, one)
        await first.give_back()  # it is not its own any more
        await guarded_write(second, two)


async def test_who_is_alone_by_a_lock_of_the_system_takes_it_from_the_dead(database_url: str, clock: SettableClock) -> None:
    async with processes(database_url, 2, clock) as (one, two):
        dead, risen = lease(one), lease(two, alone=True)
        assert await dead.take()
        assert await risen.take()
        with pytest.raises(LeaseLost):
            await guarded_write(dead, one)


async def test_work_under_a_lease_runs_in_one_process_and_moves_when_it_ends(
    database_url: str, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 0.02)
    running: set[int] = set()
    ran: list[int] = []
    started: asyncio.Queue[int] = asyncio.Queue()
    standby: set[int] = set()

    async def work(n: int) -> None:
        running.add(n)
        ran.append(len(running))
        await started.put(n)
        try:
            await asyncio.sleep(3600)
        finally:
            running.discard(n)

    async with processes(database_url, 3, clock) as databases:
        tasks = [
            asyncio.create_task(hold(lease(database), "little", lambda n=n: work(n), lambda n=n: standby.add(n)))  # type: ignore[misc]
            for n, database in enumerate(databases)
        ]
        for _ in range(3):
            async with asyncio.timeout(8):  # sooner than the ten seconds of a lease that nobody gives back
                n = await started.get()
                standby.add(n)
                while len(standby) < 3:  # noqa: ASYNC110 - each has tried before the first one goes
                    await asyncio.sleep(0.01)
            tasks[n].cancel()
            with suppress(asyncio.CancelledError):
                await tasks[n]
    assert ran == [1, 1, 1]


async def test_work_stops_when_the_lease_is_lost(database_url: str, clock: SettableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 0.02)
    stopped = asyncio.Event()
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(3600)
        finally:
            stopped.set()

    async with processes(database_url, 2, clock) as (one, two):
        holding = asyncio.create_task(hold(lease(one), "little", work, lambda: None))
        await started.wait()
        assert await lease(two, alone=True).take()
        async with asyncio.timeout(30):
            with pytest.raises(LeaseLost):
                await holding
        assert stopped.is_set()


async def test_work_that_fails_gives_its_lease_back(database_url: str, clock: SettableClock) -> None:
    async def work() -> None:
        raise RuntimeError("broken")

    async with processes(database_url, 2, clock) as (one, two):
        with pytest.raises(RuntimeError, match="broken"):
            await hold(lease(one), "little", work, lambda: None)
        assert await lease(two).take()
