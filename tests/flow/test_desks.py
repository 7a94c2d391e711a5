"""Desks through the one door: one call holds what planning asks for and how monitoring sees it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.flow.stack import Stack
from tests.flow.test_chains import FILES, POSTS, Chain, zipped

LEADER = "T1,course_leader,C1,2020-01-01,\n"


class Desks(Chain):
    """A school with a course leader, whose class is below the line, as a student is."""

    def __init__(self, stack: Stack, code: str) -> None:
        super().__init__(stack, code)
        self.signed_in: dict[str, httpx.Client] = {}
        roster = zipped({**FILES, "classes": [*FILES["classes"], "K1,二班,C1,scheduled,D1"]})
        self.school.change("PUT", "roster", content=roster, headers={"Content-Type": "application/zip"})
        self.school.change("PUT", "posts", content=(POSTS + LEADER).encode(), headers={"Content-Type": "text/csv"})
        self.watch("mine", "attendance", 0.9, level="student")
        self.watch("theirs", "lesson_attendance", 0.9)
        lesson = self.event("lesson_attendance", 30, 40, lesson="L1")
        mine = self.event("attendance", 0, 1, student="S1", lesson="L1")
        self.send(lesson, mine)

    def person(self, id_: str) -> httpx.Client:
        if id_ not in self.signed_in:
            self.signed_in[id_] = super().person(id_)
        return self.signed_in[id_]

    def desk(self, who: str, name: str, **params: str) -> dict[str, Any]:
        answer = self.person(who).get(f"desks/{name}", params=params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def desks(standing: Stack, request: pytest.FixtureRequest) -> Desks:
    return Desks(standing, request.node.originalname.removeprefix("test_")[:40])


def test_a_students_desk_has_figures_reason_and_next_step_in_one_call(desks: Desks) -> None:
    shown = desks.desk("S1", "student")
    (warning,) = next(each for each in shown["sections"] if each["name"] == "warnings")["items"]
    assert warning["says"]
    assert [(each["indicator"], each["value"], each["line"]) for each in shown["figures"]] == [("mine", 0, 0.9)]
    answer = {"improvement": warning["id"], "text": "以后按时到课"}
    desks.done(desks.person("S1"), "planning/desks/student/answers", answer)


def test_a_course_leaders_desk_has_the_classes_side_by_side_and_nobody_elses(desks: Desks) -> None:
    shown = desks.desk("T1", "course-leader")
    assert shown["of"] == ["C1"]
    assert [(each["subject"], each["indicator"], each["value"]) for each in shown["figures"]] == [("K1", "theirs", 0.75)]
    refused = [desks.person(who).get(f"desks/{name}").status_code for who, name in (("S1", "course-leader"), ("T1", "student"))]
    assert refused == [403, 403]
    unknown = [desks.person("T1").get(f"desks/{path}").status_code for path in ("course-leader?of=C9", "nothing")]
    assert unknown == [404, 404]
