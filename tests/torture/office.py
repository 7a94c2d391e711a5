"""People at work while everything is killed around them: what they do by clicks is there once, and so is what the clock makes for them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx

from tests.flow.stack import School, until
from tests.torture.history import LEADER, PERSON, History

PIECES = 3  # of each kind, a school and round
PATIENCE_S = 240.0
SETUP = {
    "task_classes": [{"code": "c", "name": "常规任务", "link": "none"}],
    "routines": [
        {"code": "week", "name": "周例会", "level": "school", "per": "school", "by": ["quality_office"], "every": {"unit": "week"}},
        {"code": "self", "name": "自评", "level": "student", "per": "student", "every": {"unit": "month"}},
    ],
}
DONE_ONCE = {
    "improvements": ["opened", "started", "submitted", "verified", "closed"],
    "tasks": ["written", "assigned", "accepted", "submitted", "verified", "closed"],
}


class Office(threading.Thread):
    """One of the office does the work, the school's leader gives and confirms it; each asks until there is an answer."""

    def __init__(self, school: School, history: History, office: httpx.Client, leader: httpx.Client) -> None:
        super().__init__(daemon=True)
        self._school, self._history = school, history
        self.people = {PERSON: office, LEADER: leader}
        self.trouble: str | None = None

    def run(self) -> None:
        try:
            for n in range(PIECES):
                self._problem(f"问题 {n}")
                self._task(f"任务 {n}")
        except Exception as error:  # noqa: BLE001 - shown as the round's failure, whatever it is
            self.trouble = f"{self._history.code}: {type(error).__name__}: {error}"

    def _problem(self, title: str) -> None:
        ends = {"deadline": str(self._history.today + timedelta(20)), "due_on": str(self._history.today + timedelta(30))}
        said = {
            "problem": title,
            "level": "school",
            "owner": PERSON,
            "verifier": LEADER,
            "measures": ["整改"],
            "goal": "完成",
            **ends,
        }
        self._do(LEADER, "planning/improvements", {"source": "self_check", "problems": [said]}, title)
        path = f"planning/improvements/{self._find('improvements', title)}"
        self._do(PERSON, f"{path}/start", {})
        self._do(PERSON, f"{path}/submit", {"done": "已整改", "evidence": ["记录"]})
        self._do(LEADER, f"{path}/verify", {})

    def _task(self, title: str) -> None:
        year = self._history.today.year
        said = {
            "task_class": "c",
            "title": title,
            "year": year,
            "acceptance": "完成",
            "assessment": "按期",
            "start": f"{year}-01-01",
        }
        body = {"task": {**said, "due": str(self._history.today + timedelta(30))}, "owner": PERSON}
        self._do(LEADER, "planning/tasks", body, title)
        path = f"planning/tasks/{self._find('tasks', title)}"
        for who, step, said_ in (
            (LEADER, "assign", {}),
            (PERSON, "accept", {}),
            (PERSON, "submit", {"done": "已完成"}),
            (LEADER, "verify", {}),
        ):
            self._do(who, f"{path}/{step}", said_)
        self._do(LEADER, "planning/tasks/close", {"ids": [path.rpartition("/")[2]]}, title)

    def _do(self, who: str, path: str, body: Any, key: str = "") -> None:
        """Until it is done: with the same key it is done once, and whoever has lost the answer is told so (409)."""
        headers = {"Idempotency-Key": f"{path}|{key.encode().hex()}"}

        last = "no answer"

        def ask() -> bool:
            nonlocal last
            with suppress(httpx.TransportError):
                answer = self.people[who].post(path, json=body, headers=headers)
                last = f"{answer.status_code} {answer.text}"
                if 400 <= answer.status_code < 500 and answer.status_code not in {401, 409, 429}:
                    raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
                return answer.is_success or answer.status_code == 409  # 401: by a clock that is days wrong nobody is signed in
            return False

        try:
            until(ask, "it is answered", PATIENCE_S)
        except AssertionError as error:
            raise RuntimeError(f"{path}: {last}") from error

    def _find(self, kind: str, title: str) -> str:
        """The id of what has been written, as the list shows it."""

        def find() -> str | None:
            with suppress(httpx.TransportError, AssertionError):
                return next((each["id"] for each in self._school.items(f"planning/{kind}") if each["title"] == title), None)
            return None

        id_: str = until(find, f"{self._history.code}: {title} is there", PATIENCE_S)
        return id_


def wrong(school: School, office: Office) -> Iterator[tuple[str, Any, Any]]:
    """What was to be there of people's work, and what is: name, wanted, found."""
    links: set[str] = set()
    improvements = list(school.items("planning/improvements"))
    found = {
        "improvements": [each for each in improvements if each["warning"] is None],
        "tasks": list(school.items("planning/tasks")),
    }
    for kind, word in (("improvements", "问题"), ("tasks", "任务")):
        yield f"{kind} of people", sorted(f"{word} {n}" for n in range(PIECES)), sorted(each["title"] for each in found[kind])
        for each in found[kind]:
            path = f"planning/{kind}/{each['id']}"
            links.add(f"/api/v1/{path}")
            yield f"steps of {each['title']}", DONE_ONCE[kind], [step["step"] for step in school.get(path)["history"]]
    numbers = sorted(each["number"] for each in improvements)
    yield "numbers of the ledger", list(range(1, len(improvements) + 1)), numbers
    due = Counter((each["routine"], each["period"], each["subject"]) for each in school.items("planning/due-items"))
    yield "due items made twice", [], [key for key, n in due.items() if n > 1]
    yield "routines with due items", {"week", "self"}, {routine for routine, _, _ in due}
    for who, client in office.people.items():
        told = client.get("planning/inbox", params={"limit": 500}).json()["items"]
        again = Counter((each["kind"], each["link"]) for each in told if each["link"] in links)
        yield f"what {who} was told twice", [], [key for key, n in again.items() if n > 1]
