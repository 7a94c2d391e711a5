"""One database per service; one transaction per request, event batch or job."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    inspect,
    text,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.common import postgres, sqlite
from libs.common.clock import DatabaseClock
from libs.common.errors import Unavailable
from libs.common.event import Event, Message, encode, event_id
from libs.common.settings import Settings
from libs.common.telemetry import current_traceparent

if TYPE_CHECKING:
    from psycopg import AsyncConnection

Clock = Callable[[], datetime]

NAMES = {
    "ix": "%(table_name)s_%(column_0_N_name)s_ix",
    "uq": "%(table_name)s_%(column_0_N_name)s_uq",
    "ck": "%(table_name)s_%(constraint_name)s_ck",
    "fk": "%(table_name)s_%(column_0_N_name)s_fk",
    "pk": "%(table_name)s_pk",
}

# Text that is sorted or paged by: PostgreSQL compares it byte by byte, as SQLite does.
Ordered = String().with_variant(String(collation="C"), "postgresql")
# SQLite numbers rows by itself only where the key is a plain INTEGER.
RowId = BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Refuses naive values; SQLite would silently drop the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is not None and value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


TYPES = {datetime: UtcDateTime}


class CommonTable(DeclarativeBase):
    """The tables every service has, whatever it does."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = TYPES


class OutboxRow(CommonTable):
    """An event waiting to be published; deleted once the bus has it. A position is never used twice: progress compares them."""

    __tablename__ = "outbox"
    __table_args__ = {"sqlite_autoincrement": True}
    position: Mapped[int] = mapped_column(RowId, Identity(), primary_key=True)
    topic: Mapped[str]
    key: Mapped[str]
    payload: Mapped[bytes] = mapped_column(LargeBinary)


class InboxRow(CommonTable):
    """An event this service has already handled."""

    __tablename__ = "inbox"
    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    handled_at: Mapped[datetime] = mapped_column(index=True)


class LeaseRow(CommonTable):
    """Who runs a piece of background work; `token` grows with each new holder. Times are the database's own."""

    __tablename__ = "lease"
    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    token: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[float]


class AnswerRow(CommonTable):
    """What was answered to a POST with an Idempotency-Key; no answer yet: the work was done, the answer not kept."""

    __tablename__ = "answer"
    school: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None]
    headers: Mapped[str | None] = mapped_column(Text)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(index=True)


class Sent(NamedTuple):
    """How the driver takes a column: its name, its type, whether it holds integers, and what makes a value what is sent."""

    name: str
    type: str
    whole: bool
    prepare: Callable[[Any], Any] | None


def _sent_as(dialect: Dialect, table: type[DeclarativeBase], attribute: str) -> Sent:
    (column,) = inspect(table).column_attrs[attribute].columns
    assert isinstance(column, Column)
    type_ = column.type
    prepare = type_.dialect_impl(dialect).bind_processor(dialect)
    return Sent(column.name, type_.compile(dialect).partition(" COLLATE")[0], isinstance(type_, Integer), prepare)


class Transaction:
    """What a command may touch: its rows, its outgoing events, the time.

    `school`, `cause` and `happened` (when it was told) are those of the event being handled; a request sets the first two itself. The
    id of an outgoing event derives from its cause, so that handling the cause again publishes nothing new.
    """

    def __init__(self, session: AsyncSession, database: Database) -> None:
        self.session = session
        self.database = database
        self.now = self.happened = database.now()
        self.school = ""
        self.cause = f"urn:uuid:{uuid4()}"
        self.traceparent = current_traceparent()
        self.outgoing: list[dict[str, Any]] = []
        self.before_commit: list[Callable[[], Awaitable[None]]] = []  # writes by the driver that nothing here reads again
        self.when_committed: list[Callable[[], None]] = []
        self._appended: dict[type[DeclarativeBase], list[dict[str, Any]]] = {}
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._driver: Any = None
        self._is_together = False

    def append(self, table: type[DeclarativeBase], **values: Any) -> None:
        """Add a row that nothing in this transaction reads again: all such rows of a table are written at once, at the end."""
        self._appended.setdefault(table, []).append(values)

    async def write_appended(self) -> None:
        """Write what `append` has gathered, after a flush; the transaction does it before it commits."""
        appended, self._appended = self._appended, {}
        for table, rows in appended.items():
            await self.insert(table, rows)

    async def write_put_off(self) -> None:
        """Do what was put off to the commit, so that what follows can read it."""
        works, self.before_commit = self.before_commit, []
        if works:
            async with self.together():
                for work in works:
                    await work()

    async def write_last(self) -> None:
        """What the transaction does before it commits: all that was put off, and the outbox."""
        await self.session.flush()
        if self.before_commit or self._appended or self.outgoing:
            async with self.together():
                await self.write_put_off()
                await self.write_appended()
                await self.insert(OutboxRow, self.outgoing)

    async def insert(self, table: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, all with the same columns, in their order: by the driver itself, for what is written by the hundred.

        SQLite gets `executemany`, PostgreSQL an array a column: each is the fast road of its driver.
        """
        if not rows:
            return
        columns, values = self._by_column(table, rows)
        names = ", ".join(f'"{column.name}"' for column in columns)
        if self.is_sqlite:
            sql = f"INSERT INTO {table.__tablename__} ({names}) VALUES ({', '.join('?' * len(columns))})"
            await self.driver(lambda connection: connection.executemany(sql, zip(*values, strict=True)))
        else:
            arrays, sent = self._arrays(columns, values)
            each = ", ".join(f"t{n}" for n in range(len(columns)))
            sql = f"INSERT INTO {table.__tablename__} ({names}) SELECT {each} FROM unnest({arrays}) WITH ORDINALITY AS k({each}, n) ORDER BY n"
            await self.driver(lambda connection: connection.execute(sql, sent))

    async def update(self, table: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]]) -> None:
        """Change rows, all the same columns, by the first one, which is their key; as `insert` does."""
        if not rows:
            return
        (key, *columns), values = self._by_column(table, rows)
        if self.is_sqlite:
            changes = ", ".join(f'"{column.name}" = ?' for column in columns)
            sql = f"UPDATE {table.__tablename__} SET {changes} WHERE {key.name} = ?"
            await self.driver(lambda connection: connection.executemany(sql, zip(*values[1:], values[0], strict=True)))
        else:
            arrays, sent = self._arrays([key, *columns], values)
            changes = ", ".join(f'"{column.name}" = k.t{n}' for n, column in enumerate(columns, 1))
            each = ", ".join(f"t{n}" for n in range(len(values)))
            sql = f"UPDATE {table.__tablename__} SET {changes} FROM unnest({arrays}) AS k({each}) WHERE {key.name} = k.t0"
            await self.driver(lambda connection: connection.execute(sql, sent))

    async def delete(self, table: type[DeclarativeBase], key: str, values: Sequence[Any]) -> None:
        """Delete the rows with these keys; as `insert` does."""
        (column,), (sent,) = self._by_column(table, [{key: value} for value in values])
        sql = f"DELETE FROM {table.__tablename__} WHERE {column.name}"
        if self.is_sqlite:
            await self.driver(lambda connection: connection.executemany(f"{sql} = ?", zip(sent, strict=True)))
        else:
            array, arrays = self._arrays([column], [sent])
            await self.driver(lambda connection: connection.execute(f"{sql} = ANY({array})", arrays))

    def _by_column(self, table: type[DeclarativeBase], rows: Sequence[Mapping[str, Any]]) -> tuple[list[Sent], list[Any]]:
        """The columns that the rows name, and the values of each as the driver takes them."""
        columns = [self.database.sent_as(table, name) for name in rows[0]]
        values = [[row[name] for row in rows] for name in rows[0]]
        return columns, [v if c.prepare is None else list(map(c.prepare, v)) for c, v in zip(columns, values, strict=True)]

    @staticmethod
    def _arrays(columns: Sequence[Sent], values: Sequence[Any]) -> tuple[str, list[Any]]:
        """Placeholders of an array a column, and the arrays."""
        whole = [column.whole and None not in v for column, v in zip(columns, values, strict=True)]
        marks = ", ".join(f"%b::{'bigint' if integers else c.type}[]" for c, integers in zip(columns, whole, strict=True))
        return marks, [np.array(v, dtype=np.int64) if integers else v for v, integers in zip(values, whole, strict=True)]

    def publish(self, fact: Event, *, cause: str | None = None, school: str | None = None) -> UUID:
        """Send the event when the transaction commits, and only then. Returns the event's id.

        Raises ValueError where no school is known: nobody works by what is said of none. A dead letter without one says
        `school=""` in so many words.
        """
        cause = cause or self.cause
        if school is None and not (school := self.school):
            raise ValueError(f"{fact.event_type} is published for no school: say school=, or set tx.school before")
        about = str(getattr(fact, fact.about_field))
        n = self._counts[school, cause, fact.event_type, about]
        self._counts[school, cause, fact.event_type, about] += 1
        id_ = event_id(f"{school}|{cause}", fact, n)
        message = Message(id_, self.now, school, fact, causationid=cause, traceparent=self.traceparent)
        self.outgoing.append({"topic": fact.producer(), "key": school, "payload": encode(message)})
        return id_

    @property
    def is_sqlite(self) -> bool:
        return self.database.is_sqlite

    @asynccontextmanager
    async def together(self) -> AsyncIterator[None]:
        """What is written inside goes to PostgreSQL as one message, with what is read next, and is waited for once. Only by `driver`:
        the session knows nothing of it.
        """
        if self.is_sqlite or self._is_together:
            yield
            return
        self._is_together = True
        try:
            async with cast("AsyncConnection[Any]", await self._raw()).pipeline():
                yield
        finally:
            self._is_together = False

    async def driver(self, work: Callable[[Any], Any]) -> Any:
        """Run `work` with the driver's own connection, inside this transaction: for the intake's few bulk statements.

        SQLite: `work` gets the `pysqlite3` connection and runs in its thread; PostgreSQL: the `psycopg` async
        connection, and `work` returns an awaitable.
        """
        raw = await self._raw()
        if self.is_sqlite:
            return await raw._execute(work, raw._conn)  # noqa: SLF001 - aiosqlite's one way into its thread
        return await work(raw)

    async def _raw(self) -> Any:
        """The driver's own connection, which a transaction keeps."""
        if self._driver is None:
            connection = await self.session.connection()
            self._driver = (await connection.get_raw_connection()).driver_connection
        return self._driver


class Database:
    """The rows of one service. `now` is the only clock that business code sees: the database's, or what a test injects."""

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.url = url
        self.clock = DatabaseClock()
        self.now: Clock = clock or self.clock.now
        self.outbox_filled = asyncio.Event()
        self.sent = 0  # rows of the outbox that this process has written
        self.memory: dict[str, Any] = {}
        self.settings: Settings = Settings.model_construct()  # the process's own, once its background work runs
        self.closing = False  # set when the process stops: who holds a stream open ends it
        self.is_sqlite = url.startswith("sqlite")
        self.engine: AsyncEngine = (sqlite if self.is_sqlite else postgres).engine_of(url)
        self.sent_as = cache(partial(_sent_as, self.engine.dialect))  # a table's column, found out once
        self._driver_error: type[Exception] = self.engine.dialect.loaded_dbapi.OperationalError  # as it comes out of `driver`
        self._writing = asyncio.Lock() if self.is_sqlite else None
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        # PostgreSQL gives one snapshot to all statements of a read only where it is told to; SQLite always does.
        snapshot = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._readers = async_sessionmaker(self.engine.execution_options(read_only=True, **snapshot), expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commit when the block ends, roll back when it raises. Nobody else commits.

        On SQLite one lock orders the writers of the process, first come first served: its own busy wait is not fair.
        Raises Unavailable when the database cannot be reached.
        """
        if self._writing is None:
            async with self._transaction() as tx:
                yield tx
        else:
            async with self._writing, self._transaction() as tx:
                yield tx

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        try:
            async with self._sessions.begin() as session:
                tx = Transaction(session, self)
                yield tx
                await tx.write_last()
        except (OperationalError, PoolTimeout, self._driver_error) as error:
            reason = getattr(error, "orig", error)
            raise Unavailable(f"the database cannot be used now: {reason}", headers={"Retry-After": "5"}) from error
        if tx.outgoing:
            self.sent += len(tx.outgoing)
            self.outbox_filled.set()
        for callback in tx.when_committed:
            callback()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A consistent snapshot; never waits for a writer and never writes."""
        try:
            async with self._readers() as session:
                yield session
        except (OperationalError, PoolTimeout) as error:
            reason = getattr(error, "orig", error)
            raise Unavailable(f"the database cannot be used now: {reason}", headers={"Retry-After": "5"}) from error

    async def seconds(self, session: AsyncSession) -> float:
        """The database's own clock, in seconds: leases are compared with it, and each process sets its clock by it."""
        sql = "SELECT unixepoch('subsec')" if self.is_sqlite else "SELECT extract(epoch FROM clock_timestamp())"
        return float(await session.scalar(text(sql)) or 0)

    async def close(self) -> None:
        await self.engine.dispose()


def days_ago(now: datetime, days: int) -> datetime:
    return now - timedelta(days=days)


def in_batches(rows: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Split rows into pieces of at most `size`."""
    return [rows[i : i + size] for i in range(0, len(rows), size)]
