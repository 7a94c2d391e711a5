"""Background work: it backs off, says what is wrong, is well again once it works, and tidies up."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select

from libs.common import runtime
from libs.common.bus import Record
from libs.common.bus_sqlite import SqliteBus
from libs.common.database import AnswerRow, InboxRow, Transaction
from libs.common.errors import Unavailable
from libs.common.runtime import Health, background, keep_running, leases, prune, upkeep
from libs.common.service import Job
from tests.conftest import SettableClock
from tests.service.common.little import SCHOOL, NoteRow, fact, little


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not claim():  # noqa: ASYNC110 - the work tells nobody
            await asyncio.sleep(0.01)


async def test_work_that_fails_is_tried_again_ever_later_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "FIRST_DELAY_S", 0.02)
    monkeypatch.setattr(runtime, "LONGEST_DELAY_S", 0.08)
    at: list[float] = []

    async def work() -> None:
        at.append(time.monotonic())
        raise Unavailable("not now")

    health = Health()
    running = asyncio.create_task(keep_running("work", work, health))
    await until(lambda: len(at) > 5)
    running.cancel()
    gaps = [after - before for before, after in pairwise(at)]
    assert all(gap >= least for gap, least in zip(gaps, (0.02, 0.04, 0.08, 0.08, 0.08), strict=False))
    assert health.problems == {"work": "Unavailable: not now"}


async def test_work_that_loses_a_cancellation_is_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "CANCEL_AGAIN_S", 0.01)
    lost = 0

    async def work() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost == 2:
                    raise
                lost += 1

    running = asyncio.create_task(work())
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await leases.end(running)
    assert running.cancelled()
    assert lost == 2


async def test_a_job_runs_again_each_time_its_period_has_passed(database_url: str, tmp_path: Path) -> None:
    async def job(tx: Transaction) -> None:
        tx.session.add(NoteRow(about=uuid4(), told="ran"))
        tx.publish(fact(), cause=str(uuid4()), school=SCHOOL)
        runs.append(tx)

    runs: list[Transaction] = []
    async with little(database_url, tmp_path) as subject:
        subject.jobs = [Job(name="often", every=timedelta(milliseconds=10), run=job)]
        async with background(subject.service, subject.database, subject.bus, subject.settings, Health()):
            await until(lambda: len(runs) > 3)
        assert "ran" in await subject.notes()


async def test_a_job_that_fails_writes_nothing_is_shown_and_is_well_again_when_it_works(database_url: str, tmp_path: Path) -> None:
    broken = True

    async def job(tx: Transaction) -> None:
        tx.session.add(NoteRow(about=uuid4(), told="broken" if broken else "mended"))
        await tx.session.flush()
        if broken:
            raise RuntimeError("out of order")

    health = Health()
    async with little(database_url, tmp_path) as subject:
        subject.jobs = [Job(name="often", every=timedelta(milliseconds=10), run=job)]
        async with background(subject.service, subject.database, subject.bus, subject.settings, health):
            await until(lambda: "out of order" in health.problems.get("little.often", ""))
            broken = False
            await until(lambda: not health.problems)
        assert set(await subject.notes()) == {"mended"}


async def test_a_job_by_schools_has_a_transaction_for_each_and_one_that_fails_holds_no_other(
    database_url: str, tmp_path: Path
) -> None:
    broken = {"b"}

    async def job(tx: Transaction) -> None:
        tx.session.add(NoteRow(about=uuid4(), told=tx.school))
        await tx.session.flush()
        if tx.school in broken:
            raise RuntimeError("out of order")

    async def schools(_session: object, _now: object) -> list[str]:
        return ["a", "b", "c"]

    health = Health()
    async with little(database_url, tmp_path) as subject:
        subject.jobs = [Job(name="often", every=timedelta(milliseconds=10), run=job, schools=schools)]
        async with background(subject.service, subject.database, subject.bus, subject.settings, health):
            await until(lambda: "out of order" in health.problems.get("little.often", ""))
            assert set(await subject.notes()) == {"a", "c"}
            broken.clear()
            await until(lambda: not health.problems)
        assert set(await subject.notes()) == {"a", "b", "c"}


async def test_a_relay_that_could_not_publish_is_well_again_when_it_can(tmp_path: Path) -> None:
    class Refuses(SqliteBus):
        refuses = True

        async def publish(self, records: object) -> None:
            if self.refuses:
                raise Unavailable("the disk is full")
            await super().publish(records)  # type: ignore[arg-type]

    health, bus = Health(), Refuses(f"{tmp_path}/refuses.db")
    async with little(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as subject:
        async with background(subject.service, subject.database, bus, subject.settings, health):
            async with subject.database.transaction() as tx:
                tx.publish(fact(), school=SCHOOL)
            await until(lambda: "the disk is full" in health.problems.get("little.relay", ""))
            bus.refuses = False
            await until(lambda: not health.problems)
        assert await bus.end("planning", SCHOOL) >= 1
        await bus.close()


async def test_marks_and_answers_past_their_time_are_deleted(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with little(database_url, tmp_path, clock) as subject:
        for days in (0, 29, 31):
            async with subject.database.transaction() as tx:
                at = tx.now - timedelta(days=days)
                tx.session.add(InboxRow(event_id=uuid4(), handled_at=at))
                tx.session.add(AnswerRow(school=SCHOOL, person="p", key=str(days), fingerprint=b"", at=at))
        async with subject.database.transaction() as tx:
            await prune(tx, subject.settings)
        async with subject.database.reading() as session:
            assert len((await session.scalars(select(InboxRow.event_id))).all()) == 2
            assert (await session.scalars(select(AnswerRow.key))).all() == ["0"]


async def test_the_embedded_bus_forgets_what_everybody_has_read_and_is_old(tmp_path: Path) -> None:
    async with little(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as subject:
        bus, health = subject.bus, Health()
        assert isinstance(bus, SqliteBus)
        async with bus.subscribe("little", ["planning"]) as subscription:
            await bus.publish([Record("planning", SCHOOL, b"old")] * 3 + [Record("planning", SCHOOL, b"new")] * 2)
            await subscription.fetch(1 << 30, wait=30)
            await subscription.commit()
        old = "UPDATE log SET published_at = published_at - 8 * 86400 WHERE value = x'6f6c64'"
        await bus._in(bus._append_thread, lambda: bus._writer.execute(old))
        async with upkeep(bus, subject.settings, health):
            count = "SELECT count(*) FROM log"
            kept = 5
            async with asyncio.timeout(30):
                while kept > 2:
                    (kept,) = await bus._in(bus._append_thread, lambda: bus._writer.execute(count).fetchone())
        assert kept == 2
        assert not health.problems
