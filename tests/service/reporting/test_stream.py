"""The live stream misses nothing, shows nobody what is not theirs, and says when it cannot go on."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.common.bus import open_bus
from libs.common.database import Database
from libs.common.event import Message
from libs.common.events.planning import ImprovementStarted
from libs.common.http import service_app
from services.reporting import commands, queries
from services.reporting.service import service
from tests.conftest import SettableClock
from tests.service.harness import SECRET, principal, running
from tests.service.reporting.facts import cleared, escalated, id_of, opened, raised
from tests.service.reporting.streams import Block, streaming

READER = principal("report.read")


def told(block: Block) -> tuple[str | None, str]:
    return block.event, block.data["change"]["what"]


async def test_a_change_committed_while_the_stream_is_open_arrives_with_the_object_as_it_is_now(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting, streaming(reporting, READER) as stream:
        await stream.next()
        await reporting.handle(raised("w"), opened("w"))

        warning, task = await stream.next(), await stream.next()

    assert told(warning) == ("warning", "raised")
    assert warning.data["id"] == str(id_of("w"))
    assert warning.data["improvement"] == str(id_of("task of w"))
    assert (warning.data["value"], warning.data["line"], warning.data["status"]) == (0.75, 0.8, "open")
    assert warning.data["change"]["detail"]["clear"] == 0.85
    assert told(task) == ("improvement", "opened")
    assert (task.data["owner"], task.data["due_on"], task.data["overdue"]) == ("T1", "2026-03-09", False)


async def test_without_an_id_the_stream_starts_now(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(raised("old"))
        async with streaming(reporting, READER) as stream:
            first = await stream.next()
            await reporting.handle(raised("new"))
            second = await stream.next()

    assert (first.id, first.event, first.retry) == ("1", None, 1000)
    assert second.data["id"] == str(id_of("new"))


async def test_a_reader_that_is_cut_off_again_and_again_sees_every_change_once_and_in_order(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    seen: list[str] = []
    async with running(service, database_url, tmp_path, clock) as reporting:
        last: str | None = "0"
        for n in range(12):
            await reporting.handle(*(raised(f"w{n}-{i}") for i in range(3)))
            async with streaming(reporting, READER, last) as stream:
                for _ in range(3 if n % 2 else 2):  # cut before it has read all, every other time
                    block = await stream.next()
                    seen += [block.data["id"]] if block.data else []
                last = stream.last_id
        async with streaming(reporting, READER, last) as stream:
            while len(seen) < 36:
                block = await stream.next()
                seen += [block.data["id"]] if block.data else []

    assert seen == [str(id_of(f"w{n}-{i}")) for n in range(12) for i in range(3)]


async def test_more_changes_than_one_read_takes_arrive_without_a_gap(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(*(raised(f"w{n}") for n in range(450)))
        async with streaming(reporting, READER, "0") as stream:
            await stream.next()
            ids = [(await stream.next()).id for _ in range(450)]

    assert ids == [str(n) for n in range(1, 451)]


async def test_a_reader_is_sent_only_what_lies_in_their_scope(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(raised("theirs", "unit:mech"), raised("foreign", "unit:info"), cleared("foreign"), cleared("theirs"))
        async with streaming(reporting, principal("report.read", over=["unit:mech"]), "0") as stream:
            await stream.next()
            got = [await stream.next(), await stream.next()]

    assert [(block.id, block.data["id"]) for block in got] == [("1", str(id_of("theirs"))), ("4", str(id_of("theirs")))]


async def test_another_schools_changes_are_neither_sent_nor_counted(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(raised("there"), school="other")
        await reporting.handle(raised("here"))
        async with streaming(reporting, READER, "0") as stream:
            await stream.next()
            block = await stream.next()

    assert (block.id, block.data["id"]) == ("1", str(id_of("here")))


@pytest.mark.parametrize("unknown", ["7", "-1", "x", "", "1.0", "99999999999999999999999", "٣"])
async def test_an_id_that_this_school_never_gave_is_answered_by_a_reset_and_the_present(
    unknown: str, database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(raised("w"))
        async with streaming(reporting, READER, unknown) as stream:
            reset = await stream.next()
            await reporting.handle(cleared("w"))
            after = await stream.next()

    assert (reset.event, reset.id) == ("reset", "1")
    assert told(after) == ("warning", "cleared")


async def test_an_id_older_than_what_is_kept_is_answered_by_a_reset_and_the_newest_deleted_one_is_not(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(raised("w1"), raised("w2"))
        clock.advance(days=401)
        await reporting.handle(cleared("w1"))
        (forget_old,) = (job for job in service.jobs if job.name == "forget-old")
        async with reporting.database.transaction() as tx:
            await forget_old.run(tx)
        async with streaming(reporting, READER, "1") as stream:
            missed = await stream.next()
        async with streaming(reporting, READER, "2") as stream:
            resumed, kept = await stream.next(), await stream.next()

    assert missed.event == "reset"
    assert (resumed.event, told(kept)) == (None, ("warning", "cleared"))


async def test_a_stream_ends_with_the_signature_behind_it_and_names_where_to_resume(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with (
        running(service, database_url, tmp_path, clock) as reporting,
        streaming(reporting, READER) as stream,
    ):
        await stream.next()
        await reporting.handle(raised("w"))
        await stream.next()
        clock.advance(seconds=60)
        rest = await stream.rest()

    assert [(block.id, block.retry, block.data) for block in rest] == [("1", 1000, None)]


async def test_when_the_process_stops_streams_end_with_a_longer_retry_hint(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting, streaming(reporting, READER) as stream:
        await stream.next()
        reporting.database.closing = True
        rest = await stream.rest()

    assert [(block.id, block.retry) for block in rest] == [("0", 3000)]


async def test_a_silent_stream_sends_heartbeats(
    database_url: str, tmp_path: Path, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.reporting.api.stream.HEARTBEAT_S", 0.0)
    async with running(service, database_url, tmp_path, clock) as reporting, streaming(reporting, READER) as stream:
        await stream.next()
        heartbeat = await stream.next()

    assert heartbeat == Block(comment="ping")


async def test_changes_committed_by_another_replica_arrive_too(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with running(service, database_url, tmp_path, clock) as writer:
        database, bus = Database(database_url, clock), open_bus(f"sqlite:{tmp_path}/other.db")
        reader: Any = type("Replica", (), {"app": service_app(service, database, bus, SECRET)})
        async with streaming(reader, READER) as stream:
            await stream.next()
            await writer.handle(raised("w"), opened("w"))
            blocks = [await stream.next(), await stream.next()]
        await database.close()

    assert [told(block) for block in blocks] == [("warning", "raised"), ("improvement", "opened")]


async def test_a_commit_of_this_process_wakes_its_streams_at_once(
    database_url: str, tmp_path: Path, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        monkeypatch.setattr(queries, "POLL_S", 3600.0)
        async with streaming(reporting, READER) as stream:
            await stream.next()
            await reporting.handle(raised("w"))
            assert told(await stream.next()) == ("warning", "raised")


async def test_positions_of_two_replicas_that_write_at_once_have_no_gap_and_appear_in_order(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async def write(database: Database, name: str) -> None:
        async with database.transaction() as tx:
            tx.school = "demo"
            await commands.raise_warning(tx, raised(name))
            await asyncio.sleep(0)

    async with running(service, database_url, tmp_path, clock) as one:
        two = Database(database_url, clock)
        async with streaming(one, READER) as stream:
            await stream.next()
            await asyncio.gather(
                *(write(database, f"w{n}-{database is two}") for n in range(15) for database in (one.database, two))
            )
            ids = [(await stream.next()).id for _ in range(30)]
        await two.close()

    assert ids == [str(n) for n in range(1, 31)]


async def test_a_fact_delivered_twice_is_told_once(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        message = Message(uuid4(), clock.now, "demo", raised("w"))
        await reporting.redeliver(message, message)
        await reporting.redeliver(message)
        await reporting.handle(escalated("w"), opened("w"), started("w"))
        async with streaming(reporting, READER, "0") as stream:
            await stream.next()
            ids = [(await stream.next()).id for _ in range(4)]

    assert ids == ["1", "2", "3", "4"]


def started(name: str) -> ImprovementStarted:
    return ImprovementStarted(
        improvement=id_of(f"task of {name}"),
        warning=id_of(name),
        by="T1",
        measures=["谈话"],
        goal="0.85",
        deadline=opened(name).due_on,
    )


async def test_a_caller_without_the_permission_is_refused(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with (
        running(service, database_url, tmp_path, clock) as reporting,
        streaming(reporting, principal("warning.read")) as stream,
    ):
        assert stream.status == 403
