"""A new version of a plan says why there is one: goals change at the end of a cycle, and otherwise for a reason that is written down."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import SettableClock
from tests.service.harness import principal
from tests.service.planning.chain import HEAD, LEADER, OFFICE, ORDERED, TEACHER, drafted, goal, made, plan, published, seen, set_up
from tests.service.planning.school import NOON, planning
from tests.service.planning.test_cycles import LEADER as APPROVER
from tests.service.planning.test_cycles import OFFICE as DIAGNOSER
from tests.service.planning.test_cycles import cycle, set_up_as, tick

PLAN = ("plan.read", "plan.write", "plan.approve", "exception.claim")
MAY_EXCEPT = principal(*PLAN, id="Q1")
EXCEPTION = {"origin": {"kind": "exception", "reason": "上级临时调整招生计划"}}


@pytest.mark.parametrize(
    ("origin", "pointer"),
    [
        (None, "/origin"),
        ({"kind": "wish"}, "/origin/kind"),
        ({"kind": "first"}, "/origin/kind"),
        ({"kind": "cycle"}, "/origin"),
        ({"kind": "cycle", "cycle": str(uuid4())}, "/origin/cycle"),
        ({"kind": "cycle", "cycle": "c1"}, "/origin/cycle"),
        ({"kind": "document", "number": "1号"}, "/origin"),
        ({"kind": "document", "number": "1号", "date": "2026-02-30"}, "/origin/date"),
        ({"kind": "period", "number": "1号"}, "/origin"),
        ({"kind": "exception"}, "/origin"),
        ({"kind": "exception", "reason": " "}, "/origin/reason"),
        ({"kind": "document", "number": "1号", "date": "2026-02-03", "colour": "red"}, "/origin/colour"),
    ],
)
async def test_what_is_no_origin_is_refused_and_makes_no_version(
    origin: dict[str, Any] | None, pointer: str, database_url: str, tmp_path: Path
) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        await drafted(sut, plan("M"), goal("A"))
        await published(sut, "M")
        async with sut.as_(MAY_EXCEPT) as office:
            refused = await made(office, "/plans/M/versions", {} if origin is None else {"origin": origin}, 422)
        assert refused["errors"][0]["pointer"].startswith(pointer)
        assert len((await seen(sut, "/plans/M/versions"))["items"]) == 1
        assert (await seen(sut, "/plans/M"))["origin"] == {"kind": "first"}


async def test_an_exception_takes_a_role_a_reason_and_a_second_person_and_is_listed(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        await drafted(sut, plan("M"), goal("A"))
        await published(sut, "M")
        async with sut.as_(OFFICE) as office:
            await made(office, "/plans/M/versions", EXCEPTION, 403)
        async with sut.as_(MAY_EXCEPT) as office, sut.as_(LEADER) as leader:
            assert (await made(office, "/plans/M/versions", EXCEPTION))["origin"] == EXCEPTION["origin"]
            waiting = (await office.get("/exceptions")).json()["items"]
            assert [(each["plan"], each["version"], each["by"], each["confirmed_by"]) for each in waiting] == [("M", 2, "Q1", None)]
            await made(office, "/plans/M/submit")
            await made(office, "/plans/M/approve", status=403)
            await made(leader, "/plans/M/approve")
            await made(office, "/plans/M/publish")
            (found,) = (await office.get("/exceptions")).json()["items"]
            assert (found["reason"], found["confirmed_by"], found["status"]) == ("上级临时调整招生计划", "B1", "published")
            async with sut.as_(principal("exception.claim", over=["unit:art"])) as stranger:
                assert (await stranger.get("/exceptions")).json()["items"] == []


async def test_a_new_plan_period_ends_later_than_the_one_before(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        await drafted(sut, plan("M"), goal("A"))
        await published(sut, "M")
        async with sut.as_(OFFICE) as office, sut.as_(LEADER) as leader:
            await made(office, "/plans/M/versions", {"origin": {"kind": "period"}})
            await made(office, "/plans/M/submit")
            await made(leader, "/plans/M/approve")
            refused = await made(office, "/plans/M/publish", status=422)
            assert refused["errors"][0]["pointer"] == "/period_to"
            await made(leader, "/plans/M/return", {"reason": "未延长"})
            later = {name: value for name, value in plan("M", period_to="2035-12-31").items() if name != "code"}
            assert (await office.put("/plans/M", json=later)).status_code == 200
        assert (await published(sut, "M"))["version"] == 2


async def test_a_closed_cycle_of_what_the_plan_is_about_is_the_origin_of_one_version(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        await set_up(sut)
        await set_up_as(sut)
        mine = plan("T1", kind="personal", level="teacher", subject="T1", period_to="2027-12-31")
        own = goal(
            "A", measure={"metric": "open_lessons", "level": "teacher", "window": "year", "values": [{"year": 2026, "target": 3}]}
        )
        await drafted(sut, mine, {**own, "owner_post": None, "owner": "T1", "deadline": "2026-12-31"}, who=TEACHER)
        await published(sut, "T1", who=TEACHER, approver=HEAD)
        clock.now = datetime.fromisoformat("2027-01-02T04:00:00+00:00")
        await tick(sut)
        ended = await cycle(sut, "teacher", "1 year", status="ended", subject="T1")
        other = await cycle(sut, "teacher", "1 year", status="ended", subject="T2")
        origin = {"origin": {"kind": "cycle", "cycle": ended["id"]}}
        async with sut.as_(TEACHER) as teacher, sut.as_(DIAGNOSER) as office, sut.as_(APPROVER) as leader:
            early = await made(teacher, "/plans/T1/versions", origin, 422)
            assert "not closed" in early["errors"][0]["detail"]
            for each in (ended, other):
                await made(office, f"/cycles/{each['id']}/diagnosis", {"findings": "目标偏高"})
                await made(leader, f"/cycles/{each['id']}/diagnosis/approve")
                await made(office, f"/cycles/{each['id']}/lesson", {"lesson": "每学期两次公开课"})
            await made(teacher, "/plans/T1/versions", {"origin": {"kind": "cycle", "cycle": other["id"]}}, 422)
            assert (await made(teacher, "/plans/T1/versions", origin))["version"] == 2
            await published(sut, "T1", who=TEACHER, approver=HEAD)
            again = await made(teacher, "/plans/T1/versions", origin, 422)
            assert "already" in again["errors"][0]["detail"]
            assert (await made(teacher, "/plans/T1/versions", ORDERED))["version"] == 3
