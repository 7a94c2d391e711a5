"""The figures of throughput, growth, disk, memory and two processes."""

from __future__ import annotations

import json
import os
import statistics
from pathlib import Path

from tests.bench.peers import place
from tests.bench.peers.lab import OURS, Lab, Line
from tests.bench.peers.product import OnServers, Run, earlier, exact
from tests.flow.stack import until

STREAMS = "ks-eos-big"  # exactly-once, tuned
PYTHON_PEERS = {
    "bytewax": ("Bytewax", "d500k"),
    "quix-alo": ("Quix Streams at-least-once", "d500k"),
    "faust-rocksdb": ("Faust", "d20k"),
}
LIMIT_S, HOUR_S = 480.0, 3600.0


def throughput(lab: Lab) -> list[Line]:
    """500k events from start until all are counted and every warning is readable, in turns with Kafka Streams."""
    runs = lab.rounds([*OURS, STREAMS], "d500k")
    ours, files, streams = (runs[name] for name in (*OURS, STREAMS))
    speed, warm = ours.median("eps"), streams.median("eps_second_half")
    return [
        Line("500k events, PostgreSQL and Kafka, monitoring alone", ours.speed(), "–"),
        Line("– after its first half", f"{ours.median('eps_second_half'):,.0f} events/s", "–"),
        Line("500k events, SQLite and embedded bus, all five services in one process", files.speed(), "–"),
        Line("Kafka Streams exactly-once, tuned", streams.speed(), "–"),
        Line("– its warm half", f"{warm:,.0f} events/s", "–"),
        Line("PostgreSQL against Kafka Streams, from start", f"{speed / streams.median('eps'):.2f}x", "≥ 2.3x, then 3x"),
        Line("PostgreSQL against its warm half", f"{speed / warm:.2f}x", "≥ 1.4x"),
        Line("SQLite with five services against PostgreSQL with monitoring alone", f"{files.median('eps') / speed:.2f}", "≥ 0.8"),
        Line(
            "process start to ready, before the clock",
            f"{ours.median('start_s'):.1f} s (SQLite, five services: {files.median('start_s'):.1f} s)",
            "–",
        ),
    ]


def in_python(lab: Lab) -> list[Line]:
    """The stream processors that a user of Python would pick, each on as many events as it takes in some two minutes."""
    ours = lab.rounds(list(OURS), "d500k")[next(iter(OURS))].median("eps")
    lines = []
    for peer, (name, dataset) in PYTHON_PEERS.items():
        lab.add(peer)
        runs = lab.rounds([peer], dataset)[peer]
        lines.append(Line(f"{name}, {dataset.removeprefix('d')} events", runs.speed(), "–"))
        lines.append(Line("– PostgreSQL against it", f"{ours / runs.median('eps'):.1f}x", "> 1x"))
    return lines


def memory(lab: Lab) -> list[Line]:
    """Peak resident memory of the same runs."""
    runs = lab.rounds([*OURS, STREAMS], "d500k")
    ours, files, streams = (runs[name].median("rss_mb") for name in (*OURS, STREAMS))
    return [
        Line("own memory at 500k events, peak", f"{ours:,.0f} MB (SQLite, five services: {files:,.0f} MB)", "≤ 400 MB"),
        Line("– Kafka Streams", f"{streams:,.0f} MB", "–"),
    ]


def disk(lab: Lab) -> list[Line]:
    """Bytes an observation after the same runs: all tables with their indexes, as they lie there, without a vacuum."""
    runs = lab.rounds(list(OURS), "d500k")
    lines = []
    for name, aim in zip(OURS, ("≤ 150", "–"), strict=True):
        result = next(iter(runs[name].right), None)
        each = {table: size / result["stored"] for table, size in result["sizes"].items()} if result else {}
        parts = ", ".join(f"{table} {size:.0f}" for table, size in sorted(each.items(), key=lambda i: -i[1]) if size >= 1)
        lines.append(Line(f"bytes on disk an observation, {OURS[name]}", f"{sum(each.values()):.0f} ({parts})", aim))
    return lines


def growth(lab: Lab) -> list[Line]:
    """What an event costs once the first batch is counted, as events and students grow."""
    name = next(iter(OURS))
    cost = {dataset: lab.rounds([name], dataset)[name].median("us_event") for dataset in ("d100k", "d1m", "s5k", "s100k")}

    def line(what: str, few: str, many: str, aim: str) -> Line:
        return Line(f"cost an event, {what}", f"{cost[many] / cost[few] - 1:+.0%} ({cost[few]:.1f} → {cost[many]:.1f} µs)", aim)

    return [
        line("1M against 100k events", "d100k", "d1m", "≤ +10 %"),
        line("100k against 5k students", "s5k", "s100k", "≤ +35 %"),
    ]


def two_processes(lab: Lab) -> list[Line]:
    """Two monitoring processes over the four schools, in turns with one, each school in a partition of its own."""
    data = place.data("d500k")
    events = json.loads(data.with_name("d500k.ref.json").read_text())["events"]
    speeds: dict[int, list[float]] = {1: [], 2: []}
    right = 0
    for _ in range(lab.runs):
        for processes, found in speeds.items():
            with lab.on_servers(processes) as product:
                product.feed(data)
                run = Run(product, events, LIMIT_S)
                print(f"two_processes: {processes} process(es), {events / run.seconds:,.0f} events/s", flush=True)
                if exact(product, "d500k"):
                    right += 1
                    found.append(events / run.seconds)
    one, two = (statistics.median(found or [float("nan")]) for found in speeds.values())
    measured = f"{two / one:.2f}x ({one:,.0f} → {two:,.0f} events/s; {right}/{2 * lab.runs} exact)"
    streams = lab.rounds([STREAMS], "d500k")[STREAMS].median("eps")
    return [
        Line("two monitoring processes over four schools against one", measured, "exact; ≥ 1.3x"),
        Line("– against Kafka Streams, which has two threads", f"{two / streams:.2f}x", "–"),
    ]


def full(lab: Lab) -> list[Line]:
    """500k events more where 20 M observations of the year before are stored already, against an empty store; once each.

    Compared after the first half, when each school's ids have been read again.
    """
    data, copies = place.data("d500k"), int(os.environ.get("STORED", "20000000")) // 500_000
    events = json.loads(data.with_name("d500k.ref.json").read_text())["events"]
    speed, memory, disk = {}, 0.0, 0.0
    for before in (0, copies):
        with lab.on_servers() as product:
            if before:
                _fill(product, data, before, events)
            product.feed(data)
            run = Run(product, (before + 1) * events, LIMIT_S, before=before * events)
            memory, disk = product.memory_mb(), sum(product.bytes_on_disk().values()) / ((before + 1) * events)
            speed[before] = run.second_half() if exact(product, "d500k", before * events) else float("nan")
            print(
                f"full: {before * events:,} stored, {speed[before]:,.0f} events/s, {memory:,.0f} MB, {disk:.0f} bytes", flush=True
            )
    ratio = f"{speed[copies] / speed[0]:.2f}x ({speed[0]:,.0f} → {speed[copies]:,.0f} events/s; once each)"
    return [
        Line(f"with {copies * events / 1e6:,.0f} M observations stored, against the empty store", ratio, "≥ 0.85x"),
        Line("– own memory then, peak", f"{memory:,.0f} MB", "–"),
        Line("– bytes on disk an observation then", f"{disk:.0f}", "≤ 150"),
    ]


def _fill(product: OnServers, data: Path, copies: int, events: int) -> None:
    """Let the product count the copies while they are put on the bus."""
    product.start()
    for copy in range(copies):
        product.put(earlier(data, copy))
        print(f"full: {product.counted():,} of {copies * events:,} counted", flush=True)
    until(lambda: product.counted() == copies * events and not product.unsent(), "the observations of the year before", HOUR_S)
    product.stop()
    product.rest()
