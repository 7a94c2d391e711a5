"""What every transaction and every read may rely on."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common import postgres, sqlite
from libs.common.database import Database, InboxRow, Transaction
from libs.common.errors import Unavailable
from libs.common.events.planning import ImprovementClosed
from tests.service.common.little import NoteRow, little


async def test_a_read_sees_one_moment(database_url: str, tmp_path: Path) -> None:
    async with little(database_url, tmp_path) as subject, subject.database.reading() as session:
        count = select(func.count()).select_from(NoteRow)
        before = await session.scalar(count)
        async with subject.database.transaction() as tx:
            tx.session.add(NoteRow(about=uuid4(), told="meanwhile"))
        assert await session.scalar(count) == before == 0


async def test_each_commit_is_synced(tmp_path: Path) -> None:
    async with little(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as subject, subject.database.transaction() as tx:
        assert await tx.session.scalar(text("PRAGMA synchronous")) == 2  # FULL: less would lose what was committed with the power


@pytest.mark.parametrize("by_driver", [False, True])
async def test_what_the_database_cannot_hold_now_is_unavailable_however_it_is_written(tmp_path: Path, *, by_driver: bool) -> None:
    fact = ImprovementClosed(improvement=uuid4(), warning=uuid4(), reason="x" * 1_000_000)

    async def write(tx: Transaction) -> None:
        await tx.session.execute(text("PRAGMA max_page_count = 1"))
        if by_driver:
            tx.publish(fact, school="demo")
        else:
            tx.session.add(NoteRow(about=uuid4(), told=fact.reason))

    async with little(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as subject:
        with pytest.raises(Unavailable, match="full"):
            async with subject.database.transaction() as tx:
                await write(tx)
        assert await subject.outbox() == []


async def test_an_instant_comes_back_as_it_was_and_a_naive_one_is_refused(database_url: str, tmp_path: Path) -> None:
    shanghai = datetime(2026, 3, 2, 8, 5, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    async with little(database_url, tmp_path) as subject:
        async with subject.database.transaction() as tx:
            tx.session.add(InboxRow(event_id=uuid4(), handled_at=shanghai))
        async with subject.database.reading() as session:
            kept = await session.scalar(select(InboxRow.handled_at))
        assert kept == shanghai
        assert kept.tzinfo is UTC
        with pytest.raises(StatementError, match="naive datetime"):
            async with subject.database.transaction() as tx:
                await tx.session.execute(insert(InboxRow).values(event_id=uuid4(), handled_at=shanghai.replace(tzinfo=None)))


async def test_a_fact_of_no_school_is_not_published(database_url: str, tmp_path: Path) -> None:
    fact = ImprovementClosed(improvement=uuid4(), warning=uuid4(), reason="verified")
    async with little(database_url, tmp_path) as subject:
        with pytest.raises(ValueError, match="no school"):
            async with subject.database.transaction() as tx:
                tx.publish(fact)
        async with subject.database.transaction() as tx:
            tx.publish(fact, school="demo")
        assert [message.school for message in await subject.outbox()] == ["demo"]


async def test_what_is_written_by_the_driver_changes_what_it_names_and_nothing_else(database_url: str, tmp_path: Path) -> None:
    one, two, three = sorted((uuid4() for _ in range(3)), key=str)
    async with little(database_url, tmp_path) as subject:
        async with subject.database.transaction() as tx, tx.together():
            await tx.insert(NoteRow, [{"about": about, "told": "课堂 'x'\\", "heard": ""} for about in (one, two, three)])
            await tx.update(
                NoteRow, [{"about": one, "told": "a"}, {"about": three, "told": "c"}, {"about": uuid4(), "told": "nobody"}]
            )
            await tx.delete(NoteRow, "about", [two, uuid4()])
        async with subject.database.reading() as session:
            rows = (await session.execute(select(NoteRow.about, NoteRow.told).order_by(NoteRow.told))).all()
        assert [tuple(row) for row in rows] == [(one, "a"), (three, "c")]


async def test_what_is_sent_together_fails_together(database_url: str, tmp_path: Path) -> None:
    note = {"about": uuid4(), "told": "twice", "heard": ""}
    async with little(database_url, tmp_path) as subject:

        async def write() -> None:
            async with subject.database.transaction() as tx, tx.together():
                await tx.insert(NoteRow, [{**note, "about": uuid4()}])
                await tx.insert(NoteRow, [note, note])

        with pytest.raises(Exception, match=r"(?i)unique"):
            await write()
        async with subject.database.transaction() as tx:  # the connection is as good as before
            assert await tx.session.scalar(select(func.count()).select_from(NoteRow)) == 0


async def test_what_is_sent_together_is_read_as_written_by_what_is_asked_within(database_url: str, tmp_path: Path) -> None:
    def told(tx: Transaction) -> Callable[[Any], Any]:
        def on_sqlite(connection: Any) -> Any:
            return connection.execute("SELECT told FROM note ORDER BY told").fetchall()

        async def on_postgres(connection: Any) -> Any:
            return await (await connection.execute("SELECT told FROM note ORDER BY told")).fetchall()

        return on_sqlite if tx.is_sqlite else on_postgres

    async with little(database_url, tmp_path) as subject, subject.database.transaction() as tx:
        async with tx.together():
            await tx.insert(NoteRow, [{"about": uuid4(), "told": "a", "heard": ""}])
            async with tx.together():  # within another it is one with it
                await tx.insert(NoteRow, [{"about": uuid4(), "told": "b", "heard": ""}])
            assert [tuple(row) for row in await tx.driver(told(tx))] == [("a",), ("b",)]
        assert await tx.session.scalar(select(func.count()).select_from(NoteRow)) == 2


@pytest.mark.parametrize("broken", [False, True])
async def test_what_is_put_off_is_written_before_the_commit_or_not_at_all(
    database_url: str, tmp_path: Path, *, broken: bool
) -> None:
    about = uuid4()
    async with little(database_url, tmp_path) as subject:

        async def write() -> None:
            async with subject.database.transaction() as tx:
                rows = [{"about": about, "told": "last", "heard": ""}]
                tx.before_commit.append(partial(tx.insert, NoteRow, rows + rows if broken else rows))
                tx.publish(ImprovementClosed(improvement=uuid4(), warning=uuid4(), reason="verified"), school="demo")

        with pytest.raises(Exception, match=r"(?i)unique") if broken else nullcontext():
            await write()
        async with subject.database.reading() as session:
            assert await session.scalar(select(func.count()).select_from(NoteRow)) == (0 if broken else 1)
        assert len(await subject.outbox()) == (0 if broken else 1)


@pytest.mark.servers
async def test_a_connection_that_the_server_has_ended_meanwhile_is_not_used_again(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "RESTED_S", 0.0)
    async with little(postgres_url, tmp_path) as subject:
        async with subject.database.reading() as session:
            mine = await session.scalar(text("SELECT pg_backend_pid()"))
        async with create_async_engine(postgres_url).connect() as other:
            await other.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": mine})
        async with subject.database.reading() as session:
            assert await session.scalar(text("SELECT pg_backend_pid()")) != mine


@pytest.mark.servers
async def test_a_transaction_that_was_left_in_the_middle_of_a_message_is_ended_and_no_other(
    postgres_url: str, tmp_path: Path
) -> None:
    def begun(name: str) -> Any:
        """A transaction whose client has said something, and not yet that this was all."""
        connection = psycopg.connect(postgres_url.replace("+psycopg", ""), application_name=name)
        connection.pgconn.enter_pipeline_mode()
        for sql in (b"BEGIN", b"SELECT 1"):
            connection.pgconn.send_query_params(sql, None)
        connection.pgconn.send_flush_request()
        while connection.pgconn.flush():
            pass
        return connection

    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'ClientRead' AND pid = ANY(:pids)"
    )
    asleep, somebody_elses = begun(postgres.NAME), begun("somebody else")
    pids = [asleep.pgconn.backend_pid, somebody_elses.pgconn.backend_pid]
    async with little(postgres_url, tmp_path) as subject, subject.database.transaction() as working:
        await working.session.execute(text("SELECT 1"))
        async with asyncio.timeout(30):
            while await _scalar(subject.database, waiting, pids=pids) != 2:
                pass
        async with subject.database.reading() as session:
            assert await postgres.end_silent(session, 3600.0) == 0
            assert await postgres.end_silent(session, 0.0) == 1
        async with asyncio.timeout(30):
            while await _scalar(subject.database, waiting, pids=pids) != 1:
                pass
        assert await working.session.scalar(text("SELECT 1")) == 1
    asleep.close()
    somebody_elses.close()


async def _scalar(database: Database, sql: Any, **parameters: Any) -> Any:
    async with database.reading() as session:
        return await session.scalar(sql, parameters)


async def test_a_long_transaction_of_short_statements_gives_others_their_turn(tmp_path: Path) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with little(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as subject, subject.database.transaction() as tx:
        await tx.session.execute(select(1))
        begun = asyncio.create_task(other())
        before = turns
        end = perf_counter() + 10 * sqlite.TURN_S
        while perf_counter() < end:
            await tx.session.execute(select(1))
        assert turns - before >= 3
        begun.cancel()
