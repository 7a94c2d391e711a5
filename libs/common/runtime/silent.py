"""Nobody who has fallen asleep inside a transaction holds others up for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from libs.common import postgres
from libs.common.database import Database

log = structlog.get_logger()

EVERY_S = 10.0


async def end_silent(database: Database, works: Callable[[], None]) -> None:
    """End now and then, for ever, what PostgreSQL does not end by itself: transactions of this project that were left in the middle of a
    message.
    """
    while True:
        async with database.reading() as session:
            if ended := await postgres.end_silent(session):
                log.warning("transactions ended in which nothing was said for long", ended=ended)
        works()
        await asyncio.sleep(EVERY_S)
