"""Post a file of events as a campus system would: in order, each batch until it is acknowledged, then never again."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from services.cli import Failure
from services.cli.client import Client, problem, sentence

if TYPE_CHECKING:
    import httpx

MOST_EVENTS = 1_000
MOST_BYTES = 5 * 2**20
BATCHES_A_SECOND = 10  # with a rate, so that it is even within a second
REFUSALS = frozenset({400, 413, 422})
NOT_ALLOWED = 403
HEADERS = {"Content-Type": "application/cloudevents-batch+json"}


@dataclass(frozen=True, slots=True)
class Line:
    """One event as it stands in the file, and where."""

    number: int
    event: bytes


@dataclass
class Outcome:
    """What became of a file."""

    accepted: int = 0
    left_out: int = 0
    seconds: float = 0.0


Watcher = Callable[[int, Outcome], None]
"""Sees how far it got: bytes of the file that are dealt with, and what has been accepted and left out."""


def replay(client: Client, file: Path, rate: float | None, watch: Watcher) -> Outcome:
    """Post every event of the file, at most `rate` a second; refused ones are named on standard error and left out."""
    outcome = Outcome()
    started = time.monotonic()
    most = MOST_EVENTS if rate is None else max(1, min(MOST_EVENTS, int(rate / BATCHES_A_SECOND)))
    sent = 0
    for batch, dealt_with in batches(lines(file, outcome), most):
        if rate is not None:
            time.sleep(max(0.0, started + sent / rate - time.monotonic()))
        try:
            _post(client, batch, outcome)
        except Failure as failure:
            raise Failure(f"stopped at line {batch[0].number} ({outcome.accepted} events accepted before): {failure}") from failure
        sent += len(batch)
        outcome.seconds = time.monotonic() - started
        watch(dealt_with, outcome)
    return outcome


def lines(file: Path, outcome: Outcome) -> Iterator[tuple[Line, int]]:
    """Each event with the file's offset after it.

    A line that is no JSON is left out here: beside others it would spoil its whole batch, or read as part of a neighbour.
    """
    whole = msgspec.json.Decoder(msgspec.Raw)
    offset = 0
    try:
        with file.open("rb") as source:
            for number, raw in enumerate(source, 1):
                offset += len(raw)
                event = raw.strip()
                if number == 1:
                    event = event.removeprefix(b"\xef\xbb\xbf")
                if not event:
                    continue
                try:
                    whole.decode(event)
                except msgspec.DecodeError as error:
                    leave_out(number, f"not JSON: {error}", outcome)
                    continue
                yield Line(number, event), offset
    except OSError as error:
        raise Failure(f"{file} cannot be read: {(error.strerror or '').lower()}") from error


def batches(events: Iterator[tuple[Line, int]], most: int) -> Iterator[tuple[list[Line], int]]:
    """Group events, in order, into requests within the contract's limits; each with the offset after its last event."""
    batch: list[Line] = []
    size = reached = 0
    for line, offset in events:
        if batch and (len(batch) == most or size + len(line.event) + 2 > MOST_BYTES):
            yield batch, reached
            batch, size = [], 0
        batch.append(line)
        size += len(line.event) + 1
        reached = offset
    if batch:
        yield batch, reached


def _post(client: Client, batch: Sequence[Line], outcome: Outcome) -> None:
    """Have every event of the batch acknowledged or left out, in order."""
    waiting = deque([list(batch)])
    while waiting:
        part = waiting.popleft()
        body = b"[" + b",".join(line.event for line in part) + b"]"
        answer = client.persist(lambda body=body: client.http.post("/api/v1/events", content=body, headers=HEADERS))  # type: ignore[misc]  # bound at once
        if answer.is_success:
            outcome.accepted += len(part)
        elif answer.status_code not in {*REFUSALS, NOT_ALLOWED}:
            raise Failure(sentence(answer))
        elif refused := _refused(answer, len(part)):
            for index, why in refused.items():
                leave_out(part[index].number, why, outcome)
            if rest := [line for index, line in enumerate(part) if index not in refused]:
                waiting.appendleft(rest)
        elif answer.status_code == NOT_ALLOWED:
            raise Failure(sentence(answer))  # the key itself, not an event
        elif len(part) == 1:
            leave_out(part[0].number, sentence(answer), outcome)
        else:  # the answer does not say which: halve until it is found
            middle = len(part) // 2
            waiting.extendleft([part[middle:], part[:middle]])


def _refused(answer: httpx.Response, size: int) -> dict[int, str]:
    """The events that the answer names, by index, and why; empty where it names none."""
    refused: dict[int, str] = {}
    for fault in problem(answer).get("errors", []):
        first, _, rest = str(fault.get("pointer", "")).removeprefix("/").partition("/")
        index = fault.get("index", int(first) if first.isdecimal() else None)
        if isinstance(index, int) and 0 <= index < size:
            why = f"/{rest}: {fault.get('detail')}" if rest else str(fault.get("detail"))
            refused[index] = f"{refused[index]}; {why}" if index in refused else why
    return refused


def leave_out(number: int, why: str, outcome: Outcome) -> None:
    """Name a refused event on standard error."""
    outcome.left_out += 1
    print(f"zhengai: line {number} was left out: {why}", file=sys.stderr, flush=True)  # noqa: T201 - a command speaks to its user
