"""Buses on which nothing was ever published."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.buses import topics_of_its_own


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.servers)])
def bus_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path}/bus.db"
        return
    with topics_of_its_own() as kafka:
        yield kafka


@pytest.fixture
def kafka_url() -> Iterator[str]:
    with topics_of_its_own() as kafka:
        yield kafka
