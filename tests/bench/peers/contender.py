"""The product as the harness starts its contenders: one run, one line of result.

usage: python -m tests.bench.peers.contender NAME DATASET EVENTS WARNINGS_TOPIC DUMP   (from place.prepare's environment)
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.bench.peers import place
from tests.bench.peers.product import OnFiles, OnServers, Product, Run, warning

LIMIT_S = 480.0


class Mapper(threading.Thread):
    """Writes each warning that the product tells of to the harness's topic, as the peers write theirs, while it runs."""

    def __init__(self, product: OnServers, topic: str) -> None:
        super().__init__(daemon=True)
        self._product, self._topic = product, topic
        self._target: int | None = None
        self._read = 0

    def run(self) -> None:
        from confluent_kafka import Consumer, TopicPartition  # type: ignore[import-not-found]  # the harness's

        common = place.harness("common")
        source = f"{self._product.prefix}monitoring"
        settings = {"bootstrap.servers": common.BOOT, "group.id": "mapper", "enable.auto.commit": False}
        consumer = Consumer({**settings, "isolation.level": "read_committed"})
        begin = common.high_marks(source)
        consumer.assign([TopicPartition(source, partition, offset) for partition, offset in begin.items()])
        self._begin = sum(begin.values())
        producer = self._product.producer(**{"linger.ms": 2, "enable.idempotence": True})
        while self._target is None or self._read < self._target - self._begin:
            for message in consumer.consume(1000, 0.02):
                self._read += 1
                _tell(producer, self._topic, json.loads(message.value()))
            producer.poll(0)
        assert producer.flush(30) == 0
        consumer.close()

    def finish(self) -> None:
        """Return when everything that is on the product's topic now has been mapped."""
        self._target = sum(place.harness("common").high_marks(f"{self._product.prefix}monitoring").values())
        self.join(60)
        assert not self.is_alive(), "the warnings are not readable"


def _tell(producer: Any, topic: str, event: dict[str, Any]) -> None:
    if (told := warning(event)) is not None:
        key = place.harness("common").key_of(told["kind"], told["subject"], told["metric"], told["window"])
        producer.produce(topic, json.dumps(told).encode(), key.encode())


def compete(product: Product, events: int, topic: str) -> tuple[Run, float]:
    """Run once; return the run and the seconds until every warning was readable where the peers write theirs."""
    mapper = Mapper(product, topic) if isinstance(product, OnServers) else None
    if mapper is not None:
        mapper.start()
    run = Run(product, events, LIMIT_S)
    if mapper is not None:
        mapper.finish()
    else:
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": place.harness("common").BOOT})
        for event in product.told():
            _tell(producer, topic, event)
        assert producer.flush(30) == 0
    return run, time.perf_counter() - run.ready


def named(name: str, folder: Path, kafka: str) -> Product:
    """The product as this contender runs it."""
    if name in {"zhengai-sqlite", "zhengai-embedded"}:
        return OnFiles(folder, alone=name == "zhengai-sqlite")
    return OnServers(folder, kafka, os.environ["PEERS_POSTGRES"], processes=2 if name == "zhengai-two" else 1)


def main(contender: str, dataset: str, events: str, topic: str, dump: str) -> None:
    sys.path.insert(0, str(place.HARNESS))
    common = place.harness("common")
    data = place.data(dataset)
    unique = json.loads(data.with_name(f"{dataset}.ref.json").read_text())["events"]
    with tempfile.TemporaryDirectory(prefix="contender-") as folder:
        product = named(contender, Path(folder), common.BOOT)
        try:
            product.set_up()
            product.feed(data)
            run, seconds = compete(product, unique, topic)
            memory = product.memory_mb()
            product.stop()
            stored = product.stored()
            assert stored == unique, f"{stored} observations stored of {unique}"
            with Path(dump).open("w") as file:
                file.writelines(f"{key}\t{n}\t{d}\n" for key, (n, d) in product.sums().items())
            sizes = product.bytes_on_disk()
        finally:
            product.close()
    figures = {"eps_second_half": run.second_half(), "us_event": run.microseconds(), "start_s": run.to_ready_s}
    common.emit(
        events=int(events), seconds=seconds, eps=int(events) / seconds, rss_mb=memory, stored=stored, sizes=sizes, **figures
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
