"""Desks: what somebody in a post sees first, seven rows a section by due date; a talk and an answer in one call; rankings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from libs.common.events.monitoring import WarningCleared, WarningRaised
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest, principal
from tests.service.planning.chain import made
from tests.service.planning.school import NOON, planning, student_warning, tell, warning
from tests.service.planning.tasks import GIVE, HUBEI, OFFICE, task

HEAD = principal("desk.department", "improvement.read", "task.read", over=["unit:mech"], id="D1")
OFFICE_DESK = principal("desk.department", "improvement.read", "task.read", id="Q1")
LEADER = principal("desk.course", over=["course:CNC101"], id="L1")
GUIDE = principal("desk.class", "improvement.read", over=["class:CNC2301", "class:CNC101-A"], id="H1")
STUDENT = principal("desk.student", "improvement.read", over=["student:S1"], id="S1")
OTHER = principal("desk.student", "improvement.read", over=["student:S2"], id="S2")


async def desk(sut: ServiceUnderTest, who: Any, name: str, **params: str) -> dict[str, dict[str, Any]]:
    """The sections of a desk by name."""
    async with sut.as_(who) as client:
        answer = await client.get(f"/desks/{name}", params=params)
        assert answer.status_code == 200, answer.text
        return {each["name"]: each for each in answer.json()["sections"]}


def titles(section: dict[str, Any]) -> list[str]:
    return [item["title"] for item in section["items"]]


async def cleared(sut: ServiceUnderTest, raised: WarningRaised) -> None:
    numbers = {"start": raised.start, "value": 1, "numerator": 9, "denominator": 9}
    await tell(sut, WarningCleared(warning=raised.warning, **numbers))


async def test_a_section_shows_seven_rows_by_due_date_and_says_how_many_there_are(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        for n in range(9):
            clock.now = NOON + timedelta(days=n)
            await tell(sut, warning(indicator=f"i{n}", raised_at=clock.now))
        below = (await desk(sut, HEAD, "department-head"))["below_line"]
    dates = [item["due_on"] for item in below["items"]]
    assert (len(dates), below["total"], dates) == (7, 9, sorted(dates))


async def test_the_head_sees_what_waits_for_them_and_what_they_owe(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as office:
        await sut.handle(HUBEI)
        duty = (await made(office, "/duties", {"unit": "mech", "text": "日常管理"}))["id"]
        due = str((NOON + timedelta(days=3)).date())
        body = {"task": task("实训室检查", duty=duty, start="2026-03-01", due=due), "unit": "mech", "owner": "D1"}
        row = await made(office, "/tasks", body)
        await made(office, f"/tasks/{row['id']}/assign")
        shown = await desk(sut, HEAD, "department-head")
    assert titles(shown["owed"]) == ["实训室检查"]
    assert shown["owed"]["items"][0]["due_on"] == due
    assert (shown["to_verify"]["total"], shown["prepared"]["total"]) == (0, 0)


async def test_the_head_is_asked_to_judge_only_what_they_may(database_url: str, tmp_path: Path) -> None:
    head = principal(*GIVE, "desk.department", "improvement.read", over=["unit:mech"], id="D1")
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(head) as client:
        await sut.handle(HUBEI)
        duty = (await made(office, "/duties", {"unit": "mech", "text": "日常管理"}))["id"]
        officer = principal("task.work", over=["unit:mech"], id="T2")
        above = await made(office, "/tasks", {"task": task("总任务", duty=duty), "unit": "mech"})
        given = [
            (office, "学校下达", {}),
            (office, "学校分解", {"parent": above["id"]}),
            (client, "本部门下达", {}),
            (client, "本人协助", {"helpers": ["D1"]}),
        ]
        async with sut.as_(officer) as worker:
            for giver, title, said in given:
                row = await made(giver, "/tasks", {"task": task(title, duty=duty), "unit": "mech", "owner": "T2", **said})
                for step, body in (("accept", None), ("submit", {"done": "完成"})):
                    if step == "accept":
                        await made(giver, f"/tasks/{row['id']}/assign")
                    await made(worker, f"/tasks/{row['id']}/{step}", body)
        asked = (await desk(sut, head, "department-head"))["to_verify"]
        assert sorted(titles(asked)) == ["学校分解", "本部门下达"]
        for item in asked["items"]:
            await made(client, f"/tasks/{item['id']}/verify")
        everywhere = principal("desk.department", "improvement.read", "task.read", id="D1")
        assert titles((await desk(sut, everywhere, "department-head"))["to_verify"]) == []
        assert sorted(titles((await desk(sut, OFFICE_DESK, "department-head"))["to_verify"])) == ["学校下达", "本人协助"]


async def test_who_submitted_what_they_are_to_verify_is_not_asked_to(database_url: str, tmp_path: Path) -> None:
    may = ("improvement.open", "improvement.read", "improvement.work", "desk.department")
    head, owner = principal(*may, over=["unit:mech"], id="D1"), principal(*may, over=["teacher:T1"], id="T1")
    async with planning(database_url, tmp_path) as sut, sut.as_(head) as client, sut.as_(owner) as worker:
        problem = {"level": "department", "subject": "mech", "owner": "T1", "verifier": "D1"}
        problems = [{**problem, "problem": title} for title in ("本人提交", "他人提交")]
        found = (await made(client, "/improvements", {"source": "patrol", "problems": problems}))["items"]
        for item, who in zip(found, (client, worker), strict=True):
            plan = {"measures": ["整改"], "goal": "完成", "deadline": "2026-03-10"}
            await made(who, f"/improvements/{item['id']}/start", plan)
            await made(who, f"/improvements/{item['id']}/submit", {"done": "完成", "evidence": ["记录"]})
        assert titles((await desk(sut, head, "department-head"))["to_verify"]) == ["他人提交"]


async def test_a_course_leader_sees_the_open_items_of_the_course_and_no_students(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await tell(sut, warning(), student_warning())
        shown = await desk(sut, LEADER, "course-leader", of="CNC101")
        async with sut.as_(LEADER) as client:
            other = await client.get("/desks/course-leader?of=OTHER")
    assert [item["subject_name"] for item in shown["open_items"]["items"]] == ["数控2301班"]
    assert other.status_code == 404


async def test_a_class_teacher_sees_students_over_all_courses_who_is_new_and_who_is_better(
    database_url: str, tmp_path: Path
) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        first, second = student_warning(indicator="a"), student_warning(indicator="b", severity="red")
        await tell(sut, first, second)
        shown = await desk(sut, GUIDE, "class-teacher")
        (row,) = shown["students"]["items"]
        assert (row["id"], row["title"], row["count"], row["severity"]) == ("S1", "学生一", 2, "red")
        assert titles(shown["new"]) == ["学生一"]

        clock.now = NOON + timedelta(days=20)
        shown = await desk(sut, GUIDE, "class-teacher")
        assert (shown["students"]["total"], shown["new"]["total"]) == (1, 0), "old news is no news"
        for each in (first, second):
            await cleared(sut, each)
        shown = await desk(sut, GUIDE, "class-teacher")
    assert shown["students"]["items"] == []
    assert titles(shown["good_news"]) == ["学生一"]


async def test_a_talk_is_written_beside_every_standing_warning_in_one_tap(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(GUIDE) as guide:
        await tell(sut, student_warning(indicator="a"), student_warning(indicator="b"))
        ids = (await made(guide, "/desks/class-teacher/talks", {"student": "S1"}))["improvements"]
        histories = [(await guide.get(f"/improvements/{id_}")).json()["history"] for id_ in ids]
        nobody = await guide.post("/desks/class-teacher/talks", json={"student": "S9"})
    assert len(ids) == 2
    assert [(h[-1]["step"], h[-1]["by"], h[-1]["what"]["text"]) for h in histories] == [("talked", "H1", "已谈话")] * 2
    assert nobody.status_code == 404


async def test_a_student_sees_reason_and_next_step_and_answers_their_own_alone(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(STUDENT) as student, sut.as_(OTHER) as other:
        await tell(sut, student_warning())
        (mine,) = (await desk(sut, STUDENT, "student"))["warnings"]["items"]
        assert "班级周作业完成率" in mine["title"]
        assert mine["says"], "the next step in words"
        said = {"improvement": mine["id"], "text": "本周补交"}
        assert (await other.post("/desks/student/answers", json=said)).status_code == 404
        await made(student, "/desks/student/answers", said)
        async with sut.as_(principal("improvement.read", "inbox.read", id="H1")) as owner:
            last = (await owner.get(f"/improvements/{mine['id']}")).json()["history"][-1]
            told = [each["kind"] for each in (await owner.get("/inbox")).json()["items"]]
    assert (last["step"], last["by"], last["what"]) == ("answered", "S1", {"text": "本周补交"})
    assert "improvement_answered" in told


async def test_a_desk_is_for_whoever_holds_its_post(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(STUDENT) as student:
        answers = [await student.get(f"/desks/{name}") for name in ("department-head", "course-leader", "class-teacher")]
    assert [answer.status_code for answer in answers] == [403, 403, 403]


async def test_what_is_not_submitted_lowers_a_units_rates(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as office:
        await sut.handle(HUBEI)
        rows = {unit: [await _given(office, unit, n) for n in range(3)] for unit in ("mech", "cnc")}
        await _verified(sut, office, rows["cnc"][0])
        ranked = (await office.get("/rankings?year=2026")).json()["items"]
    assert [(each["unit"], each["total"], each["completed"], each["completion"]) for each in ranked] == [
        ("cnc", 3, 1, 0.333333),
        ("mech", 3, 0, 0.0),
    ]


async def _given(office: httpx.AsyncClient, unit: str, n: int) -> str:
    duty = (await made(office, "/duties", {"unit": unit, "text": "日常管理"}))["id"]
    row = await made(office, "/tasks", {"task": task(f"任务 {n}", duty=duty), "unit": unit, "owner": "T1"})
    await made(office, f"/tasks/{row['id']}/assign")
    return str(row["id"])


async def _verified(sut: ServiceUnderTest, office: httpx.AsyncClient, id_: str) -> None:
    async with sut.as_(principal("task.work", "task.read", id="T1")) as owner:
        await made(owner, f"/tasks/{id_}/accept")
        await made(owner, f"/tasks/{id_}/submit", {"done": "已完成"})
    await made(office, f"/tasks/{id_}/verify")


async def test_what_people_found_lies_on_the_desk_until_it_is_verified(database_url: str, tmp_path: Path) -> None:
    finder = principal("improvement.open", "improvement.read", id="Q1")
    async with planning(database_url, tmp_path) as sut, sut.as_(finder) as office:
        found = {"problem": "教案缺失", "level": "department", "subject": "mech"}
        await made(office, "/improvements", {"source": "patrol", "problems": [found]})
        shown = await desk(sut, HEAD, "department-head")
    assert titles(shown["below_line"]) == ["教案缺失"]
