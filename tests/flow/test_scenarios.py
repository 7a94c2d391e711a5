"""Acceptance scenarios of the schools' documents, by number, and the life of a warning that a correction takes back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.flow.oulad import post
from tests.flow.stack import School, Stack, until

TYPE = "cn.zhengai.observation"


class Scenario:
    """One school that sends observations of classes and reads what comes of them."""

    def __init__(self, stack: Stack, code: str) -> None:
        self.code, self.school, self.sent = code, School(stack, code), 0
        self.key = self.school.add()

    def watch(self, code: str, metric: str, line: float, **said: Any) -> None:
        indicator = {
            "code": code,
            "name": code,
            "metric": metric,
            "level": "class",
            "window": "day",
            "comparison": "below",
            "min_denominator": 1,
            "evaluate": "on_update",
            "warning_lines": [{"severity": "yellow", "enter": line, "clear": line}],
            "effective_from": "2025-09-01",
        }
        self.school.activate({**indicator, **said})

    def event(
        self, metric: str, numerator: float, denominator: float = 1, /, day: str = "2026-03-02", **named: Any
    ) -> dict[str, Any]:
        self.sent += 1
        data = {"metric": metric, "numerator": numerator, "denominator": denominator, "class": "K1", **named}
        said = {"id": f"e{self.sent}", "source": f"urn:campus:{self.code}:lms", "time": f"{day}T08:00:00+08:00"}
        return {"specversion": "1.0", "type": f"{TYPE}.v1", **said, "data": data}

    def amendment(self, kind: str, data: dict[str, Any], day: str = "2026-03-02") -> dict[str, Any]:
        return {**self.event("", 0, day=day), "type": f"{TYPE}.{kind}.v1", "data": data}

    def send(self, *events: dict[str, Any]) -> None:
        post(self.school, self.key, json.dumps(events).encode())
        self.school.settle()

    def value(self, metric: str, level: str, window: str) -> Any:
        (found,) = self.school.items("monitoring/measurements", metric=metric, level=level, window=window)
        return found["numerator"], found["denominator"], found["value"]

    def warnings(self) -> list[tuple[Any, ...]]:
        return sorted((w["indicator"], w["subject"], w["status"]) for w in self.school.items("monitoring/warnings"))

    def improvements(self) -> list[tuple[str, str]]:
        return sorted((i["subject"], i["status"]) for i in self.school.items("planning/improvements"))


@pytest.fixture
def scenario(standing: Stack, request: pytest.FixtureRequest) -> Scenario:
    return Scenario(standing, request.node.originalname.removeprefix("test_")[:60])


def test_scenario_4_student_attendance_of_a_class_of_40_with_3_on_leave(scenario: Scenario) -> None:
    scenario.watch("c-sat", "attendance", 0.9, min_denominator=37)
    there = {f"S{n}": int(n < 32) for n in range(37)}  # who is on leave is not observed
    events = [scenario.event("attendance", here, student=student, lesson="L1") for student, here in there.items()]
    scenario.send(*events)
    scenario.send(*events)
    assert scenario.value("attendance", "lesson", "day") == (32, 37, 0.864865)
    assert scenario.warnings() == [("c-sat", "K1", "open")]
    assert scenario.improvements() == [("K1", "proposed")]


def test_a_metric_of_the_schools_own_is_listed_and_counts(scenario: Scenario) -> None:
    body = {"code": "meals", "name": "就餐", "grain": ["class"], "kind": "count", "direction": "higher"}
    scenario.school.change("POST", "monitoring/metrics", json=body)
    assert "meals" in [metric["code"] for metric in scenario.school.items("monitoring/metrics")]
    scenario.send(scenario.event("meals", 30), scenario.event("meals", 12))
    assert scenario.value("meals", "class", "day") == (42, 2, 42)


def test_scenario_5_sessions_add_as_sums_and_never_as_rates(scenario: Scenario) -> None:
    scenario.send(scenario.event("lesson_attendance", 36, 40, lesson="L1"))
    scenario.send(scenario.event("lesson_attendance", 10, 20, lesson="L2", day="2026-03-04"))
    assert scenario.value("lesson_attendance", "class", "week") == (46, 60, 0.766667)


def test_scenario_6_marking_below_its_line_warns_and_completion_does_not(scenario: Scenario) -> None:
    scenario.watch("c-hwc", "assignment_completion", 0.9, window="week", min_denominator=152)
    scenario.watch("c-mrk", "assignment_marking", 0.95, level="teacher", window="week", min_denominator=140)
    handed_in = [scenario.event("assignment_completion", int(n < 140), student=f"S{n % 38}") for n in range(152)]
    scenario.send(*handed_in, scenario.event("assignment_marking", 126, 140, teacher="T1"))
    assert scenario.value("assignment_completion", "class", "week") == (140, 152, 0.921053)
    assert scenario.value("assignment_marking", "teacher", "week") == (126, 140, 0.9)
    assert scenario.warnings() == [("c-mrk", "T1", "open")]


def test_scenario_7_lesson_steps_and_objectives_are_judged_by_lines_of_their_own(scenario: Scenario) -> None:
    scenario.watch("c-stp", "lesson_step_completion", 0.9)
    scenario.watch("c-obj", "objective_attainment", 0.85)
    scenario.send(
        scenario.event("lesson_step_completion", 5, 6, teacher="T1", lesson="L1"),
        scenario.event("objective_attainment", 4, 5, teacher="T1", lesson="L1"),
    )
    assert scenario.value("lesson_step_completion", "class", "day")[2] == 0.833333
    assert scenario.value("objective_attainment", "class", "day")[2] == 0.8
    assert scenario.warnings() == [("c-obj", "K1", "open"), ("c-stp", "K1", "open")]


def test_scenario_11_lesson_tests_of_a_month_are_judged_once_it_is_over(scenario: Scenario) -> None:
    scenario.watch("c-tst", "assessment_score", 0.85, level="course", window="month", evaluate="window_close")
    days = [f"2026-03-{2 + 3 * n:02}" for n in range(8)]
    scenario.send(*[scenario.event("assessment_score", 40, 50, student="S1", course="C1", day=day) for day in days])
    assert scenario.value("assessment_score", "course", "month") == (320, 400, 0.8)
    until(scenario.warnings, "the month that is over is judged")
    assert scenario.warnings() == [("c-tst", "C1", "open")]


def test_a_warning_that_only_a_mistake_caused_is_withdrawn_and_closes_its_task(scenario: Scenario) -> None:
    scenario.watch("rate", "attendance", 0.8, min_denominator=2)
    wrong = scenario.event("attendance", 0, 4, student="S1")
    scenario.send(scenario.event("attendance", 1, 1, student="S2"), wrong)
    assert (scenario.warnings(), scenario.improvements()) == ([("rate", "K1", "open")], [("K1", "proposed")])

    scenario.send(scenario.amendment("retracted", {"retracts": wrong["id"], "reason": "刷卡机故障"}))
    assert scenario.warnings() == [("rate", "K1", "withdrawn")]
    until(lambda: scenario.improvements() == [("K1", "closed")], "the task is closed with its warning")
    texts = [line["text"] for line in scenario.school.items("reporting/timeline")]
    assert any("撤回" in text and "刷卡机故障" in text for text in texts)


def test_a_correction_and_a_rebuild_leave_the_state_of_whoever_was_never_wrong(scenario: Scenario) -> None:
    scenario.watch("rate", "attendance", 0.8, min_denominator=2)
    first = scenario.event("attendance", 4, 4, student="S1")
    right = {**first["data"], "numerator": 1, "corrects": first["id"]}
    scenario.send(scenario.amendment("corrected", right), first, scenario.event("attendance", 1, 1, student="S2"))
    assert scenario.value("attendance", "class", "day") == (2, 5, 0.4)
    assert scenario.warnings() == [("rate", "K1", "open")]

    scenario.school.call("POST", "monitoring/rebuild")
    state = until(lambda: (s := scenario.school.get("monitoring/rebuild"))["status"] == "finished" and s, "the rebuild ends")
    assert (state["before"], state["mended"]) == (state["after"], 0)
    assert scenario.warnings() == [("rate", "K1", "open")]
