"""Each service's migrations make the tables that its code knows, once, whole or not at all."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, inspect, make_url, text

from libs.common import migrate, sqlite
from libs.common.database import CommonTable
from libs.common.service import Service
from services.app import ALL, load


def engine_for(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return create_engine(parsed.set(drivername="sqlite"), module=sqlite.pysqlite3)
    return create_engine(parsed)


def set_version(url: str, version: str) -> None:
    engine = engine_for(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    engine.dispose()


def tables_of(url: str) -> set[str]:
    engine = engine_for(url)
    tables = set(inspect(engine).get_table_names())
    engine.dispose()
    return tables


@pytest.mark.parametrize("name", ALL)
def test_upgrade_from_empty_equals_the_tables_of_the_code(name: str, database_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    service = load(name)
    migrate.upgrade(service, database_url)
    engine = engine_for(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "target_metadata": [CommonTable.metadata, service.tables]}
        )
        difference = compare_metadata(context, context.opts["target_metadata"])
    engine.dispose()
    assert difference == []


def test_the_comparison_sees_a_missing_column_and_an_extra_table(database_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    migrate.upgrade(load("planning"), database_url)
    engine = engine_for(database_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE lease DROP COLUMN token"))
        connection.execute(text("CREATE TABLE extra (a INTEGER)"))
        context = MigrationContext.configure(connection)
        difference = compare_metadata(context, CommonTable.metadata)
    engine.dispose()
    kinds = {entry[0] for entry in difference if isinstance(entry, tuple)}
    assert {"add_column", "remove_table"} <= kinds


@pytest.mark.parametrize("name", ALL)
def test_an_upgrade_done_again_changes_nothing(name: str, database_url: str) -> None:
    service = load(name)
    migrate.upgrade(service, database_url)
    before = tables_of(database_url)
    migrate.upgrade(service, database_url)
    migrate.check(service, database_url)
    assert tables_of(database_url) == before


def test_a_database_newer_than_the_code_is_refused_with_one_sentence(database_url: str) -> None:
    service = load("planning")
    migrate.upgrade(service, database_url)
    set_version(database_url, "9999")
    for refused in (migrate.upgrade, migrate.check):
        with pytest.raises(SystemExit, match=r"^the database of planning is at version 9999, newer than this code \(\d{4}\): "):
            refused(service, database_url)


def test_an_older_database_is_not_ready_and_says_what_to_do(database_url: str) -> None:
    service = load("planning")
    with pytest.raises(migrate.NotReady, match=r"version none.*run `zhengai migrate`"):
        migrate.check(service, database_url)
    migrate.upgrade(service, database_url)
    set_version(database_url, "0000")
    with pytest.raises(migrate.NotReady, match=r"version 0000.*run `zhengai migrate`"):
        migrate.check(service, database_url)


def test_a_database_that_does_not_answer_is_not_ready() -> None:
    with pytest.raises(migrate.NotReady, match="the database of planning cannot be used"):
        migrate.check(load("planning"), "postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1")


async def test_of_processes_that_upgrade_at_once_one_does_it_and_the_others_wait(database_url: str) -> None:
    service = load("planning")
    await asyncio.gather(*(asyncio.to_thread(migrate.upgrade, service, database_url) for _ in range(5)))
    await asyncio.to_thread(migrate.check, service, database_url)


class Elsewhere(Service):
    """A service whose migrations lie in a folder of the test."""

    folder: Path

    @property
    def migrations(self) -> Path:
        return self.folder


def elsewhere(folder: Path, *revisions: str) -> Service:
    planning = load("planning")
    service = Elsewhere(name="planning", router=planning.router, tables=planning.tables)
    object.__setattr__(service, "folder", folder)
    for n, work in enumerate(revisions, 1):
        before = repr(f"{n - 1:04}") if n > 1 else None
        (folder / f"{n:04}_step.py").write_text(
            f"from alembic import op\nrevision = '{n:04}'\ndown_revision = {before}\n"
            f"branch_labels = depends_on = None\n\n\ndef upgrade():\n    {work}\n"
        )
    return service


def make(table: str) -> str:
    return f"op.execute('CREATE TABLE {table} (a INTEGER)')"


def test_an_upgrade_that_fails_half_way_leaves_nothing(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "versions"
    folder.mkdir()
    broken = elsewhere(folder, make("first"), f"{make('second')}; op.execute('no SQL')")
    with pytest.raises(Exception, match="no SQL"):
        migrate.upgrade(broken, database_url)
    assert not tables_of(database_url) & {"first", "second", "alembic_version"}
    mended = elsewhere(folder, make("first"), make("second"))
    migrate.upgrade(mended, database_url)
    assert {"first", "second"} <= tables_of(database_url)


def test_an_upgrade_of_a_database_in_use_applies_what_is_missing(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "versions"
    folder.mkdir()
    migrate.upgrade(elsewhere(folder, make("first")), database_url)
    service: Any = elsewhere(folder, make("first"), make("second"))
    with pytest.raises(migrate.NotReady):
        migrate.check(service, database_url)
    migrate.upgrade(service, database_url)
    migrate.check(service, database_url)
    assert {"first", "second"} <= tables_of(database_url)
