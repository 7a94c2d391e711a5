"""From producing an event to its warning being readable, at a steady rate: measured as the harness measures its peers."""

from __future__ import annotations

import json
import multiprocessing
import statistics
import time
from typing import Any

from tests.bench.peers import place
from tests.bench.peers.lab import Lab, Line
from tests.bench.peers.product import OnServers, lines, warning

SECONDS, WARM_S = 9, 3
RATES = (2_000, 10_000)
PEERS = ("ks-eos", "ks-alo-tuned")


def latency(lab: Lab) -> list[Line]:
    """Warnings of students only: the event that makes them does not depend on how partitions interleave."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    place.data("d500k")
    for _ in range(lab.runs):
        for rate in RATES:
            with lab.on_servers() as product:
                product.start()
                found.setdefault(("zhengai", rate), []).append(_ours(product, rate))
            for name in PEERS:
                found.setdefault((name, rate), []).append(_peer(name, rate))
    # A rate that the contender cannot keep up with has no latency: it grows as long as one looks.
    shown = {at: " / ".join(f"{statistics.median(column):.0f}" for column in zip(*each, strict=True)) for at, each in found.items()}
    names = {"zhengai": "", "ks-eos": " – Kafka Streams exactly-once", "ks-alo-tuned": " – Kafka Streams at-least-once, tuned"}
    return [
        Line(
            f"produce → warning readable at {rate:,}/s, p50 / p99{names[name]}",
            "not kept up" if "inf" in shown[name, rate] else f"{shown[name, rate]} ms",
            "–" if names[name] else "≤ 30 / 60 ms",
        )
        for rate in RATES
        for name in names
    ]


def _peer(name: str, rate: int) -> tuple[float, float]:
    harness = place.harness("latency")
    harness.one(name, rate, SECONDS, WARM_S)
    result = json.loads(place.harness("bench").RESULTS.read_text())[-1]
    return (result["p50_ms"], result["p99_ms"]) if result.get("kept_up") else (float("inf"), float("inf"))


def _ours(product: OnServers, rate: int) -> tuple[float, float]:
    """p50 and p99 in ms; infinite where a warning did not come."""
    common = place.harness("common")
    n = rate * SECONDS
    cross = json.loads((common.DATA / "d500k.ref.json").read_text())["cross"]
    expected = {key: i for key, i in cross.items() if i < n and key.startswith("student|")}
    context = multiprocessing.get_context("fork")
    queue, stop = context.Queue(), context.Event()
    receiver = context.Process(target=_receive, args=(f"{product.prefix}monitoring", queue, stop))
    receiver.start()
    queue.get(timeout=30)
    time.sleep(1)  # the rate begins on an idle system
    sent = _produce(product, rate, n)
    time.sleep(3)  # what comes later than this counts as not seen
    stop.set()
    got = queue.get(timeout=60)
    receiver.join()
    late = sorted((got[key] - sent[i]) * 1000 for key, i in expected.items() if key in got and i >= WARM_S * rate)
    wanted = sum(i >= WARM_S * rate for i in expected.values())
    print(f"latency: zhengai at {rate}/s, {len(late)} of {wanted} warnings", flush=True)
    if not late or len(late) < wanted:
        return float("inf"), float("inf")
    return late[len(late) // 2], late[int(len(late) * 0.99)]


def _receive(topic: str, queue: Any, stop: Any) -> None:
    from confluent_kafka import Consumer, TopicPartition  # type: ignore[import-not-found]  # the harness's

    common = place.harness("common")
    settings = {"bootstrap.servers": common.BOOT, "group.id": "receiver", "enable.auto.commit": False, "fetch.wait.max.ms": 100}
    consumer = Consumer({**settings, "isolation.level": "read_committed", "auto.offset.reset": "latest"})
    consumer.assign([TopicPartition(topic, p, offset) for p, offset in common.high_marks(topic).items()])
    consumer.consume(1, 0.5)
    seen: dict[str, float] = {}
    queue.put("ready")
    while not stop.is_set():
        message = consumer.poll(0.05)
        now = time.perf_counter()
        if message is not None and not message.error() and (told := warning(json.loads(message.value()))) is not None:
            seen.setdefault(common.key_of(told["kind"], told["subject"], told["metric"], told["window"]), now)
    queue.put(seen)


def _produce(product: OnServers, rate: int, n: int) -> list[float]:
    """When each event was handed to the producer."""
    events = list(lines(place.data("d500k"), n))
    topic = f"{product.prefix}observations"
    producer = product.producer(**{"linger.ms": 1, "queue.buffering.max.messages": 500_000})
    producer.list_topics(topic, timeout=10)
    sent: list[float] = []
    begin = time.perf_counter()
    while len(sent) < n:
        due = min(n, int((time.perf_counter() - begin) * rate))
        for key, value in events[len(sent) : due]:
            sent.append(time.perf_counter())
            producer.produce(topic, value, key)
        producer.poll(0)
        time.sleep(0.002)  # the rate is kept in steps of so much
    producer.flush()
    return sent
