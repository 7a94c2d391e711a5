"""Plans and goals: what may be written, who judges it, what publication asks for, and what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from libs.common.events.planning import PlanPublished
from services.planning.queries import goal_id
from tests.service.harness import SCHOOL, ServiceUnderTest, principal
from tests.service.planning.chain import (
    CLASS_TEACHER,
    HEAD,
    LEADER,
    OFFICE,
    ORDERED,
    STUDENT,
    TEACHER,
    drafted,
    goal,
    made,
    moved,
    plan,
    published,
    seen,
    set_up,
)
from tests.service.planning.school import planning, tell


def ref(plan_: str, code: str) -> str:
    return str(goal_id(SCHOOL, plan_, code))


def pointers(problem: Any) -> list[str]:
    return [each["pointer"] for each in problem["errors"]]


async def test_a_plan_goes_from_draft_through_review_into_force_and_is_edited_only_as_a_new_version(
    database_url: str, tmp_path: Path
) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(LEADER) as leader:
        await set_up(sut)
        (id_,) = await drafted(sut, plan("M", swot=[{"kind": "weakness", "text": "双师型教师偏少", "goals": ["G1"]}]), goal("G1"))
        assert (await made(office, "/plans", plan("M"), 409))["type"].endswith("conflict")
        assert (await office.post("/plans/M/publish")).status_code == 409
        await made(office, "/plans/M/submit")
        assert (await office.put("/plans/M", json=_body("M"))).status_code == 409
        assert (await made(office, "/plans/M/approve", status=403))["type"].endswith("forbidden")
        await made(leader, "/plans/M/return", {"reason": "请补充现状"})
        await made(office, "/plans/M/submit")
        await made(leader, "/plans/M/comment", {"text": "可以"})
        await made(leader, "/plans/M/approve")
        shown = await made(office, "/plans/M/publish")
        assert (shown["status"], shown["published_on"], shown["goals"], shown["warnings"]) == ("published", "2026-03-02", 1, [])
        steps = [each["step"] for each in shown["history"]]
        assert steps == ["written", "submitted", "returned", "submitted", "commented", "approved", "published"]
        (fact,) = [m.event for m in await sut.published() if isinstance(m.event, PlanPublished)]
        assert (fact.plan, fact.version, fact.goals) == ("M", 1, 1)

        changed = {"goal": goal("G1", statement="达到 85%"), "why": "省里提高了要求"}
        assert (await office.put(f"/goals/{id_}", json=changed)).status_code == 409
        assert (await office.put("/plans/M", json=_body("M"))).status_code == 409
        assert (await made(office, "/plans/M/versions", ORDERED))["version"] == 2
        assert (await made(office, "/plans/M/versions", ORDERED, status=409))["status"] == 409
        assert (await office.put(f"/goals/{id_}", json=changed)).status_code == 200
        assert (await seen(sut, f"/goals/{id_}"))["goal"]["statement"] == goal("G1")["statement"]  # what is in force stands
        await published(sut, "M")

        now = await seen(sut, f"/goals/{id_}")
        assert (now["version"], now["goal"]["statement"]) == (2, "达到 85%")
        change = now["history"][-1]
        assert (change["old"]["statement"], change["new"]["statement"]) == (goal("G1")["statement"], "达到 85%")
        assert (change["by"], change["why"]) == ("Q1", "省里提高了要求")
        assert (await seen(sut, f"/goals/{id_}?version=1"))["goal"]["statement"] == goal("G1")["statement"]
        versions = await seen(sut, "/plans/M/versions")
        assert [(each["version"], each["status"]) for each in versions["items"]] == [(2, "published"), (1, "replaced")]


def _body(code: str, **said: Any) -> dict[str, Any]:
    return {name: value for name, value in plan(code, **said).items() if name != "code"}


async def test_who_wrote_a_goal_of_a_plan_does_not_judge_it(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(LEADER) as leader:
        await set_up(sut)
        (id_,) = await drafted(sut, plan("M"), goal("G1"))
        assert (await leader.put(f"/goals/{id_}", json={"goal": goal("G1", statement="达到 90%"), "why": "试"})).status_code == 200
        await made(office, "/plans/M/submit")

        assert (await made(leader, "/plans/M/approve", status=403))["type"].endswith("forbidden")


async def test_publication_names_each_letter_of_smart_that_a_goal_fails(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(LEADER) as leader:
        await set_up(sut)
        await drafted(sut, plan("M"), goal("TOP"))
        await published(sut, "M")
        await drafted(
            sut,
            plan("S", kind="special", parent="M"),
            {"code": "BARE"},
            goal(
                "LATE",
                parents=[{"goal": ref("M", "TOP")}],
                measure={"indicator": "dual-year", "values": [{"year": 2028, "target": 0.7}]},
            ),
        )
        shorter = _body("S", kind="special", parent="M", period_to="2028-12-31")
        assert (await office.put("/plans/S", json=shorter)).status_code == 200
        await made(office, "/plans/S/submit")
        await made(leader, "/plans/S/approve")

        problem = await made(office, "/plans/S/publish", status=422)

        found = {each["pointer"]: each["detail"] for each in problem["errors"]}
        assert {pointer: detail[0] for pointer, detail in found.items()} == {
            "/goals/BARE/statement": "S",
            "/goals/BARE/owner": "S",
            "/goals/BARE/measure": "M",
            "/goals/BARE/parents": "R",
            "/goals/BARE/deadline": "T",
            "/goals/LATE/deadline": "T",
        }
        assert "2030-12-31" in found["/goals/LATE/deadline"]
        assert (await seen(sut, "/plans/S"))["status"] == "approved"


async def test_what_looks_out_of_reach_is_said_and_never_forbidden(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        measure = {"indicator": "dual-year", "baseline": 0.7, "values": [{"year": 2026, "target": 0.6}]}
        bare = {"indicator": "dual-year", "values": [{"year": 2026, "target": 0.6}]}
        await drafted(sut, plan("M"), goal("G1", measure=measure), goal("G2", measure=bare))

        shown = await published(sut, "M")

        assert shown["status"] == "published"
        assert [(each["goal"], each["letter"], each["pointer"]) for each in shown["warnings"]] == [
            ("G1", "A", "/goals/G1/measure/values/0/target"),
            ("G2", "A", "/goals/G2/measure/baseline"),
        ]


async def test_scenario_18_a_students_own_standard_is_not_below_the_schools(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(STUDENT) as student:
        await set_up(sut)
        body = plan("S1-2026", kind="personal", level="student", subject="S1")
        await drafted(sut, body, who=STUDENT)

        def own(target: float) -> dict[str, Any]:
            measure = {"metric": "credits", "level": "student", "window": "year", "values": [{"year": 2026, "target": target}]}
            return {"goal": goal("G1", measure=measure, owner="S1", owner_post=None)}

        problem = await made(student, "/plans/S1-2026/goals", own(5), 422)
        assert pointers(problem) == ["/goal/measure/values/0/target"]
        assert "第二课堂学分不少于 6 学分" in problem["errors"][0]["detail"]
        assert (await seen(sut, "/plans/S1-2026/goals", STUDENT))["items"] == []
        assert (await made(student, "/plans/S1-2026/goals", own(8)))["subject"] == "S1"
        await published(sut, "S1-2026", who=STUDENT, approver=CLASS_TEACHER)


@pytest.mark.parametrize(("level", "subject"), [("teacher", "T1"), ("student", "S1")])
async def test_a_person_is_measured_by_a_plan_of_their_own_alone(
    database_url: str, tmp_path: Path, level: str, subject: str
) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(HEAD) as head:
        await set_up(sut)
        await drafted(sut, plan("U", kind="unit", level="department", unit="cnc", subject="cnc"), who=HEAD)
        measure = {
            "metric": "credits",
            "level": level,
            "subject": subject,
            "window": "year",
            "values": [{"year": 2026, "target": 8}],
        }
        problem = await made(head, "/plans/U/goals", {"goal": goal("G1", measure=measure)}, 422)
        assert pointers(problem) == ["/goal/measure/subject"]


async def test_a_personal_plan_is_written_by_its_person_judged_above_and_seen_by_nobody_else(
    database_url: str, tmp_path: Path
) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(HEAD) as head, sut.as_(TEACHER) as teacher:
        await set_up(sut)
        body = plan("T1-2026", kind="personal", level="teacher", subject="T1")
        await drafted(sut, body, who=TEACHER)
        assert (await made(head, "/plans/T1-2026/goals", {"goal": goal("G1")}, 403))["type"].endswith("forbidden")
        stranger = principal("plan.read", "plan.write", "plan.approve", id="T2", over=["teacher:T2", "unit:art"])
        async with sut.as_(stranger) as other:
            for path in ("/plans/T1-2026", "/plans/T1-2026/goals"):
                assert (await other.get(path)).status_code == 404
            assert (await other.get("/plans")).json()["items"] == []
            assert (await made(other, "/plans", {**body, "code": "T1-B"}, 403))["status"] == 403
            assert (await made(other, "/plans/T1-2026/approve", status=404))["status"] == 404
        await made(teacher, "/plans/T1-2026/submit")
        await made(head, "/plans/T1-2026/comment", {"text": "目标偏低"})
        await made(head, "/plans/T1-2026/return", {"reason": "请提高科研目标"})
        assert (await seen(sut, "/plans/T1-2026", TEACHER))["history"][-1]["what"] == {"reason": "请提高科研目标"}
        await made(teacher, "/plans/T1-2026/submit")
        await made(head, "/plans/T1-2026/approve")
        await made(teacher, "/plans/T1-2026/publish")

        assert [each["code"] for each in (await seen(sut, "/plans", HEAD))["items"]] == ["T1-2026"]
        assert (await seen(sut, "/plans", stranger))["items"] == []

        await tell(sut, moved("art"))
        assert (await seen(sut, "/plans", HEAD))["items"] == []  # whoever moves takes the plan along
        assert [each["code"] for each in (await seen(sut, "/plans", stranger))["items"]] == ["T1-2026"]


async def test_what_is_published_is_for_all_to_read_and_a_draft_for_who_has_to_do_with_it(
    database_url: str, tmp_path: Path
) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        (id_,) = await drafted(sut, plan("U", kind="unit", level="department", unit="cnc", subject="cnc"), goal("G1"), who=HEAD)
        for path in ("/plans/U", f"/goals/{id_}", f"/goals/{id_}/tree"):
            async with sut.as_(TEACHER) as teacher:
                assert (await teacher.get(path)).status_code == 404
        await published(sut, "U", who=HEAD)
        for path in ("/plans/U", f"/goals/{id_}", f"/goals/{id_}/tree"):
            await seen(sut, path, TEACHER)
        async with sut.as_(principal("plan.read", school="other")) as elsewhere:
            assert (await elsewhere.get(f"/goals/{id_}")).status_code == 404
        async with sut.as_(HEAD) as head:
            await made(head, "/plans/U/versions", ORDERED)
            await head.put(f"/goals/{id_}", json={"goal": goal("G1", statement="草稿"), "why": "试"})
            assert [change["version"] for change in (await head.get(f"/goals/{id_}")).json()["history"]] == [1, 2]
        assert [change["version"] for change in (await seen(sut, f"/goals/{id_}", TEACHER))["history"]] == [1]


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"period_to": "2025-12-31"}, "/period_to"),
        ({"period_to": "2031-01-01", "parent": "M"}, "/period_to"),
        ({"period_from": "2025-12-31", "parent": "M"}, "/period_from"),
        ({"parent": "NONE"}, "/parent"),
        ({"kind": "personal"}, "/subject"),
        ({"owner": "T1", "owner_post": "teacher"}, "/owner_post"),
        ({"colour": "red"}, "/colour"),
        ({"period_from": "2026-02-30"}, "/period_from"),
        ({"name": "a\u0000b"}, "/name"),
    ],
)
async def test_a_plan_that_cannot_stand_is_refused(database_url: str, tmp_path: Path, said: dict[str, Any], pointer: str) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as office:
        await drafted(sut, plan("M"))

        assert pointers(await made(office, "/plans", plan("P", **said), 422)) == [pointer]
        assert (await office.get("/plans/P")).status_code == 404


async def test_neither_plans_nor_goals_form_a_circle_and_a_parents_period_holds_its_children(
    database_url: str, tmp_path: Path
) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as office:
        await set_up(sut)
        await drafted(sut, plan("M"), goal("A"), goal("B", parents=[{"goal": ref("M", "A")}]))
        await drafted(sut, plan("S", parent="M"), goal("C", parents=[{"goal": ref("M", "B")}]))
        problem = (await office.put("/plans/M", json=_body("M", parent="S"))).json()
        assert pointers(problem) == ["/parent"]
        assert pointers((await office.put("/plans/M", json=_body("M", period_to="2029-12-31"))).json()) == ["/period_to"]
        for parents in (["C"], ["B"], ["A"]):
            link = [{"goal": ref("S" if code == "C" else "M", code)} for code in parents]
            answer = await office.put(f"/goals/{ref('M', 'A')}", json={"goal": goal("A", parents=link), "why": "试"})
            assert (answer.status_code, pointers(answer.json())) == (422, ["/goal/parents"])
        assert (await seen(sut, f"/goals/{ref('M', 'A')}"))["goal"]["parents"] == []


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"measure": {"indicator": "none", "values": []}}, "/goal/measure/indicator"),
        ({"measure": {"metric": "none", "level": "school", "window": "year"}}, "/goal/measure/metric"),
        ({"measure": {"metric": "credits", "level": "class", "window": "year"}}, "/goal/measure/subject"),
        ({"measure": {"metric": "credits", "level": "class"}}, "/goal/measure/metric"),
        (
            {"measure": {"indicator": "dual-year", "values": [{"year": 2027, "target": 1}, {"year": 2026, "target": 1}]}},
            "/goal/measure/values",
        ),
        ({"measure": {"indicator": "dual-year", "values": [{"year": 2027, "target": 0.1234567}]}}, "/goal/measure/values/0/target"),
        ({"measure": {"indicator": "dual-year", "values": [{"year": 2027, "target": "1"}]}}, "/goal/measure/values/0/target"),
        ({"deliverable": {"name": "课程", "level": "school"}}, "/goal/deliverable"),
        ({"owner": "T1"}, "/goal/owner_post"),
        ({"owner_post": None, "owner": "T1", "helpers": ["T1"]}, "/goal/helpers"),
        ({"parents": [{"goal": ref("M", "NONE")}]}, "/goal/parents/0/goal"),
        ({"deadline": "2031-01-01"}, "/goal/deadline"),
        ({"deadline": "2025-12-31"}, "/goal/deadline"),
        ({"measure": {"indicator": "dual-year", "values": [{"year": 2031, "target": 1}]}}, "/goal/measure/values/0/year"),
        ({"parents": [{"goal": ref("M", "A"), "weight": 1.5}]}, "/goal/parents/0/weight"),
        ({"roll_up": "average"}, "/goal/roll_up"),
        ({"colour": "red"}, "/goal/colour"),
    ],
)
async def test_a_goal_that_cannot_stand_is_refused(database_url: str, tmp_path: Path, said: dict[str, Any], pointer: str) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as office:
        await set_up(sut)
        await drafted(sut, plan("M"), goal("A"))

        assert pointers(await made(office, "/plans/M/goals", {"goal": goal("B", **said)}, 422)) == [pointer]
        assert [each["goal"]["code"] for each in (await seen(sut, "/plans/M/goals"))["items"]] == ["A"]


@pytest.mark.parametrize(
    ("weights", "status"), [((0.1, 0.2, 0.7), 200), ((0.1, 0.2, 0.6), 422), ((0.5, 0.6, 0.1), 422), ((0.5, None, 0.5), 422)]
)
async def test_weights_under_a_weighted_goal_are_one_together_exactly(
    database_url: str, tmp_path: Path, weights: tuple[float | None, ...], status: int
) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(LEADER) as leader:
        await set_up(sut)
        links = [{"goal": ref("M", "TOP"), **({} if weight is None else {"weight": weight})} for weight in weights]
        below = [goal(f"G{n}", parents=[link]) for n, link in enumerate(links)]
        await drafted(sut, plan("M"), goal("TOP", measure=None, roll_up="weighted"), *below)
        await made(office, "/plans/M/submit")
        await made(leader, "/plans/M/approve")

        answer = await office.post("/plans/M/publish")

        assert answer.status_code == status
        if status == 422:
            assert pointers(answer.json()) == ["/goals/TOP/roll_up"]


async def test_goals_of_several_plans_may_add_up_to_a_parent_and_never_to_more(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(LEADER) as leader:
        await set_up(sut)
        await drafted(sut, plan("M"), goal("TOP", measure=None, roll_up="weighted"))
        await published(sut, "M")
        for code, weight in (("S1", 0.6), ("S2", 0.5)):
            await drafted(sut, plan(code, parent="M"), goal("G", parents=[{"goal": ref("M", "TOP"), "weight": weight}]))
        await published(sut, "S1")
        await made(office, "/plans/S2/submit")
        await made(leader, "/plans/S2/approve")

        assert pointers(await made(office, "/plans/S2/publish", status=422)) == ["/goals/TOP/roll_up"]

        await made(leader, "/plans/S2/return", {"reason": "权重超过 1"})
        changed = goal("G", parents=[{"goal": ref("M", "TOP"), "weight": 0.4}])
        assert (await office.put(f"/goals/{ref('S2', 'G')}", json={"goal": changed, "why": "权重"})).status_code == 200
        await published(sut, "S2")
        assert await _below(sut) == ["S1", "S2"]
        await made(office, "/plans/S1/versions", ORDERED)
        await office.delete(f"/goals/{ref('S1', 'G')}?why=合并")
        await published(sut, "S1")
        assert await _below(sut) == ["S2"]


async def test_of_two_who_make_the_next_version_at_once_one_is_told_that_there_is_one(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as office:
        await set_up(sut)
        await drafted(sut, plan("M"), goal("G"))
        await published(sut, "M")

        answers = await asyncio.gather(*(office.post("/plans/M/versions", json=ORDERED) for _ in range(4)))

        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_a_new_version_does_not_serve_a_goal_that_it_no_longer_has(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(LEADER) as leader:
        await set_up(sut)
        await drafted(sut, plan("M"), goal("TOP", measure=None, roll_up="minimum"), goal("G", parents=[{"goal": ref("M", "TOP")}]))
        await published(sut, "M")
        await made(office, "/plans/M/versions", ORDERED)
        await office.delete(f"/goals/{ref('M', 'TOP')}")
        await made(office, "/plans/M/submit")
        await made(leader, "/plans/M/approve")

        assert pointers(await made(office, "/plans/M/publish", status=422)) == ["/goals/G/parents/0/goal"]


async def _below(sut: ServiceUnderTest) -> list[str]:
    return [child["plan"] for child in (await seen(sut, f"/goals/{ref('M', 'TOP')}/tree"))["children"]]


async def test_lists_are_paged_and_filtered(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        await drafted(sut, plan("M"), *(goal(f"G{n}") for n in range(3)))
        await drafted(sut, plan("S1", kind="special", parent="M"))
        await drafted(sut, plan("S2", kind="校本", parent="M"))
        first = await seen(sut, "/plans?limit=2")
        rest = await seen(sut, f"/plans?limit=2&cursor={first['next']}")
        assert [each["code"] for each in (*first["items"], *rest["items"])] == ["M", "S1", "S2"]
        assert [each["code"] for each in (await seen(sut, "/plans?parent=M&kind=校本"))["items"]] == ["S2"]
        goals = await seen(sut, "/plans/M/goals?limit=2")
        more = await seen(sut, f"/plans/M/goals?limit=2&cursor={goals['next']}")
        assert [each["goal"]["code"] for each in (*goals["items"], *more["items"])] == ["G0", "G1", "G2"]
        async with sut.as_(OFFICE) as office:
            again = await office.post("/plans", json=plan("S1", kind="special", parent="M"))
            assert (again.status_code, again.json()["version"]) == (200, 1)
            assert (await office.get("/plans?colour=red")).status_code == 422
            assert (await office.get("/plans?cursor=x")).status_code == 422
