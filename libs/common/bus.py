"""The bus: a durable, replayable log of records, ordered per key."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from msgspec import Struct


class Record(Struct, frozen=True, gc=False):
    """One entry of the log. `key` is the school's code: records of one key keep their order."""

    topic: str
    key: str
    value: bytes


class Subscription(Protocol):
    """One member of a consumer group. Positions move only forward; what was not committed comes again."""

    async def fetch(self, limit: int, wait: float) -> Sequence[Record]:
        """Return new records, about `limit` bytes of them (at least one record), or none after `wait` seconds."""
        ...

    async def commit(self) -> None:
        """Let the group go on after what fetch has returned so far.

        Once the next commit has returned, or the subscription has ended, that is never delivered to it again; a process that is
        killed before may get it again. Raises Unavailable, also in place of the commit before.
        """
        ...

    async def rewind(self) -> None:
        """Forget what fetch returned since the last commit: the next fetch returns it again."""
        ...


class Bus(Protocol):
    """What both buses promise; `tests/contract/test_bus.py` holds each of them to it."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Return once every record would survive a crash of this process. Raises Unavailable when that cannot be had."""
        ...

    def subscribe(self, group: str, topics: Sequence[str]) -> AbstractAsyncContextManager[Subscription]:
        """Join a group; a new group starts at the oldest record kept."""
        ...

    async def end(self, topic: str, key: str) -> int:
        """Return the position after the newest record that a reader of this key could get."""
        ...

    async def committed(self, group: str, topic: str, key: str) -> int:
        """Return the position up to which the group has committed, in the terms of `end`; 0 before its first commit."""
        ...

    async def backlog(self, group: str, topic: str) -> int:
        """Return about how many bytes of the topic the group has yet to commit. Raises Unavailable when nobody can say."""
        ...

    async def check(self) -> None:
        """Raise Unavailable when the bus cannot be reached."""
        ...

    async def prune(self, older_than_s: int) -> int:
        """Delete records older than that which every group has passed; return how many. A cluster does so by itself: 0."""
        ...

    async def close(self) -> None:
        """Finish what is under way and let go of every connection."""
        ...


def open_bus(url: str) -> Bus:
    """Choose the bus from its URL: the one place that knows both exist."""
    if url.startswith("sqlite:"):
        from libs.common.bus_sqlite import SqliteBus  # noqa: PLC0415 - a broker's library is loaded only where it is used

        return SqliteBus(url.removeprefix("sqlite:"))
    if url.startswith("kafka:"):
        from libs.common.bus_kafka import KafkaBus  # noqa: PLC0415 - as above

        return KafkaBus.from_url(url)
    raise ValueError(f"no bus speaks {url!r}: use sqlite:PATH or kafka://HOST:PORT[/PREFIX]")
