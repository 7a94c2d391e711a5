"""The smallest service there is: it notes what it is told, and tells that it did."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID, uuid4

from fastapi import APIRouter
from sqlalchemy import Engine, create_engine, delete, make_url, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.common import sqlite
from libs.common.bus import Bus, Record, open_bus
from libs.common.database import Clock, CommonTable, Database, OutboxRow, Transaction
from libs.common.errors import Invalid
from libs.common.event import Event, Message, decode, encode
from libs.common.events.deadletters import DeadLettered
from libs.common.events.planning import ImprovementClosed, ImprovementOverdue
from libs.common.runtime import Consumer
from libs.common.service import Intake, Job, Service
from libs.common.settings import Settings

SCHOOL = "demo"
DAY = date(2026, 3, 2)


class Table(DeclarativeBase):
    pass


class NoteRow(Table):
    """What was told, once; `heard` says how."""

    __tablename__ = "note"
    about: Mapped[UUID] = mapped_column(primary_key=True)
    told: Mapped[str]
    heard: Mapped[str] = mapped_column(default="")


@dataclass
class Little:
    """The service on a database and a bus; `mended` says whether what is broken in it works by now."""

    database: Database
    bus: Bus
    settings: Settings
    mended: bool = False
    jobs: Sequence[Job] = ()
    intake: dict[str, list[Sequence[Record]]] = field(default_factory=dict)

    @property
    def service(self) -> Service:
        return Service(
            name="little",
            router=APIRouter(),
            tables=Table.metadata,
            handlers={ImprovementClosed: self.note},
            intake=dict.fromkeys(self.intake, Intake(self.take_in)),
            jobs=self.jobs,
        )

    async def note(self, event: ImprovementClosed, tx: Transaction) -> None:
        """Write a row, tell two facts about one thing; then fail as the reason says."""
        heard = f"{tx.school} {tx.cause} {tx.now.isoformat()} {tx.traceparent}"
        tx.session.add(NoteRow(about=event.improvement, told=event.reason, heard=heard))
        for _ in range(2):
            tx.publish(ImprovementOverdue(improvement=event.improvement, warning=event.warning, due_on=DAY))
        if event.reason == "never":
            raise Invalid("this can never be noted")
        if event.reason == "not yet" and not self.mended:
            raise RuntimeError("still broken")

    async def take_in(self, records: Sequence[Record], tx: Transaction) -> None:
        del tx
        self.intake[records[0].topic].append(records)

    def consumer(self, group: str = "little") -> Consumer:
        return Consumer(self.service, group, self.database, self.bus, self.settings)

    async def notes(self) -> dict[str, str]:
        """What was noted, and how it was heard."""
        async with self.database.reading() as session:
            return {row.told: row.heard for row in await session.scalars(select(NoteRow))}

    async def outbox(self) -> list[Message]:
        """What waits to be published, in order; it stays there."""
        async with self.database.reading() as session:
            rows = await session.scalars(select(OutboxRow).order_by(OutboxRow.position))
            return [message for row in rows if (message := decode(row.payload, Everything()))]

    async def letters(self) -> list[DeadLettered]:
        return [message.event for message in await self.outbox() if isinstance(message.event, DeadLettered)]

    async def forget_outbox(self) -> None:
        async with self.database.transaction() as tx:
            await tx.session.execute(delete(OutboxRow))


class Everything:
    """A container that holds every event type."""

    def __contains__(self, _: object) -> bool:
        return True


def told(reason: str, school: str = SCHOOL, id_: UUID | None = None, about: UUID | None = None) -> Message:
    """A fact for the little service to note."""
    event = ImprovementClosed(improvement=about or uuid4(), warning=uuid4(), reason=reason)
    return Message(id_ or uuid4(), datetime(2026, 3, 2, tzinfo=UTC), school, event)


def on_the_bus(*messages: Message) -> list[Record]:
    return [Record(m.event.producer(), m.school, encode(m)) for m in messages]


def fact(n: int = 0) -> Event:
    """Something to publish; its size grows with `n`."""
    return ImprovementClosed(improvement=uuid4(), warning=uuid4(), reason="x" * n)


@asynccontextmanager
async def little(url: str, folder: Path, clock: Clock = lambda: datetime.now(UTC)) -> AsyncIterator[Little]:
    """The service with its tables in place, and an embedded bus."""
    make_tables(url)
    database, bus = Database(url, clock), open_bus(f"sqlite:{folder}/bus.db")
    try:
        yield Little(database, bus, Settings(home=folder))
    finally:
        await bus.close()
        await database.close()


def make_tables(url: str) -> None:
    engine = engine_for(url)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {url.rpartition('%3D')[2]}"))
        for metadata in (CommonTable.metadata, Table.metadata):
            metadata.create_all(connection)
    engine.dispose()


def engine_for(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return create_engine(parsed.set(drivername="sqlite"), module=sqlite.pysqlite3)
    return create_engine(parsed)
