"""Keeping the clock of a process right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from libs.common.database import Database
from libs.common.telemetry import CLOCK_AHEAD

log = structlog.get_logger()

EVERY_S = 10.0


async def set_clock(service: str, database: Database) -> None:
    """Look at the database's clock once. Raises Unavailable where it does not answer."""
    async with database.reading() as session:
        await session.connection()  # what is timed is the question alone
        changed = await database.clock.set_by(lambda: database.seconds(session))
    CLOCK_AHEAD.labels(service).set(database.clock.ahead)
    if changed:
        log.warning("this machine's clock differs from the database's, which counts", ahead_s=round(database.clock.ahead, 1))


async def keep_clock(service: str, database: Database, works: Callable[[], None]) -> None:
    """Look now and then, for ever: machines' clocks are set, drift and stand still."""
    while True:
        await set_clock(service, database)
        works()
        await asyncio.sleep(EVERY_S)
