"""What callers of the HTTP API feel: posting through one gateway process, and reading while the intake runs at full speed."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import threading
import time
from itertools import cycle
from pathlib import Path
from typing import cast

import uvloop

from tests.bench.__main__ import percentile
from tests.bench.peers import place
from tests.bench.peers.lab import Lab, Line
from tests.bench.peers.product import OnFiles, Run, catalogue, lines
from tests.flow.stack import School, Stack, distributed

CONNECTIONS, WARM_S, SECONDS = 32, 1.0, 5.0
SIZES = {1: "≥ 5k", 10: "≥ 45k", 100: "≥ 150k"}
LIMIT_S = 480.0


def front_door(lab: Lab) -> list[Line]:
    """One gateway process alone, its answers after Kafka's acknowledgement; 32 connections, each waits for its answer."""
    found: dict[int, list[tuple[float, float]]] = {size: [] for size in SIZES}
    limit = {"ZHENGAI_BACKLOG_LIMIT": str(1 << 40)}  # nobody counts here
    with tempfile.TemporaryDirectory(prefix="peers-") as name:
        folder = Path(name)
        with distributed(folder, lab.servers.kafka, lab.servers.postgres, **limit) as stack:
            key = _open_door(stack, folder)
            for _ in range(lab.runs):
                for size, each in found.items():
                    each.append(_post(stack, key, size))
    rows = []
    for size, aim in SIZES.items():
        speed, p99 = (statistics.median(column) for column in zip(*found[size], strict=True))
        rows.append(
            Line(f"front door, POSTs of {size}, one gateway process", f"{speed:,.0f} events/s, p99 {p99:.0f} ms", f"{aim}, ≤ 60 ms")
        )
    return rows


def _open_door(stack: Stack, folder: Path) -> str:
    """Make the school with its metrics, leave the gateway alone, and return the source's key."""
    school = School(stack, "bench0")
    key = school.add()
    for metric in catalogue(folder)[0]:
        school.change("POST", "monitoring/metrics", json=metric)
    for process in stack.processes.values():
        if process is not stack.gateway:
            process.stop()
    return key


def _post(stack: Stack, key: str, size: int) -> tuple[float, float]:
    """Events a second and p99 in ms; every acknowledged request is a record on the topic."""
    events = [event for school, event in lines(place.data("d500k"), 60_000) if school == "bench0"][: 100 * size]
    bodies = [b"[" + b",".join(events[i : i + size]) + b"]" for i in range(0, len(events), size)]
    kind = "application/cloudevents-batch+json"
    head = f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: {kind}\r\nContent-Length: "
    requests = [head.encode() + b"%d\r\n\r\n" % len(body) + body for body in bodies]
    topic = stack.gateway.environment["ZHENGAI_BUS_URL"].rpartition("/")[2] + "observations"
    before = sum(place.harness("common").high_marks(topic).values())
    clients = uvloop.run(_load(stack.gateway.port, requests))
    after = sum(place.harness("common").high_marks(topic).values())
    answered = sum(client.answered for client in clients)
    assert answered <= after - before <= answered + CONNECTIONS, f"{answered} acknowledged, {after - before} on the topic"
    waits = [wait for client in clients for wait in client.waits]
    speed = len(waits) * size / SECONDS
    print(f"front door: POSTs of {size}, {speed:,.0f} events/s, p99 {percentile(waits, 0.99) * 1000:.1f} ms", flush=True)
    return speed, percentile(waits, 0.99) * 1000


async def _load(port: int, requests: list[bytes]) -> list[_Client]:
    loop = asyncio.get_running_loop()
    begin = time.perf_counter() + WARM_S
    clients = [_Client(requests[n % len(requests) :] + requests[: n % len(requests)], begin) for n in range(CONNECTIONS)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]  # the lambda's default binds the loop's client
    await asyncio.sleep(WARM_S + SECONDS)
    for client in clients:
        client.stop()
    await asyncio.sleep(0.5)
    return clients


class _Client(asyncio.Protocol):
    """One connection in a closed loop; waits are kept from `begin` until it is stopped."""

    def __init__(self, requests: list[bytes], begin: float) -> None:
        self._requests, self._begin = cycle(requests), begin
        self._answer = b""
        self._stopped = False
        self.answered = 0
        self.waits: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by name
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, there, body = self._answer.partition(b"\r\n\r\n")
        if not there or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]):
            return
        now = time.perf_counter()
        assert head.startswith(b"HTTP/1.1 202"), self._answer[:500]
        self._answer = b""
        self.answered += 1
        if not self._stopped:
            if now >= self._begin:
                self.waits.append(now - self._sent)
            self._send()

    def stop(self) -> None:
        self._stopped = True


def asking(lab: Lab) -> list[Line]:
    """Two readers, each asks again as soon as it has its answer, while 500k events are counted in the same process."""
    data = place.data("d500k")
    events = json.loads(data.with_name("d500k.ref.json").read_text())["events"]
    found: dict[str, list[float]] = {}
    for _ in range(lab.runs):
        with lab.on_files() as product:
            product.feed(data)
            readers = [_Reader(product, what) for what in ASKED]
            run = Run(product, events, LIMIT_S, meanwhile=[reader.start for reader in readers])
            for reader in readers:
                reader.done.set()
                reader.join(30)
                found.setdefault(reader.what, []).append(percentile(reader.waits, 0.99) * 1000)
                print(f"asking: {reader.what}, {len(reader.waits)} answers, p99 {found[reader.what][-1]:.0f} ms", flush=True)
            print(f"asking: meanwhile {events / run.seconds:,.0f} events/s", flush=True)
    return [
        Line(f"API p99 while the intake runs at full speed, embedded: {what}", f"{statistics.median(waits):.0f} ms", "≤ 150 ms")
        for what, waits in found.items()
    ]


ASKED = {
    "warnings": {"status": "open"},
    "measurements": {"metric": "class_attendance", "level": "department", "window": "day"},
}


class _Reader(threading.Thread):
    """Asks for one list, school after school, until `done`."""

    def __init__(self, product: OnFiles, what: str) -> None:
        super().__init__(daemon=True)
        self._product, self.what = product, what
        self.done = threading.Event()
        self.waits: list[float] = []

    def run(self) -> None:
        schools = cycle([School(self._product.stack, code) for code in place.harness("common").SCHOOLS])
        while not self.done.is_set():
            begin = time.perf_counter()
            next(schools).get(f"monitoring/{self.what}", **ASKED[self.what])
            self.waits.append(time.perf_counter() - begin)
