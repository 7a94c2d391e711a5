"""The flow stories run embedded, and distributed where servers are given: from the same test code."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import KAFKA, POSTGRES
from tests.flow.stack import Stack, distributed, embedded


@pytest.fixture(params=["embedded", pytest.param("distributed", marks=pytest.mark.servers)])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    """A fresh installation, ready."""
    if request.param == "embedded":
        with embedded(tmp_path) as running:
            yield running
    else:
        assert KAFKA, "make test-servers starts Kafka"
        assert POSTGRES, "make test-servers starts PostgreSQL"
        with distributed(tmp_path, KAFKA, POSTGRES) as running:
            yield running
