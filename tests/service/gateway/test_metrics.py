"""What the door knows of a school's metrics: either code, and whether it takes observations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from libs.common.events.monitoring import MetricDefined
from services.gateway.service import service
from tests.conftest import SettableClock
from tests.service.gateway.test_acknowledging import OPERATOR, key_of_a_source
from tests.service.harness import SCHOOL, ServiceUnderTest, running


def attendance(**said: Any) -> MetricDefined:
    body: dict[str, Any] = {"code": "attendance", "name": "到课率", "grain": ["student"], "kind": "ratio", "direction": "higher"}
    return MetricDefined(**body | said)


async def posted(sut: ServiceUnderTest, key: str, metric: str) -> tuple[int, list[tuple[str, str]]]:
    event = {
        "specversion": "1.0",
        "id": "e1",
        "source": f"urn:campus:{SCHOOL}:lms",
        "type": "cn.zhengai.observation.v1",
        "time": "2026-03-02T08:00:00+08:00",
        "data": {"metric": metric, "numerator": 1, "denominator": 1, "student": "S1"},
    }
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents+json"}
    async with sut.as_(OPERATOR) as client:
        answer = await client.post("/api/v1/events", json=event, headers=headers)
    return answer.status_code, [(fault["pointer"], fault["detail"]) for fault in answer.json().get("errors", [])]


async def test_a_metric_is_taken_by_either_code_and_refused_by_name_from_the_moment_it_is_switched_off(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as sut:
        key = await key_of_a_source(sut)
        assert (await posted(sut, key, "C-SAT"))[0] == 422
        await sut.handle(attendance(alias="C-SAT"))
        assert [(await posted(sut, key, code))[0] for code in ("attendance", "C-SAT")] == [202, 202]

        await sut.handle(attendance(alias="C-SAT", active=False))
        for code in ("attendance", "C-SAT"):
            assert await posted(sut, key, code) == (422, [("/data/metric", f"the metric {code!r} is switched off")])

        await sut.handle(attendance(alias="S-ATT"))
        assert [(await posted(sut, key, code))[0] for code in ("attendance", "C-SAT", "S-ATT")] == [202, 422, 202]
