"""The one SQLite that this project uses: the `pysqlite3` wheel, and how SQLAlchemy speaks to it.

SQLite before 3.51.3 can corrupt a database in WAL mode with several connections, and Python's own is older on most systems.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any, Self

import pysqlite3
from sqlalchemy import Connection as SqlConnection
from sqlalchemy import event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

__all__ = ["Connection", "check_version", "connector", "engine_of", "pysqlite3"]

sys.modules["sqlite3"] = pysqlite3
sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2

import aiosqlite  # noqa: E402 - it imports sqlite3, which must be ours by then

SAFE = (3, 51, 3)
TURN_S = 0.005


def check_version(version: tuple[int, ...] = pysqlite3.sqlite_version_info) -> None:
    """Refuse to start on an SQLite with the WAL corruption bug. Raises SystemExit with one sentence."""
    if version < SAFE:
        raise SystemExit(
            f"SQLite {'.'.join(map(str, version))} can corrupt data in WAL mode: "
            f"install the pysqlite3 wheel with SQLite {'.'.join(map(str, SAFE))} or newer (make run does)"
        )


class Connection(aiosqlite.Connection):
    """An aiosqlite connection whose statements wait for its thread once, or not at all.

    aiosqlite goes to its thread four times a statement (cursor, execute, fetch, close), and each time waits for the event
    loop to come round: most of what a small statement costs. Here a statement of a reader goes once. `at_once` is set while
    a writing transaction is open: the database's writers take turns, their statements take microseconds, and they run where
    they are asked. COMMIT, which syncs, and the intake's bulk work still go to the thread. Where many follow each other, requests
    have their turn every few milliseconds.
    """

    at_once = False
    _since = 0.0

    async def take_turns(self) -> None:
        """Let the event loop come round, where it has not for some milliseconds."""
        if perf_counter() - self._since > TURN_S:
            await asyncio.sleep(0)
            self._since = perf_counter()

    def cursor(self) -> Any:
        """A cursor that holds all rows once a statement has run."""
        return _Cursor(self)


class _Cursor:
    """What SQLAlchemy's adapter asks of an async cursor."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid = 0

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        if self._connection.at_once:
            self._run("execute", sql, parameters)
            await self._connection.take_turns()
        else:
            await self._connection._execute(self._run, "execute", sql, parameters)  # type: ignore[no-untyped-call]  # aiosqlite's

    async def executemany(self, sql: str, parameters: Sequence[Sequence[Any]]) -> None:
        await self._connection._execute(self._run, "executemany", sql, parameters)  # type: ignore[no-untyped-call]  # aiosqlite's

    def _run(self, method: str, sql: str, parameters: Any) -> None:
        cursor = getattr(self._connection._conn, method)(sql, parameters)
        self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
        self._rows = cursor.fetchall() if cursor.description else []
        cursor.close()

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []


def connector(path: str) -> Callable[[], Awaitable[Connection]]:
    """What makes new connections to the file for SQLAlchemy."""

    async def connect() -> Connection:
        connection = Connection(lambda: pysqlite3.connect(path, isolation_level=None, check_same_thread=False), 64)
        connection._thread.daemon = True  # as SQLAlchemy's own connector has it: a forgotten connection must not hold the process
        await connection
        return connection

    return connect


def engine_of(url: str) -> AsyncEngine:
    """The engine of a database, with its pool of connections."""
    check_version()
    engine = create_async_engine(url, pool_size=8, max_overflow=8, async_creator=connector(make_url(url).database or ""))
    _use_properly(engine)
    return engine


def _use_properly(engine: AsyncEngine) -> None:
    """Sync at each commit, and take the write lock at BEGIN, so a transaction never fails half-way for want of it."""

    @event.listens_for(engine.sync_engine, "connect")
    def on_connect(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "busy_timeout = 5000",
            "cache_size = -8192",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: SqlConnection) -> None:
        reading = connection.get_execution_options().get("read_only", False)
        driver = connection.connection.driver_connection
        assert isinstance(driver, Connection)
        driver.at_once = False  # BEGIN may have to wait for the lock: never on the event loop
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
        driver.at_once = not reading
