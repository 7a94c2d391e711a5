"""P13: a machine whose clock is days wrong does as the others do: all go by the clock of the database."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from libs.common.auth import Principal, sign, verify
from libs.common.clock import DatabaseClock
from libs.common.database import Database
from libs.common.errors import Unauthorized
from libs.common.runtime import keep_clock, set_clock

DAYS = 3 * 24 * 3600.0
SECRET = b"s" * 32
SOMEBODY = Principal("person", "T1", "demo")


class Looked(Exception):
    """The database's clock was looked at once."""


@asynccontextmanager
async def machine(url: str, ahead: float) -> AsyncIterator[Database]:
    """A process on a machine whose clock is so far ahead."""
    database = Database(url)
    database.clock = DatabaseClock(lambda: time.time() + ahead)
    database.now = database.clock.now
    try:
        yield database
    finally:
        await database.close()


@pytest.mark.parametrize(("gateway", "service"), [(DAYS, 0.0), (-DAYS, 0.0), (0.0, DAYS), (0.0, -DAYS), (DAYS, -DAYS)])
async def test_who_is_asking_is_believed_for_a_minute_between_machines_whose_clocks_are_days_apart(
    database_url: str, gateway: float, service: float
) -> None:
    async with machine(database_url, gateway) as one, machine(database_url, service) as other:
        wrong = sign(SOMEBODY, "little", SECRET, one.clock.seconds())
        with pytest.raises(Unauthorized):
            verify(wrong, "little", SECRET, other.clock.seconds())
        for database in (one, other):
            await set_clock("little", database)

        token = sign(SOMEBODY, "little", SECRET, one.clock.seconds())
        assert verify(token, "little", SECRET, other.clock.seconds()) == SOMEBODY
        with pytest.raises(Unauthorized):
            verify(token, "little", SECRET, other.clock.seconds() + 62)


async def test_what_a_transaction_takes_for_now_is_the_databases_time(database_url: str) -> None:
    def looked() -> None:
        raise Looked

    async with machine(database_url, -DAYS) as wrong:
        with pytest.raises(Looked):
            await keep_clock("little", wrong, looked)
        async with wrong.transaction() as tx:
            assert abs(tx.now - datetime.now(UTC)) < timedelta(seconds=5)


async def test_a_clock_that_is_right_stays_as_it_is(database_url: str) -> None:
    async with machine(database_url, 0.3) as database:
        await set_clock("little", database)
        assert database.clock.ahead == 0.0


async def test_a_look_that_took_too_long_tells_nothing() -> None:
    now = 1000.0
    clock = DatabaseClock(lambda: now)

    async def look() -> float:
        nonlocal now
        now += 5  # stopped, or a network that hangs
        return 500.0

    assert not await clock.set_by(look)
    assert clock.ahead == 0.0


async def test_what_the_clock_is_set_by_counts_on_while_nobody_looks() -> None:
    now = 1000.0
    clock = DatabaseClock(lambda: now)

    async def look() -> float:
        return now + DAYS

    assert await clock.set_by(look)
    now += 7
    assert clock.seconds() == 1007.0 + DAYS
    assert not await clock.set_by(look)
