"""A school's campus systems and its reader: they send and listen over HTTP, and never give up."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.flow.stack import School, Stack, until
from tests.torture.history import AT_FIRST, IN_THE_MIDDLE, Batch, History, roster

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
        if answer.status_code not in {202, 503}:
            self.trouble = f"{answer.status_code} {answer.text}"
        return answer.status_code == 202


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
    """One school of a round: sends one half, then learns new indicators, then sends the other."""

    def __init__(self, stack: Stack, history: History, folder: Path, calm: threading.RLock, acknowledged: Count) -> None:
        self.history, self.school = history, School(stack, history.code)
        self.reader = Reader(self.school)
        self.journals = [
            [Journal(folder / f"{history.code}-{half}-{n}") for n, _ in enumerate(lanes)] for half, lanes in self._lanes()
        ]
        self._stack, self._calm, self._acknowledged = stack, calm, acknowledged
        self.trouble: str | None = None
        self._key = ""

    def _lanes(self) -> Sequence[tuple[int, list[list[Batch]]]]:
        return list(enumerate(self.history.halves))

    @property
    def requests(self) -> int:
        return sum(len(lane) for lanes in self.history.halves for lane in lanes)

    def prepare(self) -> None:
        """Before anything is tormented."""
        self._key = self.school.add()
        self._import(whole=False)
        for indicator in AT_FIRST:
            self.school.activate(indicator)
        self.reader.start()

    def live(self) -> None:
        """The whole round; `trouble` says what went wrong."""
        try:
            self._send(0)
            self._settle()
            with self._calm:  # their place in the order of counting must be known
                self._settle()
                for indicator in IN_THE_MIDDLE:
                    self.school.activate(indicator)
            importing = threading.Thread(target=self._import, daemon=True)
            importing.start()
            self._send(1)
            importing.join(PATIENCE_S)
            self._settle()
        except Exception as error:  # noqa: BLE001 - shown as the round's failure, whatever it is
            self.trouble = self.trouble or f"{type(error).__name__}: {error}"

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

    def _send(self, half: int) -> None:
        lanes = zip(self.history.halves[half], self.journals[half], strict=True)
        connections = [Connection(lambda: self._stack.url, self._key, lane, journal, self._acknowledged) for lane, journal in lanes]
        for connection in connections:
            connection.start()
        for connection in connections:
            connection.join()
        if troubles := [connection.trouble for connection in connections if connection.trouble]:
            raise RuntimeError(f"{self.history.code}: {troubles[0]}")

    def _import(self, *, whole: bool = True) -> None:
        """Until it is taken: the same roster may be sent any number of times."""
        end, reason = time.monotonic() + PATIENCE_S, "no answer"
        content, headers = roster(whole=whole), {"Content-Type": "application/zip"}
        while time.monotonic() < end:
            with suppress(httpx.TransportError):
                answer = self.school.call("PUT", "roster", content=content, headers=headers)
                if answer.status_code == 200:
                    return
                reason = answer.text
            time.sleep(AGAIN_S)  # a client's pause before it tries again
        self.trouble = f"{self.history.code}: the roster was not taken: {reason}"
