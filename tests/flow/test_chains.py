"""Scenarios of the goal chain and the standards chain, by number, from people's own sign-in to monitoring's numbers."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.flow.stack import Stack, until
from tests.flow.test_scenarios import Scenario
from tests.service.standards.school import FAMILY, standard

FILES = {
    "orgs": ["sourcedId,name,type,parentSourcedId", "R,学校,school,", "D1,一系,department,R"],
    "academicSessions": ["sourcedId,title,type,startDate,endDate", "Y,全部,term,2020-01-01,2040-01-01"],
    "courses": ["sourcedId,title,orgSourcedId", "C1,一课,D1"],
    "classes": ["sourcedId,title,courseSourcedId,classType,schoolSourcedId", "H1,一班,,homeroom,D1"],
    "users": ["sourcedId,enabledUser,givenName,familyName", *(f"{id_},true,{id_},人" for id_ in ("S1", "T1", "Q", "L", "HD"))],
    "roles": [
        "sourcedId,userSourcedId,roleType,role,orgSourcedId",
        *("R-S1,S1,primary,student,D1", "R-T1,T1,primary,teacher,D1"),
        *(f"R-{id_},{id_},primary,aide,D1" for id_ in ("Q", "L", "HD")),
    ],
    "enrollments": ["sourcedId,classSourcedId,userSourcedId,role,primary", "H1~S1,H1,S1,student,"],
}
POSTS = """person,post,object,from,to
Q,quality_office,,2020-01-01,
L,school_leader,,2020-01-01,
HD,department_head,D1,2020-01-01,
"""


def zipped(files: Mapping[str, list[str]]) -> bytes:
    file = io.BytesIO()
    manifest = ["propertyName,value", "manifest.version,1.0", "oneroster.version,1.2", *(f"file.{name},bulk" for name in files)]
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("manifest.csv", "\n".join(manifest) + "\n")
        for name, lines in files.items():
            archive.writestr(f"{name}.csv", "\n".join(lines) + "\n")
    return file.getvalue()


class Chain(Scenario):
    """A school with a department, its head, a teacher, a student, and those who approve; each signs in."""

    def __init__(self, stack: Stack, code: str, files: Mapping[str, list[str]] = FILES, posts: str = POSTS) -> None:
        super().__init__(stack, code)
        self.school.change("PUT", "roster", content=zipped(files), headers={"Content-Type": "application/zip"})
        self.school.change("PUT", "posts", content=posts.encode(), headers={"Content-Type": "text/csv"})

    def person(self, id_: str) -> httpx.Client:
        return self.school.user(f"{self.code}-{id_}".lower(), id_)

    def done(self, who: httpx.Client, path: str, body: dict[str, Any] | None = None, *, method: str = "POST") -> Any:
        """Change something as a person, and wait until every service works by it."""
        answer = who.request(method, path, json=body or {})
        assert 200 <= answer.status_code < 300, answer.text
        self.school.settle(answer.headers["Zhengai-Position"])
        return answer.json()

    def in_force(self, standard: str) -> None:
        """Let the first version of a standard be reviewed."""
        version = f"standards/standards/{standard}/versions/1"
        self.school.change("POST", f"{version}/submit", json={})
        for who in ("Q", "L"):
            self.done(self.person(who), f"{version}/approve")

    def metric(self, code: str, grain: str) -> None:
        body = {"code": code, "name": code, "grain": [grain], "kind": "sum", "direction": "higher"}
        self.school.change("POST", "monitoring/metrics", json=body)


@pytest.fixture
def chain(standing: Stack, request: pytest.FixtureRequest) -> Chain:
    return Chain(standing, request.node.originalname.removeprefix("test_")[:40])


def personal(code: str, level: str, subject: str) -> dict[str, Any]:
    period = {"period_from": "2026-01-01", "period_to": "2026-12-31"}
    return {"code": code, "name": "个人发展规划", "kind": "personal", "level": level, "subject": subject, **period}


def goal(code: str, metric: str, level: str, owner: str, target: float) -> dict[str, Any]:
    measure = {"metric": metric, "level": level, "window": "year", "values": [{"year": 2026, "target": target}]}
    said = {"code": code, "statement": code, "measure": measure, "owner": owner, "deadline": "2026-12-31"}
    return {"goal": said, "why": "年度计划"}


def test_scenario_9_an_observation_is_judged_by_the_version_of_its_time_also_when_it_is_late(chain: Chain) -> None:
    body = {"code": "employed", "name": "就业率", "grain": ["programme"], "kind": "ratio", "direction": "higher"}
    chain.school.change("POST", "monitoring/metrics", json=body)
    for line, since in ((0.9, "2018-09-01"), (0.92, "2019-09-01")):
        chain.watch("p-emp", "employed", line, level="programme", effective_from=since)
    rows = [("cnc", "2019-08-30"), ("art", "2019-09-02"), ("new", "2019-09-02"), ("new", "2019-08-30")]
    events = [chain.event("employed", 91, 100, day=day, programme=programme) for programme, day in rows]
    for event in events:
        del event["data"]["class"]
    chain.send(*events)
    assert chain.warnings() == [("p-emp", "art", "open"), ("p-emp", "new", "open")]
    assert {w["version"] for w in chain.school.items("monitoring/warnings")} == {2}


def test_scenario_15_eleven_of_twelve_is_not_attained_and_names_what_is_missing(chain: Chain) -> None:
    body = {"code": "workload", "alias": "T-WRK", "name": "教学工作量", "grain": ["teacher"], "kind": "sum", "direction": "higher"}
    chain.school.change("POST", "monitoring/metrics", json=body)
    chain.school.change("PUT", "standards/families/teacher", json=FAMILY)
    content = standard(effective_from="2020-01-01")
    chain.school.change("POST", "standards/standards", json=content)
    chain.in_force(content["code"])

    head = chain.person("HD")
    for each in (each for group in content["groups"] for each in group["elements"] if each["met_by"] == "judged"):
        judged = {"standard": content["code"], "element": each["code"], "level": "teacher", "subject": "T1"}
        body = {**judged, "met": each["name"] != "社会服务能力" or each["code"].startswith("R2"), "evidence": "年度考核表"}
        chain.done(head, "standards/judgements", body)
    workload = chain.event("workload", 320, teacher="T1")
    del workload["data"]["class"]
    chain.send(workload)

    def rungs() -> dict[str, Any]:
        shown = head.get(f"standards/ladders/{content['code']}/rank/T1").json()
        return {each["code"]: each for each in shown["rungs"]}

    until(lambda: not rungs()["R3"]["undetermined"], "the workload to be told")
    third, second = rungs()["R3"], rungs()["R2"]
    assert (third["required"], len(third["met"]), third["share"], third["attained"]) == (12, 11, 0.916667, False)
    assert [each["name"] for each in third["missing"]] == ["社会服务能力"]
    assert (second["required"], len(second["met"]), second["attained"]) == (7, 7, True)


def test_scenario_17_a_teachers_data_list_stands_against_the_plan(chain: Chain) -> None:
    for metric in ("open_lessons", "training_hours"):
        chain.metric(metric, "teacher")
    teacher, head = chain.person("T1"), chain.person("HD")
    chain.done(teacher, "planning/plans", personal("t1-2026", "teacher", "T1"))
    wanted = (("lessons", "open_lessons", 3), ("hours", "training_hours", 60))
    ids = [
        chain.done(teacher, "planning/plans/t1-2026/goals", goal(code, metric, "teacher", "T1", n))["id"]
        for code, metric, n in wanted
    ]
    chain.done(teacher, "planning/plans/t1-2026/submit")
    chain.done(head, "planning/plans/t1-2026/approve")
    chain.done(teacher, "planning/plans/t1-2026/publish")
    assert teacher.get(f"planning/goals/{ids[0]}").json()["standing"]["state"] == "no_data"

    sent = [chain.event("open_lessons", 1, teacher="T1") for _ in range(2)] + [chain.event("training_hours", 54, teacher="T1")]
    for event in sent:
        del event["data"]["class"]
    chain.send(*sent)

    def standings() -> list[dict[str, Any]]:
        return [teacher.get(f"planning/goals/{id_}").json()["standing"] for id_ in ids]

    until(lambda: all(each["value"] is not None for each in standings()), "the measurements to be told")
    assert [f"{each['attainment']:.2%}" for each in standings()] == ["66.67%", "90.00%"]
    shown = teacher.get("planning/plans/t1-2026").json()
    assert (shown["met"], shown["goals"]) == (0, 2)


def test_scenario_18_a_students_own_standard_is_not_below_the_schools(chain: Chain) -> None:
    chain.metric("credits", "student")
    operator = chain.school
    operator.change("PUT", "standards/families/student", json={"name": "学生", "name_en": "student", "kind": "student"})
    floor = {"metric": "credits", "comparison": "at_least", "value": 6, "clause": "第十六条"}
    clauses = [{"code": "第十六条", "text": "第二课堂学分不少于 6 学分"}]
    element = {
        "code": "ST-2C",
        "name": "第二课堂",
        "met_by": "document",
        "document": {"rule": "学籍管理规定"},
        "clauses": clauses,
        "floor": floor,
    }
    standard = {
        "code": "st",
        "family": "student",
        "name": "学生发展标准",
        "issuer": "institutional",
        "effective_from": "2026-01-01",
        "groups": [{"code": "G", "name": "素质", "elements": [element]}],
    }
    operator.change("POST", "standards/standards", json=standard)
    chain.in_force("st")

    student = chain.person("S1")
    chain.done(student, "planning/plans", personal("s1-2026", "student", "S1"))
    refused = student.post("planning/plans/s1-2026/goals", json=goal("credits", "credits", "student", "S1", 5))
    assert refused.status_code == 422
    assert "第十六条" in refused.json()["errors"][0]["detail"]
    assert chain.done(student, "planning/plans/s1-2026/goals", goal("credits", "credits", "student", "S1", 8))["subject"] == "S1"
