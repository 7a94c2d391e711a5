"""Annual tasks: what each class asks for, who may do what with one, and what it says version by version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from libs.common.events.gateway import Post, PostsImported
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest, principal
from tests.service.planning.chain import INDICATOR, METRICS, drafted, goal, made, plan, published
from tests.service.planning.school import NOON, POSTS, planning, tell, without
from tests.service.planning.tasks import HEAD, HUBEI, LEADER, OFFICE, OFFICER, OTHER_OFFICE, TEACHER, task

NOBODY = "00000000-0000-4000-8000-000000000000"


@asynccontextmanager
async def school(url: str, folder: Path, **said: Any) -> AsyncIterator[ServiceUnderTest]:
    async with planning(url, folder, **said) as sut:
        await sut.handle(HUBEI)
        yield sut


async def duty(client: httpx.AsyncClient) -> str:
    return str((await made(client, "/duties", {"unit": "mech", "text": "实训室日常管理"}))["id"])


async def given(client: httpx.AsyncClient, **people: Any) -> dict[str, Any]:
    """A task of class C that somebody has."""
    row = await made(client, "/tasks", {"task": task(duty=await duty(client)), **people})
    found: dict[str, Any] = await made(client, f"/tasks/{row['id']}/assign")
    return found


async def inbox(sut: ServiceUnderTest, who: Any) -> list[str]:
    async with sut.as_(who) as client:
        return [each["kind"] for each in (await client.get("/inbox")).json()["items"]]


def pointers(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [each["pointer"] for each in answer.json()["errors"]]


async def test_scenario_2_a_task_without_the_link_of_its_class_is_refused(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office:
        for code, link in (("a", "/task/goal"), ("b", "/task/resolution"), ("c", "/task/duty")):
            assert pointers(await office.post("/tasks", json={"task": task(task_class=code), "unit": "mech"})) == [link]
        assert (await office.get("/tasks")).json()["items"] == []
        body = {"task": task(duty=await duty(office)), "unit": "mech"}
        path = f"/tasks/{(await made(office, '/tasks', body))['id']}"
        assert pointers(await office.put(path, json={"task": task()})) == ["/task/duty"]
        assert pointers(await office.put(path, json={"task": task(duty=NOBODY)})) == ["/task/duty"]
        assert pointers(await office.put(path, json={"task": task(task_class="z")})) == ["/task/task_class"]
        assert (await made(office, f"{path}/assign"))["status"] == "assigned"


async def test_a_resolution_is_known_by_its_number_and_says_one_thing(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office:
        said = {"number": "党字〔2026〕3号", "date": "2026-02-20", "title": "年度重点工作"}
        await made(office, "/resolutions", said, 201)
        await made(office, "/resolutions", said, 200)
        await made(office, "/resolutions", {**said, "title": "另一件"}, 409)
        row = await made(office, "/tasks", {"task": task(task_class="b", resolution=said["number"]), "unit": "mech"})
        assert (await made(office, f"/tasks/{row['id']}/assign"))["owner"] == "D1", "a unit has it by its head"


async def test_scenario_1_the_tasks_of_a_year_come_from_goals_and_are_made_once(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut:
        await tell(sut, *METRICS)
        await sut.handle(INDICATOR)
        values = [{"year": year, "target": round(0.6 + 0.05 * n, 2)} for n, year in enumerate(range(2016, 2021))]
        measure = {"indicator": "dual-year", "baseline": 0.5, "values": values, "unit": "%"}
        years = {"period_from": "2016-01-01", "period_to": "2020-12-31"}
        said = goal("dual", measure=measure, deadline="2020-12-31", unit="mech", owner_post="department_head")
        (id_,) = await drafted(sut, plan("special-3", **years), said, who=OFFICE)
        await published(sut, "special-3", who=OFFICE, approver=LEADER)
        async with sut.as_(OFFICE) as office:
            first = await made(office, "/tasks/generate", {"year": 2019})
            of_goal = [each for each in first["items"] if each["task_class"] == "a"]
            assert [(each["goal"], each["unit"], each["owner"], each["status"]) for each in of_goal] == [
                (id_, "mech", "D1", "assigned")
            ]
            whole = (await office.get(f"/tasks/{of_goal[0]['id']}")).json()
            assert whole["task"]["aim"] | {"unit": "%"} == whole["task"]["aim"]
            assert whole["task"]["aim"]["target"] == 0.75
            assert "75%" in whole["task"]["assessment"]
            again = await made(office, "/tasks/generate", {"year": 2019})
            assert (again["made"], again["there"]) == (0, first["made"])
            assert (await office.get("/tasks", params={"task_class": "a"})).json()["items"] == of_goal
            yearly = [each["title"] for each in first["items"] if each["task_class"] == "c"]
            assert yearly == ["年度诊断与改进"], "each unit has its diagnosis to do: one, and no programme's"
        async with sut.as_(HEAD) as head:
            await made(head, "/tasks/generate", {"year": 2019}, 403)
        assert "task_assigned" in await inbox(sut, HEAD)


async def test_a_task_goes_from_school_to_unit_to_person_and_back(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head, sut.as_(TEACHER) as teacher:
        above = await given(office, unit="mech")
        path = f"/tasks/{above['id']}"
        await made(head, f"{path}/accept")
        part = await made(head, "/tasks", {"task": task("整理台账"), "unit": "cnc", "owner": "T1", "parent": above["id"]})
        assert part["task"]["duty"] == above["task"]["duty"], "a part serves what the whole serves"
        await made(head, f"/tasks/{part['id']}/assign")
        await made(head, f"{path}/submit", {"done": "完成"}, 409)
        assert [each["id"] for each in (await teacher.get("/tasks")).json()["items"]] == [part["id"]]
        mine = f"/tasks/{part['id']}"
        await made(teacher, f"{mine}/submit", {"done": "早了"}, 409)
        await made(teacher, f"{mine}/accept")
        said = await made(teacher, f"{mine}/progress", {"text": "一半", "percent": 50, "evidence": ["照片"]})
        assert (said["status"], said["percent"], said["history"][-1]["what"]["evidence"]) == ("in_progress", 50, ["照片"])
        await made(teacher, f"{mine}/submit", {"done": "完成"})
        await made(head, f"{mine}/return", {"reason": "缺照片"})
        await made(teacher, f"{mine}/submit", {"done": "补齐"})
        await made(head, f"{mine}/verify", {"score": 95})
        done = await made(head, f"{path}/submit", {"done": "完成"})
        assert done["status"] == "submitted"
        await made(head, f"{path}/verify", {}, 403)
        seen = await made(office, "/tasks/verify", {"ids": [above["id"]]})
        assert [(each["status"], each["met"]) for each in seen["items"]] == [("verified", True)]
        assert (await made(office, "/tasks/close", {"ids": [above["id"]]}))["items"][0]["status"] == "closed"
        assert await inbox(sut, TEACHER) == ["task_returned", "task_assigned"]
        assert await inbox(sut, OFFICE) == ["task_submitted"]


async def test_who_has_a_task_or_submitted_it_never_judges_it(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(OFFICER) as officer, sut.as_(HEAD) as head:
        row = await given(office, unit="mech", helpers=["Q1"])
        await made(officer, f"/tasks/{row['id']}/accept")
        await made(officer, f"/tasks/{row['id']}/submit", {"done": "完成"})
        for who in (head, office):
            await made(who, f"/tasks/{row['id']}/verify", {}, 403)
            await made(who, f"/tasks/{row['id']}/return", {"reason": "x"}, 403)
        async with sut.as_(OTHER_OFFICE) as other:
            assert (await made(other, f"/tasks/{row['id']}/verify"))["verified_by"] == "Q2"


async def test_a_head_judges_what_the_unit_gave_and_not_what_others_gave_it(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head, sut.as_(OFFICER) as officer:
        paths = {}
        for client, unit in ((office, "mech"), (head, "mech"), (office, "cnc")):
            row = await given(client, unit=unit, owner="T2")
            path = paths[row["given_by"], unit] = f"/tasks/{row['id']}"
            await made(officer, f"{path}/accept")
            await made(officer, f"{path}/submit", {"done": "完成"})
        await made(head, f"{paths['Q1', 'mech']}/return", {"reason": "x"}, 403)
        await made(head, f"{paths['Q1', 'mech']}/verify", {}, 403)
        assert (await made(head, f"{paths['D1', 'mech']}/verify"))["verified_by"] == "D1"
        assert (await made(head, f"{paths['Q1', 'cnc']}/verify"))["verified_by"] == "D1", (
            "the table: a programme's by the department"
        )
        assert (await made(office, f"{paths['Q1', 'mech']}/verify"))["verified_by"] == "Q1"


async def test_a_number_to_reach_is_reported_and_judged_on_the_line(database_url: str, tmp_path: Path) -> None:
    aim = {"target": 0.75, "operator": "at_least", "unit": "%"}
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head:
        for value, met in ((0.75, True), (0.749999, False)):
            row = await made(office, "/tasks", {"task": task(aim=aim, duty=await duty(office)), "unit": "mech"})
            path = f"/tasks/{row['id']}"
            await made(office, f"{path}/assign")
            await made(head, f"{path}/accept")
            assert pointers(await head.post(f"{path}/submit", json={"done": "完成"})) == ["/value"]
            await made(head, f"{path}/submit", {"done": "完成", "value": value})
            assert (await made(office, f"{path}/verify"))["met"] is met


async def test_who_leads_a_unit_does_not_judge_what_others_gave_it_also_by_the_table(database_url: str, tmp_path: Path) -> None:
    posts = PostsImported(part="p1/1", posts=[*POSTS, Post(person="Q2", post="department_head", object="mech")])
    async with planning(database_url, tmp_path, posts) as sut, sut.as_(OFFICE) as office, sut.as_(OFFICER) as officer:
        await sut.handle(HUBEI)
        row = await given(office, unit="mech", owner="T2")
        await made(officer, f"/tasks/{row['id']}/accept")
        await made(officer, f"/tasks/{row['id']}/submit", {"done": "完成"})
        async with sut.as_(OTHER_OFFICE) as other:
            await made(other, f"/tasks/{row['id']}/verify", {}, 403)
            await made(other, f"/tasks/{row['id']}/return", {"reason": "x"}, 403)
        assert (await made(office, f"/tasks/{row['id']}/verify"))["verified_by"] == "Q1"


async def test_a_head_who_passes_on_what_others_wrote_or_gave_does_not_judge_it(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head, sut.as_(OFFICER) as officer:
        linked = {"duty": await duty(office)}
        drafts = [await made(office, "/tasks", {"task": task(**linked), "unit": "mech"}) for _ in range(2)]
        own = await made(head, "/tasks", {"task": task(**linked), "unit": "mech"})
        await made(office, f"/tasks/{own['id']}/assign")
        await made(office, f"/tasks/{own['id']}/withdraw", {"reason": "另行安排", "confirm": True})
        for row, to in zip((*drafts, own), ("mech", "cnc", "mech"), strict=True):
            path = f"/tasks/{row['id']}"
            assert (await made(head, f"{path}/assign", {"owner": "T2", "unit": to}))["given_by"] == "Q1"
            if to == "cnc":
                continue  # the table lets the head judge a programme's
            await made(officer, f"{path}/accept")
            await made(officer, f"{path}/submit", {"done": "完成"})
            await made(head, f"{path}/verify", {}, 403)
            assert (await made(office, f"{path}/verify"))["verified_by"] == "Q1"


async def test_nobody_moves_their_own_line_and_each_change_is_a_version(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head:
        row = await given(office, unit="mech")
        path, changed = f"/tasks/{row['id']}", {**row["task"], "acceptance": "基本完成"}
        assert (await head.put(path, json={"task": changed, "why": "太难"})).status_code == 403
        assert pointers(await office.put(path, json={"task": changed})) == ["/why"]
        assert (await office.put(path, json={"task": row["task"]})).json()["version"] == 1
        answer = (await office.put(path, json={"task": changed, "why": "上级调整"})).json()
        assert [(each["version"], each["task"]["acceptance"], each["why"]) for each in answer["versions"]] == [
            (1, "按期完成", None),
            (2, "基本完成", "上级调整"),
        ]
        unlinked = {name: value for name, value in changed.items() if name != "duty"}
        assert pointers(await office.put(path, json={"task": unlinked, "why": "x"})) == ["/task/duty"]


async def test_an_assignment_is_withdrawn_only_by_who_has_seen_what_hangs_on_it(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head:
        row = await given(office, unit="mech")
        path = f"/tasks/{row['id']}"
        await made(head, f"{path}/accept")
        await made(head, f"{path}/progress", {"text": "开始", "percent": 10})
        part = await made(head, "/tasks", {"task": task("分任务"), "owner": "T1", "unit": "mech", "parent": row["id"]})
        await made(head, f"/tasks/{part['id']}/assign")
        refused = await office.post(f"{path}/withdraw", json={"reason": "撤销"})
        assert refused.status_code == 409
        assert [each["detail"][:2] for each in refused.json()["errors"]] == ["1 ", "1 "]
        assert (await office.get(path)).json()["status"] == "in_progress"
        assert (await made(office, f"{path}/withdraw", {"reason": "撤销", "confirm": True}))["status"] == "draft"
        below = (await office.get(f"/tasks/{part['id']}")).json()
        assert (below["status"], below["owner"]) == ("draft", None)
        assert await inbox(sut, TEACHER) == ["task_withdrawn", "task_assigned"]


async def test_who_leads_a_unit_moves_no_line_that_the_unit_was_given(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head:
        row = await given(office, unit="mech", owner="T1")
        path, easier = f"/tasks/{row['id']}", {**row["task"], "acceptance": "完成一半"}
        assert (await head.put(path, json={"task": easier, "why": "太难"})).status_code == 403
        assert (await head.post(f"{path}/withdraw", json={"reason": "x", "confirm": True})).status_code == 403
        assert (await office.get(path)).json() == row
        part = await given(head, unit="mech", owner="T1")
        changed = await head.put(f"/tasks/{part['id']}", json={"task": {**part["task"], "acceptance": "完成一半"}, "why": "分步"})
        assert changed.json()["version"] == 2
        await made(head, f"/tasks/{part['id']}/withdraw", {"reason": "另行安排", "confirm": True})


async def test_a_task_is_overdue_the_morning_after_its_due_date_in_the_schools_zone(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with school(database_url, tmp_path, clock=clock) as sut, sut.as_(OFFICE) as office:
        said = {"task": task(due="2026-03-02", duty=await duty(office)), "unit": "mech"}
        row = await made(office, "/tasks", said)
        await made(office, f"/tasks/{row['id']}/assign")
        await sut.published()

        async def run() -> list[str]:
            await sut.run("overdue")
            return [type(message.event).__name__ for message in await sut.published()]

        clock.now = datetime(2026, 3, 2, 15, 59, tzinfo=UTC)
        assert await run() == []
        assert (await office.get("/tasks", params={"overdue": "true"})).json()["items"] == []
        clock.now = datetime(2026, 3, 2, 16, 1, tzinfo=UTC)
        assert await run() == ["TaskOverdue"]
        assert await run() == []
        (late,) = (await office.get("/tasks", params={"overdue": "true"})).json()["items"]
        assert (late["overdue"], late["days_left"]) == (True, -1)
        assert (await office.get("/tasks", params={"overdue": "false"})).json()["items"] == []
        assert await inbox(sut, HEAD) == ["task_overdue", "task_assigned"]


async def test_who_has_a_task_is_told_before_it_falls_due_by_the_schools_table_once(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with school(database_url, tmp_path, clock=clock) as sut, sut.as_(OFFICE) as office:
        async with sut.as_(principal("settings.write")) as set_up:
            assert (await set_up.put("/settings", json={"countdown_days": [0, 5, 10]})).status_code == 200
        body = {"task": task(due="2026-03-12", duty=await duty(office)), "unit": "mech", "owner": "D1", "helpers": ["T2"]}
        row = await made(office, "/tasks", body)
        await made(office, f"/tasks/{row['id']}/assign")

        async def told(who: Any) -> list[str]:
            for _ in range(2):
                await sut.run("places")
            async with sut.as_(who) as client:
                return [each["text"] for each in (await client.get("/inbox")).json()["items"] if each["kind"] == "task_due_soon"]

        assert await told(HEAD) == ["任务「完成部门工作」还有 10 天到期（2026-03-12）"]
        clock.advance(days=8)  # the process was down on the day: the nearest number counts
        assert len(await told(HEAD)) == 2
        clock.advance(days=2)
        assert await told(HEAD) == await told(OFFICER)
        assert (await told(HEAD))[0] == "任务「完成部门工作」今天到期（2026-03-12）"
        later = {**row["task"], "due": "2026-03-20"}
        assert (await office.put(f"/tasks/{row['id']}", json={"task": later, "why": "上级调整"})).status_code == 200
        clock.advance(days=1)
        assert (await told(HEAD))[0] == "任务「完成部门工作」还有 7 天到期（2026-03-20）"


async def test_a_units_task_without_a_head_finds_one_when_the_post_is_filled(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path, without("department_head")) as sut, sut.as_(OFFICE) as office:
        await sut.handle(HUBEI)
        row = await given(office, unit="mech")
        assert row["owner"] is None
        await sut.handle(without())
        assert (await office.get(f"/tasks/{row['id']}")).json()["owner"] == "D1"


async def test_a_head_gives_tasks_inside_the_unit_alone(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head, sut.as_(TEACHER) as teacher:
        linked = {"duty": await duty(office)}
        await made(head, "/tasks", {"task": task(**linked)}, 403)
        secret = await made(office, "/tasks", {"task": task(**linked), "owner": "Q2"})
        assert (await head.get(f"/tasks/{secret['id']}")).status_code == 404
        assert (await head.post(f"/tasks/{secret['id']}/assign")).status_code == 404
        row = await made(head, "/tasks", {"task": task(**linked), "unit": "mech"})
        assert pointers(
            await head.post("/tasks", json={"task": task(**linked), "unit": "none", "owner": "X", "helpers": ["Y"]})
        ) == [
            "/unit",
            "/owner",
            "/helpers/0",
        ]
        for name, pointer in (("due", "/task/due"), ("assessment", "/task/assessment")):
            short = {key: value for key, value in task(**linked).items() if key != name}
            assert pointers(await head.post("/tasks", json={"task": short, "unit": "mech"})) == [pointer]
        assert (await teacher.get(f"/tasks/{row['id']}")).status_code == 404
        late = {"task": task(due="2027-01-01", **linked), "unit": "mech", "parent": row["id"]}
        assert pointers(await head.post("/tasks", json=late)) == ["/task/due"]
        outside = {"task": task(**linked), "owner": "T1", "unit": "demo", "parent": row["id"]}
        assert pointers(await office.post("/tasks", json=outside)) == ["/unit"]


async def test_a_project_is_written_by_who_leads_its_unit_and_its_milestones_lie_inside_it(
    database_url: str, tmp_path: Path
) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(HEAD) as head:
        project = {
            "name": "双高建设",
            "level": "provincial",
            "unit": "mech",
            "period_from": "2026-01-01",
            "period_to": "2027-12-31",
            "milestones": [{"name": "中期验收", "due": "2026-12-31"}],
            "budget": 1200000.5,
        }
        answer = await head.put("/projects/p1", json=project)
        assert answer.status_code == 200, answer.text
        assert answer.json()["project"]["budget"] == 1200000.5
        assert (await head.get("/projects")).json()["items"][0]["code"] == "p1"
        odd = {**project, "milestones": [{"name": "x", "due": "2028-01-01"}]}
        assert (await head.put("/projects/p1", json=odd)).status_code == 422
        assert (await head.put("/projects/p2", json={**project, "unit": "demo"})).status_code == 403
        assert (await head.get("/projects/p1")).json()["project"]["milestones"] == answer.json()["project"]["milestones"]
