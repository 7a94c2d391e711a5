"""From a committed transaction to the bus: nothing is lost, nothing that was rolled back is sent."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from libs.common.bus import Bus, Record
from libs.common.bus_sqlite import SqliteBus
from libs.common.database import OutboxRow
from libs.common.errors import Unavailable
from libs.common.event import decode
from libs.common.runtime import Health, Lease, LeaseLost, background, relay_once
from tests.service.common.little import SCHOOL, Everything, Little, fact, little


class Crash(BaseException):
    """The process ends here."""


class CrashesAfterPublish(SqliteBus):
    """The real bus in a process that dies once between two steps."""

    crashed = False

    async def publish(self, records: Sequence[Record]) -> None:
        await super().publish(records)
        if not self.crashed:
            self.crashed = True
            raise Crash


async def send(subject: Little, *sizes: int) -> None:
    async with subject.database.transaction() as tx:
        for size in sizes:
            tx.publish(fact(size), school=SCHOOL)


async def held(subject: Little) -> Lease:
    lease = Lease(subject.database, "relay", alone=False)
    assert await lease.take()
    return lease


async def ids_on(bus: Bus, group: str = "test") -> list[str]:
    """The ids of everything on the topic, in order."""
    ids = []
    async with bus.subscribe(group, ["planning"]) as subscription:
        while records := await subscription.fetch(1 << 30, wait=0):
            ids += [str(message.id) for r in records if (message := decode(r.value, Everything()))]
    return ids


async def waiting(subject: Little) -> list[str]:
    return [str(message.id) for message in await subject.outbox()]


async def test_what_a_transaction_publishes_reaches_the_bus_in_order_and_leaves_the_outbox(
    database_url: str, tmp_path: Path
) -> None:
    async with little(database_url, tmp_path) as subject:
        await send(subject, 1, 2, 3)
        await send(subject, 4)
        sent = await waiting(subject)
        assert await relay_once(subject.database, subject.bus, await held(subject)) == 4
        assert await waiting(subject) == []
        assert await ids_on(subject.bus) == sent


async def test_a_transaction_that_fails_publishes_nothing(database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject:
        with suppress(RuntimeError):
            async with subject.database.transaction() as tx:
                tx.publish(fact(), school=SCHOOL)
                raise RuntimeError("after all")
        assert await waiting(subject) == []
        assert not subject.database.outbox_filled.is_set()


async def test_a_crash_between_publish_and_delete_publishes_again_and_loses_nothing(database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject:
        await send(subject, 1, 2)
        sent = await waiting(subject)
        bus = CrashesAfterPublish(f"{tmp_path}/crash.db")
        with pytest.raises(Crash):
            await relay_once(subject.database, bus, await held(subject))
        assert await waiting(subject) == sent
        await relay_once(subject.database, bus, await held_again(subject))
        assert await waiting(subject) == []
        assert await ids_on(bus) == sent * 2
        await bus.close()


async def held_again(subject: Little) -> Lease:
    """The process that comes after: on its machine the one before is known to be dead."""
    lease = Lease(subject.database, "relay", alone=True)
    assert await lease.take()
    return lease


async def test_a_relay_that_lost_its_lease_deletes_nothing(database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject:
        await send(subject, 1)
        lost = await held(subject)
        await held_again(subject)
        with pytest.raises(LeaseLost):
            await relay_once(subject.database, subject.bus, lost)
        assert len(await waiting(subject)) == 1


async def test_a_row_that_commits_late_with_a_smaller_position_is_not_deleted_unsent(database_url: str, tmp_path: Path) -> None:
    class LateCommit(SqliteBus):
        """While this publishes, another transaction commits a row before those that were read."""

        late = True

        async def publish(self, records: Sequence[Record]) -> None:
            if self.late:
                self.late = False
                async with subject.database.transaction() as tx:
                    row = {"position": -1, "topic": "planning", "key": SCHOOL, "payload": records[0].value}
                    await tx.session.execute(insert(OutboxRow), [row])
            await super().publish(records)

    async with little(database_url, tmp_path) as subject:
        await send(subject, 1)
        bus, lease = LateCommit(f"{tmp_path}/late.db"), await held(subject)
        assert await relay_once(subject.database, bus, lease) == 1
        async with subject.database.reading() as session:
            assert (await session.scalars(select(OutboxRow.position))).all() == [-1]
        assert await relay_once(subject.database, bus, lease) == 1
        assert len(await ids_on(bus)) == 2
        await bus.close()


async def test_large_events_are_moved_a_few_at_a_time(database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject:
        await send(subject, 5 << 20, 5 << 20, 9 << 20, 1)
        lease = await held(subject)
        moved = [await relay_once(subject.database, subject.bus, lease) for _ in range(5)]
        assert moved == [1, 1, 1, 1, 0]


async def test_while_the_bus_refuses_the_outbox_keeps_what_was_committed(database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject:
        await send(subject, 1)
        await subject.bus.check()
        await subject.bus.close()
        with pytest.raises(Unavailable):
            await relay_once(subject.database, subject.bus, await held(subject))
        assert len(await waiting(subject)) == 1


async def test_the_relay_is_woken_by_a_commit(tmp_path: Path) -> None:
    async with (
        little(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as subject,
        background(subject.service, subject.database, subject.bus, subject.settings, Health()),
        subject.bus.subscribe("test", ["planning"]) as subscription,
    ):
        start = time.monotonic()
        for _ in range(10):
            await send(subject, 1)
            assert await subscription.fetch(1, wait=30)
        assert time.monotonic() - start < 7  # by polling once a second it would be about ten


async def test_events_of_a_school_keep_their_order_while_many_commit(database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject:
        committed: dict[str, list[str]] = {f"school-{n}": [] for n in range(4)}

        async def commit_in_order(school: str) -> None:
            for _ in range(10):
                async with subject.database.transaction() as tx:
                    id_ = tx.publish(fact(), school=school)
                committed[school].append(str(id_))

        lease = await held(subject)
        writers = asyncio.gather(*map(commit_in_order, committed))
        while not writers.done() or await waiting(subject):
            await relay_once(subject.database, subject.bus, lease)
        found = await ids_on(subject.bus)
        for ids in committed.values():
            assert [id_ for id_ in found if id_ in ids] == ids
