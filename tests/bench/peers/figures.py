"""The figures of throughput, growth, disk and memory."""

from __future__ import annotations

import json
import os
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
    one, two, files, five = (runs[name] for name in OURS)
    streams = runs[STREAMS]
    speed, from_start, warm = one.median("eps"), streams.median("eps"), streams.median("eps_second_half")
    starts = (f"{run.median('start_s'):.1f} s" for run in (one, files, five))
    return [
        Line("500k events, PostgreSQL and Kafka, monitoring in one process", one.speed(), "–"),
        Line("– after its first half", f"{one.median('eps_second_half'):,.0f} events/s", "–"),
        Line("500k events, PostgreSQL and Kafka, monitoring in two processes", two.speed(), "–"),
        Line("– after their first half", f"{two.median('eps_second_half'):,.0f} events/s", "–"),
        Line("500k events, SQLite and embedded bus, monitoring in one process", files.speed(), "–"),
        Line("500k events, SQLite and embedded bus, all five services in one process", five.speed(), "–"),
        Line("Kafka Streams exactly-once, tuned, two threads", streams.speed(), "–"),
        Line("– its warm half", f"{warm:,.0f} events/s", "–"),
        Line("PostgreSQL against Kafka Streams, from start, one process", f"{speed / from_start:.2f}x", "≥ 2.3x, then 3x"),
        Line("– two processes", f"{two.median('eps') / from_start:.2f}x", "≥ 2.3x, then 3x"),
        Line("PostgreSQL against its warm half, one process", f"{speed / warm:.2f}x", "≥ 1.4x"),
        Line("– two processes", f"{two.median('eps') / warm:.2f}x", "≥ 1.4x"),
        Line("two monitoring processes over four schools against one", f"{two.median('eps') / speed:.2f}x", "exact; ≥ 1.3x"),
        Line("SQLite against PostgreSQL, monitoring in one process", f"{files.median('eps') / speed:.2f}", "≥ 0.8"),
        Line("– SQLite with all five services", f"{five.median('eps') / speed:.2f}", "–"),
        Line("process start to ready: PostgreSQL, SQLite, five services", ", ".join(starts), "–"),
    ]


def in_python(lab: Lab) -> list[Line]:
    """The stream processors that a user of Python would pick, each on as many events as it takes in some two minutes."""
    ours = lab.rounds(OURS[:1], "d500k")[OURS[0]].median("eps")
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
    one, two, files, five, streams = (runs[name].median("rss_mb") for name in (*OURS, STREAMS))
    others = f"two processes {two:,.0f} MB; SQLite {files:,.0f} MB, five services {five:,.0f} MB"
    return [
        Line("own memory at 500k events, peak", f"{one:,.0f} MB ({others})", "≤ 400 MB"),
        Line("– Kafka Streams", f"{streams:,.0f} MB", "–"),
    ]


def disk(lab: Lab) -> list[Line]:
    """Bytes an observation after the same runs: all tables with their indexes, as they lie there, without a vacuum."""
    lines = []
    for name, stack, aim in (("zhengai-postgres", "PostgreSQL", "≤ 150"), ("zhengai-embedded", "SQLite", "–")):
        result = next(iter(lab.rounds([name], "d500k")[name].right), None)
        each = {table: size / result["stored"] for table, size in result["sizes"].items()} if result else {}
        parts = ", ".join(f"{table} {size:.0f}" for table, size in sorted(each.items(), key=lambda i: -i[1]) if size >= 1)
        lines.append(Line(f"bytes on disk an observation, {stack}", f"{sum(each.values()):.0f} ({parts})", aim))
    return lines


def growth(lab: Lab) -> list[Line]:
    """What an event costs once the first batch is counted, as events and students grow."""
    name = OURS[0]
    cost = {dataset: lab.rounds([name], dataset)[name].median("us_event") for dataset in ("d100k", "d1m", "s5k", "s100k")}

    def line(what: str, few: str, many: str, aim: str) -> Line:
        return Line(f"cost an event, {what}", f"{cost[many] / cost[few] - 1:+.0%} ({cost[few]:.1f} → {cost[many]:.1f} µs)", aim)

    return [
        line("1M against 100k events", "d100k", "d1m", "≤ +10 %"),
        line("100k against 5k students", "s5k", "s100k", "≤ +35 %"),
    ]


def full(lab: Lab) -> list[Line]:
    """500k events, and 500k more, where 20 M observations of the year before are stored already, and right before it in an empty
    store; once each.
    """
    data, copies = place.data("d500k"), int(os.environ.get("STORED", "20000000")) // 500_000
    events = json.loads(data.with_name("d500k.ref.json").read_text())["events"]
    with lab.on_servers() as store:
        _fill(store, data, copies, events)
        with lab.on_servers() as product:
            empty = _more(product, data, events, 0)
        found = _more(store, data, events, copies)
        memory, disk = store.memory_mb(), sum(store.bytes_on_disk().values()) / ((copies + 2) * events)
    at_first, later = (
        f"{much / few:.2f}x ({few:,.0f} → {much:,.0f} events/s; once each)" for few, much in zip(empty, found, strict=True)
    )
    return [
        Line(
            f"with {copies * events / 1e6:,.0f} M observations stored, against the empty store, first 500k events after a start and a checkpoint",
            at_first,
            "≥ 0.85x",
        ),
        Line("– the next 500k events", later, "≥ 0.85x"),
        Line("– own memory then, peak", f"{memory:,.0f} MB", "–"),
        Line("– bytes on disk an observation then", f"{disk:.0f}", "≤ 150"),
    ]


def _more(product: OnServers, data: Path, events: int, copies: int) -> tuple[float, float]:
    """Events a second of the first half of one more copy and the data, and of the second; NaN where the result is not exact.

    Within the first half the ids of each school are read again, and PostgreSQL writes pages of the sums whole into its log, as it does
    with each page once after a checkpoint.
    """
    product.put(earlier(data, copies))
    product.feed(data)
    product.rest()
    run = Run(product, (copies + 2) * events, LIMIT_S, before=copies * events)
    right = exact(product, "d500k", (copies + 1) * events)
    found = (run.first_half(), run.second_half()) if right else (float("nan"), float("nan"))
    print(f"full: {copies * events:,} stored, {found[0]:,.0f} and then {found[1]:,.0f} events/s", flush=True)
    return found


def _fill(product: OnServers, data: Path, copies: int, events: int) -> None:
    """Let the product count the copies while they are put on the bus."""
    product.start()
    for copy in range(copies):
        product.put(earlier(data, copy))
        print(f"full: {product.counted():,} of {copies * events:,} counted", flush=True)
    until(lambda: product.counted() == copies * events and not product.unsent(), "the observations of the year before", HOUR_S)
    product.stop()
