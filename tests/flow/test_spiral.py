"""The dynamic loop stays inside (scenario 8): what an improvement may not change waits for the diagnosis, and nothing has moved."""

from __future__ import annotations

from typing import Any

import pytest

from services.cli.template.reading import find, read_template
from tests.flow.stack import Stack, until
from tests.flow.test_chains import FILES, POSTS, Chain

ROSTER = {
    **FILES,
    "classes": [*FILES["classes"], "K1,一课一班,C1,scheduled,D1"],
    "enrollments": [*FILES["enrollments"], "K1~T1,K1,T1,teacher,true"],
}
LEADER = "HD,course_leader,C1,2020-01-01,\n"


@pytest.fixture
def chain(standing: Stack, request: pytest.FixtureRequest) -> Chain:
    return Chain(standing, request.node.originalname.removeprefix("test_")[:40], ROSTER, POSTS + LEADER)


@pytest.mark.servers  # waits for the clock, up to a minute: with the longer tests
def test_scenario_8_an_improvement_does_not_lower_its_target(chain: Chain) -> None:
    setup = read_template(find("hubei-polytechnic")).setup.model_dump(mode="json", exclude_defaults=True)
    chain.school.change("PUT", "setup", json=setup)
    teacher, leader, office = (chain.person(each) for each in ("T1", "HD", "Q"))

    def cycles(**filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = leader.get("planning/cycles", params={"level": "course", **filters}).json()["items"]
        return found

    until(lambda: len(cycles()) == 2, "the clock to open the cycles of the course, by the month and by the year", 120)
    chain.watch("c-obj", "objective_attainment", 0.85, target=0.85)
    chain.send(chain.event("objective_attainment", 4, 5, teacher="T1", lesson="L1", **{"class": "K1"}))
    until(lambda: chain.improvements() == [("K1", "proposed")], "the warning to open an improvement")
    (task,) = teacher.get("planning/improvements").json()["items"]

    change = {"kind": "target", "of": "c-obj", "from": 0.85, "to": 0.75, "why": "学生基础薄弱"}
    refused = teacher.post(f"planning/improvements/{task['id']}/changes", json=change)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:zhengai:problem:change-proposed")
    (proposal,) = leader.get("planning/proposals", params={"status": "queued"}).json()["items"]
    said = [proposal[name] for name in ("kind", "of", "from", "to", "place", "by")]
    assert said == ["target", "c-obj", "0.85", "0.75", "course:C1", "T1"]

    (line,) = office.get("standards/indicators").json()["items"]
    assert (line["version"], line["target"], line["origin"]) == (1, 0.85, {"kind": "first"})
    lower = {
        name: line[name] for name in ("code", "name", "metric", "level", "window", "comparison", "min_denominator", "evaluate")
    }
    lower |= {"target": 0.75, "warning_lines": line["warning_lines"], "effective_from": line["effective_from"]}
    assert teacher.post("standards/indicators", json=lower).status_code == 403
    assert leader.post("standards/indicators", json=lower).status_code == 403

    month = next(each for each in cycles() if each["length"] == "1 month")
    assert (month["step"], month["loops"], month["open_loops"]) == ("目标", 1, 1)
    early = leader.post(f"planning/cycles/{month['id']}/diagnosis", json={"findings": "目标偏高"})
    assert early.status_code == 409, "diagnosis follows when the month is over"
    assert [each["version"] for each in office.get("standards/indicators/c-obj/versions").json()["items"]] == [1]
