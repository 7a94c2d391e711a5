"""Scenarios of the implementation chain, by number: a year's tasks, the link that each must have, and the letter that freezes them."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import httpx
import pytest

from tests.flow.stack import Stack, zhengai
from tests.flow.test_scenarios import Scenario

pytestmark = pytest.mark.servers  # long: the same scenarios run as service tests in the short suite

FILES = {
    "orgs": [
        "sourcedId,name,type,parentSourcedId",
        *("R,学校,school,", "HR,人事处,department,R", "JW,教务处,department,R"),
    ],
    "academicSessions": ["sourcedId,title,type,startDate,endDate", "Y,全部,term,2010-01-01,2040-01-01"],
    "courses": ["sourcedId,title,orgSourcedId"],
    "classes": ["sourcedId,title,courseSourcedId,classType,schoolSourcedId"],
    "users": ["sourcedId,enabledUser,givenName,familyName", *(f"{id_},true,{id_},人" for id_ in ("Q", "L", "H1", "H2"))],
    "roles": [
        "sourcedId,userSourcedId,roleType,role,orgSourcedId",
        *(f"R-{id_},{id_},primary,aide,R" for id_ in ("Q", "L", "H1", "H2")),
    ],
    "enrollments": ["sourcedId,classSourcedId,userSourcedId,role,primary"],
}
POSTS = """person,post,object,from,to
Q,quality_office,,2010-01-01,
L,school_leader,,2010-01-01,
H1,department_head,HR,2010-01-01,
H2,department_head,JW,2010-01-01,
"""
YEARS = {"start": "2019-01-01", "due": "2019-12-31", "year": 2019}


def zipped() -> bytes:
    file = io.BytesIO()
    manifest = ["propertyName,value", "manifest.version,1.0", "oneroster.version,1.2", *(f"file.{name},bulk" for name in FILES)]
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("manifest.csv", "\n".join(manifest) + "\n")
        for name, lines in FILES.items():
            archive.writestr(f"{name}.csv", "\n".join(lines) + "\n")
    return file.getvalue()


class Year(Scenario):
    """A school set up from Hubei's documents for 2016–2020, with two departments and their heads."""

    def __init__(self, stack: Stack, code: str) -> None:
        super().__init__(stack, code)
        assert zhengai(stack, "school", "add", code, "--name", f"学校 {code}", "--template", "hubei-polytechnic") == 0
        self.school.change("PUT", "roster", content=zipped(), headers={"Content-Type": "application/zip"})
        self.school.change("PUT", "posts", content=POSTS.encode(), headers={"Content-Type": "text/csv"})
        body = {"code": "dual", "name": "双师型教师占比", "grain": ["teacher"], "kind": "ratio", "unit": "%", "direction": "higher"}
        self.school.change("POST", "monitoring/metrics", json=body)
        self.office, self.leader = self.person("Q"), self.person("L")

    def person(self, id_: str) -> httpx.Client:
        return self.school.user(f"{self.code}-{id_}".lower(), id_)

    def post(self, who: httpx.Client, path: str, body: Any = None, status: int = 200) -> Any:
        answer = who.post(path, json=body if body is not None else {})
        assert answer.status_code in {status, 201}, (path, answer.status_code, answer.text)
        return answer.json()

    def publish(self, plan: str, goals: list[dict[str, Any]]) -> list[str]:
        """Write goals into a plan of the template, and put it in force."""
        ids = [self.post(self.office, f"planning/plans/{plan}/goals", {"goal": each})["id"] for each in goals]
        self.post(self.office, f"planning/plans/{plan}/submit")
        self.post(self.leader, f"planning/plans/{plan}/approve")
        self.post(self.office, f"planning/plans/{plan}/publish")
        return ids

    def goals(self, unit: str, number: int) -> list[str]:
        """The master plan's goal, and below it goals of the special plan on teachers, 60/65/70/75/80 %, which a unit answers for."""
        values = [{"year": 2016 + n, "target": target} for n, target in enumerate((0.6, 0.65, 0.7, 0.75, 0.8))]
        measure = {"metric": "dual", "level": "school", "window": "year", "subject": self.code, "unit": "%", "baseline": 0.55}
        said = {"statement": "2020 年双师型教师占比达到 80%", "deadline": "2020-12-31"}
        top = {**said, "code": "top", "measure": {**measure, "values": [values[-1]]}, "owner_post": "school_leader"}
        (above,) = self.publish("hb-pl-00", [top])
        below = {**said, "measure": {**measure, "values": values}, "unit": unit, "owner_post": "department_head"}
        return self.publish("hb-pl-03", [{**below, "code": f"g{n}", "parents": [{"goal": above}]} for n in range(number)])

    def tasks(self, **filters: Any) -> list[dict[str, Any]]:
        return list(self.school.items("planning/tasks", **filters))

    def task(self, task_class: str, title: str = "完善制度", **said: Any) -> dict[str, Any]:
        return {"task_class": task_class, "title": title, "acceptance": "按期完成", "assessment": "按期完成得满分", **YEARS, **said}


@pytest.fixture
def year(standing: Stack, request: pytest.FixtureRequest) -> Year:
    return Year(standing, request.node.originalname.removeprefix("test_")[:40])


def test_scenario_1_the_tasks_of_2019_hold_the_goals_value_of_2019_once(year: Year) -> None:
    (goal,) = year.goals("HR", 1)
    first = year.post(year.office, "planning/tasks/generate", {"year": 2019})
    (task,) = year.tasks(unit="HR", task_class="a")
    assert (task["goal"], task["owner"], task["status"]) == (goal, "H1", "assigned")
    assert year.school.get(f"planning/tasks/{task['id']}")["task"]["aim"]["target"] == 0.75
    again = year.post(year.office, "planning/tasks/generate", {"year": 2019})
    assert (again["made"], again["there"]) == (0, first["made"])
    assert year.tasks(unit="HR", task_class="a") == [task]
    told = year.person("H1").get("planning/inbox").json()["items"]
    assert f"/api/v1/planning/tasks/{task['id']}" in [each["link"] for each in told]


def test_scenario_2_an_orphan_is_refused_until_its_class_has_what_it_links_to(year: Year) -> None:
    def refused(task_class: str, link: str) -> None:
        answer = year.office.post("planning/tasks", json={"task": year.task(task_class), "unit": "JW"})
        assert (answer.status_code, [each["pointer"] for each in answer.json()["errors"]]) == (422, [f"/task/{link}"])
        assert year.tasks() == []

    for task_class, link in (("a", "goal"), ("b", "resolution"), ("c", "duty")):
        refused(task_class, link)
    duty = year.post(year.office, "planning/duties", {"unit": "JW", "text": "教学运行管理"})["id"]
    row = year.post(year.office, "planning/tasks", {"task": year.task("c", duty=duty), "unit": "JW"})
    assert year.post(year.office, f"planning/tasks/{row['id']}/assign")["owner"] == "H2"


def test_scenario_3_the_letter_freezes_35_versions_and_a_changed_target_needs_a_new_one(year: Year) -> None:
    year.goals("JW", 12)
    year.post(year.office, "planning/tasks/generate", {"year": 2019})
    number = "党字〔2019〕1号"
    year.post(year.office, "planning/resolutions", {"number": number, "date": "2019-01-05", "title": "年度重点工作"})
    duty = year.post(year.office, "planning/duties", {"unit": "JW", "text": "教学运行管理"})["id"]
    bodies = [year.task("b", f"重点 {n}", resolution=number) for n in range(3)]
    bodies += [year.task("c", f"常规 {n}", duty=duty) for n in range(19)]
    ids = [year.post(year.office, "planning/tasks", {"task": body, "unit": "JW"})["id"] for body in bodies]
    year.post(year.office, "planning/tasks/assign", {"ids": ids})
    counts = {code: len(year.tasks(unit="JW", task_class=code)) for code in "abc"}
    assert counts == {"a": 12, "b": 3, "c": 20}, "the yearly diagnosis is one of the twenty"

    (letter,) = year.post(year.office, "planning/agreements", {"kind": "hb-letter", "year": 2019, "unit": "JW"})["items"]
    head, path = year.person("H2"), f"planning/agreements/{letter['id']}"
    shown = head.get(path).json()
    assert (shown["tasks"], {each["version"] for each in shown["content"]["tasks"]}) == (35, {1})
    signed = year.post(head, f"{path}/sign", {"hash": shown["hash"]})
    assert (signed["status"], signed["signed_by"]) == ("signed", "H2")
    document = head.get(f"{path}/document")
    assert document.content.startswith(b"PK")

    task = year.tasks(unit="JW", task_class="a")[0]
    content = year.school.get(f"planning/tasks/{task['id']}")["task"]
    content["aim"]["target"] = 0.7
    assert head.put(f"planning/tasks/{task['id']}", json={"task": content, "why": "难"}).status_code == 403
    assert year.office.put(f"planning/tasks/{task['id']}", json={"task": content, "why": "上级调整"}).status_code == 200
    assert head.get(path).json()["status"] == "outdated"
    (new,) = year.post(year.office, "planning/agreements", {"kind": "hb-letter", "year": 2019})["items"][-1:]
    assert (new["version"], new["tasks"], new["status"]) == (2, 35, "issued")
    assert year.post(head, f"planning/agreements/{new['id']}/sign")["status"] == "signed"
    assert year.school.get(path)["hash"] == shown["hash"]


def test_a_file_travels_through_the_door_and_back_as_it_was(year: Year) -> None:
    content = b"%PDF-1.7 " + bytes(range(256)) * 4096
    head = year.person("H1")
    answer = head.post("planning/files?name=a.pdf", content=content, headers={"Content-Type": "application/pdf"})
    assert answer.status_code == 201, answer.text
    served = head.get(answer.json()["path"].removeprefix("/api/v1/"))
    assert (served.content, served.headers["x-content-type-options"]) == (content, "nosniff")
    assert year.person("H2").get(answer.json()["path"].removeprefix("/api/v1/")).status_code == 404
