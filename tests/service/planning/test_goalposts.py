"""No sequence of calls of those who work inside the dynamic loop moves a goal, a target, a standard, a weight or a line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from libs.common.auth import Principal
from services.gateway.domain.policy import POSTS
from services.planning.tables import GoalRow, IndicatorRow, LinkRow, PlanRow, StandardRow
from tests.service.harness import ServiceUnderTest, principal
from tests.service.planning.chain import ORDERED, drafted, goal, made, plan, published, set_up
from tests.service.planning.school import planning, student_warning, tell, warning
from tests.service.planning.test_cycles import set_up_as
from tests.service.planning.test_proposals import CHANGE, LINE

EXAMPLES = int(os.environ.get("EXAMPLES", "1")) * 25
TEACHER = principal(*POSTS["teacher"].may, id="T3", over=["teacher:T3", "class:CNC101-A"])
CLASS_TEACHER = principal(*POSTS["class_teacher"].may, id="H1", over=["class:CNC2301", "teacher:H1"])
LEADER = principal("plan.read", "plan.approve", "improvement.read", id="B1")
ACTORS = (TEACHER, CLASS_TEACHER)
Call = tuple[Principal, str, str, Any]

ORIGINS: list[Any] = [
    None,
    ORDERED,
    {"origin": {"kind": "first"}},
    {"origin": {"kind": "period"}},
    {"origin": {"kind": "cycle", "cycle": str(uuid4())}},
    *[{"origin": {"kind": "exception", "reason": "学生基础薄弱"}}]
    * 6,  # what would pass otherwise leaves a draft, in the way of the next
]
LOWER = {"indicator": "dual-year", "baseline": 0.1, "values": [{"year": 2026, "target": 0.2}]}


def calls(who_: Principal, goals: Sequence[str], improvements: Sequence[str]) -> st.SearchStrategy[Call]:
    """All that might move something, by one of the actors: mostly at what is their own."""
    own_goal = goals[1 + ACTORS.index(who_)]
    who, code, of = st.just(who_), st.sampled_from([who_.id, who_.id, "M", "N"]), st.sampled_from([own_goal, own_goal, *goals])
    at = st.sampled_from(improvements)
    changed = plan("M", name="改名", period_to="2029-12-31")
    body = {"goal": goal("A", measure=LOWER), "why": "过高"}
    own = st.sampled_from([plan("N", kind="personal", level="teacher", subject=each) for each in (who_.id, "T1")])
    step = st.sampled_from(["submit", "approve", "publish", "close"])
    changes = st.sampled_from([CHANGE, {"kind": "goal", "of": goals[0], "to": "0.2", "why": "过高"}])
    return st.one_of(
        st.tuples(who, st.just("POST"), st.just("/plans"), own),
        st.tuples(who, st.just("PUT"), code.map("/plans/{}".format), st.just({k: v for k, v in changed.items() if k != "code"})),
        st.tuples(who, st.just("POST"), code.map("/plans/{}/goals".format), st.just(body)),
        st.tuples(who, st.just("PUT"), of.map("/goals/{}".format), st.just(body)),
        st.tuples(who, st.just("DELETE"), of.map("/goals/{}".format), st.none()),
        st.tuples(who, st.just("POST"), code.map("/plans/{}/versions".format), st.sampled_from(ORIGINS)),
        st.tuples(who, st.just("POST"), st.tuples(code, step).map(lambda each: "/plans/{}/{}".format(*each)), st.none()),
        st.tuples(who, st.just("POST"), at.map("/improvements/{}/changes".format), changes),
        st.tuples(who, st.just("POST"), at.map("/improvements/{}/start".format), st.just({"goal": "达到 75%"})),
        st.tuples(who, st.just("POST"), at.map("/improvements/{}/submit".format), st.just({"done": "谈话", "evidence": ["记录"]})),
        st.tuples(who, st.just("POST"), at.map("/improvements/{}/verify".format), st.just({"reason": "已见成效"})),
    )


async def posts(sut: ServiceUnderTest) -> Any:
    """Where the goalposts stand: all that is in force."""
    async with sut.database.reading() as session:
        goals = {(row.goal, row.version, str(row.content)) for row in await session.scalars(select(GoalRow).where(GoalRow.live))}
        links = {(row.goal, row.parent, row.weight) for row in await session.scalars(select(LinkRow).where(LinkRow.live))}
        plans = {(row.code, row.version, row.period_to) for row in await session.scalars(select(PlanRow).where(PlanRow.live))}
        lines = {(row.code, row.version) for row in await session.scalars(select(IndicatorRow))}
        standards = {(row.code, row.version, str(row.elements)) for row in await session.scalars(select(StandardRow))}
        excepted = {row.id for row in await session.scalars(select(PlanRow)) if row.origin["kind"] == "exception"}
    return goals, links, plans, lines, standards, excepted


async def prepare(sut: ServiceUnderTest) -> tuple[list[str], list[str]]:
    """Put goals of the school and of two persons in force, and open an improvement of a class and of a student."""
    await set_up(sut)
    await set_up_as(sut)
    await sut.handle(LINE)
    (top,) = await drafted(sut, plan("M"), goal("A"))
    await published(sut, "M")
    found = [top]
    for each in (TEACHER, CLASS_TEACHER):
        mine = plan(each.id, kind="personal", level="teacher", subject=each.id)
        values = [{"year": 2026, "target": 3}]
        measure = {"metric": "open_lessons", "level": "teacher", "window": "year", "values": values}
        said = goal("A", measure=measure, owner=each.id, parents=[{"goal": top}])
        found += await drafted(sut, mine, {name: value for name, value in said.items() if name != "owner_post"}, who=each)
        await published(sut, each.id, who=each, approver=LEADER)
    await tell(sut, warning(indicator="c-obj"), student_warning())
    async with sut.as_(LEADER) as client:
        items = (await client.get("/improvements")).json()["items"]
    return found, [each["id"] for each in items]


def test_nobody_inside_the_dynamic_loop_moves_the_goalposts(database_url: str, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        school = planning(database_url, tmp_path)
        sut = runner.run(school.__aenter__())
        try:
            goals, improvements = runner.run(prepare(sut))
            before = runner.run(posts(sut))

            async def play(made_calls: Sequence[Call]) -> None:
                for who, method, path, body in made_calls:
                    async with sut.as_(who) as client:
                        answer = await client.request(method, path, json=body)
                        assert answer.status_code < 500, answer.text
                        if path.endswith("/changes"):
                            assert answer.status_code in {403, 404, 409}
                    assert await posts(sut) == before, (who.id, method, path, body)

            one_of_them = st.sampled_from(ACTORS).flatmap(lambda who: calls(who, goals, improvements))

            @settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
            @given(st.lists(one_of_them, min_size=1, max_size=25))
            def check(made_calls: Sequence[Call]) -> None:
                runner.run(play(made_calls))

            check()
        finally:
            runner.run(school.__aexit__(None, None, None))


async def test_with_a_second_person_and_an_order_from_above_a_goal_does_move(database_url: str, tmp_path: Path) -> None:
    """What the property above forbids is not forbidden by everything being shut."""
    async with planning(database_url, tmp_path) as sut:
        await prepare(sut)
        before = await posts(sut)
        async with sut.as_(TEACHER) as teacher:
            await made(teacher, "/plans/T3/versions", ORDERED)
        await published(sut, "T3", who=TEACHER, approver=LEADER)
        assert await posts(sut) != before
