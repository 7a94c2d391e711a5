"""The bus in one SQLite file, for a school that runs one process.

SQLite admits one writer at a time, so row ids are assigned in commit order and a reader that remembers the last id can
never skip a record. (The same table in PostgreSQL would lose records: ids there are assigned before commit.)
Requests that wait for the disk together share one transaction and one sync. A group's position is written with the next
append or within a second: losing it costs a redelivery, never a record.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from typing import Any, TypeVar

from libs.common import sqlite
from libs.common.bus import Record
from libs.common.errors import Unavailable

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA busy_timeout = 5000;
CREATE TABLE IF NOT EXISTS log (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, key TEXT NOT NULL,
    published_at INTEGER NOT NULL DEFAULT (unixepoch()), value BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS log_by_topic ON log (topic, id);
CREATE TABLE IF NOT EXISTS cursor (
    "group" TEXT NOT NULL, topic TEXT NOT NULL, last_id INTEGER NOT NULL, PRIMARY KEY ("group", topic)
) WITHOUT ROWID;
"""
_FLUSH_S = 1.0
_PRUNED_AT_ONCE = 100  # an append waits for one such step at most
ResultT = TypeVar("ResultT")


class SqliteBus:
    """All topics in one table; the row id is the position.

    Two threads, one connection each: one appends, one reads. Everything else here belongs to the event loop's thread.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._append_thread = ThreadPoolExecutor(1, "bus-append")
        self._read_thread = ThreadPoolExecutor(1, "bus-read")
        self._writer: Any = None
        self._reader: Any = None
        self._waiting: list[tuple[Sequence[Record], asyncio.Future[None]]] = []
        self._appending: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._closed = False
        self._sleepers: dict[asyncio.Event, frozenset[str]] = {}
        self._ends: dict[str, int] = {}
        self._committed: dict[tuple[str, str], int] = {}
        self._unwritten: dict[tuple[str, str], int] = {}
        # Held while records are on the disk and not yet in `_pending`, so that a group that joins counts each once.
        self._counting = asyncio.Lock()
        self._pending: Counter[tuple[str, str]] = Counter()
        self._flusher: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Open the file. Raises Unavailable when that fails."""
        if self._closed:
            raise Unavailable("the bus is closed")
        if self._reader is None:
            async with self._opening:
                if self._reader is None:
                    await self._open_file()

    async def _open_file(self) -> None:
        try:
            await self._in(self._append_thread, self._open)
            self._reader = await self._in(self._read_thread, self._connect)
        except sqlite.pysqlite3.Error as error:
            raise Unavailable(f"the bus file {self._path} cannot be opened: {error}") from error
        self._flusher = asyncio.create_task(self._flush_positions(), name="bus.flush")

    def _connect(self) -> Any:
        return sqlite.pysqlite3.connect(self._path, isolation_level=None, check_same_thread=False)

    def _open(self) -> None:
        if self._writer is not None:  # the reader failed the time before
            self._writer.close()
        self._writer = self._connect()
        self._writer.executescript(_SCHEMA)
        self._ends = dict(self._writer.execute("SELECT topic, max(id) FROM log GROUP BY topic"))
        for group, topic, last in self._writer.execute('SELECT "group", topic, last_id FROM cursor').fetchall():
            self._committed[group, topic] = last
            self._pending[group, topic] = self._size_after(topic, last)

    def _size_after(self, topic: str, last: int) -> int:
        sql = "SELECT coalesce(sum(length(value)), 0) FROM log WHERE topic = ? AND id > ?"
        size: int = self._writer.execute(sql, (topic, last)).fetchone()[0]
        return size

    @staticmethod
    async def _in(thread: ThreadPoolExecutor, function: Callable[..., ResultT], *arguments: object) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(thread, function, *arguments)

    async def publish(self, records: Sequence[Record]) -> None:
        """Append; return when the disk has it. Raises Unavailable (503) when the disk refuses."""
        await self.check()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((records, done))
        if self._appending is None or self._appending.done():
            self._appending = asyncio.create_task(self._append_waiting(), name="bus.append")
        await done

    async def _append_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._append_batch([record for records, _ in batch for record in records])
            except sqlite.pysqlite3.Error as error:
                self._answer(batch, Unavailable(f"the bus could not be written: {error}", headers={"Retry-After": "5"}))
            except BaseException as error:
                batch, self._waiting = [*batch, *self._waiting], []
                self._answer(batch, error)
                raise
            else:
                self._answer(batch, None)

    async def _append_batch(self, records: Sequence[Record]) -> None:
        async with self._counting:
            ends = await self._write(records)
            self._ends |= ends
            sizes: Counter[str] = Counter()
            for record in records:
                sizes[record.topic] += len(record.value)
            for group, topic in self._committed:
                self._pending[group, topic] += sizes[topic]
        for sleeper, topics in self._sleepers.items():
            if not topics.isdisjoint(ends):
                sleeper.set()

    @staticmethod
    def _answer(batch: Sequence[tuple[Sequence[Record], asyncio.Future[None]]], error: BaseException | None) -> None:
        for _, done in batch:
            if done.done():  # nobody waits any more
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    async def _write(self, records: Sequence[Record]) -> Mapping[str, int]:
        positions, self._unwritten = self._unwritten, {}
        try:
            return await self._in(self._append_thread, self._append, records, positions)
        except BaseException:
            self._unwritten = positions | self._unwritten
            raise

    def _append(self, records: Sequence[Record], positions: Mapping[tuple[str, str], int]) -> Mapping[str, int]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            ends: dict[str, int] = {}
            for r in records:
                ends[r.topic] = self._writer.execute(
                    "INSERT INTO log (topic, key, value) VALUES (?, ?, ?)", (r.topic, r.key, r.value)
                ).lastrowid
            self._writer.executemany(
                'INSERT INTO cursor ("group", topic, last_id) VALUES (?, ?, ?) '
                'ON CONFLICT ("group", topic) DO UPDATE SET last_id = excluded.last_id',
                [(group, topic, last) for (group, topic), last in positions.items()],
            )
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise
        return ends

    async def _flush_positions(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_S)
            if self._unwritten:
                with suppress(sqlite.pysqlite3.Error):  # written again with the next append
                    await self._write(())

    @asynccontextmanager
    async def subscribe(self, group: str, topics: Sequence[str]) -> AsyncIterator[_SqliteSubscription]:
        """Join as the group's only member: this bus has one process."""
        await self.check()
        for topic in topics:
            await self._register(group, topic)
        wakeup = asyncio.Event()
        self._sleepers[wakeup] = frozenset(topics)
        try:
            yield _SqliteSubscription(self, wakeup, group, tuple(topics))
        finally:
            del self._sleepers[wakeup]

    async def _register(self, group: str, topic: str) -> None:
        """Remember the group from now on: what it has not read is kept for it, also while it never commits."""
        if (group, topic) not in self._committed:
            async with self._counting:
                self._pending[group, topic] = await self._in(self._append_thread, self._size_after, topic, 0)
                self._committed[group, topic] = self._unwritten[group, topic] = 0

    def _select(self, positions: Mapping[str, int], limit: int) -> list[tuple[int, Record]]:
        rows: list[tuple[int, Record]] = []
        sql = "SELECT id, key, value FROM log WHERE topic = ? AND id > ? ORDER BY id"
        for topic, last in positions.items():  # each topic has its share, so that a busy one cannot starve another
            size = 0
            with closing(self._reader.execute(sql, (topic, last))) as found:
                for id_, key, value in found:
                    rows.append((id_, Record(topic, key, value)))
                    size += len(value)
                    if size >= limit // len(positions):
                        break
        return rows

    async def end(self, topic: str, key: str) -> int:
        """Return the id of the topic's newest record, whatever its key."""
        del key
        await self.check()
        return self._ends.get(topic, 0)

    async def committed(self, group: str, topic: str, key: str) -> int:
        """Return the id of the last record that the group is done with."""
        del key
        await self.check()
        return self._committed.get((group, topic), 0)

    async def backlog(self, group: str, topic: str) -> int:
        """Return the bytes that the group has yet to commit."""
        await self.check()
        return max(0, self._pending[group, topic])

    async def prune(self, older_than_s: int) -> int:
        """Delete records older than that which every known group has passed; return how many."""
        await self.check()
        passed: dict[str, int] = {}
        for (_, topic), last in self._committed.items():
            passed[topic] = min(last, passed.get(topic, last))
        deleted = 0
        for topic, last in passed.items():
            # The newest record of a topic stays, so that `end` is known after a restart.
            before = min(last + 1, self._ends.get(topic, 0))
            while step := await self._in(self._append_thread, self._delete, topic, before, older_than_s):
                deleted += step
        return deleted

    def _delete(self, topic: str, before: int, older_than_s: int) -> int:
        # The oldest are looked at first, and no more of them than are deleted in one step: time grows with the id.
        sql = (
            "DELETE FROM log WHERE id IN (SELECT id FROM (SELECT id, published_at FROM log WHERE topic = ? AND id < ? "
            "ORDER BY id LIMIT ?) WHERE published_at < unixepoch() - ?)"
        )
        deleted: int = self._writer.execute(sql, (topic, before, _PRUNED_AT_ONCE, older_than_s)).rowcount
        return deleted

    async def close(self) -> None:
        """Write what waits and the groups' positions, and close the file."""
        if self._closed:
            return
        self._closed = True
        if self._appending is not None:
            await asyncio.wait([self._appending])
        if self._flusher is not None:
            self._flusher.cancel()
            with suppress(asyncio.CancelledError):
                await self._flusher
        if self._reader is not None and self._unwritten:
            with suppress(sqlite.pysqlite3.Error):  # lost positions cost a redelivery
                await self._write(())
        for thread, connection in ((self._append_thread, self._writer), (self._read_thread, self._reader)):
            if connection is not None:
                await self._in(thread, connection.close)
            thread.shutdown()


class _SqliteSubscription:
    def __init__(self, bus: SqliteBus, wakeup: asyncio.Event, group: str, topics: tuple[str, ...]) -> None:
        self._bus, self._wakeup, self._group = bus, wakeup, group
        self._positions = {topic: bus._committed[group, topic] for topic in topics}
        self._sizes: Counter[str] = Counter()

    async def fetch(self, limit: int, wait: float) -> Sequence[Record]:
        self._wakeup.clear()
        if not self._behind():
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):  # wait_for can lose a cancellation before Python 3.12
                    await self._wakeup.wait()
            if not self._behind():
                return ()
        try:
            rows = await self._bus._in(self._bus._read_thread, self._bus._select, dict(self._positions), limit)
        except sqlite.pysqlite3.Error as error:
            raise Unavailable(f"the bus could not be read: {error}", headers={"Retry-After": "5"}) from error
        for id_, record in rows:
            self._positions[record.topic] = id_
            self._sizes[record.topic] += len(record.value)
        return [record for _, record in rows]

    def _behind(self) -> bool:
        return any(self._bus._ends.get(topic, 0) > last for topic, last in self._positions.items())

    async def commit(self) -> None:
        for topic, last in self._positions.items():
            if self._bus._committed[self._group, topic] != last:
                self._bus._committed[self._group, topic] = self._bus._unwritten[self._group, topic] = last
            self._bus._pending[self._group, topic] -= self._sizes.pop(topic, 0)

    async def rewind(self) -> None:
        for topic in self._positions:
            self._positions[topic] = self._bus._committed[self._group, topic]
        self._sizes.clear()
