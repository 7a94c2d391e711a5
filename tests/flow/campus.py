"""A campus system that sends good events and bad ones, and knows how many must be counted."""

from __future__ import annotations

from typing import Any

import httpx

from tests.flow.bad_events import SCHOOL, event, written
from tests.flow.stack import Stack, until

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
LEVELS = {"student": "S1", "class": "K1", "school": SCHOOL}


class Campus:
    """A campus system that counts what it was told is accepted."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.school = stack.operator(SCHOOL)
        self.key = self.school.add()
        self.other_key = stack.operator("there").add()
        self.good = 0

    def send(self, body: Any, media: str = BATCHED, *, key: str | None = "", **headers: str) -> httpx.Response:
        """Post a body; `key` None sends none. Underscores in `headers` stand for hyphens."""
        named = {"Content-Type": media, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if key is not None:
            named["Authorization"] = f"Bearer {key or self.key}"
        return self.school.http.post(f"{self.stack.url}/api/v1/events", content=body, headers=named)

    def accepted(self, answer: httpx.Response, n: int = 1) -> None:
        assert (answer.status_code, answer.json()) == (202, {"accepted": n})
        self.good += n

    def refused(self, answer: httpx.Response, status: int, reason: str = "") -> dict[str, Any]:
        """The problem, which must be one, and after which nothing but the good events is counted."""
        problem = self.problem(answer, status, reason)
        self.only_good_events_count()
        return problem

    def problem(self, answer: httpx.Response, status: int, reason: str = "") -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = answer.json()
        kinds = {400: "malformed", 401: "unauthorized", 403: "forbidden", 413: "too-large", 415: "unsupported-media-type"}
        assert problem["type"] == f"urn:zhengai:problem:{kinds.get(status, 'invalid')}"
        assert problem["status"] == status
        assert reason in problem["detail"]
        return problem

    def only_good_events_count(self) -> None:
        """Send one more good event; the bus keeps the order, so whatever was taken before it is counted before it."""
        self.accepted(self.send(written([event(f"good-{self.good}")])))
        until(lambda: self.counted("school") >= self.good, "the good event is counted")
        assert self.counted("school") == self.good

    def counted(self, level: str, window: str = "day") -> float:
        """The denominators of all subjects of the level, of which there may be only one."""
        found = self.school.get("monitoring/measurements", metric="attendance", level=level, window=window)["items"]
        assert [m["subject"] for m in found] in ([], [LEVELS[level]])
        return sum(float(m["denominator"]) for m in found)
