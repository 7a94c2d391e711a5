"""Bring one service's database to the tables that this code knows. Alembic's versions live in `services/<name>/migrations`.

Revisions are numbered 0001, 0002, …: so whether there is anything to do is one SELECT, and a start that changes nothing
does not load Alembic.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, create_engine, event, inspect, make_url, text
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from libs.common import sqlite
from libs.common.service import Service

if TYPE_CHECKING:
    from alembic.config import Config

ENVIRONMENT = Path(__file__).parent / "alembic"


def upgrade(service: Service, url: str) -> None:
    """Apply what is missing. Raises SystemExit where the database is newer than the code."""
    sync, schema = _sync(url)
    engine = _engine(sync)
    try:
        with engine.begin() as connection:
            if sync.get_backend_name() == "postgresql":
                # Several replicas may start at once: one migrates, the others wait.
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('zhengai ' || :name))"), {"name": service.name})
                if schema:
                    connection.execute(CreateSchema(schema, if_not_exists=True))
            have, head = _version(connection), newest(service)
            if have == head:
                return
            if have is not None and have > head:
                raise SystemExit(_too_new(service, have))
            from alembic import command  # noqa: PLC0415 - costs a start 0.2 s, and most starts change nothing

            config = configuration(service)
            config.attributes["connection"] = connection
            config.attributes["service"] = service
            command.upgrade(config, "head")
    finally:
        engine.dispose()


class NotReady(Exception):
    """The database cannot be used yet: not reachable, or older than the code."""


def check(service: Service, url: str) -> None:
    """Raise NotReady unless the database answers with the tables of this code, SystemExit where it is newer."""
    sync, _ = _sync(url)
    engine = _engine(sync)
    try:
        with engine.connect() as connection:
            have = _version(connection)
    except DBAPIError as error:
        raise NotReady(f"the database of {service.name} cannot be used: {error.orig}") from error
    finally:
        engine.dispose()
    if have is None or have < newest(service):
        raise NotReady(
            f"the database of {service.name} is at version {have or 'none'}, the code at {newest(service)}: run `zhengai migrate`"
        )
    if have > newest(service):
        raise SystemExit(_too_new(service, have))


def _too_new(service: Service, have: str) -> str:
    return (
        f"the database of {service.name} is at version {have}, newer than this code ({newest(service)}): "
        "start the newer release, or restore the backup made before the upgrade"
    )


def newest(service: Service) -> str:
    """The number of the newest revision in the tree."""
    return max(path.name[:4] for path in service.migrations.glob("[0-9]*.py"))


def configuration(service: Service) -> Config:
    """Alembic's settings for one service."""
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(ENVIRONMENT))
    config.set_main_option("version_locations", str(service.migrations))
    config.set_main_option("path_separator", "os")
    return config


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def _sync(url: str) -> tuple[URL, str | None]:
    """The same database for a synchronous driver, and the schema that its search path names."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return parsed.set(drivername="sqlite"), None
    options = str(parsed.query.get("options", ""))
    named = re.search(r"search_path=(\w+)", options)
    return parsed, named and named[1]


def _engine(url: URL) -> Engine:
    """On SQLite one transaction holds all of an upgrade, its DDL too: a process killed half-way leaves nothing behind."""
    if url.get_backend_name() != "sqlite":
        return create_engine(url)
    engine = create_engine(url, module=sqlite.pysqlite3)

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA busy_timeout = 5000")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
