"""The template of metrics: the whole catalogue of the schools' documents, without a metric twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from libs.common.events.monitoring import MetricDefined
from services.monitoring.schemas.catalogue import MetricIn
from services.monitoring.templates import STARTING, TEMPLATE
from tests.service.monitoring.world import EVERYTHING, every, monitoring

UNITS = {"%": "%", "points": "分", "count": "次", "CNY": "元", "ratio": None}  # as people read them
OWN: dict[str, Any] = {"name": "自有指标", "grain": ["student"], "kind": "ratio", "direction": "higher"}


async def test_the_template_adds_what_a_school_lacks_and_a_second_time_nothing(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut, sut.as_(EVERYTHING) as client:
        await client.post("/metrics", json=OWN | {"code": "own-rate", "alias": "C-LPR"})
        await client.post("/metrics", json=OWN | {"code": "c-prv"})
        await sut.published()

        first = (await client.post("/metrics/template")).json()
        told = [message.event for message in await sut.published()]
        again = (await client.post("/metrics/template")).json()
        told_again = await sut.published()
        listed = {m["code"]: m for m in await every(client, "/metrics")}

    codes = [metric.code for metric in TEMPLATE]
    assert first["there"] == [m.code for m in STARTING] + ["c-lpr", "c-prv"]
    assert told == [metric for metric in TEMPLATE if metric.code not in first["there"]]
    assert (sorted(first["added"] + first["there"]), again, told_again) == (sorted(codes), {"added": [], "there": codes}, [])
    assert set(listed) == (set(codes) | {"own-rate"}) - {"c-lpr"}
    assert (listed["c-prv"]["name"], listed["c-prv"]["alias"]) == ("自有指标", None)
    assert [code for code, metric in listed.items() if not metric["active"]] == ["p-geq", "p-inf", "p-pos", "s-lif"]


def test_each_metric_of_the_template_is_one_that_the_api_takes_and_no_code_stands_twice() -> None:
    for metric in TEMPLATE:
        MetricIn.model_validate_json(metric.model_dump_json())
    codes = [code for metric in TEMPLATE for code in (metric.code, metric.alias) if code is not None]
    assert len(codes) == len(set(codes))


def by_either(code: str) -> MetricDefined:
    (found,) = [metric for metric in TEMPLATE if code in {metric.code, metric.alias}]
    return found


@pytest.mark.shared
def test_every_metric_of_the_schools_documents_is_in_the_template(shared: Path) -> None:
    catalogue = yaml.safe_load((shared / "domain" / "catalogue.yaml").read_text(encoding="utf-8"))["metrics_catalogue"]
    assert len(catalogue) == 91
    for said in catalogue:
        metric = by_either(said["code"])
        rules = metric.counting_rules
        assert rules is not None
        assert (metric.code, metric.alias) == (said.get("alias", said["code"].lower()), said["code"])
        assert (metric.name_en, metric.grain, metric.kind) == (said["en"], said["grain"], said["kind"])
        assert (metric.direction, metric.phase, metric.active) == (said["direction"], said["phase"], said["active"])
        assert (metric.source_system, rules.numerator) == (said["source_system"], said["numerator"])
        assert rules.denominator == str(said["denominator"])
        if metric not in STARTING:
            assert (metric.name, metric.unit) == (said["zh"], UNITS[said["unit"]])
    further = {metric.code for metric in TEMPLATE} - {said.get("alias", said["code"].lower()) for said in catalogue}
    assert further == {"lesson_attendance"}
