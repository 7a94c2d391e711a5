"""Warning lines that a school dares to switch on: tried out first, tuned, and released by the quality office."""

from __future__ import annotations

from typing import Any

import httpx

from tests.flow.stack import until
from tests.flow.test_chains import Chain, chain

__all__ = ["chain"]

LINE = {"severity": "yellow", "enter": 0.9, "clear": 0.9}
INDICATOR: dict[str, Any] = {
    "code": "attendance-day",
    "name": "班级日出勤率",
    "metric": "lesson_attendance",
    "level": "class",
    "window": "day",
    "comparison": "below",
    "min_denominator": 1,
    "evaluate": "on_update",
    "warning_lines": [LINE],
    "effective_from": "2025-09-01",
    "trial": True,
}
TUNED = {"warning_lines": [{**LINE, "enter": 0.8, "clear": 0.8}], "reason": "试运行表明 0.9 过严"}


def breaches(office: httpx.Client, version: int) -> list[tuple[str, int]]:
    answer = office.get(f"monitoring/trials/attendance-day/versions/{version}/breaches")
    assert answer.status_code == 200, answer.text
    return [(each["subject"], each["episodes"]) for each in answer.json()["items"]]


def test_a_trial_shows_breaches_and_opens_no_task_until_the_office_releases_it(chain: Chain) -> None:
    office, head = chain.person("Q"), chain.person("HD")
    chain.done(office, "standards/indicators", INDICATOR)
    chain.done(office, "standards/indicators/attendance-day/versions/1/activate")
    one, two = (chain.event("lesson_attendance", there, of, lesson=f"L{of}") for there, of in ((17, 20), (6, 10)))
    two["data"]["class"] = "K2"
    chain.send(one, two)

    assert (breaches(office, 1), chain.warnings(), chain.improvements()) == ([("K1", 1), ("K2", 1)], [], [])
    assert head.get("monitoring/trials").status_code == 403

    assert head.post("standards/indicators/attendance-day/tune", json=TUNED).status_code == 403
    tuned = chain.done(office, "standards/indicators/attendance-day/tune", TUNED)
    assert (tuned["version"], tuned["status"], tuned["reason"]) == (2, "trial", TUNED["reason"])
    assert (breaches(office, 2), chain.warnings(), chain.improvements()) == ([("K2", 1)], [], [])

    release = "standards/indicators/attendance-day/versions/2/release"
    assert head.post(release).status_code == 403
    chain.done(office, release)
    until(chain.improvements, "the task of the released line")
    assert chain.warnings() == [("attendance-day", "K2", "open")]
    assert chain.improvements() == [("K2", "proposed")]
    trials = office.get("monitoring/trials", params={"indicator": "attendance-day"}).json()["items"]
    assert [(each["version"], each["ended_at"] is None) for each in trials] == [(2, False), (1, False)]
