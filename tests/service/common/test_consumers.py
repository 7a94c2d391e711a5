"""From the bus to a service's handlers: effective once, a bad message blocks no good one, an unknown version blocks."""

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from libs.common.bus import Record
from libs.common.database import Transaction
from libs.common.errors import Invalid
from libs.common.event import UnknownVersion
from libs.common.events.deadletters import DeadLettered
from libs.common.runtime import Health, TooManyDeadLetters, keep_running, put_aside
from libs.common.runtime import consumers as machinery
from libs.common.settings import Settings
from libs.common.telemetry import bind_trace
from tests.conftest import SettableClock
from tests.service.common.little import SCHOOL, Little, little, on_the_bus, told

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


# --- effective once --------------------------------------------------------------------------------------------------


async def test_an_event_delivered_again_has_no_effect(database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject:
        records = on_the_bus(told("once"))
        for _ in range(3):
            await subject.consumer().handle_batch(records)
        assert list(await subject.notes()) == ["once"]
        assert len(await subject.outbox()) == 2


async def test_an_event_twice_in_a_batch_is_handled_once(database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject:
        await subject.consumer().handle_batch(on_the_bus(told("once")) * 2)
        assert len(await subject.outbox()) == 2


async def test_a_handler_that_fails_leaves_no_effect_no_event_and_no_mark(database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject:
        records = on_the_bus(told("not yet"))
        with pytest.raises(RuntimeError, match="still broken"):
            await subject.consumer().handle_batch(records)
        assert (await subject.notes(), await subject.outbox()) == ({}, [])
        subject.mended = True
        await subject.consumer().handle_batch(records)
        assert list(await subject.notes()) == ["not yet"]
        assert len(await subject.outbox()) == 2


async def test_the_ids_of_outgoing_events_derive_from_cause_school_and_what_they_are_about(tmp_path: Path) -> None:
    async with little(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as subject:
        one, other = told("one").event, told("other").event

        async def published(cause: str, school: str = SCHOOL) -> list[UUID]:
            async with subject.database.transaction() as tx:
                tx.cause, tx.school = cause, school
                return [tx.publish(one), tx.publish(one), tx.publish(other)]

        first = await published("a")
        assert len(set(first)) == 3
        assert await published("a") == first
        assert set(await published("b")).isdisjoint(first)
        assert set(await published("a", school="hbpt")).isdisjoint(first)


async def test_handling_the_same_event_on_another_database_publishes_the_same_ids(tmp_path: Path) -> None:
    records = on_the_bus(told("a"), told("b"))
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        async with little(f"sqlite+aiosqlite:///{tmp_path}/{name}/service.db", tmp_path / name) as subject:
            await subject.consumer().handle_batch(records)
            found.append([message.id for message in await subject.outbox()])
    assert found[0] == found[1]
    assert len(set(found[0])) == 4


async def test_a_handler_knows_school_cause_time_and_trace(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(datetime(2026, 3, 2, 12, 0, tzinfo=UTC))
    async with little(database_url, tmp_path, clock) as subject:
        message = told("heard", school="hbpt")
        (record,) = on_the_bus(message)
        traced = Record(record.topic, record.key, record.value.replace(b'"data"', f'"traceparent":"{TRACE}","data"'.encode()))
        await subject.consumer().handle_batch([traced])
        assert (await subject.notes())["heard"] == f"hbpt {message.id} {clock.now.isoformat()} {TRACE}"
        for outgoing in await subject.outbox():
            assert (outgoing.school, outgoing.causationid, outgoing.traceparent) == ("hbpt", str(message.id), TRACE)
            assert outgoing.time == clock.now
    bind_trace(None)


# --- bad messages ----------------------------------------------------------------------------------------------------


async def test_a_bad_message_does_not_block_good_ones(database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject:
        bad = told("never")
        await subject.consumer().handle_batch(on_the_bus(told("a"), bad, told("b")))
        assert sorted(await subject.notes()) == ["a", "b"]
        (letter,) = await subject.letters()
        assert json.loads(letter.payload)["id"] == str(bad.id)
        assert (letter.service, letter.topic, letter.key) == ("little", "planning", SCHOOL)
        assert (letter.problem, letter.detail) == ("invalid", "this can never be noted")


PAYLOADS: dict[str, Callable[[], bytes]] = {
    "not JSON": lambda: b"no event",
    "truncated": lambda: on_the_bus(told("a"))[0].value[:-5],
    "empty": lambda: b"",
    "an array": lambda: b"[]",
    "nested deep": lambda: b"[" * 100_000,
    "of no version": lambda: on_the_bus(told("a"))[0].value.replace(b".v1", b".vx"),
    "without its fields": lambda: on_the_bus(told("a"))[0].value.replace(b'"reason"', b'"other"'),
    "a time without zone": lambda: on_the_bus(told("a"))[0].value.replace(b"00:00Z", b"00:00"),
}


@pytest.mark.parametrize("name", PAYLOADS)
async def test_what_can_never_be_read_is_put_aside_with_its_text(name: str, tmp_path: Path) -> None:
    async with little(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as subject:
        value = PAYLOADS[name]()
        await subject.consumer().handle_batch([Record("planning", SCHOOL, value), *on_the_bus(told("good"))])
        (letter,) = await subject.letters()
        assert letter.payload == value.decode()
        assert letter.payload_base64 is None
        assert letter.detail
        assert list(await subject.notes()) == ["good"]


@pytest.mark.parametrize("value", [b"\xff\xfe", b"\x00", b'"\xed\xa0\x80"', b"a\x00b\xff"])
async def test_bytes_that_no_database_keeps_as_text_are_kept_exactly(value: bytes, database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject:
        await subject.consumer().handle_batch([Record("planning", "with\0nul", value)])
        (letter,) = await subject.letters()
        assert "\0" not in letter.payload + letter.key + letter.detail
        assert base64.b64decode(letter.payload_base64 or "") == value


async def test_of_a_huge_payload_the_beginning_is_kept(tmp_path: Path) -> None:
    async with little(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as subject:
        await subject.consumer().handle_batch([Record("planning", SCHOOL, b"\xff" * (6 << 20))])
        (letter,) = await subject.letters()
        assert base64.b64decode(letter.payload_base64 or "") == b"\xff" * (64 << 10)
        assert "of 6291456 bytes the first 65536 are kept" in letter.detail
        assert len(letter.model_dump_json()) < 1 << 20


async def test_the_same_payload_put_aside_again_is_the_same_letter(tmp_path: Path) -> None:
    async with little(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as subject:
        for payload in (b"x", b"x", b"y"):
            async with subject.database.transaction() as tx:
                put_aside(tx, "little", "planning", SCHOOL, payload, Invalid("bad"))
        messages = await subject.outbox()
        assert messages[0].id == messages[1].id != messages[2].id
        letters = [message.event for message in messages if isinstance(message.event, DeadLettered)]
        assert letters[0] == letters[1] != letters[2]


async def test_a_type_that_nobody_here_wants_is_skipped(tmp_path: Path) -> None:
    async with little(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as subject:
        (record,) = on_the_bus(told("a"))
        unknown = record.value.replace(b"planning.improvement_closed.v1", b"planning.something_else.v7")
        await subject.consumer().handle_batch([Record("planning", SCHOOL, unknown), *on_the_bus(told("b"))])
        assert list(await subject.notes()) == ["b"]
        assert await subject.letters() == []


async def test_an_unknown_version_blocks_what_comes_after_it_and_nothing_before(database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject:
        before, (record,), after = told("before"), on_the_bus(told("a")), told("after")
        newer = Record("planning", SCHOOL, record.value.replace(b"closed.v1", b"closed.v99"))
        for _ in range(2):
            with pytest.raises(UnknownVersion):
                await subject.consumer().handle_batch([*on_the_bus(before), newer, *on_the_bus(after)])
        assert list(await subject.notes()) == ["before"]
        assert await subject.letters() == []


async def test_too_many_dead_letters_in_a_row_stop_the_consumer(database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject:
        subject.settings = Settings(home=tmp_path, dead_letter_limit=3)
        consumer = subject.consumer()
        await consumer.handle_batch(on_the_bus(*(told("never") for _ in range(3)), told("good")))
        await consumer.handle_batch(on_the_bus(*(told("never") for _ in range(3))))
        with pytest.raises(TooManyDeadLetters, match="ZHENGAI_DEAD_LETTER_LIMIT"):
            await consumer.handle_batch(on_the_bus(told("never")))
        assert len(await subject.letters()) == 6
        await consumer.handle_batch(on_the_bus(told("mended")))
        await consumer.handle_batch(on_the_bus(told("never")))
        assert len(await subject.letters()) == 7


# --- on a bus --------------------------------------------------------------------------------------------------------


async def until(claim: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not await claim():  # noqa: ASYNC110 - the consumer tells nobody
            await asyncio.sleep(0.02)


async def test_a_broken_handler_is_said_tried_again_and_loses_nothing(database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject:
        health = Health()
        await subject.bus.publish(on_the_bus(told("a"), told("not yet"), told("b")))
        running = asyncio.create_task(keep_running("little", lambda: subject.consumer().run(health), health))

        async def said() -> bool:
            return "still broken" in health.problems.get("little", "")

        async def noted() -> bool:
            return len(await subject.notes()) == 3 and not health.problems

        await until(said)
        assert list(await subject.notes()) == ["a"]
        subject.mended = True
        await until(noted)
        running.cancel()
        assert await subject.bus.committed("little", "planning", SCHOOL) == await subject.bus.end("planning", SCHOOL)


async def test_what_was_being_handled_when_the_process_ended_comes_again(database_url: str, tmp_path: Path) -> None:
    started = asyncio.Event()

    class Slow(Little):
        async def note(self, event: Any, tx: Any) -> None:
            await super().note(event, tx)
            started.set()
            await asyncio.sleep(3600)

    async with little(database_url, tmp_path) as subject:
        await subject.bus.publish(on_the_bus(told("a")))
        running = asyncio.create_task(Slow(subject.database, subject.bus, subject.settings).consumer().run(Health()))
        await started.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert (await subject.notes(), await subject.outbox()) == ({}, [])
        running = asyncio.create_task(subject.consumer().run(Health()))

        async def noted() -> bool:
            return list(await subject.notes()) == ["a"]

        await until(noted)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_nothing_is_fetched_while_the_outbox_is_full(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machinery, "OUTBOX_FULL", 2)
    async with little(database_url, tmp_path) as subject:
        await subject.consumer().handle_batch(on_the_bus(told("fills it")))
        await subject.bus.publish(on_the_bus(told("waits")))
        running = asyncio.create_task(subject.consumer().run(Health()))
        await asyncio.sleep(0.3)
        assert "waits" not in await subject.notes()
        await subject.forget_outbox()

        async def noted() -> bool:
            return "waits" in await subject.notes()

        await until(noted)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_what_was_fetched_waits_as_well_while_the_outbox_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machinery, "OUTBOX_FULL", 2)
    monkeypatch.setattr(machinery, "BATCH_BYTES", 1)

    class Tells(Little):
        async def take_in(self, records: Any, tx: Transaction) -> None:
            await super().take_in(records, tx)
            for number in range(2):
                tx.publish(told(str(number)).event, school=SCHOOL)

    async with little(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as subject:
        tells = Tells(subject.database, subject.bus, subject.settings, intake={"observations": []})
        await subject.bus.publish([Record("observations", SCHOOL, b"1"), Record("observations", SCHOOL, b"2")])
        running = asyncio.create_task(tells.consumer("little.observations").run(Health()))

        async def taken(parts: int) -> bool:
            return len(tells.intake["observations"]) == parts

        await until(lambda: taken(1))
        await asyncio.sleep(0.3)
        assert await taken(1)
        await subject.forget_outbox()
        await until(lambda: taken(2))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_an_intake_gets_whole_batches_of_its_topic_and_handlers_theirs(tmp_path: Path) -> None:
    async with little(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as subject:
        subject.intake = {"observations": [], "planning": []}
        assert subject.service.groups == {
            "little.observations": ("observations",),
            "little.planning": ("planning",),
            "little": ("planning",),
        }
        raw = [Record("observations", SCHOOL, b"1"), Record("observations", SCHOOL, b"2")]
        await subject.consumer("little.observations").handle_batch(raw)
        await subject.consumer("little").handle_batch(on_the_bus(told("a")))
        assert subject.intake == {"observations": [raw], "planning": []}
        assert list(await subject.notes()) == ["a"]


async def test_a_school_whose_batch_fails_holds_no_other_back_and_its_batch_comes_again(database_url: str, tmp_path: Path) -> None:
    class Breaks(Little):
        async def take_in(self, records: Any, tx: Transaction) -> None:
            tx.publish(told(records[0].key).event, school=records[0].key)
            if records[0].key == "broken" and not self.mended:
                raise RuntimeError("still broken")

    async with little(database_url, tmp_path) as subject:
        breaks = Breaks(subject.database, subject.bus, subject.settings, intake={"observations": []})
        await subject.bus.publish([Record("observations", key, b"1") for key in ("broken", "well")])
        health = Health()
        group = "little.observations"
        running = asyncio.create_task(keep_running(group, lambda: breaks.consumer(group).run(health), health))

        async def told_of() -> set[str]:
            return {message.school for message in await subject.outbox()}

        async def the_other() -> bool:
            return "still broken" in health.problems.get(group, "") and await told_of() == {"well"}

        async def both() -> bool:
            return await told_of() == {"well", "broken"}

        await until(the_other)
        breaks.mended = True
        await until(both)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
