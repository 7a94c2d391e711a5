"""Rules have an owner, versions and a review of which the owner is reminded; work packages say who does what by which standard."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

from docx import Document

from libs.common.events.gateway import SetupChanged
from libs.common.events.standards import RevisionDue
from tests.conftest import SettableClock
from tests.service.harness import SCHOOL, ServiceUnderTest
from tests.service.planning.school import NOON, planning
from tests.service.planning.test_workflows import HEAD, LEADER, OFFICE, inbox

SETUP: dict[str, Any] = {
    "framework": [
        {"code": "systems", "name": "六系统", "tags": [{"code": "goals", "name": "目标系统"}, {"code": "aid", "name": "支持系统"}]}
    ],
    "workflows": [{"code": "ttp", "name": "人才培养方案", "steps": [{"name": "调研"}]}],
    "rule_sets": [{"level": "course", "names": ["课程管理", "课程评价"]}],
}
RULE: dict[str, Any] = {
    "name": "机电学院课程管理办法",
    "level": "course",
    "rule_set": "课程管理",
    "unit": "mech",
    "owner_post": "department_head",
    "document": "机电发〔2026〕3号",
    "issued_on": "2026-01-10",
    "review_on": "2026-04-30",
    "tags": ["goals"],
}
PACKAGE: dict[str, Any] = {
    "name": "专业建设工作包",
    "unit": "cnc",
    "duty": "专业人才培养方案的制定与修订",
    "works": [
        {
            "name": "需求调研",
            "workflow": "ttp",
            "posts": [{"post": "专业负责人", "task": "走访企业", "standard": "专业建设调研"}, {"post": "教师", "task": "整理问卷"}],
        }
    ],
    "tags": ["goals", "aid"],
}


async def ready(sut: ServiceUnderTest) -> None:
    await sut.handle(SetupChanged(code=SCHOOL, content=SETUP))


async def test_a_rule_has_versions_and_the_same_again_is_none(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(HEAD) as head, sut.as_(LEADER) as leader:
        await ready(sut)
        path = "/rules/mech-01"
        assert [(await head.put(path, json=RULE)).status_code for _ in range(2)] == [201, 200]
        assert (await head.put(path, json={**RULE, "review_on": "2027-04-30"})).json()["version"] == 2
        shown = (await leader.get(path)).json()
        assert (shown["review_on"], [each["review_on"] for each in shown["earlier"]]) == ("2027-04-30", ["2026-04-30"])
        assert [each["version"] for each in (await leader.get("/rules?level=course")).json()["items"]] == [2]
        sets = (await leader.get("/rule-sets")).json()["items"]
        assert [(each["name"], each["rules"]) for each in sets] == [("课程管理", ["mech-01"]), ("课程评价", [])]
        await head.put(path, json={**RULE, "in_force": False})
        assert [each["rules"] for each in (await leader.get("/rule-sets")).json()["items"]] == [[], []]


async def test_who_answers_for_a_rule_is_reminded_once_before_its_review(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut, sut.as_(HEAD) as head:
        await ready(sut)
        await head.put("/rules/a", json={**RULE, "remind_days": 20})
        await head.put("/rules/b", json={**RULE, "owner_post": None, "owner": "L1", "in_force": False})
        told = []
        for days in (38, 1, 1):
            clock.advance(days=days)
            await sut.run("workflows")
            told.append((await inbox(sut, HEAD)).count("rule_review"))
        assert told == [0, 1, 1], "on 10 April, and once"
        assert (await head.get("/rules/a")).json()["review_due"]


async def test_the_quality_office_is_told_once_that_a_standard_is_to_be_revised(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await ready(sut)
        said = RevisionDue(code="tch", version=1, family="teacher", name="教师标准", due_on=date(2026, 9, 1))
        for _ in range(2):
            await sut.handle(said)
        assert (await inbox(sut, OFFICE)).count("standard_revision") == 1
        assert "standard_revision" not in await inbox(sut, HEAD)


async def test_a_rule_or_package_that_does_not_fit_is_refused_and_nothing_changes(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(LEADER) as leader, sut.as_(OFFICE) as office:
        await ready(sut)
        for wrong, status, pointer in (
            ({"owner": "D1"}, 422, "/owner_post"),
            ({"review_on": "2026-01-10"}, 422, "/review_on"),
            ({"unit": "none"}, 422, "/unit"),
            ({"owner": "X1", "owner_post": None}, 422, "/owner"),
            ({"rule_set": "食堂"}, 422, "/rule_set"),
            ({"tags": ["none"]}, 422, "/tags/0"),
            ({"colour": "red"}, 422, "/colour"),
        ):
            answer = await office.put("/rules/x", json={**RULE, **wrong})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, pointer), answer.text
        assert [(await leader.put("/rules/x", json={**RULE, "unit": unit})).status_code for unit in ("mech", None)] == [403, 403]
        work = {**PACKAGE["works"][0], "workflow": "none"}
        for part, pointer in (
            ({"works": [work]}, "/works/0/workflow"),
            ({"works": []}, "/works"),
            ({"unit": "none"}, "/unit"),
            ({"duty_id": "00000000-0000-4000-8000-000000000000"}, "/duty_id"),
        ):
            answer = await office.put("/work-packages/x", json={**PACKAGE, **part})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), answer.text
        assert (await leader.put("/work-packages/x", json={**PACKAGE, "unit": "mech"})).status_code == 403
        assert (await office.get("/rules")).json()["items"] == (await office.get("/work-packages")).json()["items"] == []


async def test_a_work_package_leads_from_a_duty_to_posts_and_prints(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(LEADER) as leader, sut.as_(HEAD) as head:
        await ready(sut)
        first = (await leader.put("/work-packages/cnc", json=PACKAGE)).json()
        assert {name: first[name] for name in PACKAGE} == {**PACKAGE, "works": first["works"]}
        assert (await leader.put("/work-packages/cnc", json=PACKAGE)).json() == first
        assert [each["code"] for each in (await head.get("/work-packages?unit=cnc")).json()["items"]] == ["cnc"]
        paper = Document(BytesIO((await head.get("/work-packages/cnc/paper")).content))
        assert [[cell.text for cell in row.cells] for row in paper.tables[1].rows] == [
            ["工作", "岗位", "岗位任务", "标准"],
            ["需求调研", "专业负责人", "走访企业", "专业建设调研"],
            ["需求调研", "教师", "整理问卷", ""],
        ]
