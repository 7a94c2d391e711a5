"""What becomes of plans and goals as time goes on: periods end, plans close, indicators change, people move."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from libs.common.events.gateway import Class, Enrollment, Session, SetupChanged
from services.planning.queries import goal_id
from tests.conftest import SettableClock
from tests.service.harness import SCHOOL, principal
from tests.service.planning.chain import (
    CLASS_TEACHER,
    HEAD,
    INDICATOR,
    LEADER,
    OFFICE,
    ORDERED,
    STUDENT,
    WRITE,
    drafted,
    goal,
    made,
    measured,
    plan,
    published,
    seen,
    set_up,
    standing,
)
from tests.service.planning.school import CLASSES, ENROLLMENTS, NOON, TODAY, planning, roster, tell


def ratio(code: str, window: str = "year", **said: Any) -> dict[str, Any]:
    values = [{"year": 2026, "target": 0.6}]
    return goal(code, measure={"metric": "T-DQ", "level": "school", "window": window, "values": values}, **said)


@pytest.mark.parametrize("start", [date(2027, 1, 1), date(2025, 1, 1)])
async def test_a_window_outside_a_plans_period_says_nothing_of_its_goals(database_url: str, tmp_path: Path, start: date) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        (id_,) = await drafted(sut, plan("M", period_to="2026-12-31"), ratio("G", deadline="2026-12-31"))
        await published(sut, "M")
        await tell(sut, measured("dual_qualified", SCHOOL, "7", level="school", of="10"))
        await tell(sut, measured("dual_qualified", SCHOOL, "1", level="school", of="10", start=start))
        assert (await standing(sut, id_))["value"] == 0.7


async def test_a_term_counts_where_it_reaches_into_the_period(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        autumn = Session(id="t1", title="秋", kind="term", start=date(2025, 9, 1), end=date(2026, 1, 20))
        summer = Session(id="t2", title="夏", kind="term", start=date(2025, 8, 1), end=date(2025, 9, 1))
        await tell(sut, roster(sessions=[autumn, summer]))
        (id_,) = await drafted(sut, plan("M"), ratio("G", "term"))
        await published(sut, "M")
        for start, value in ((summer.start, "9"), (autumn.start, "7")):
            told = measured("dual_qualified", SCHOOL, value, level="school", of="10", start=start)
            await tell(sut, told.model_copy(update={"window": "term"}))
            assert (await standing(sut, id_))["value"] == (None if start == summer.start else 0.7)


async def test_goals_of_a_closed_plan_stay_as_far_as_they_came(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut, sut.as_(OFFICE) as office:
        await set_up(sut)
        prize = goal("P", measure=None, deliverable={"name": "奖", "level": "school"})
        id_, delivered = await drafted(sut, plan("M"), ratio("G"), prize)
        await published(sut, "M")
        await tell(sut, measured("dual_qualified", SCHOOL, "7", level="school", of="10"))
        before = await standing(sut, id_)
        await made(office, "/plans/M/close")
        await tell(sut, measured("dual_qualified", SCHOOL, "1", level="school", of="10"))
        clock.advance(days=365)
        await sut.run("standings")
        assert await standing(sut, id_) == before
        await made(office, f"/goals/{delivered}/deliver", {"number": 1, "evidence": ["证书"]}, status=409)


async def test_who_holds_the_post_that_answers_for_a_plan_does_not_judge_it(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        unit = plan("U", kind="unit", level="department", unit="mech", subject="mech", owner_post="department_head")
        await drafted(sut, unit, goal("G"))
        async with sut.as_(OFFICE) as office, sut.as_(HEAD) as head, sut.as_(LEADER) as leader:
            await made(office, "/plans/U/submit")
            await made(head, "/plans/U/approve", status=403)
            await made(head, "/plans/U/return", {"reason": "x"}, status=403)
            await made(leader, "/plans/U/approve")


async def test_what_other_plans_lack_does_not_keep_a_plan_from_its_next_version(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as office:
        await set_up(sut)
        top = {"goal": str(goal_id(SCHOOL, "M", "TOP"))}
        await drafted(sut, plan("M"), goal("TOP", measure=None, roll_up="weighted"), goal("OWN", parents=[{**top, "weight": 1}]))
        await published(sut, "M")
        await made(office, "/plans/M/versions", ORDERED)
        own = str(goal_id(SCHOOL, "M", "OWN"))
        less = {"goal": goal("OWN", parents=[{**top, "weight": 0.4}]), "why": "分权"}
        assert (await office.put(f"/goals/{own}", json=less)).status_code == 200
        await made(office, "/plans/M/submit")
        async with sut.as_(LEADER) as leader:
            await made(leader, "/plans/M/approve")
            await made(office, "/plans/M/publish", status=422)
            await made(leader, "/plans/M/return", {"reason": "x"})
        assert (
            await office.put(f"/goals/{own}", json={**less, "goal": goal("OWN", parents=[{**top, "weight": 1}])})
        ).status_code == 200
        await published(sut, "M")

        await made(office, "/plans/M/versions", ORDERED)
        assert (await office.put(f"/goals/{own}", json=less)).status_code == 200
        await drafted(sut, plan("S", parent="M"), goal("G", parents=[]))
        await made(office, "/plans/M/submit")
        async with sut.as_(LEADER) as leader:
            await made(leader, "/plans/M/return", {"reason": "x"})
        assert (await office.delete(f"/goals/{own}")).status_code == 204
        await published(sut, "M")
        below = str(goal_id(SCHOOL, "S", "G"))
        changed = {"goal": goal("G", parents=[{**top, "weight": 0.3}]), "why": "挂接"}
        assert (await office.put(f"/goals/{below}", json=changed)).status_code == 200
        await published(sut, "S")
        await made(office, "/plans/M/versions", ORDERED)
        await made(office, "/plans/M/goals", {"goal": goal("OWN2", parents=[{**top, "weight": 0.4}])})
        await published(sut, "M")


async def test_goals_follow_an_indicator_to_another_level_or_are_said_to_have_lost_their_measure(
    database_url: str, tmp_path: Path
) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        (id_,) = await drafted(sut, plan("M"), goal("G"))
        (unit,) = await drafted(sut, plan("U", level="department", unit="mech", parent="M"), goal("G", parents=[{"goal": id_}]))
        await published(sut, "M")
        await published(sut, "U")
        await tell(sut, measured("dual_qualified", SCHOOL, "7", level="school", of="10"))
        await sut.handle(INDICATOR.model_copy(update={"version": 2, "level": "department"}))
        shown = await seen(sut, f"/goals/{id_}")
        assert (shown["level"], shown["standing"]["state"]) == (None, "no_data")
        assert [each["object"] for each in (await seen(sut, "/lint?code=measure-lost"))["items"]] == [id_]
        shown = await seen(sut, f"/goals/{unit}")
        assert (shown["level"], shown["subject"]) == ("department", "mech")
        await sut.handle(INDICATOR.model_copy(update={"version": 3}))
        assert (await standing(sut, id_))["value"] == 0.7


async def test_a_plan_goes_with_its_student_on_the_day_of_the_move(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    new_teacher = principal(*WRITE, "plan.approve", id="T2", over=["class:CNC2302"])
    async with planning(database_url, tmp_path, clock=clock) as sut:
        await set_up(sut)
        move = TODAY + timedelta(days=7)
        stays = [each.model_copy(update={"end": move}) if each.id == "e4" else each for each in ENROLLMENTS]
        joins = Enrollment(id="e9", class_id="CNC2302", person="S1", role="student", start=move)
        classes = [*CLASSES, Class(id="CNC2302", title="数控2302", kind="homeroom", org="cnc")]
        await tell(sut, roster(classes=classes, enrollments=[*stays, joins]))
        await drafted(sut, plan("S1", kind="personal", level="student", subject="S1"), who=STUDENT)

        async def seeing() -> tuple[int, int]:
            await sut.run("places")
            async with sut.as_(CLASS_TEACHER) as old, sut.as_(new_teacher) as new:
                return (await old.get("/plans/S1")).status_code, (await new.get("/plans/S1")).status_code

        assert await seeing() == (200, 404)
        clock.advance(days=6)
        assert await seeing() == (200, 404)
        clock.advance(days=1)
        assert await seeing() == (404, 200)


@pytest.mark.parametrize("names", [["机电学院"], ["教务处", "机电学院"], ["质量办公室"], ["别处"]])
async def test_a_plan_of_the_documents_is_led_by_the_unit_of_that_name_once_the_roster_has_it(
    database_url: str, tmp_path: Path, names: list[str]
) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        lead, *other = names
        kind = {"code": "p1", "name": "规划", "kind": "special", "level": "school", "lead": lead}
        departments = [{"name": lead, "aliases": other}, {"name": "机电学院", "body": "qo"}]
        bodies = [{"code": "qo", "name": "质量办公室"}]
        await drafted(sut, plan("p1"))
        await drafted(sut, plan("other"))
        await sut.handle(SetupChanged(code=SCHOOL, content={"plan_kinds": [kind], "departments": departments, "bodies": bodies}))
        shown = await seen(sut, "/plans/p1")
        found = lead != "别处"
        assert (shown["unit"], shown["owner_post"]) == (("mech", "department_head") if found else (None, None))
        assert [each["step"] for each in shown["history"]] == ["written", *(["led"] if found else [])]
        assert (await seen(sut, "/plans/other"))["unit"] is None
        await drafted(sut, plan("late"))
        await sut.handle(roster())
        assert (await seen(sut, "/plans/p1"))["unit"] == shown["unit"]
        async with sut.as_(HEAD) as head:
            assert (await head.get("/plans/p1")).status_code == (200 if found else 404)
