"""The figures of docs/performance.md, measured on this machine and written there.

usage: make bench        (needs the project's shared folder; a quiet machine gives better figures)
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import planning
from tests.bench.page import machine, put, table
from tests.conftest import SHARED
from tests.flow.oulad import Oulad, post
from tests.flow.stack import School, Stack, embedded

STARTS = 5
SINGLES = 200


def start_to_ready(folder: Path) -> list[float]:
    """Seconds from starting a process on existing data to its ready line."""
    seconds = []
    with embedded(folder) as stack:
        for _ in range(STARTS):
            stack.stop()
            begin = time.perf_counter()
            stack.start()
            seconds.append(time.perf_counter() - begin)
    return seconds


def replay(data: Oulad, stack: Stack) -> tuple[float, float, float]:
    """Events a second accepted, events a second end to end, and MB resident afterwards; the result is checked."""
    school = School(stack, "oulad")
    key = data.set_up(school)
    bodies = data.batches()
    begin = time.perf_counter()
    for body in bodies:
        post(school, key, body)
    accepted = time.perf_counter() - begin
    school.settle(limit_s=600)
    settled = time.perf_counter() - begin
    memory = stack.gateway.memory_mb()
    data.check(school)
    return len(data.events) / accepted, len(data.events) / settled, memory


def one_at_a_time(stack: Stack) -> tuple[list[float], list[float]]:
    """Milliseconds from a POST of one event to its warning, and to its task, visible over HTTP on an idle system."""
    school = School(stack, "latency")
    key = school.add()
    school.activate(
        {
            "code": "day",
            "name": "日到课率",
            "metric": "attendance",
            "level": "student",
            "window": "day",
            "comparison": "below",
            "min_denominator": 1,
            "evaluate": "on_update",
            "warning_lines": [{"severity": "yellow", "enter": 0.8, "clear": 0.9}],
            "effective_from": "2026-01-01",
        }
    )
    warnings, tasks = [], []
    for i in range(SINGLES):
        begin = time.perf_counter()
        post(school, key, _absence(i))
        warning = _seen(school, "monitoring/warnings", subject=f"S{i}")
        warnings.append((time.perf_counter() - begin) * 1000)
        _seen(school, "planning/improvements", warning=warning["id"])
        tasks.append((time.perf_counter() - begin) * 1000)
    return warnings, tasks


def _absence(i: int) -> bytes:
    return (
        f'[{{"specversion":"1.0","id":"{i}","source":"urn:campus:latency:lms","type":"cn.zhengai.observation.v1",'
        f'"time":"2026-03-02T08:00:00+08:00","data":{{"metric":"attendance","numerator":0,"denominator":1,"student":"S{i}","class":"C"}}}}]'
    ).encode()


def _seen(school: School, path: str, **filters: str) -> Any:
    """Ask every 5 ms: asking without a pause would be a load of its own."""
    while True:
        if items := school.get(path, **filters)["items"]:
            return items[0]
        time.sleep(0.005)  # as the docstring says


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measure() -> list[tuple[str, str, str]]:
    """Every figure: what, measured, aim."""
    rows: list[tuple[str, str, str]] = []

    def show(what: str, measured: str, aim: str) -> None:
        print(f"{what}: {measured} (aim {aim})", flush=True)
        rows.append((what, measured, aim))

    with _folder() as folder:
        seconds = start_to_ready(folder())
        show("start to ready, second start, median of 5", f"{statistics.median(seconds):.2f} s", "≤ 3 s")
    with _folder() as folder, embedded(folder()) as stack:
        data = Oulad(SHARED, folder())
        accepted, settled, memory = replay(data, stack)
        show(f"replay of {len(data.events):,} events over HTTP, accepted", f"{accepted:,.0f} events/s", "–")
        show("the same, until every warning and task is there", f"{settled:,.0f} events/s", "≥ 10,000 events/s")
        show("memory of the process after the replay", f"{memory:.0f} MB", "≤ 400 MB")
    with _folder() as folder, embedded(folder()) as stack:
        warnings, tasks = one_at_a_time(stack)
        for what, values in (("warning", warnings), ("task", tasks)):
            figure = f"{percentile(values, 0.5):.0f} / {percentile(values, 0.99):.0f} ms"
            show(f"POST of one event to its {what} visible over HTTP, p50 / p99 of {SINGLES}", figure, "≤ 50 / 250 ms")
    return rows


class _folder:  # noqa: N801 - a context manager read as a function
    """A temporary folder, and below it a fresh one at each call."""

    def __enter__(self) -> Callable[[], Path]:
        self._root = tempfile.TemporaryDirectory()
        self._count = 0
        return self._next

    def _next(self) -> Path:
        self._count += 1
        path = Path(self._root.name) / str(self._count)
        path.mkdir()
        return path

    def __exit__(self, *_: object) -> None:
        self._root.cleanup()


def write(rows: list[tuple[str, str, str]]) -> None:
    """Put the table into docs/performance.md."""
    said = f"Measured by `make bench`, {machine()}, embedded (one process, SQLite)."
    put("figures", f"{said}\n\n{table(('Figure', 'Measured', 'Aim'), rows)}")


def main() -> None:
    if not SHARED.is_dir():
        sys.exit("make bench needs the project's shared folder with the real data")
    write(measure())
    planning.measure()


if __name__ == "__main__":
    main()
