"""Workflows are data: each step is done by who holds its post, in its days, or goes back; filing gives no verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from libs.common.events.gateway import Post, PostsImported, SetupChanged
from tests.conftest import SettableClock
from tests.service.harness import SCHOOL, ServiceUnderTest, principal
from tests.service.planning.school import NOON, planning

PERMISSIONS = ("process.read", "process.work", "process.write", "inbox.read", "plan.read", "plan.write")
OFFICE = principal(*PERMISSIONS, id="Q1")
HEAD = principal(*PERMISSIONS, id="D1", over=["unit:mech"])
LEADER = principal(*PERMISSIONS, id="P1", over=["unit:cnc"])
TEACHER = principal("process.read", "process.work", "inbox.read", id="T1", over=["teacher:T1"])
SETUP: dict[str, Any] = {
    "workflows": [
        {
            "code": "ttp",
            "name": "人才培养方案",
            "steps": [
                {"name": "需求调研", "post": "programme_leader", "days": 10, "document": "调研报告"},
                {"name": "方案审核", "post": "department_head", "days": 5},
                {"name": "报备", "kind": "file", "post": "quality_office"},
            ],
        },
        {"code": "free", "name": "无岗位", "steps": [{"name": "一"}, {"name": "二", "post": "office_head"}]},
    ],
    "registers": [{"code": "groups", "name": "部门工作组备案"}],
}


async def ready(sut: ServiceUnderTest) -> None:
    await sut.handle(SetupChanged(code=SCHOOL, content=SETUP))


async def started(client: httpx.AsyncClient, code: str = "ttp", kind: str = "programme", id_: str = "cnc") -> dict[str, Any]:
    answer = await client.post(f"/workflows/{code}/runs", json={"about": {"kind": kind, "id": id_}})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def inbox(sut: ServiceUnderTest, who: Any) -> list[str]:
    async with sut.as_(who) as client:
        return [each["kind"] for each in (await client.get("/inbox")).json()["items"]]


async def test_a_run_goes_from_post_to_post_and_ends_filed(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await ready(sut)
        async with sut.as_(HEAD) as head, sut.as_(LEADER) as leader, sut.as_(OFFICE) as office, sut.as_(TEACHER) as teacher:
            run = await started(head)
            path = f"/workflow-runs/{run['id']}"
            assert (run["name"], run["step_name"], run["due_on"], run["doers"]) == (
                "数控技术 人才培养方案",
                "需求调研",
                "2026-03-12",
                ["P1"],
            )
            assert (await inbox(sut, LEADER), await inbox(sut, HEAD)) == (["workflow_step"], [])
            assert (await teacher.get(path)).status_code == (await teacher.post(f"{path}/done")).status_code == 404
            assert (await head.post(f"{path}/done", json={"document": "x"})).status_code == 403
            assert (await office.post(f"{path}/done", json={"document": "x"})).status_code == 403
            assert (await leader.post(f"{path}/done")).json()["errors"][0]["pointer"] == "/document"
            done = (await leader.post(f"{path}/done", json={"document": "共享盘/调研报告.docx"})).json()
            assert (done["step"], done["due_on"], done["doers"]) == (2, "2026-03-07", ["D1"])
            back = await head.post(f"{path}/return", json={"to": 2, "reason": "缺企业意见"})
            assert (back.status_code, back.json()["errors"][0]["pointer"]) == (422, "/to")
            assert (await head.post(f"{path}/return", json={"to": 1, "reason": "缺企业意见"})).json()["step"] == 1
            assert await inbox(sut, LEADER) == ["workflow_step", "workflow_step"]
            await leader.post(f"{path}/done", json={"document": "v2"})
            assert (await head.post(f"{path}/done", json={"text": "同意"})).json()["doers"] == ["Q1", "Q2"]
            assert (await office.post(f"{path}/return", json={"to": 1, "reason": "不行"})).status_code == 409, (
                "filing gives no verdict"
            )
            end = (await office.post(f"{path}/done")).json()
            assert (end["status"], end["doers"], end["due_on"]) == ("filed", [], None)
            assert [each["what"] for each in end["history"]] == ["started", "done", "returned", "done", "done", "filed"]
            assert [each["said"] for each in end["history"] if each["what"] == "returned"] == [{"to": 1, "reason": "缺企业意见"}]
            assert (await office.post(f"{path}/done")).status_code == 409
        assert "workflow_ended" in await inbox(sut, HEAD)


async def test_what_cannot_begin_is_refused(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(LEADER) as leader, sut.as_(OFFICE) as office:
        await ready(sut)
        await started(leader)
        for code, about, status in (
            ("none", {"kind": "programme", "id": "cnc"}, 404),
            ("ttp", {"kind": "programme", "id": "cnc"}, 409),
            ("ttp", {"kind": "programme", "id": "nowhere"}, 422),
            ("ttp", {"kind": "plan", "id": "nowhere"}, 422),
            ("ttp", {"kind": "course"}, 422),
            ("ttp", {"kind": "school", "id": "demo"}, 422),
            ("ttp", {"kind": "department", "id": "mech"}, 403),
            ("ttp", {"kind": "school"}, 403),
        ):
            answer = await leader.post(f"/workflows/{code}/runs", json={"about": about})
            assert answer.status_code == status, (code, about, answer.text)
        assert [each["about"] for each in (await office.get("/workflow-runs")).json()["items"]] == ["cnc"]
        assert (await started(office, "ttp", "course", "CNC101"))["doers"] == ["P1"], "over the programme of the course"


async def test_a_step_without_a_post_is_the_starters_and_a_vacant_one_the_offices(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(HEAD) as head, sut.as_(OFFICE) as office:
        await ready(sut)
        run = await started(head, "free", "department", "mech")
        path = f"/workflow-runs/{run['id']}"
        assert (await office.post(f"{path}/done")).status_code == 403
        assert (await head.post(f"{path}/done")).json()["doers"] == []
        assert await inbox(sut, OFFICE) == ["workflow_step"], "the quality office hears that a post is vacant"
        assert (await head.post(f"{path}/done")).status_code == 403
        await sut.handle(PostsImported(part="p2/1", posts=[Post(person="T2", post="office_head", object="mech")]))
        assert (await office.post(f"{path}/done")).status_code == 403, "it is held by now"
        async with sut.as_(principal(*PERMISSIONS, id="T2", over=["unit:mech"])) as holder:
            assert (await holder.post(f"{path}/done")).json()["status"] == "finished"


async def test_the_steps_of_a_run_stay_as_they_were_when_it_began(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(HEAD) as head, sut.as_(LEADER) as leader:
        await ready(sut)
        run = await started(head)
        await sut.handle(SetupChanged(code=SCHOOL, content={}))
        assert (await head.get("/workflows")).json()["items"] == []
        done = await leader.post(f"/workflow-runs/{run['id']}/done", json={"document": "x"})
        assert (done.json()["step_name"], done.json()["steps"]) == ("方案审核", 3)


async def test_an_overdue_step_is_told_once_the_next_morning(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut, sut.as_(HEAD) as head, sut.as_(LEADER) as leader:
        await ready(sut)
        run = await started(head)

        async def tick(days: int) -> tuple[bool, int, int]:
            clock.advance(days=days)
            for _ in range(2):
                await sut.run("workflows")
            shown = (await head.get(f"/workflow-runs/{run['id']}")).json()
            told = [(await inbox(sut, who)).count("workflow_overdue") for who in (LEADER, HEAD)]
            return shown["overdue"], told[0], told[1]

        assert await tick(10) == (False, 0, 0), "on its last day it is not overdue"
        assert await tick(1) == (True, 1, 1)
        assert await tick(1) == (True, 1, 1)
        assert len((await head.get("/workflow-runs?overdue=true")).json()["items"]) == 1
        await leader.post(f"/workflow-runs/{run['id']}/done", json={"document": "x"})
        assert (await head.get("/workflow-runs?overdue=true")).json()["items"] == []
        assert await tick(6) == (True, 1, 2), "the head does the next step, and started the run: one notice"


async def test_a_run_is_stopped_by_who_started_it_or_the_office(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(HEAD) as head, sut.as_(LEADER) as leader, sut.as_(OFFICE) as office:
        await ready(sut)
        for who in (head, office):
            run = await started(head)
            path = f"/workflow-runs/{run['id']}/stop"
            assert (await leader.post(path, json={"reason": "重来"})).status_code == 403
            assert (await who.post(path, json={"reason": "重来"})).json()["status"] == "stopped"
            assert (await who.post(path, json={"reason": "重来"})).status_code == 409
        first = (await head.get("/workflow-runs?limit=1")).json()
        assert len((await head.get("/workflow-runs", params={"limit": 1, "cursor": first["next"]})).json()["items"]) == 1


async def test_a_departments_group_is_filed_at_once_and_nobody_approves_it(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(HEAD) as head, sut.as_(LEADER) as leader, sut.as_(OFFICE) as office:
        await ready(sut)
        path = "/registers/groups/filings"
        group = {"unit": "mech", "name": "机电学院诊改工作组", "head": "D1", "members": ["P1", "L1"], "documents": ["成立文件"]}
        first = await head.post(path, json=group)
        assert (first.status_code, first.json()["status"]) == (201, "filed")
        assert (await head.post(path, json=group)).status_code == 200
        assert await inbox(sut, OFFICE) == ["filed"]
        assert (await leader.post(path, json=group)).status_code == 403
        assert (await head.post(path, json={**group, "unit": "none"})).status_code == 422
        nobody = await head.post(path, json={**group, "head": "X1", "members": ["P1", "X2"]})
        assert [each["pointer"] for each in nobody.json()["errors"]] == ["/head", "/members/1"]
        assert (await head.post("/registers/none/filings", json=group)).status_code == 404
        await head.post(path, json={**group, "members": ["P1"]})
        rows = (await office.get(path)).json()["items"]
        assert [(each["status"], each["members"]) for each in rows] == [("filed", ["P1"]), ("replaced", ["P1", "L1"])]
        assert (await leader.get(path)).json()["items"] == []
        assert (await office.get("/registers")).json()["items"] == [
            {"code": "groups", "name": "部门工作组备案", "keeper": "quality_office", "filed": 1}
        ]
