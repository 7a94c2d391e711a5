"""What callers of the HTTP API feel: posting through one gateway process, and reading while the intake runs at full speed."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from itertools import cycle
from pathlib import Path

from tests.bench.__main__ import percentile
from tests.bench.peers import place
from tests.bench.peers.lab import Lab, Line
from tests.bench.peers.product import OnFiles, Run, catalogue, lines
from tests.flow.stack import School, Stack, distributed
from tests.servers import Missing

CONNECTIONS, WARM_S, SECONDS = 32, 1, 5
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
                    each.append(_post(stack, key, size, folder))
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


def _post(stack: Stack, key: str, size: int, folder: Path) -> tuple[float, float]:
    """Events a second and p99 in ms; every acknowledged request is a record on the topic."""
    events = [event for school, event in lines(place.data("d500k"), 60_000) if school == "bench0"][: 100 * size]
    bodies = folder / "bodies"
    bodies.write_bytes(b"".join(b"[" + b",".join(events[i : i + size]) + b"]\n" for i in range(0, len(events), size)))
    topic = stack.gateway.environment["ZHENGAI_BUS_URL"].rpartition("/")[2] + "observations"
    _load(stack, key, bodies, WARM_S)
    time.sleep(1)  # what the warm-up had under way is on the topic by then
    before = sum(place.harness("common").high_marks(topic).values())
    seen = _load(stack, key, bodies, SECONDS)
    after = sum(place.harness("common").high_marks(topic).values())
    answered = seen["requests"]
    assert not seen["non2xx"], f"{seen['non2xx']} were refused"
    assert answered <= after - before <= answered + CONNECTIONS, f"{answered} acknowledged, {after - before} on the topic"
    speed, p99 = answered * size / seen["duration_s"], seen["p99_ms"]
    print(f"front door: POSTs of {size}, {speed:,.0f} events/s, p99 {p99:.1f} ms", flush=True)
    return speed, p99


def _load(stack: Stack, key: str, bodies: Path, seconds: int) -> dict[str, float]:
    """What the harness's load generator saw."""
    if (wrk := shutil.which("wrk")) is None:
        raise Missing("wrk is not installed: apt install wrk")
    environment = {
        **os.environ,
        "FD_BODIES": str(bodies),
        "FD_CT": "application/cloudevents-batch+json",
        "FD_HEADERS": f"Authorization: Bearer {key}",
    }
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", str(place.HARNESS / "frontdoor/post.lua")]
    url = f"http://127.0.0.1:{stack.gateway.port}/api/v1/events"
    done = subprocess.run([*command, url], env=environment, check=True, capture_output=True, text=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("WRKJSON ")]
    found: dict[str, float] = json.loads(line.removeprefix("WRKJSON "))
    return found


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
