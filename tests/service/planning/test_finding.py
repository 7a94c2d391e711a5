"""Problems that people found: who may record them, whose they become, and the plan that they need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient, Response

from libs.common.events.gateway import Post, PostsImported
from libs.common.events.planning import ImprovementClosed, ImprovementOpened, ImprovementProgressed, ImprovementStarted
from libs.common.events.standards import IndicatorActivated
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest, principal
from tests.service.planning.school import NOON, POSTS, one, planning, tell, warning, without

OFFICE = principal("improvement.open", "improvement.read", "improvement.work", "improvement.verify", "settings.write", id="Q1")
HEAD = principal("improvement.open", "improvement.read", "improvement.work", "improvement.verify", over=["unit:mech"], id="D1")
GROUP = principal("improvement.open", "improvement.read", "inbox.read", over=["level:department"], id="G1")
LEADER = principal("improvement.read", "improvement.verify", "inbox.read", id="B1")
WITH_GROUP = PostsImported(part="p1/1", posts=[*POSTS, Post(person="G1", post="level_group", object="department")])
PLAN = {"measures": ["补签责任书"], "goal": "任务完成率达到 90%", "deadline": "2026-03-20"}
FINDING = {"problem": "中期到期任务 18 项只完成 14 项", "level": "department", "subject": "mech"}


def findings(*problems: dict[str, Any], source: str = "mid_term_check") -> dict[str, Any]:
    return {"source": source, "problems": list(problems)}


@asynccontextmanager
async def school(url: str, folder: Path, clock: SettableClock | None = None) -> AsyncIterator[ServiceUnderTest]:
    async with planning(url, folder, WITH_GROUP, clock=clock) as sut:
        yield sut


async def recorded(client: AsyncClient, *problems: dict[str, Any], source: str = "mid_term_check") -> list[dict[str, Any]]:
    answer = await client.post("/improvements", json=findings(*problems, source=source))
    assert answer.status_code == 201, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def pointers(answer: Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    return sorted(error["pointer"] for error in answer.json()["errors"])


async def test_findings_of_a_mid_term_check_open_one_improvement_each_for_the_units_head(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(GROUP) as group:
        mech, _ = await recorded(group, FINDING, {**FINDING, "problem": "记录不全"})

        assert (mech["source"], mech["warning"], mech["severity"], mech["unit"]) == ("mid_term_check", None, None, "mech")
        assert (mech["owner"], mech["verifier"], mech["tracking"]) == ("D1", "Q1", "level_group")
        assert (mech["plan_due_on"], mech["due_on"], mech["status"]) == ("2026-03-09", "2026-04-01", "proposed")
        first, second = [m.event for m in await sut.published() if isinstance(m.event, ImprovementOpened)]
        assert (first.title, first.source, first.warning) == (FINDING["problem"], "mid_term_check", None)
        assert first.places == ["level:department", "school:demo", "unit:demo", "unit:mech"]
        assert second.recurs is None  # another problem of the same unit
        async with sut.as_(principal("inbox.read", id="D1")) as head:
            notices = (await head.get("/inbox")).json()["items"]
            assert [each["kind"] for each in notices] == ["improvement_opened"] * 2
            assert notices[-1]["link"] == f"/api/v1/planning/improvements/{mech['id']}"


@pytest.mark.parametrize("lacking", ["measures", "goal", "deadline"])
async def test_scenario_13_a_plan_that_lacks_measures_goal_or_deadline_is_refused_and_changes_nothing(
    database_url: str, tmp_path: Path, lacking: str
) -> None:
    plan = {name: value for name, value in PLAN.items() if name != lacking}
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head:
        (item,) = await recorded(office, FINDING)
        assert (await one(sut, item["id"], HEAD))["proposed_plan"] == {"measures": [], "goal": None, "deadline": None}

        refused = await head.post(f"/improvements/{item['id']}/start", json=plan)

        assert pointers(refused) == [f"/{lacking}"]
        assert (await one(sut, item["id"], HEAD))["status"] == "proposed"
        started = await head.post(f"/improvements/{item['id']}/start", json=PLAN)
        assert (started.status_code, started.json()["status"]) == (200, "running")


async def test_the_whole_way_of_a_finding_ends_closed_once_somebody_else_has_verified_it(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head:
        (item,) = await recorded(office, FINDING)
        path = f"/improvements/{item['id']}"
        await sut.published()

        assert (await head.post(f"{path}/start", json=PLAN)).status_code == 200
        assert (await head.post(f"{path}/progress", json={"text": "已完成 16 项", "evidence": ["清单"]})).status_code == 200
        assert pointers(await head.post(f"{path}/submit", json={"done": "都完成了"})) == ["/evidence"]
        assert (await head.post(f"{path}/submit", json={"done": "都完成了", "evidence": ["验收单"]})).status_code == 200
        assert (await head.post(f"{path}/verify")).status_code == 403  # who submitted it
        assert (await office.post(f"{path}/return", json={"reason": "缺一项"})).status_code == 200
        assert (await head.post(f"{path}/submit", json={"done": "补了", "evidence": ["验收单"]})).status_code == 200
        verified = await office.post(f"{path}/verify")
        assert (verified.json()["status"], verified.json()["close_reason"]) == ("closed", "verified")
        assert (await head.post(f"{path}/progress", json={"text": "还有"})).status_code == 409

        told = [message.event for message in await sut.published()]
        assert isinstance(told[0], ImprovementStarted)
        assert told[0].warning is None
        assert isinstance(told[1], ImprovementProgressed)
        assert told[-1] == ImprovementClosed(improvement=item["id"], warning=None, reason="verified")
        async with sut.as_(principal("inbox.read", id="D1")) as owner, sut.as_(principal("inbox.read", id="Q1")) as verifier:
            kinds = [each["kind"] for each in (await owner.get("/inbox")).json()["items"]]
            assert kinds == ["improvement_verified", "improvement_returned", "improvement_opened"]
            assert [each["kind"] for each in (await verifier.get("/inbox")).json()["items"]] == ["improvement_submitted"] * 2


async def test_a_plan_may_not_end_after_the_due_date_unless_that_has_passed(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with school(database_url, tmp_path, clock) as sut, sut.as_(OFFICE) as office:
        (item,) = await recorded(office, {**FINDING, "due_on": "2026-03-15"})
        start = f"/improvements/{item['id']}/start"
        assert pointers(await office.post(start, json=PLAN)) == ["/deadline"]
        clock.advance(days=20)
        assert (await office.post(start, json=PLAN)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"subject": None}, ["/problems/0/subject"]),
        ({"subject": "nowhere"}, ["/problems/0/subject"]),
        (
            {"unit": "nowhere", "owner": "nobody", "verifier": "S1"},
            ["/problems/0/owner", "/problems/0/unit", "/problems/0/verifier"],
        ),
        ({"owner": "T1", "verifier": "T1"}, ["/problems/0/verifier"]),
        ({"verifier": "T2"}, ["/problems/0/verifier"]),
        ({"verifier": "L1"}, ["/problems/0/verifier"]),
        ({"verifier": "D1"}, ["/problems/0/verifier"]),  # who owns it by their post
        ({"level": "teacher", "subject": "nobody"}, ["/problems/0/subject"]),
        ({"level": "course", "subject": "nothing"}, ["/problems/0/subject"]),
        ({"level": "class", "subject": "CNC101-A"}, ["/problems/0/unit"]),
        ({"level": "class", "subject": "CNC101-Z", "unit": "cnc"}, ["/problems/0/subject"]),
        ({"level": "student", "subject": "T1", "unit": "cnc"}, ["/problems/0/subject"]),
        ({"plan_due_on": "2026-03-20", "due_on": "2026-03-10"}, ["/problems/0/plan_due_on"]),
        ({"deadline": "2026-03-20", "due_on": "2026-03-10"}, ["/problems/0/deadline"]),
        ({"indicator": "class-completion-week"}, ["/problems/0/indicator"]),
        ({"problem": " "}, ["/problems/0/problem"]),
        ({"colour": "red"}, ["/problems/0/colour"]),
        ({"measures": []}, ["/problems/0/measures"]),
        ({"tracking": "gardener"}, ["/problems/0/tracking"]),
    ],
)
async def test_what_does_not_hang_together_is_refused_field_by_field_and_nothing_is_recorded(
    tmp_path: Path, changes: dict[str, Any], expected: list[str]
) -> None:
    async with school(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as sut, sut.as_(OFFICE) as office:
        await sut.handle(indicator())
        refused = await office.post("/improvements", json=findings({**FINDING, **changes}, FINDING))
        assert pointers(refused) == expected
        assert (await office.get("/improvements")).json()["items"] == []
        assert await sut.published() == []


async def test_only_what_ones_posts_reach_can_be_recorded(database_url: str, tmp_path: Path) -> None:
    course = {"problem": "教案缺失", "level": "class", "subject": "CNC101-A", "unit": "cnc"}
    other = principal("improvement.open", "improvement.read", over=["unit:art"], id="D2")
    async with school(database_url, tmp_path) as sut:
        async with sut.as_(HEAD) as head, sut.as_(GROUP) as group, sut.as_(other) as stranger:
            (item,) = await recorded(head, course, source="spot_check")
            assert (item["owner"], item["unit"]) == ("T3", "cnc")
            for client, problem in ((stranger, FINDING), (stranger, course), (group, course)):
                assert (await client.post("/improvements", json=findings(problem))).status_code == 403
        async with sut.as_(principal("improvement.work")) as worker:
            assert (await worker.post("/improvements", json=findings(FINDING))).status_code == 403


async def test_what_is_wrong_in_the_whole_school_is_answered_by_the_unit_named(database_url: str, tmp_path: Path) -> None:
    whole = {"problem": "制度未修订", "level": "school"}
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office:
        nobody, unit, named = await recorded(
            office,
            whole,
            {**whole, "unit": "mech"},
            {**whole, "owner": "T1", "verifier": "B1", "unit": "mech"},
            source="collection",
        )
        assert (nobody["subject"], nobody["unit"], nobody["owner"]) == ("demo", None, "Q1")
        assert (unit["owner"], unit["verifier"]) == ("D1", "Q1")
        assert (named["owner"], named["verifier"], named["verifier_post"]) == ("T1", "B1", "school_leader")


async def test_a_problem_says_what_its_subject_is_called(database_url: str, tmp_path: Path) -> None:
    about = {"course": "CNC101", "class": "CNC101-A", "homeroom": "CNC2301", "student": "S1", "teacher": "T1", "programme": "cnc"}
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office:
        problems = [{"problem": "缺", "level": level, "subject": id_, "unit": "cnc"} for level, id_ in about.items()]
        names = [each["subject_name"] for each in await recorded(office, *problems, source="patrol")]
    assert names == ["数控编程", "数控2301班", "数控2301", "学生一", "T1老师", "数控技术"]


async def test_who_was_named_works_on_it_whatever_posts_they_hold(database_url: str, tmp_path: Path) -> None:
    may = ("improvement.read", "improvement.work", "improvement.verify")
    named, other = (principal(*may, over=[f"teacher:{id_}"], id=id_) for id_ in ("T1", "T2"))
    async with (
        school(database_url, tmp_path) as sut,
        sut.as_(OFFICE) as office,
        sut.as_(named) as owner,
        sut.as_(other) as stranger,
    ):
        item, _ = await recorded(office, {**FINDING, "owner": "T1"}, {**FINDING, "problem": "记录不全"})
        path = f"/improvements/{item['id']}"
        assert [each["id"] for each in (await owner.get("/improvements")).json()["items"]] == [item["id"]]
        assert [each["improvement"] for each in (await owner.get("/ledger")).json()["items"]] == [item["id"]]
        assert (await owner.post(f"{path}/start", json=PLAN)).status_code == 200
        assert (await owner.post(f"{path}/submit", json={"done": "已补签", "evidence": ["责任书"]})).status_code == 200
        assert (await owner.post(f"{path}/verify")).status_code == 403
        assert (await stranger.get(path)).status_code == 404
        assert (await stranger.post(f"{path}/verify")).status_code == 404
        assert (await stranger.get("/ledger")).json()["items"] == []


async def test_who_comes_to_hold_a_vacant_post_takes_over_and_is_told(database_url: str, tmp_path: Path) -> None:
    whole = {"problem": "制度未修订", "level": "school", "unit": "mech"}
    async with planning(database_url, tmp_path, without("department_head")) as sut, sut.as_(OFFICE) as office:
        item, named, judged = await recorded(office, whole, {**whole, "owner": "T1"}, {**whole, "verifier": "B1"})
        assert (item["owner"], item["vacant"], named["owner"]) == ("Q1", ["department_head"], "T1")
        await sut.handle(without())
        assert (await one(sut, item["id"], OFFICE))["owner"] == "D1"
        assert (await one(sut, named["id"], OFFICE))["owner"] == "T1"
        now = await one(sut, judged["id"], OFFICE)
        assert (now["owner"], now["verifier"]) == ("D1", "B1"), "who was named to verify it still does"
        async with sut.as_(principal("inbox.read", id="D1")) as head:
            notices = (await head.get("/inbox")).json()["items"]
            assert {notice["link"].rpartition("/")[2] for notice in notices} == {item["id"], judged["id"]}


async def test_problems_recorded_at_once_are_numbered_apart(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as one_office, sut.as_(HEAD) as head:
        calls = [recorded(client, {**FINDING, "problem": f"问题{n}"}, FINDING) for n, client in enumerate([one_office, head] * 3)]
        found = [item["number"] for items in await asyncio.gather(*calls) for item in items]
        assert sorted(found) == list(range(1, 13))


def indicator() -> IndicatorActivated:
    said = {"code": "class-completion-week", "name": "班级周作业完成率", "metric": "assignment_completion", "level": "class"}
    lines: dict[str, Any] = {"comparison": "below", "min_denominator": 1, "warning_lines": [], "evaluate": "on_update"}
    return IndicatorActivated(version=1, window="week", effective_from=date(2026, 2, 24), **said, **lines)


async def test_the_same_indicator_and_subject_again_recurs_whoever_noticed_it(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    found = {"problem": "又低了", "level": "class", "subject": "CNC101-A", "unit": "cnc", "indicator": "class-completion-week"}
    async with school(database_url, tmp_path, clock) as sut, sut.as_(OFFICE) as office:
        await sut.handle(indicator())
        await tell(sut, warning(), warning(subject="CNC101-B"))
        first, other = [m.event for m in await sut.published() if isinstance(m.event, ImprovementOpened)]
        assert (first.recurs, other.recurs) == (None, None)
        clock.advance(days=365)
        (again,) = await recorded(office, found, source="patrol")
        assert again["recurs"] == str(first.improvement)
        ledger = (await office.get("/ledger")).json()["items"]
        assert [(row["number"], row["recurs"]) for row in ledger] == [(1, None), (2, None), (3, 1)]

        assert (await office.put("/settings", json={"recurs_days": 10})).status_code == 200
        clock.advance(days=11)
        (late,) = await recorded(office, found, source="patrol")
        assert late["recurs"] is None


async def test_a_schools_own_terms_for_a_source_rule_what_is_recorded_next(database_url: str, tmp_path: Path) -> None:
    own = {"sources": {"mid_term_check": {"plan_days": 3, "due_days": 10}}, "tracking": "quality_office"}
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office:
        wrong = {"sources": {"patrol": {"plan_days": 3, "due_days": 2}}}
        assert pointers(await office.put("/settings", json=wrong)) == ["/sources/patrol/plan_days"]
        assert (await office.put("/settings", json=own)).status_code == 200
        (item,) = await recorded(office, FINDING)
        assert (item["plan_due_on"], item["due_on"], item["tracking"]) == ("2026-03-05", "2026-03-12", "quality_office")
        (other,) = await recorded(office, FINDING, source="patrol")
        assert (other["plan_due_on"], other["due_on"]) == ("2026-03-05", "2026-03-16")
