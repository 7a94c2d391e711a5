"""P13: a process on a machine whose clock is days wrong serves, accepts and counts as if it were right."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.conftest import KAFKA, POSTGRES
from tests.flow.stack import School, distributed, until
from tests.torture.tormentor import faketime, misled


@pytest.fixture
def school(tmp_path: Path) -> Iterator[School]:
    assert KAFKA, "make test-servers starts Kafka"
    assert POSTGRES, "make test-servers starts PostgreSQL"
    with distributed(tmp_path, KAFKA, POSTGRES) as stack:
        yield stack.operator("clocks")


def absence(n: int) -> bytes:
    """Somebody is missing just now."""
    return json.dumps({
        "specversion": "1.0", "id": f"e{n}", "source": "urn:campus:clocks:lms", "type": "cn.zhengai.observation.v1",
        "time": datetime.now(UTC).isoformat(),
        "data": {"metric": "attendance", "numerator": 0, "denominator": 1, "student": "S1", "class": "C1"},
    }).encode()  # fmt: skip


@pytest.mark.servers
@pytest.mark.timeout(300)
def test_a_gateway_or_a_service_whose_clock_is_days_wrong_is_no_different(school: School) -> None:
    library, stack = faketime(), school.stack
    if library is None:
        assert not os.environ.get("CI"), "libfaketime is missing: .ci/run installs it"
        pytest.skip("needs libfaketimeMT.so.1 (Debian: apt install libfaketime)")
    key = school.add()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"}
    for n, (name, by) in enumerate([("gateway", "+3d"), ("gateway", "-3d"), ("monitoring", "+3d"), ("monitoring", "-3d")], 1):
        with misled(stack.processes[name], by, library):
            until(stack.is_ready, f"ready with {name} {by}")
            answer = httpx.post(f"{stack.url}/api/v1/events", content=absence(n), headers=headers, timeout=30)
            assert answer.status_code == 202, f"{name} {by}: {answer.text}"
            school.settle()
            items = school.get("monitoring/measurements", metric="attendance", level="class", window="year")["items"]
            assert [(each["numerator"], each["denominator"]) for each in items] == [(0, n)]
        until(stack.is_ready, "ready again")
