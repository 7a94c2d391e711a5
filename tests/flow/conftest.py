"""The flow stories run embedded, and distributed where servers are given: from the same test code."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import KAFKA, POSTGRES
from tests.flow.stack import Stack, distributed, embedded

STACKS = ["embedded", pytest.param("distributed", marks=pytest.mark.servers)]


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    """A fresh installation, ready."""
    yield from _stack(request.param, tmp_path)


@pytest.fixture(params=STACKS, scope="module")
def standing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation that the tests of a module share: each has a school of its own."""
    yield from _stack(request.param, tmp_path_factory.mktemp("standing"))


def _stack(kind: str, folder: Path) -> Iterator[Stack]:
    if kind == "embedded":
        with embedded(folder) as running:
            yield running
    else:
        assert KAFKA, "make test-servers starts Kafka"
        assert POSTGRES, "make test-servers starts PostgreSQL"
        with distributed(folder, KAFKA, POSTGRES) as running:
            yield running
