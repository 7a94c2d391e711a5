"""How SQLAlchemy speaks to PostgreSQL: which connections it takes again, and for how long a silent one holds anything."""

from __future__ import annotations

from time import monotonic
from typing import Any

from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from libs.common import arrays

NAME = "zhengai"  # of its connections, for the server
SILENT_S = 60
RESTED_S = 1.0


def engine_of(url: str) -> AsyncEngine:
    """The engine of a database, with its pool of connections."""
    arrays.register()
    engine = create_async_engine(_impatient(url), pool_size=8, max_overflow=8)
    _look_after_a_rest(engine)
    return engine


def _impatient(url: str) -> URL:
    """PostgreSQL ends a transaction in which nothing is said for a minute: one who was stopped, or whose machine is gone, would
    hold the rows of a school until it wakes, and nobody could take over.
    """
    parsed = make_url(url)
    options = parsed.query.get("options", "")
    assert isinstance(options, str)
    ours = f"-c idle_in_transaction_session_timeout={SILENT_S * 1000} -c application_name={NAME}"
    return parsed.update_query_dict({"options": f"{options} {ours}".strip()})


async def end_silent(session: AsyncSession, silent_s: float = SILENT_S) -> int:
    """End transactions of ours that were left in the middle of a message for so long, and return how many: PostgreSQL waits for the end
    of a message for ever, since for it the transaction is not idle then.
    """
    sql = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = :name AND usename = current_user "
        "AND datname = current_database() AND state = 'active' AND wait_event = 'ClientRead' AND xact_start IS NOT NULL "
        "AND state_change < clock_timestamp() - make_interval(secs => :silent_s)"
    )
    return int(await session.scalar(sql, {"name": NAME, "silent_s": silent_s}) or 0)


def _look_after_a_rest(engine: AsyncEngine) -> None:
    """Ask a connection whether it still stands before it is used again: the server may have been started anew. Not where it was used
    within a second: to ask costs as much as a statement.
    """

    @event.listens_for(engine.sync_engine, "checkin")
    def on_checkin(_: object, record: ConnectionPoolEntry) -> None:
        record.info["used"] = monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def on_checkout(connection: Any, record: ConnectionPoolEntry, _: object) -> None:
        if monotonic() - record.info.get("used", monotonic()) > RESTED_S:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise InvalidatePoolError from error
