"""What an improvement may not change becomes a proposal: refused at once, kept for the next diagnosis, decided by a second person there."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.common.events.standards import IndicatorActivated
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest, principal
from tests.service.planning.chain import drafted, goal, made, plan, published, seen, set_up
from tests.service.planning.school import NOON, planning, tell, warning
from tests.service.planning.tasks import HEAD
from tests.service.planning.test_agreements import GOVERNOR, assigned
from tests.service.planning.test_cycles import COURSE_LEADER, LEADER, OFFICE, TEACHER, cycle, set_up_as, tick

LINE = IndicatorActivated(
    code="c-obj",
    version=1,
    name="课堂目标达成率",
    metric="assignment_completion",
    level="class",
    window="day",
    comparison="below",
    target=Decimal("0.85"),
    min_denominator=Decimal(1),
    evaluate="on_update",
    warning_lines=[],
    effective_from=NOON.date(),
)
CHANGE: dict[str, Any] = {"kind": "target", "of": "c-obj", "from": 0.85, "to": 0.75, "why": "学生基础薄弱"}


async def warned(sut: ServiceUnderTest) -> str:
    """Let a class be warned of and return its improvement."""
    await sut.handle(LINE)
    await tell(sut, warning(indicator="c-obj", severity="yellow"))
    (found,) = (await seen(sut, "/improvements", TEACHER))["items"]
    id_: str = found["id"]
    return id_


async def test_an_attempt_to_move_the_target_is_refused_and_waits_for_the_diagnosis(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        await set_up_as(sut)
        improvement = await warned(sut)
        async with sut.as_(TEACHER) as teacher:
            await teacher.post(f"/improvements/{improvement}/changes", json=CHANGE)
            answer = await teacher.post(f"/improvements/{improvement}/changes", json=CHANGE)
            assert (answer.status_code, answer.json()["type"]) == (403, "urn:zhengai:problem:change-proposed")
        (kept,) = (
            await seen(
                sut,
                "/proposals",
                COURSE_LEADER,
            )
        )["items"]
        assert answer.headers["Location"].endswith(kept["id"])
        said = {name: kept[name] for name in ("kind", "of", "from", "to", "place", "status", "by", "improvement")}
        assert said == {
            "kind": "target",
            "of": "c-obj",
            "from": "0.85",
            "to": "0.75",
            "place": "course:CNC101",
            "status": "queued",
            "by": "T3",
            "improvement": improvement,
        }
        assert (await seen(sut, "/proposals", principal("cycle.read", over=["unit:art"])))["items"] == []


async def test_a_proposal_is_decided_by_a_second_person_in_the_diagnosis_that_it_waits_for(
    database_url: str, tmp_path: Path
) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        await set_up_as(sut)
        improvement = await warned(sut)
        async with sut.as_(TEACHER) as teacher:
            await made(teacher, f"/improvements/{improvement}/changes", CHANGE, 403)
        (kept,) = (await seen(sut, "/proposals", OFFICE))["items"]
        month = await cycle(sut, "course", "1 month")
        decide = f"/cycles/{month['id']}/proposals/{kept['id']}/decide"
        rejected = {"decision": "reject", "reason": "先改进教学"}
        async with sut.as_(COURSE_LEADER) as leader, sut.as_(OFFICE) as office:
            await made(office, decide, rejected, 409)
            clock.now = datetime.fromisoformat("2026-04-01T04:00:00+00:00")
            await tick(sut)
            own = {"kind": "line", "of": "c-obj", "to": "0.70", "why": "与学情不符"}
            body = {"findings": "目标达成率偏低", "proposals": [own]}
            await made(leader, f"/cycles/{month['id']}/diagnosis", body)
            waiting = await made(office, f"/cycles/{month['id']}/diagnosis/approve", status=409)
            assert "2 proposals" in waiting["detail"]
            assert (await made(office, decide, rejected))["decided_by"] == "Q1"
            await made(office, decide, {"decision": "accept", "reason": "又"}, 409)
            (other,) = (await seen(sut, f"/proposals?status=queued&cycle={month['id']}", OFFICE))["items"]
            second = f"/cycles/{month['id']}/proposals/{other['id']}/decide"
            await made(leader, second, {"decision": "accept", "reason": "我提的"}, 403)
            assert (await made(office, second, {"decision": "accept", "reason": "同意"}))["status"] == "accepted"
            assert (await made(office, f"/cycles/{month['id']}/diagnosis/approve"))["status"] == "closed"


async def test_whoever_approves_the_diagnosis_may_see_and_decide_what_waits_for_it(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        await set_up_as(sut)
        await sut.handle(LINE)
        elsewhere = ["class:CNC101-A", "course:CNC101", "unit:art"]  # a class of another unit than the course's
        await tell(sut, warning(indicator="c-obj", severity="yellow", places=elsewhere))
        (found,) = (await seen(sut, "/improvements", TEACHER))["items"]
        month = (await cycle(sut, "course", "1 month"))["id"]
        head = principal("cycle.read", "diagnosis.approve", id="D1", over=["unit:mech"])
        clock.now = datetime.fromisoformat("2026-04-01T04:00:00+00:00")
        await tick(sut)
        async with sut.as_(TEACHER) as teacher, sut.as_(COURSE_LEADER) as leader, sut.as_(head) as approver:
            await made(teacher, f"/improvements/{found['id']}/changes", CHANGE, 403)
            await made(leader, f"/cycles/{month}/diagnosis", {"findings": "目标达成率偏低"})
            await made(approver, f"/cycles/{month}/diagnosis/approve", status=409)
            (kept,) = (await approver.get("/proposals")).json()["items"]
            await made(approver, f"/cycles/{month}/proposals/{kept['id']}/decide", {"decision": "reject", "reason": "先改进教学"})
            await made(approver, f"/cycles/{month}/diagnosis/approve")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"of": "nothing"}, "/of"),
    ({"kind": "goal"}, "/of"),
    ({"kind": "standard"}, "/of"),
    ({"kind": "wish"}, "/kind"),
    ({"to": None}, "/to"),
    ({"to": True}, "/to"),
    ({"to": " "}, "/to"),
    ({"why": ""}, "/why"),
    ({"colour": "red"}, "/colour"),
]


@pytest.mark.parametrize(("change", "pointer"), WRONG)
async def test_what_is_no_change_is_refused_and_keeps_nothing(
    change: dict[str, Any], pointer: str, database_url: str, tmp_path: Path
) -> None:
    async with planning(database_url, tmp_path) as sut:
        improvement = await warned(sut)
        async with sut.as_(TEACHER) as teacher:
            refused = await made(teacher, f"/improvements/{improvement}/changes", {**CHANGE, **change}, 422)
            assert refused["errors"][0]["pointer"].startswith(pointer)
            await made(teacher, f"/improvements/{improvement}/changes", {**CHANGE, "to": 0.85}, 422)
            await made(teacher, f"/improvements/{uuid4()}/changes", CHANGE, 404)
        assert (await seen(sut, "/proposals", OFFICE))["items"] == []


async def test_goals_and_weights_are_named_by_their_id_and_without_cycles_the_school_decides(
    database_url: str, tmp_path: Path
) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        (id_,) = await drafted(sut, plan("M"), goal("A"))
        improvement = await warned(sut)
        change = {"kind": "goal", "of": id_, "to": "达到 70%", "why": "过高"}
        async with sut.as_(TEACHER) as teacher:
            await made(teacher, f"/improvements/{improvement}/changes", change, 422)
            await published(sut, "M")
            await made(teacher, f"/improvements/{improvement}/changes", change, 403)
        (kept,) = (await seen(sut, "/proposals", LEADER))["items"]
        assert (kept["of"], kept["place"], kept["from"]) == (id_, "school:demo", None)
        assert (await seen(sut, f"/proposals/{kept['id']}", LEADER))["to"] == "达到 70%"


async def test_a_task_moves_no_goal_either(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up_as(sut)
        await sut.handle(LINE)
        async with sut.as_(GOVERNOR) as office, sut.as_(HEAD) as head:
            (row,) = await assigned(office, 1)
            refused = await made(head, f"/tasks/{row['id']}/changes", CHANGE, 403)
            assert refused["type"] == "urn:zhengai:problem:change-proposed"
            await made(head, f"/tasks/{uuid4()}/changes", CHANGE, 404)
        (kept,) = (await seen(sut, "/proposals", OFFICE))["items"]
        assert (kept["task"], kept["improvement"], kept["place"], kept["by"]) == (row["id"], None, "unit:mech", "D1")
