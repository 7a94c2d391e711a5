"""What a service is: one value that says everything the runtime must know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.bus import Record
from libs.common.database import Transaction
from libs.common.event import Event

Handler = Callable[[Any, Transaction], Awaitable[None]]


@dataclass(frozen=True)
class Intake:
    """How whole batches of a topic's records are taken, as they stand on the bus.

    `read`, where there is one, makes of a batch what `take` gets in its place: without a database, in a thread of its own, while
    the batch before it is taken.
    """

    take: Callable[[Any, Transaction], Awaitable[None]]
    read: Callable[[Sequence[Record]], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """Work started by the clock, in one transaction, by one process at a time.

    `schools`, where there is one, names those that have work for it now: it then runs once for each, in a transaction of its own whose
    `school` is that one.
    """

    name: str
    every: timedelta
    run: Callable[[Transaction], Awaitable[None]]
    schools: Callable[[AsyncSession, datetime], Awaitable[Sequence[str]]] | None = None


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service: its endpoints, its tables, what it does when something happens, and what it does by the clock.

    `handlers` get one event each; `intake` gets whole batches of a topic's records, and `takes` names the services' events among
    them.
    """

    name: str
    router: APIRouter
    tables: MetaData
    handlers: Mapping[type[Event], Handler] = field(default_factory=dict)
    intake: Mapping[str, Intake] = field(default_factory=dict)
    takes: frozenset[type[Event]] = frozenset()
    jobs: Sequence[Job] = ()

    @property
    def wanted(self) -> frozenset[str]:
        """The types of the events that `handlers` take."""
        return frozenset(cls.event_type for cls in self.handlers)

    @property
    def groups(self) -> Mapping[str, Sequence[str]]:
        """Consumer groups of this service and the topics each reads."""
        groups: dict[str, Sequence[str]] = {f"{self.name}.{topic}": (topic,) for topic in self.intake}
        if self.handlers:
            groups[self.name] = tuple(sorted({cls.producer() for cls in self.handlers}))
        return groups

    @property
    def migrations(self) -> Path:
        return Path(__file__).parents[2] / "services" / self.name / "migrations"
