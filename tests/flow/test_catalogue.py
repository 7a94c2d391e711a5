"""A school takes the metrics of the schools' documents from the template and is measured by them, through the front door."""

from __future__ import annotations

import json

from tests.flow.oulad import post
from tests.flow.stack import Stack, zhengai
from tests.flow.test_scenarios import Scenario

CATALOGUE = 91


def test_the_91_metrics_are_there_by_their_numbers_and_employment_has_one_source(standing: Stack) -> None:
    scenario = Scenario(standing, "catalogue")
    school = scenario.school
    for _ in range(2):
        assert zhengai(standing, "metric", "template", "--school", scenario.code) == 0
    metrics = {m["alias"]: m for m in school.items("monitoring/metrics") if m["alias"] is not None}
    assert (len(metrics), metrics["C-SAT"]["code"], metrics["P-EMP"]["code"]) == (CATALOGUE, "attendance", "p-emp")

    mine, other = (f"urn:campus:{scenario.code}:{name}" for name in ("lms", "other"))
    changed = {name: metrics["P-EMP"][name] for name in ("code", "name", "grain", "kind", "direction")} | {"source": mine}
    school.change("POST", "monitoring/metrics", json=changed)
    scenario.watch("employment", "P-EMP", 0.9, level="programme", window="year")
    key = school.change("POST", "sources", json={"name": "other"})["key"]
    sent = {"id": "e1", "specversion": "1.0", "type": "cn.zhengai.observation.v1", "time": "2026-03-02T08:00:00+08:00"}
    for source, whose, graduates in ((mine, scenario.key, 85), (other, key, 95), (other, key, 95)):
        data = {"metric": "P-EMP", "numerator": graduates, "denominator": 100, "programme": "cnc"}
        post(school, whose, json.dumps([{**sent, "source": source, "data": data}]).encode())
    school.settle()

    for code in ("P-EMP", "p-emp"):
        (found,) = school.items("monitoring/measurements", metric=code, level="programme", window="year")
        assert (found["subject"], found["numerator"], found["value"]) == ("cnc", 85, 0.85)
    assert [(c["source"], c["id"], c["why"]) for c in school.items("monitoring/conflicts")] == [(other, "e1", "source")]
    (brought,) = school.items("monitoring/intake", source=other)
    assert (brought["counted"], brought["conflict"]) == (0, 2)
    assert scenario.warnings() == [("employment", "cnc", "open")]
    (warning,) = school.items("monitoring/warnings")
    assert warning["metric"] == "p-emp"


def test_suggested_lines_are_drafts_until_the_school_activates_them(standing: Stack) -> None:
    scenario = Scenario(standing, "drafts")
    assert zhengai(standing, "metric", "template", "--school", scenario.code, "--effective-from", "2025-09-01") == 0
    drafts = list(scenario.school.items("standards/indicators"))
    assert {(d["status"], d["version"], d["effective_from"]) for d in drafts} == {("draft", 1, "2025-09-01")}

    incident = scenario.event("D-INC", 1, department="mech")
    del incident["data"]["class"]
    scenario.send(incident)
    assert scenario.warnings() == []
    scenario.school.change("POST", "standards/indicators/d-inc-department-month/versions/1/activate")
    assert scenario.warnings() == [("d-inc-department-month", "mech", "open")]
