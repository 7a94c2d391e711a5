"""The spiral on real classes: lines, warnings, improvements, their effects, the year's diagnosis, and next year's tasks from there.

What was improved never was: the students are those of OULAD. So effects are measured, and none may be found beyond chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from scipy import stats

from services.cli.template.reading import find, read_template
from tests.conftest import KAFKA, POSTGRES
from tests.flow.clocked import Hosted, MovedClock, move
from tests.flow.oulad import Oulad, post, zipped
from tests.flow.stack import School, Stack, distributed, embedded, until

COURSES = {"AAA": "social", "BBB": "social", "DDD": "stem", "EEE": "stem", "FFF": "stem", "GGG": "social"}
YEARS = ("2013J", "2014J")
LINE = 0.8
MANY = 12
STUDENTS = "student-completion-month"
CLASSES = "class-completion-month"


def at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T22:00:00+08:00")


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock(at("2013-10-01"))


@pytest.fixture(params=["embedded", "distributed"])
def stack(request: pytest.FixtureRequest, tmp_path: Path, clock: MovedClock) -> Iterator[Stack]:
    def hosted(name: str, folder: Path, environment: dict[str, str]) -> Hosted:
        return Hosted(clock, name, folder, environment)

    if request.param == "embedded":
        with embedded(tmp_path, hosted) as running:
            yield running
    else:
        assert KAFKA, "make test-servers starts Kafka"
        assert POSTGRES, "make test-servers starts PostgreSQL"
        with distributed(tmp_path, KAFKA, POSTGRES, hosted) as running:
            yield running


class Year:
    """OULAD's school with the staff that it lacks, set up from Hubei's documents: courses have cycles of a month and of a year."""

    def __init__(self, stack: Stack, clock: MovedClock, data: Oulad, roster: Path) -> None:
        self.stack, self.clock, self.data, self.school = stack, clock, data, School(stack, "oulad")
        self.passwords: dict[str, str] = {}
        self.signed_in: dict[str, httpx.Client] = {}
        self.left = [(datetime.fromisoformat(each["time"]), line) for each, line in zip(data.events, data.lines, strict=True)]
        self.key = self.school.add()
        staffed(roster)
        self.school.change("PUT", "roster", content=zipped(roster), headers={"Content-Type": "application/zip"})
        self.school.change("PUT", "posts", content=posts().encode(), headers={"Content-Type": "text/csv"})
        setup = read_template(find("hubei-polytechnic")).setup.model_dump(mode="json", exclude_defaults=True)
        spirals = [{**each, "objects": [{"level": "course"}]} for each in setup["spirals"]]
        self.school.change("PUT", "setup", json={**setup, "period": {"first": 2013, "last": 2017}, "spirals": spirals})
        self.school.activate(indicator(CLASSES, "class", LINE, LINE, effect_windows=1))
        self.school.activate(indicator(STUDENTS, "student", 0.6, 0.9, effect_windows=2))

    def person(self, id_: str) -> httpx.Client:
        """Somebody, signed in on the day that it is."""
        if id_ not in self.signed_in:
            name, base = f"oulad-{id_}".lower(), f"{self.stack.url}/api/v1/"
            if id_ not in self.passwords:
                made = self.school.call("POST", "users", json={"username": name, "person": id_})
                self.passwords[id_] = made.json()["password"]
            form = {"grant_type": "password", "username": name, "password": self.passwords[id_]}
            token = httpx.post(f"{base}auth/token", data=form, timeout=30).json()["access_token"]
            self.signed_in[id_] = httpx.Client(base_url=base, timeout=60, headers={"Authorization": f"Bearer {token}"})
        return self.signed_in[id_]

    def do(self, who: str, path: str, body: Any = None) -> Any:
        answer = self.person(who).post(path, json=body if body is not None else {})
        assert answer.is_success, (path, answer.status_code, answer.text)
        return answer.json()

    def refused(self, who: str, path: str, body: Any = None) -> int:
        return self.person(who).post(path, json=body if body is not None else {}).status_code

    def go_to(self, day: str) -> None:
        """Move the clock, and send what the campus had to send until then."""
        self.school.settle()
        while self.signed_in:
            self.signed_in.popitem()[1].close()
        move(self.stack, self.clock, at(day))
        lines = [line for time, line in self.left if time <= at(day)]
        self.left = self.left[len(lines) :]
        for n in range(0, len(lines), 1000):
            post(self.school, self.key, b"[" + b",".join(lines[n : n + 1000]) + b"]")
        self.school.settle()


def staffed(roster: Path) -> None:
    """Add invented people: a teacher for each class, a leader for each course, heads of departments, office and president."""
    teachers = {f"{course}-{year}": f"T-{course}-{year}" for course in COURSES for year in YEARS}
    others = [*(f"CL-{course}" for course in COURSES), "HD-social", "HD-stem", "Q", "L"]
    lines = {
        "users": [f"{id_},,,true,,{id_},人," for id_ in (*teachers.values(), *others)],
        "roles": [
            *(f"R{id_},,,{id_},primary,teacher,,,{COURSES[class_[:3]]}" for class_, id_ in teachers.items()),
            *(f"R{id_},,,{id_},primary,aide,,,oulad" for id_ in others),
        ],
        "enrollments": [f"E{id_},,,{class_},{COURSES[class_[:3]]},{id_},teacher,true,," for class_, id_ in teachers.items()],
    }
    for name, more in lines.items():
        with (roster / f"{name}.csv").open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\r\n" for line in more)


def posts() -> str:
    held = [f"CL-{course},course_leader,{course}" for course in COURSES]
    held += [f"HD-{unit},department_head,{unit}" for unit in ("social", "stem")]
    held += ["Q,quality_office,", "L,school_leader,"]
    return "person,post,object,from,to\n" + "".join(f"{each},2013-09-01,\n" for each in held)


def indicator(code: str, level: str, enter: float, clear: float, **said: Any) -> dict[str, Any]:
    lines = [{"severity": "orange", "enter": enter, "clear": clear}]
    watched = {"metric": "assignment_completion", "level": level, "window": "month", "comparison": "below", "evaluate": "on_update"}
    whole = {"code": code, "name": code, **watched, "target": 0.9, "min_denominator": 1, "warning_lines": lines}
    return {**whole, "effective_from": "2013-09-01", **said}


def share(data: Oulad, level: str, subject: str, since: date, until_: date) -> float:
    """What was completed of what was due in these days, both inclusive: added up here, from the events as they were sent."""
    found = [0, 0]
    for event in data.events:
        said = event["data"]
        of = said["class"][:3] if level == "course" else said[level]
        within = since.isoformat() <= event["time"][:10] <= until_.isoformat()
        if said["metric"] == "assignment_completion" and of == subject and within:
            found[0] += said["numerator"]
            found[1] += said["denominator"]
    return round(found[0] / found[1], 6)


@pytest.mark.shared
@pytest.mark.servers
@pytest.mark.timeout(300)
def test_real_classes_go_once_round_the_spiral_and_the_next_years_tasks_start_where_they_came_out(
    stack: Stack, clock: MovedClock, shared: Path, tmp_path: Path
) -> None:
    data = Oulad(shared, tmp_path, every=3)
    year = Year(stack, clock, data, tmp_path / "roster")
    goals = plan_the_year(year)

    year.go_to("2013-11-28")
    improved = improve(year)
    year.go_to("2014-03-01")
    year.go_to("2014-03-02")  # whether enough is behind an improvement is looked at once a day
    see_effects(year, improved)
    year.go_to("2014-09-15")
    verified = end_the_year(year, goals)
    first = year.do("Q", "planning/tasks/generate", {"year": 2014})
    tasks = list(year.school.items("planning/tasks", year=2014, task_class="a"))
    assert {task["goal"]: task["unit"] for task in tasks} == {goals[course]: COURSES[course] for course in COURSES}
    for task in tasks:
        aim = year.school.get(f"planning/tasks/{task['id']}")["task"]["aim"]
        assert (aim["target"], aim["baseline"]) == (0.82, verified.get(task["goal"], 0.5))
    again = year.do("Q", "planning/tasks/generate", {"year": 2014})
    assert (again["made"], again["there"]) == (0, first["made"])


def plan_the_year(year: Year) -> dict[str, str]:
    """Each course's plan with its goal, written by its leader and approved by the head of its department; the goals by course."""
    goals = {}
    for course, unit in COURSES.items():
        leader, head, path = f"CL-{course}", f"HD-{unit}", f"planning/plans/{course.lower()}"
        period = {"period_from": "2013-09-01", "period_to": "2017-08-31"}
        plan = {"code": course.lower(), "name": "课程建设规划", "kind": "course", "level": "course", "subject": course, **period}
        year.do(leader, "planning/plans", {**plan, "unit": unit})
        measure = {"metric": "assignment_completion", "level": "course", "window": "year", "unit": "%", "baseline": 0.5}
        measure["values"] = [{"year": 2013, "target": 0.8}, {"year": 2014, "target": 0.82}]
        said = {"code": "completion", "statement": "作业完成率达到 82%", "measure": measure, "owner_post": "course_leader"}
        goals[course] = year.do(leader, f"{path}/goals", {"goal": {**said, "unit": unit, "deadline": "2014-12-31"}})["id"]
        year.do(leader, f"{path}/submit")
        year.do(head, f"{path}/approve")
        year.do(leader, f"{path}/publish")
    return goals


def improve(year: Year) -> list[dict[str, Any]]:
    """Work the improvements of all classes below their line and of some students of one of them, by lot: plan, work, evidence, a
    second person who confirms. Return them.
    """
    listed = list(year.school.items("planning/improvements"))
    warnings = {each["improvement"]: each for each in year.school.items("monitoring/warnings")}
    assert {each["id"] for each in listed} == set(warnings), "one improvement for each warning"
    below = [each for each in listed if warnings[each["id"]]["status"] == "open"]
    classes = [each for each in below if each["indicator"] == CLASSES]
    november = date(2013, 11, 1), date(2013, 11, 30)
    taught = {
        each["data"]["class"]
        for each in year.data.events
        if each["time"][:7] == "2013-11" and "completion" in each["data"]["metric"]
    }
    assert {(each["subject"], each["owner"], each["verifier"]) for each in classes} == {
        (class_, f"T-{class_}", f"CL-{class_[:3]}") for class_ in taught if share(year.data, "class", class_, *november) < LINE
    }
    others = {each["subject"]: each for each in below if each["indicator"] == STUDENTS}
    of_class = {said["student"] for said in (each["data"] for each in year.data.events) if said["class"] == "DDD-2013J"}
    students = [others[subject] for subject in Random(20131128).sample(sorted(of_class & set(others)), MANY)]
    for ids, owner, verifier in [
        *(([each["id"]], each["owner"], each["verifier"]) for each in classes),
        ([each["id"] for each in students], students[0]["owner"], students[0]["verifier"]),
    ]:
        plan = {"measures": ["谈话", "补交"], "goal": "完成率达到 80%", "deadline": "2013-12-10"}
        year.do(owner, "planning/improvements/start", {"ids": ids, **plan})
        text = {"Content-Type": "text/plain"}
        record = year.person(owner).post("planning/files", content="谈话记录".encode(), headers=text).json()
        year.do(owner, "planning/improvements/submit", {"ids": ids, "done": "逐一谈话，限期补交", "evidence": [record["path"]]})
        assert year.refused(owner, "planning/improvements/verify", {"ids": ids, "reason": "措施已落实"}) == 403
        year.do(verifier, "planning/improvements/verify", {"ids": ids, "reason": "措施已落实，效果待下月数据"})
    return [*classes, *students]


def see_effects(year: Year, improved: list[dict[str, Any]]) -> None:
    """Each effect tells the values before and after that the events have; of six classes nothing is judged, of students nothing found.

    Of who left the class before two more months had data there is none.
    """
    stayed = [each for each in improved if len(months_after(year.data, each)) >= (2 if each["level"] == "student" else 1)]
    found: dict[str, dict[str, Any]] = {}

    def measured() -> bool:
        for each in improved:
            if each["id"] not in found:
                answer = year.school.call("GET", f"planning/improvements/{each['id']}/effect")
                if answer.status_code == 200:
                    found[each["id"]] = answer.json()
        return len(found) >= len(stayed)

    until(measured, "all effects to be measured")
    assert found.keys() == {each["id"] for each in stayed}
    for each in stayed:
        effect = found[each["id"]]
        for when in ("before", "after"):
            days = date.fromisoformat(effect[f"{when}_from"]), date.fromisoformat(effect[f"{when}_to"])
            assert effect[when] == share(year.data, each["level"], each["subject"], *days)
        assert effect["before_to"] < "2013-12-01" <= effect["after_from"]
    classes = [found[each["id"]] for each in stayed if each["level"] == "class"]
    assert [(each["verdict"], each["peers"] < 8, each["low"]) for each in classes] == [("too_few", True, None)] * len(classes)
    students = [found[each["id"]] for each in stayed if each["level"] == "student"]
    assert all(each["peers"] >= 8 for each in students), "whole cohorts were as low and nobody worked with them"
    verdicts = Counter(each["verdict"] for each in students)
    most = stats.binom.ppf(0.999, len(students), 0.025)
    assert verdicts["effect"] <= most
    assert verdicts["worse"] <= most
    whole = year.school.get("monitoring/effects", indicator=STUDENTS)
    assert (whole["improvements"], whole["verdict"], whole["low"] < 0 < whole["high"]) == (
        len(students),
        "no_detectable_effect",
        True,
    )


def months_after(data: Oulad, improved: dict[str, Any]) -> set[str]:
    """The months after November in which something was due of a student or class."""
    events = (each for each in data.events if each["data"][improved["level"]] == improved["subject"])
    return {each["time"][:7] for each in events if each["data"]["metric"] == "assignment_completion"} - {"2013-10", "2013-11"}


def two_cycles(year: Year, course: str) -> list[dict[str, Any]]:
    """The cycles of a course by the year, the newest first, once there are two."""
    found = list(year.school.items("planning/cycles", level="course", subject=course, length="1 academic_year"))
    return found if len(found) == 2 else []


def end_the_year(year: Year, goals: dict[str, str]) -> dict[str, float]:
    """Close the academic year's cycles of two courses: its diagnosis by the leader, confirmed by the head, and what was learnt.

    Return the value that each goal came to by goal; the next year's cycles begin there.
    """
    verified = {}
    for course in ("DDD", "AAA"):
        leader, head = f"CL-{course}", f"HD-{COURSES[course]}"
        following, over = until(partial(two_cycles, year, course), "the next year's cycle to be opened")
        assert (over["starts_on"], over["status"], over["loops"] > 0) == ("2013-09-01", "ended", True)
        path = f"planning/cycles/{over['id']}"
        year.do(leader, f"{path}/diagnosis", {"findings": "期末作业完成率明显下降"})
        assert year.refused(leader, f"{path}/diagnosis/approve") == 403
        year.do(head, f"{path}/diagnosis/approve")
        assert year.school.get(path)["status"] == "ended", "the lesson is still to come"
        year.do(leader, f"{path}/lesson", {"lesson": "第二次作业前集中辅导"})
        closed = year.school.get(path)
        assert closed["status"] == "closed"
        (result,) = closed["result"]
        value = share(year.data, "course", course, date(2013, 9, 1), date(2014, 8, 31))
        assert (result["goal"], float(result["value"])) == (goals[course], value)
        assert year.school.get(f"planning/cycles/{following['id']}")["baseline"] == closed["result"]
        verified[goals[course]] = value
    return verified
