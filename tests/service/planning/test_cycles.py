"""Cycles open by the clock, move by what happens, and close with their diagnosis: nobody clicks through them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import select

from libs.common.events.gateway import SetupChanged
from libs.common.events.monitoring import Measured, Measurement
from libs.common.events.planning import CycleClosed
from libs.common.events.standards import StandardActivated
from services.cli.template.reading import find, read_template
from services.planning.queries.cycles import cycles_at
from services.planning.tables import CycleRow
from tests.conftest import SettableClock
from tests.service.harness import SCHOOL, ServiceUnderTest, principal
from tests.service.planning.chain import drafted, goal, made, measured, plan, published, set_up
from tests.service.planning.school import NOON, planning, tell, warning
from tests.service.planning.tasks import HEAD
from tests.service.planning.test_agreements import GOVERNOR, LETTER, assigned

ALL = ("cycle.read", "improvement.read", "improvement.work", "improvement.verify", "diagnosis.write", "diagnosis.approve")
OFFICE = principal(*ALL, id="Q1")
LEADER = principal(*ALL, id="B1")
COURSE_LEADER = principal(*ALL, id="L1", over=["course:CNC101"])
TEACHER = principal("cycle.read", "improvement.read", "improvement.work", id="T3", over=["teacher:T3", "class:CNC101-A"])
SETUP = read_template(find("hubei-polytechnic")).setup.model_dump(mode="json", exclude_defaults=True)
HUBEI = {**SETUP, "period": {"first": 2026, "last": 2030}}


async def tick(sut: ServiceUnderTest) -> None:
    """Let the clock look at the cycles once."""
    await sut.run("cycles")


async def set_up_as(sut: ServiceUnderTest, content: dict[str, Any] = HUBEI) -> None:
    await sut.handle(SetupChanged(code=SCHOOL, content=content))
    await tick(sut)


async def listed(sut: ServiceUnderTest, who: Any = OFFICE, **filters: str) -> list[dict[str, Any]]:
    async with sut.as_(who) as client:
        answer = await client.get("/cycles", params=filters)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found


async def cycle(sut: ServiceUnderTest, level: str, length: str, who: Any = OFFICE, **filters: str) -> dict[str, Any]:
    """Read the one cycle of a level and length whole."""
    (found,) = await listed(sut, who, level=level, length=length, **filters)
    async with sut.as_(who) as client:
        whole: dict[str, Any] = (await client.get(f"/cycles/{found['id']}")).json()
        return whole


def states(found: dict[str, Any]) -> list[str]:
    return [step["state"] for step in found["steps"]]


async def test_the_clock_opens_each_cycle_that_the_set_up_names_exactly_once(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await tick(sut)
        assert await listed(sut) == [], "without a set-up nothing has cycles"
        await set_up_as(sut)
        for _ in range(2):
            await tick(sut)
            await sut.handle(SetupChanged(code=SCHOOL, content=HUBEI))
        found = await listed(sut)
        counts: dict[tuple[str, str, str, str], int] = {}
        for each in found:
            key = each["level"], each["length"], each["starts_on"], each["ends_on"]
            counts[key] = counts.get(key, 0) + 1
        assert counts == {
            ("school", "1 year", "2026-01-01", "2026-12-31"): 1,
            ("school", "5 year", "2026-01-01", "2030-12-31"): 1,
            ("department", "1 year", "2026-01-01", "2026-12-31"): 1,
            ("department", "5 year", "2026-01-01", "2030-12-31"): 1,
            ("programme", "1 year", "2026-01-01", "2026-12-31"): 1,
            ("programme", "3 year", "2026-01-01", "2028-12-31"): 1,
            ("course", "1 month", "2026-03-01", "2026-03-31"): 1,
            ("course", "1 academic_year", "2025-09-01", "2026-08-31"): 1,
            ("teacher", "1 year", "2026-01-01", "2026-12-31"): 10,
            ("teacher", "5 year", "2026-01-01", "2030-12-31"): 10,
            ("student", "1 academic_year", "2025-09-01", "2026-08-31"): 1,
            ("student", "3 academic_year", "2023-09-01", "2026-08-31"): 1,
        }
        mine = await listed(sut, principal("cycle.read", over=["student:S1"], id="S1"))
        assert {(each["level"], each["subject"]) for each in mine} == {("student", "S1")}
        async with sut.as_(principal("cycle.read", over=["unit:art"])) as stranger:
            assert (await stranger.get(f"/cycles/{found[0]['id']}")).status_code == 404


async def test_steps_follow_from_what_happens_and_the_order_of_facts_does_not_matter(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        await set_up_as(sut)
        assert (await cycle(sut, "school", "1 year"))["step"] == "目标"
        standard = {"version": 1, "family": "management", "name": "管理标准", "effective_from": NOON.date(), "elements": []}
        await sut.handle(StandardActivated(code="m", kind="management", **standard))
        await tell(sut, warning())
        found = await cycle(sut, "school", "1 year")
        assert (found["step"], found["waits_for"], found["loops"], found["open_loops"]) == ("目标", "发布规划", 1, 1)

        await drafted(sut, plan("M"), goal("A"))
        await published(sut, "M")
        found = await cycle(sut, "school", "1 year")
        assert (found["step"], found["waits_for"]) == ("诊断", "诊断获批准")
        assert states(found) == ["done"] * 5 + ["now"] + ["later"] * 4
        course = await cycle(sut, "course", "1 month")
        assert (course["step"], course["loops"]) == ("目标", 1), "no plan is about the course"

        await set_up_as(sut, {**HUBEI, "bodies": []})
        assert (await cycle(sut, "school", "1 year"))["steps"] == found["steps"], "opened once, and not begun anew"


async def test_an_improvement_is_a_dynamic_loop_of_every_cycle_around_it(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up_as(sut)
        for n in range(2):
            await tell(sut, warning(indicator=f"i{n}", severity="yellow"))
        loops = (await cycle(sut, "course", "1 month"))["dynamic"]
        assert [(each["step"], each["waits_for"]) for each in loops] == [("改进", "启动改进")] * 2
        async with sut.as_(TEACHER) as teacher, sut.as_(OFFICE) as office:
            first = loops[0]["improvement"]
            await made(teacher, f"/improvements/{first}/start")
            steps = {each["improvement"]: each["step"] for each in (await cycle(sut, "course", "1 month"))["dynamic"]}
            assert sorted(steps.values()) == ["实施", "改进"]
            await made(teacher, f"/improvements/{first}/submit", {"done": "谈话"})
            await made(office, f"/improvements/{first}/verify", {"reason": "已见成效"})
        found = await cycle(sut, "department", "1 year")
        assert (found["loops"], found["open_loops"]) == (2, 1)
        assert (await listed(sut, TEACHER, level="course")) == [], "a teacher reads their own cycles and classes"


async def test_a_month_without_a_teaching_week_opens_no_course_cycle(database_url: str, tmp_path: Path) -> None:
    calendar = {"teaching": [{"name": "春季", "first": "2026-02-23", "last": "2026-06-28"}]}
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        async with sut.as_(principal("settings.write")) as client:
            assert (await client.put("/calendar", json=calendar)).status_code == 200
        await set_up_as(sut)
        clock.now = datetime.fromisoformat("2026-07-15T04:00:00+00:00")
        await tick(sut)
        assert [each["starts_on"] for each in await listed(sut, level="course", length="1 month")] == ["2026-03-01"]
        clock.now = datetime.fromisoformat("2026-02-28T04:00:00+00:00")
        await tick(sut)
        assert [each["starts_on"] for each in await listed(sut, level="course", length="1 month")] == ["2026-03-01", "2026-02-01"]


async def test_a_cycle_closes_with_its_approved_diagnosis_and_the_next_begins_from_its_value(
    database_url: str, tmp_path: Path
) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        await set_up(sut)
        await set_up_as(sut)
        by_course = {
            "measure": {"metric": "open_lessons", "level": "course", "window": "year", "values": [{"year": 2026, "target": 3}]}
        }
        about = plan("C", kind="course", level="course", subject="CNC101")
        await drafted(sut, about, goal("A", **by_course))
        await published(sut, "C")
        await tell(sut, measured("open_lessons", "CNC101", "2", level="course"))
        month = await cycle(sut, "course", "1 month", COURSE_LEADER)
        path = f"/cycles/{month['id']}"
        async with sut.as_(COURSE_LEADER) as leader, sut.as_(OFFICE) as office:
            early = await made(leader, f"{path}/diagnosis", {"findings": "进度正常"}, 409)
            assert "2026-03-31" in early["detail"]
            clock.now = datetime.fromisoformat("2026-04-01T04:00:00+00:00")
            await tick(sut)
            ended = await cycle(sut, "course", "1 month", COURSE_LEADER, status="ended")
            assert states(ended) == ["done", "missed", "done", "done", "done", "now", "later", "later", "later", "later"]
            await made(office, f"{path}/diagnosis/approve", status=409)
            await made(leader, f"{path}/diagnosis", {"findings": "进度正常"})
            await made(leader, f"{path}/diagnosis/approve", status=403)
            await made(leader, f"{path}/lesson", {"lesson": "分组教学有效"}, 409)
            await sut.published()
            closed = await made(office, f"{path}/diagnosis/approve")
            assert (closed["status"], closed["step"], closed["approved_by"]) == ("closed", None, "Q1")
            assert states(closed)[6:] == ["not_asked", "done", "not_asked", "done"]
            (message,) = [m.event for m in await sut.published() if isinstance(m.event, CycleClosed)]
            assert (message.level, message.subject, message.place) == ("course", "CNC101", "course:CNC101")
            assert Decimal(closed["result"][0]["value"]) == 2
            for call, body in (("diagnosis", {"findings": "又"}), ("diagnosis/approve", None)):
                await made(leader, f"{path}/{call}", body, 409)
        following = await cycle(sut, "course", "1 month", status="open")
        assert (following["starts_on"], following["baseline"]) == ("2026-04-01", closed["result"])


def says(start: date, value: str | None, revision: int) -> Measured:
    number = Decimal(value or 0)
    about = {"subject": "CNC101", "start": start, "numerator": number, "denominator": number and Decimal(1)}
    one_ = Measurement(**about, value=None if value is None else number, revision=revision)
    return Measured(metric="open_lessons", level="course", window="year", measurements=[one_])


async def test_the_tasks_of_a_year_start_from_what_the_last_cycle_of_a_year_came_to(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut, sut.as_(GOVERNOR) as governor:
        await set_up(sut)
        await set_up_as(sut)
        values = [{"year": year, "target": year - 2023} for year in (2026, 2027, 2028)]
        said = {"measure": {"metric": "open_lessons", "level": "course", "window": "year", "baseline": 1, "values": values}}
        await drafted(sut, plan("C", kind="course", level="course", subject="CNC101"), goal("A", **said))
        await published(sut, "C")
        await tell(sut, measured("open_lessons", "CNC101", "2", level="course"))

        async def aims(year: int) -> list[tuple[float, float]]:
            made_ = (await made(governor, "/tasks/generate", {"year": year}))["items"]
            (task,) = [each["id"] for each in made_ if each["task_class"] == "a"]
            aim = (await governor.get(f"/tasks/{task}")).json()["task"]["aim"]
            return [(aim["baseline"], aim["target"])]

        async def closes(year: int) -> dict[str, Any]:
            clock.now = datetime.fromisoformat(f"{year}-09-01T04:00:00+00:00")
            await tick(sut)
            path = f"/cycles/{(await cycle(sut, 'course', '1 academic_year', status='ended'))['id']}"
            async with sut.as_(COURSE_LEADER) as leader, sut.as_(OFFICE) as office:
                await made(leader, f"{path}/diagnosis", {"findings": "公开课少于计划"})
                await made(leader, f"{path}/lesson", {"lesson": "期初排定公开课"})
                closed: dict[str, Any] = await made(office, f"{path}/diagnosis/approve")
                assert closed["status"] == "closed"
                return closed

        await closes(2026)
        assert await aims(2026) == [(2, 3)], "from the academic year that began before it"
        await tell(sut, says(date(2026, 1, 1), None, 2))
        without_data = await closes(2027)
        assert [each["value"] for each in without_data["result"]] == [None]
        await tell(sut, says(date(2028, 1, 1), "3", 1))
        await closes(2028)
        assert await aims(2027) == [(1, 4)], (
            "the last cycle that began before it has no data: no older one counts, and no later one"
        )
        assert await aims(2028) == [(3, 5)]


async def test_a_year_asks_for_a_lesson_or_for_the_reason_why_there_is_none(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        await set_up_as(sut)
        clock.now = datetime.fromisoformat("2027-01-02T04:00:00+00:00")
        await tick(sut)
        ended = await cycle(sut, "programme", "1 year", status="ended")
        path = f"/cycles/{ended['id']}"
        async with sut.as_(OFFICE) as office, sut.as_(LEADER) as leader:
            await made(office, f"{path}/diagnosis", {"findings": "就业率低于全国"})
            approved = await made(leader, f"{path}/diagnosis/approve")
            assert (approved["status"], approved["step"]) == ("ended", "学习")
            for bad in ({}, {"lesson": "甲", "none_because": "乙"}, {"lesson": " "}):
                await made(office, f"{path}/lesson", bad, 422)
            closed = await made(office, f"{path}/lesson", {"none_because": "首年无可比数据"})
            assert (closed["status"], closed["lesson"], closed["lesson_reason"]) == ("closed", None, "首年无可比数据")
            await made(office, f"{path}/lesson", {"lesson": "晚了"}, 409)


async def test_nobody_approves_the_diagnosis_of_their_own_person(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        await set_up_as(sut)
        clock.now = datetime.fromisoformat("2027-01-02T04:00:00+00:00")
        await tick(sut)
        ended = await cycle(sut, "teacher", "1 year", status="ended", subject="Q1")
        async with sut.as_(OFFICE) as office, sut.as_(LEADER) as leader:
            await made(leader, f"/cycles/{ended['id']}/diagnosis", {"findings": "良好"})
            await made(office, f"/cycles/{ended['id']}/diagnosis/approve", status=403)


async def test_nobody_approves_the_diagnosis_of_a_post_that_they_hold(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    hunan = read_template(find("hunan-county-vocational")).setup.model_dump(mode="json", exclude_defaults=True)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        await set_up_as(sut, hunan)
        clock.now = datetime.fromisoformat("2027-12-02T04:00:00+00:00")
        await tick(sut)
        ended = {each["subject"]: each["id"] for each in await listed(sut, level="post", status="ended")}
        head = principal(*ALL, id="D1", over=["unit:mech"])
        async with sut.as_(OFFICE) as office, sut.as_(LEADER) as leader, sut.as_(head) as holder:
            for post in ("department_head@mech", "quality_office"):
                await made(leader, f"/cycles/{ended[post]}/diagnosis", {"findings": "履职良好"})
            await made(holder, f"/cycles/{ended['department_head@mech']}/diagnosis/approve", status=403)
            await made(office, f"/cycles/{ended['department_head@mech']}/diagnosis/approve")
            await made(office, f"/cycles/{ended['quality_office']}/diagnosis/approve", status=403)


async def test_a_cycle_to_which_a_fact_has_come_is_neither_read_nor_held_when_it_comes_again(
    database_url: str, tmp_path: Path
) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up_as(sut)
        await tell(sut, warning())
        async with sut.database.transaction() as tx:
            places = ["course:CNC101", "unit:mech", "teacher:T1"]
            came = await cycles_at(tx.session, SCHOOL, places, "warning_raised", NOON.date())
            comes = await cycles_at(tx.session, SCHOOL, places, "measured", NOON.date())
        assert ({each.level for each in came}, {each.level for each in comes}) == ({"teacher"}, {"course", "department", "teacher"})


async def test_a_task_that_is_taken_up_and_a_letter_that_is_signed_move_the_units_cycle(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up_as(sut)
        async with sut.as_(GOVERNOR) as office, sut.as_(HEAD) as head:
            (row,) = await assigned(office, 1)
            (letter,) = (await made(office, "/agreements", LETTER))["items"]
            before = await facts(sut, "unit:mech")
            await made(head, f"/agreements/{letter['id']}/sign")
            signed = await facts(sut, "unit:mech")
            await made(head, f"/tasks/{row['id']}/accept")
        assert [before, signed, await facts(sut, "unit:mech")] == [[], ["tasks_signed"], ["tasks_signed", "work_started"]]
        assert (await facts(sut, "school:demo"), await facts(sut, "unit:cnc")) == (["tasks_signed", "work_started"], [])


async def facts(sut: ServiceUnderTest, place: str) -> list[str]:
    """What has happened in the yearly cycle of a place, in order."""
    async with sut.database.reading() as session:
        row = await session.scalar(select(CycleRow).where(CycleRow.place == place, CycleRow.length == "1 year"))
    assert row is not None
    return [fact for fact, _ in row.facts]
