"""A school's campus systems and its reader: they send and listen over HTTP, and never give up."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx

from tests.flow.stack import School, Stack, until
from tests.torture.history import AT_FIRST, IN_THE_MIDDLE, LEADER, PERSON, POSTS, SHANGHAI, Batch, History, daily, roster
from tests.torture.office import SETUP, Office

DISMISSED = 3  # by a person, a school and round
AHEAD_S, JOB_S = 20, 10  # daily indicators are judged some seconds from when they are activated, and a job looks now and then
AGAIN_S = 0.1  # between two tries of a request that failed
REQUEST_S = 30.0
PATIENCE_S = 240.0


class Journal:
    """What was acknowledged, on disk before anything else is sent: one line a 202, the number of the batch."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab")

    def note(self, batch: int) -> None:
        self._file.write(b"%d\n" % batch)
        self._file.flush()
        os.fsync(self._file.fileno())

    def read(self) -> list[int]:
        """From the file, as somebody else would read it."""
        return [int(line) for line in self._path.read_text().splitlines()]


class Connection(threading.Thread):
    """Posts batches in order, each until it is acknowledged."""

    def __init__(self, url: Callable[[], str], key: str, batches: Sequence[Batch], journal: Journal, acknowledged: Count) -> None:
        super().__init__(daemon=True)
        self._url, self._batches, self._journal, self._acknowledged = url, batches, journal, acknowledged
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents-batch+json"}
        self.trouble: str | None = None

    def run(self) -> None:
        end = time.monotonic() + PATIENCE_S
        with httpx.Client(timeout=REQUEST_S, headers=self._headers) as http:
            for batch in self._batches:
                while not self._post(http, batch.body):
                    if self.trouble or time.monotonic() > end:
                        self.trouble = self.trouble or f"batch {batch.number} was not acknowledged in time"
                        return
                    time.sleep(AGAIN_S)  # a client's pause before it tries again
                self._journal.note(batch.number)
                self._acknowledged.add()

    def _post(self, http: httpx.Client, body: bytes) -> bool:
        try:
            answer = http.post(f"{self._url()}/api/v1/events", content=body)
        except httpx.TransportError:
            return False
        if answer.status_code not in {202, 503} and not _ahead(answer):
            self.trouble = f"{answer.status_code} {answer.text}"
        return answer.status_code == 202


def _ahead(answer: httpx.Response) -> bool:
    """Whether what is of today was refused since the gateway's clock is days behind: it is sent again."""
    return answer.status_code == 422 and all(fault["pointer"].endswith("/time") for fault in answer.json()["errors"])


class Count:
    """How many requests were acknowledged so far, and whoever waits for that many."""

    def __init__(self) -> None:
        self._more, self.value = threading.Condition(), 0

    def add(self) -> None:
        with self._more:
            self.value += 1
            self._more.notify_all()

    def wait_for(self, value: int, limit_s: float) -> bool:
        with self._more:
            return self._more.wait_for(lambda: self.value >= value, limit_s)


class Reader(threading.Thread):
    """Follows the live stream from its beginning, through every lost connection."""

    def __init__(self, school: School) -> None:
        super().__init__(daemon=True)
        self._school, self._last = school, "0"
        self.blocks: list[tuple[int, str, dict[str, Any]]] = []
        self.resets, self.stopped = 0, False

    def run(self) -> None:
        while not self.stopped:
            with suppress(httpx.TransportError):
                self._read()
            time.sleep(AGAIN_S)  # a client's pause before it tries again

    def _read(self) -> None:
        """Until the connection ends, as it does every minute."""
        headers = {"Authorization": self._school.http.headers["Authorization"], "Last-Event-ID": self._last}
        url, params = f"{self._school.stack.url}/api/v1/reporting/stream", {"school": self._school.code}
        with httpx.stream("GET", url, params=params, headers=headers, timeout=20) as answer:
            text = ""
            for chunk in answer.iter_text() if answer.status_code == 200 else ():
                *blocks, text = (text + chunk).split("\n\n")
                for block in blocks:
                    self._take(dict(line.partition(": ")[::2] for line in block.splitlines()))
                if self.stopped:
                    return

    def _take(self, block: dict[str, str]) -> None:
        if block.get("event") == "reset":
            self.resets += 1
        elif "data" in block:
            self.blocks.append((int(block["id"]), block["event"], json.loads(block["data"])))
        self._last = block.get("id", self._last)


class Campus:
    """One school of a round: sends one half, then much changes, then sends the other."""

    def __init__(self, stack: Stack, history: History, folder: Path, calm: threading.RLock, acknowledged: Count) -> None:
        self.history, self.school = history, School(stack, history.code)
        self.reader = Reader(self.school)
        self.journals = [
            [Journal(folder / f"{history.code}-{half}-{n}") for n, _ in enumerate(lanes)] for half, lanes in self._lanes()
        ]
        self.journals.insert(1, [Journal(folder / f"{history.code}-middle")])
        # What was done between the halves: indicators activated, batches sent, stories dismissed, in order.
        self.middle: list[tuple[str, Any]] = []
        self.moved = history.today
        self.dismissed: set[str] = set()
        self.judged_daily = False
        self._stack, self._calm, self._acknowledged = stack, calm, acknowledged
        self.trouble: str | None = None
        self._key, self._person = "", httpx.Client()

    def _lanes(self) -> Sequence[tuple[int, list[list[Batch]]]]:
        return list(enumerate(self.history.halves))

    @property
    def requests(self) -> int:
        return sum(len(lane) for lanes in self.history.halves for lane in lanes)

    def prepare(self) -> None:
        """Before anything is tormented."""
        self._key = self.school.add()
        self._import(whole=False, moved=False)
        self.school.change("PUT", "posts", content=POSTS.encode(), headers={"Content-Type": "text/csv"})
        self._person, leader = (self.school.user(f"{who}-{self.history.code}".lower(), who) for who in (PERSON, LEADER))
        self.office = Office(self.school, self.history, self._person, leader)
        self.school.change("PUT", "setup", json=SETUP)
        for indicator in AT_FIRST:
            self.school.activate(indicator)
        self.reader.start()

    def live(self) -> None:
        """The whole round; `trouble` says what went wrong."""
        try:
            self._send(self.history.halves[0], self.journals[0])
            self._settle()
            with self._calm:  # their place in the order of counting must be known
                self._settle()
                due = self._change_much()
            others: list[threading.Thread] = [threading.Thread(target=self._import, daemon=True), self.office]
            others += [] if self.history.ordered else [threading.Thread(target=self._dismiss, daemon=True)]
            for other in others:
                other.start()
            self._send(self.history.halves[1], self.journals[2])
            for other in others:
                other.join(PATIENCE_S)
            self.trouble = self.trouble or self.office.trouble
            until(lambda: datetime.now(SHANGHAI) > due, "the time at which the daily indicator is judged", PATIENCE_S)
            self._settle()
        except Exception as error:  # noqa: BLE001 - shown as the round's failure, whatever it is
            self.trouble = self.trouble or f"{type(error).__name__}: {error}"

    def _change_much(self) -> datetime:
        """Indicators, the roster and what a person thinks of warnings; return by when the daily indicator is judged."""
        for indicator in IN_THE_MIDDLE:
            self.school.activate(indicator)
            self.middle.append(("activated", indicator))
        self.moved = datetime.now(SHANGHAI).date()
        self._import(whole=False)
        self._settle()
        self._send_in_the_middle(0)
        due = (datetime.now(SHANGHAI) + timedelta(seconds=AHEAD_S + 60)).replace(second=0, microsecond=0)
        self.school.activate(daily(f"{due:%H:%M}"))
        self.middle.append(("activated", daily("")))
        self._send_in_the_middle(1)
        if self.history.ordered:
            self._dismiss()
            self._settle()
        self.judged_daily = datetime.now(SHANGHAI) < due
        return due + timedelta(seconds=JOB_S)

    def _send_in_the_middle(self, n: int) -> None:
        batch = self.history.middle[n]
        self._send([[batch]], self.journals[1])
        self.middle.append(("batch", batch))
        self._settle()

    def _dismiss(self) -> None:
        """A person finds that some warnings are unfounded."""
        chosen = Random(f"{self.history.seed} person")
        listed = self._patiently("GET", "monitoring/warnings", params={"status": "open", "limit": 500}).json()["items"]
        open_ = sorted((w for w in listed if self.history.ordered or w["indicator"] != "daily"), key=_key)
        for warning in chosen.sample(open_, min(DISMISSED, len(open_))):
            options = {"json": {"reason": "误报"}, "headers": {"Idempotency-Key": warning["id"]}}
            path = f"monitoring/warnings/{warning['id']}"
            answer = self._patiently("POST", f"{path}/dismiss", **options)
            if answer.status_code == 409:  # it was over already, or it was done and the answer lost
                answer = self._patiently("GET", path)
            if answer.json()["status"] == "dismissed":
                self.dismissed.add(warning["id"])
                self.middle.append(("dismissed", _key(warning)))

    def _patiently(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Let the person ask until there is an answer, 200 or 409."""

        def ask() -> httpx.Response | None:
            with suppress(httpx.TransportError):
                answer = self._person.request(method, path, **options)
                return answer if answer.status_code in {200, 409} else None
            return None

        answer: httpx.Response = until(ask, f"{self.history.code}: {method} {path} is answered", PATIENCE_S)
        return answer

    def _settle(self) -> None:
        """Wait until what was accepted has taken hold, also while those who are asked come and go."""
        until(self._is_settled, f"{self.history.code} settled", PATIENCE_S)

    def _is_settled(self) -> bool:
        with suppress(httpx.TransportError):
            answer = self.school.call("GET", "progress")
            if answer.status_code in {200, 202}:
                self.school.settle(answer.json()["position"], PATIENCE_S)
                return True
        return False

    def _send(self, lanes: Sequence[Sequence[Batch]], journals: Sequence[Journal]) -> None:
        each = zip(lanes, journals, strict=True)
        connections = [Connection(lambda: self._stack.url, self._key, lane, journal, self._acknowledged) for lane, journal in each]
        for connection in connections:
            connection.start()
        for connection in connections:
            connection.join()
        if troubles := [connection.trouble for connection in connections if connection.trouble]:
            raise RuntimeError(f"{self.history.code}: {troubles[0]}")

    def _import(self, *, whole: bool = True, moved: bool = True) -> None:
        """Until it is taken: the same roster may be sent any number of times."""
        end, reason = time.monotonic() + PATIENCE_S, "no answer"
        content, headers = roster(whole=whole, moved=moved), {"Content-Type": "application/zip"}
        while time.monotonic() < end:
            with suppress(httpx.TransportError):
                answer = self.school.call("PUT", "roster", content=content, headers=headers)
                if answer.status_code == 200:
                    return
                reason = answer.text
            time.sleep(AGAIN_S)  # a client's pause before it tries again
        self.trouble = f"{self.history.code}: the roster was not taken: {reason}"


def _key(warning: dict[str, Any]) -> tuple[str, str, str]:
    return warning["indicator"], warning["level"], warning["subject"]
