"""What every test may use: a clock it sets, and databases of its own."""

import asyncio
import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

SHARED = Path(__file__).parents[2] / "shared"
POSTGRES = os.environ.get("TEST_POSTGRES")  # postgresql+psycopg://…, given by make test-servers
KAFKA = os.environ.get("TEST_KAFKA")  # HOST:PORT, likewise


class SettableClock:
    """The time that business code sees; only the test moves it."""

    def __init__(self, now: datetime = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def shared() -> Path:
    """The project's shared folder with the real data; CI must have it."""
    if not SHARED.is_dir():
        assert not os.environ.get("CI"), "the shared folder with the real data is missing"
        pytest.skip("needs the project's shared folder (real data)")
    return SHARED


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database: SQLite always, PostgreSQL where `make test-servers` gives one."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/service.db"
        return
    with _schema() as url:
        yield url


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """An empty PostgreSQL database, for what only a server does; the test is marked `servers`."""
    with _schema() as url:
        yield url


@contextmanager
def _schema() -> Iterator[str]:
    assert POSTGRES, "make test-servers starts PostgreSQL"
    from sqlalchemy import create_engine, text

    schema = f"t{uuid4().hex}"
    yield f"{POSTGRES}?options=-csearch_path%3D{schema}"
    engine = create_engine(POSTGRES)
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
    engine.dispose()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without servers, what needs them is not part of the suite; with them it is, and a missing one fails."""
    if POSTGRES and KAFKA:
        return
    kept = [item for item in items if "servers" not in item.keywords]
    config.hook.pytest_deselected(items=[item for item in items if "servers" in item.keywords])
    items[:] = kept


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: Any) -> bool | None:
    """Run `async def` tests, each in a loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(pyfuncitem.obj(**arguments))
    return True
