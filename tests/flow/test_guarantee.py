"""The guarantee chain of a school set up from its documents: a goal that nothing protects, its measure, its budget, and the matrix, by people who sign in."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.flow.stack import Stack, zhengai
from tests.flow.test_chains import Chain

pytestmark = pytest.mark.servers  # long: the same scenarios run as service tests in the short suite

YEAR = {"period_from": "2026-01-01", "period_to": "2026-12-31"}
MEASURE = {"mechanism": "hb-g1", "name": "骨干教师培养", "unit": "D1", "level": "teacher", "system": "resource", **YEAR}
LINE = {"name": "骨干教师培养经费", "year": 2026, "unit": "D1", "mechanism": "hb-g2", "approved": 100_000}


@pytest.fixture
def chain(standing: Stack, request: pytest.FixtureRequest) -> Chain:
    made = Chain(standing, request.node.originalname.removeprefix("test_")[:40])
    assert zhengai(standing, "school", "add", made.code, "--name", f"学校 {made.code}", "--template", "hubei-polytechnic") == 0
    return made


def in_force(chain: Chain, office: httpx.Client) -> str:
    """A plan of the school's, with one goal, written by the office and approved by a leader."""
    leader = chain.person("L")
    body = {"code": "p0", "name": "发展规划", "kind": "master", "level": "teacher", **YEAR}
    chain.done(office, "planning/plans", body)
    said = {
        "code": "g1",
        "statement": "培养骨干教师",
        "deliverable": {"name": "骨干教师", "level": "school", "acceptance": "认定文件"},
    }
    whole = {**said, "owner_post": "quality_office", "unit": "D1", "deadline": "2026-12-31", "system": "resource"}
    id_: str = chain.done(office, "planning/plans/p0/goals", {"goal": whole})["id"]
    chain.done(office, "planning/plans/p0/submit")
    chain.done(leader, "planning/plans/p0/approve")
    chain.done(office, "planning/plans/p0/publish")
    return id_


def unserved(who: httpx.Client) -> list[str]:
    return [each["code"] for each in who.get("planning/guarantees/unserved", params={"plan": "p0"}).json()["items"]]


def cell(who: httpx.Client) -> dict[str, Any]:
    """What the matrix has of resource building at the level of teachers."""
    rows = who.get("planning/matrix", params={"axis": "verticals"}).json()["rows"]
    (found,) = (each for row in rows if row["system"] == "resource" for each in row["cells"] if each["layer"] == "teacher")
    return dict(found)


def test_a_goal_that_nothing_protects_is_served_by_a_measure_with_a_budget(chain: Chain) -> None:
    head, office = chain.person("HD"), chain.person("Q")
    goal = in_force(chain, office)
    assert unserved(office) == ["g1"]
    assert (cell(office)["goals"], cell(office)["measures"]) == (1, 0)
    assert "measures" in cell(office)["lacks"]

    measure = chain.done(head, "planning/guarantees", {**MEASURE, "goals": [goal]})
    assert unserved(office) == []
    assert (cell(office)["measures"], "measures" in cell(office)["lacks"]) == (1, False)
    line = chain.done(head, "planning/budgets", {**LINE, "measure": measure["id"], "goals": [goal]})
    assert head.post("planning/budgets", json={**LINE, "unit": None}).status_code == 403, "the school's own is not the head's"

    spent = {"on": "2026-01-05", "what": "培训费", "document": "财〔2026〕1号"}
    chain.done(head, f"planning/budgets/{line['id']}/spending", {**spent, "amount": 60_000.5})
    found = chain.done(head, f"planning/budgets/{line['id']}/spending", {**spent, "amount": 39_999.51})
    assert (found["spent"], found["warning"]) == (100_000.01, {"severity": "red", "why": "overspent"})
    assert office.get(f"planning/guarantees/{measure['id']}").json()["budget"]["spent"] == 100_000.01

    chain.done(head, f"planning/guarantees/{measure['id']}", {**MEASURE, "goals": [goal], "status": "dropped"}, method="PUT")
    assert unserved(office) == [], "the budget line protects it still"
    assert cell(office)["measures"] == 0


def test_a_hazard_is_found_put_right_and_verified_and_aid_is_seen_by_who_it_concerns(chain: Chain) -> None:
    head, office, student, teacher = (chain.person(id_) for id_ in ("HD", "Q", "S1", "T1"))
    hazard = {"unit": "D1", "on": "2026-01-05", "danger": "防火", "place": "实训楼", "what": "灭火器过期", "due_on": "2026-01-31"}
    entry = chain.done(head, "planning/entries/hazard", {**hazard, "owner": "T1"})
    assert [each["kind"] for each in teacher.get("planning/inbox").json()["items"]][-1] == "entry_new"
    chain.done(head, f"planning/entries/{entry['id']}/done", {"on": "2026-01-06", "text": "已更换"})
    assert head.post(f"planning/entries/{entry['id']}/verify").status_code == 403, "who did it does not verify it"
    assert chain.done(office, f"planning/entries/{entry['id']}/verify")["status"] == "verified"

    aid = {"on": "2026-01-05", "student": "S1", "aid": "助学金", "amount": 1500, "due_on": "2026-01-31"}
    grant = chain.done(office, "planning/entries/aid", aid)
    chain.done(office, f"planning/entries/{grant['id']}/pay", {"on": "2026-01-20", "amount": 1500})
    (rates,) = office.get("planning/entries/aid/rates", params={"year": 2026}).json()["items"]
    assert (rates["in_full_rate"], rates["in_time_rate"]) == (1, 1)
    assert [each["status"] for each in student.get("planning/entries").json()["items"]] == ["paid"]
    assert teacher.get("planning/entries").json()["items"] == []
