"""The product as a contender: real processes, fed through its real bus, asked through its own tables for what came of it.

On the servers only monitoring runs, and what the other services would tell it is published on their topics in their own
events; on SQLite all five services are set up over HTTP in one process, the observations are appended to the file of the embedded
bus while that is stopped, and then it is started again, or monitoring alone instead. A record holds one event, as the peers' do, and a school has a partition
of its own, as theirs has.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg

from libs.common.auth import HEADER, Principal, sign
from libs.common.bus import Record, open_bus
from libs.common.event import Event, Message, encode
from libs.common.events.gateway import SchoolAdded
from libs.common.events.standards import IndicatorActivated
from libs.common.grant import EVERYWHERE, Grant
from libs.common.sqlite import pysqlite3
from tests.bench.peers import place
from tests.flow.stack import Process, School, Stack, _drop, _migrate, free_port, until

LEVELS = ("student", "teacher", "class", "homeroom", "course", "programme", "department", "lesson", "school")
# Every school starts with a metric of this name that is counted per lesson of a teacher; the harness's is counted per student.
TAKEN, OURS = "teacher_attendance", "teacher-attendance"
FIRST_DAY = date(2026, 3, 2)  # of every data set
RAISED = "cn.zhengai.monitoring.warning_raised.v1"
SUMS = """SELECT (t.series >> 36) - m.id * 9, w.code, m.code, t.start, t.numerator, t.denominator FROM total t
JOIN metric m ON m.id = (t.series >> 36) / 9 JOIN word w ON w.id = t.series & 68719476735 WHERE t.span = 0"""


def lines(data: Path, limit: int | None = None) -> Iterator[tuple[str, bytes]]:
    """School and event of each line of a data set."""
    with data.open("rb") as file:
        for line in islice(file, limit):
            key, _, value = line.rstrip(b"\n").partition(b"\t")
            yield key.decode(), value.replace(f'"{TAKEN}"'.encode(), f'"{OURS}"'.encode())


def earlier(data: Path, copy: int) -> Iterator[tuple[str, bytes]]:
    """The same events with ids of their own, on two days of the year before that no other copy has."""
    days = [FIRST_DAY + timedelta(days=n) for n in (0, 1)]
    before = [date(FIRST_DAY.year - 1, 1, 1) + timedelta(days=2 * copy + n) for n in (0, 1)]
    changes = [(f'"time":"{day}', f'"time":"{other}') for day, other in zip(days, before, strict=True)]
    changes.append(('"id":"', f'"id":"{copy}-'))
    for key, value in lines(data):
        yield key, reduce(lambda text, change: text.replace(change[0].encode(), change[1].encode(), 1), changes, value)


def catalogue(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Metrics and indicators of the four schools, as the harness writes them."""
    subprocess.run([sys.executable, str(place.HARNESS / "school.py"), str(folder)], check=True, capture_output=True)
    texts = ((folder / f"{name}.json").read_text().replace(TAKEN, OURS) for name in ("metrics", "indicators"))
    metrics, indicators = map(json.loads, texts)
    return metrics, indicators


class Product:
    """What both stacks have in common. `set_up` leaves the processes stopped, `feed` needs them so."""

    name: str
    processes: list[Process]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def set_up(self) -> None:
        """Four schools with their metrics and indicators."""

    @abstractmethod
    def feed(self, data: Path, limit: int | None = None) -> None:
        """Put the events on the bus, acknowledged."""

    @abstractmethod
    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask monitoring's database."""

    @abstractmethod
    def told(self) -> Iterator[dict[str, Any]]:
        """Every record of monitoring's topic."""

    @abstractmethod
    def bytes_on_disk(self) -> dict[str, int]:
        """Size of each table with its indexes, without bus, outbox and inbox."""

    @abstractmethod
    def close(self) -> None:
        """Stop, and leave nothing on the servers."""

    def start(self) -> float:
        """Start all processes at once; return when the first one said that it is ready."""

        def ready(process: Process) -> float:
            process.start()
            return time.perf_counter()

        with ThreadPoolExecutor(len(self.processes)) as pool:
            return min(pool.map(ready, self.processes))

    def stop(self) -> None:
        for process in self.processes:
            process.stop()

    def counted(self) -> int:
        return int(self.rows("SELECT coalesce(sum(position), 0) FROM school")[0][0])

    def unsent(self) -> int:
        return int(self.rows("SELECT count(*) FROM outbox")[0][0])

    def stored(self) -> int:
        return int(self.rows("SELECT coalesce(sum(observations), 0) FROM log_block")[0][0])

    def memory_mb(self) -> float:
        """Most memory that the processes have had, together."""
        peaks = []
        for process in self.processes:
            assert process.running is not None
            peaks.append(place.harness("common").rss_mb(process.running.pid))
        return float(sum(peaks))

    def sums(self) -> dict[str, tuple[int, int]]:
        """The sums of days as the harness names them; levels that its peers do not add up are left out."""
        common = place.harness("common")
        found = {}
        for level, subject, metric, start, numerator, denominator in self.rows(SUMS):
            if LEVELS[level] in common.KINDS:
                assert numerator % 1_000_000 == denominator % 1_000_000 == 0
                key = common.key_of(LEVELS[level], subject, metric.replace(OURS, TAKEN), date(1970, 1, 1) + timedelta(days=start))
                found[key] = (numerator // 1_000_000, denominator // 1_000_000)
        return found


def exact(product: Product, dataset: str, before: int = 0) -> bool:
    """Whether sums, warnings and the number of stored observations are those of the reference, and of `before` others of earlier years."""
    common = place.harness("common")
    warned = Counter(common.key_of(w["kind"], w["subject"], w["metric"], w["window"]) for w in map(warning, product.told()) if w)
    events = json.loads((common.DATA / f"{dataset}.ref.json").read_text())["events"]
    sums, told = (
        {key: value for key, value in found.items() if key.rpartition("|")[2] >= FIRST_DAY.isoformat()}
        for found in (product.sums(), warned)
    )
    return bool(common.verify(dataset, sums, told)["ok"]) and product.stored() == before + events


def warning(event: dict[str, Any]) -> dict[str, Any] | None:
    """A raised warning as the harness's peers write theirs; None for any other event."""
    if event["type"] != RAISED:
        return None
    told = event["data"]
    numbers = {"num": told["numerator"], "den": told["denominator"]}
    metric = told["metric"].replace(OURS, TAKEN)
    return {"kind": told["level"], "subject": told["subject"], "metric": metric, "window": told["start"], **numbers}


class OnServers(Product):
    """Monitoring alone, in one process or more, on Kafka and PostgreSQL."""

    name = "PostgreSQL"

    def __init__(self, folder: Path, kafka: str, postgres: str, processes: int = 1) -> None:
        super().__init__(folder)
        self._postgres, self._name = postgres, f"p{uuid4().hex[:12]}"
        self.prefix = f"{self._name}."
        self._bus_url = f"kafka://{kafka}/{self.prefix}"
        self._secret = folder / "secret"
        self._secret.write_bytes(secrets.token_bytes(32))
        environment = {
            "ZHENGAI_SERVICES": "monitoring",
            "ZHENGAI_BUS_URL": self._bus_url,
            "ZHENGAI_DATABASE_URL": f"{postgres}?options=-csearch_path%3D{self._name}_{{service}}",
            "ZHENGAI_SECRET_FILE": str(self._secret),
        }
        _migrate(environment)
        self.processes = [Process(f"monitoring {n}", folder / f"home{n}", dict(environment)) for n in range(processes)]
        for process in self.processes:
            process.port = free_port()
        dsn = postgres.replace("+psycopg", "")
        self._connection = psycopg.connect(dsn, options=f"-csearch_path={self._name}_monitoring", autocommit=True)

    def set_up(self) -> None:
        metrics, indicators = catalogue(self.folder)
        schools = place.harness("common").SCHOOLS
        self.processes[0].start()
        self._publish("gateway", [(school, SchoolAdded(code=school, name=school)) for school in schools])
        until(lambda: self.rows("SELECT count(*) FROM school") == [(len(schools),)], "the schools")
        for school in schools:
            for metric in metrics:
                self._define(school, metric)
        wanted = [(school, IndicatorActivated(version=1, **each)) for school in schools for each in indicators]
        self._publish("standards", wanted)
        until(lambda: self.rows("SELECT count(*) FROM indicator") == [(len(wanted),)], "the indicators")
        self.processes[0].stop()

    def _define(self, school: str, metric: dict[str, Any]) -> None:
        grant = Grant(frozenset({"metric.write"}), frozenset({EVERYWHERE}))
        token = sign(Principal("operator", "bench", school, (grant,)), "monitoring", self._secret.read_bytes())
        url = f"http://127.0.0.1:{self.processes[0].port}/metrics"
        answer = httpx.post(url, json=metric, headers={HEADER: token}, timeout=30)
        assert answer.status_code in {200, 201}, answer.text

    def _publish(self, topic: str, events: Sequence[tuple[str, Event]]) -> None:
        async def publish() -> None:
            bus = open_bus(self._bus_url)
            now = datetime.now(UTC)
            await bus.publish([Record(topic, school, encode(Message(uuid4(), now, school, event))) for school, event in events])
            await bus.close()

        asyncio.run(publish())

    def feed(self, data: Path, limit: int | None = None) -> None:
        self.put(lines(data, limit))

    def put(self, events: Iterable[tuple[str, bytes]]) -> None:
        """Put the events of schools on the bus, acknowledged."""
        common = place.harness("common")
        producer = self.producer()
        for key, value in events:
            while True:
                try:
                    producer.produce(f"{self.prefix}observations", value, key, partition=common.SCHOOLS.index(key) % common.PARTS)
                    break
                except BufferError:
                    producer.poll(0.05)
        assert producer.flush(60) == 0

    def producer(self, **settings: Any) -> Any:
        """A producer as the harness sets up its own."""
        from confluent_kafka import Producer  # type: ignore[import-not-found]  # the harness's, not the product's

        common = place.harness("common")
        loading = {
            "linger.ms": 20,
            "batch.num.messages": 10_000,
            "queue.buffering.max.messages": 200_000,
            "enable.idempotence": True,
        }
        return Producer({"bootstrap.servers": common.BOOT, "partitioner": "murmur2_random", **(settings or loading)})

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()

    def rest(self) -> None:
        """Let the server do at once what it would do by and by after so many rows: the next events are not to pay for it."""
        for statement in ("VACUUM (ANALYZE)", "CHECKPOINT"):
            self._connection.execute(statement)

    def told(self) -> Iterator[dict[str, Any]]:
        for _, value in place.harness("common").read_all(f"{self.prefix}monitoring"):
            yield json.loads(value)

    def bytes_on_disk(self) -> dict[str, int]:
        sizes = self.rows(
            "SELECT relname, pg_total_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            f"WHERE n.nspname = '{self._name}_monitoring' AND c.relkind = 'r'"
        )
        return {name: size for name, size in sizes if name not in {"outbox", "inbox"}}

    def close(self) -> None:
        self.stop()
        self._connection.close()
        _drop(self._postgres, self._name)
        place.harness("common").drop_topics(self.prefix)


class OnFiles(Product):
    """One process on SQLite files and the embedded bus: all five services, or, once it is set up, monitoring alone."""

    name = "SQLite"

    def __init__(self, folder: Path, *, alone: bool = False) -> None:
        super().__init__(folder)
        self._alone = alone
        self.home = folder / "home"
        self.stack = Stack([Process("all", self.home, {"ZHENGAI_DEMO": "0"})])
        self.processes = list(self.stack.processes.values())
        self._connection: Any = None

    def set_up(self) -> None:
        metrics, indicators = catalogue(self.folder)
        self.stack.start()
        for code in place.harness("common").SCHOOLS:
            school = School(self.stack, code)
            school.add()
            for metric in metrics:
                assert school.call("POST", "monitoring/metrics", json=metric).status_code in {200, 201}
            school.settle()
            for each in indicators:
                answer = school.call("POST", "standards/indicators", json=each)
                assert answer.status_code == 201, answer.text
                assert school.call("POST", f"standards/indicators/{each['code']}/versions/1/activate").status_code == 200
            school.settle()
        self.stack.stop()
        if self._alone:
            for process in self.processes:
                process.program = "tests.bench.peers.alone"

    def feed(self, data: Path, limit: int | None = None) -> None:
        async def publish() -> None:
            bus = open_bus(f"sqlite:{self.home / 'bus.db'}")
            events = lines(data, limit)
            while batch := [Record("observations", key, value) for key, value in islice(events, 10_000)]:
                await bus.publish(batch)
            await bus.close()

        asyncio.run(publish())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = self._open("monitoring.db")
        found: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
        return found

    def _open(self, name: str) -> Any:
        return pysqlite3.connect(f"file:{self.home / name}?mode=ro", uri=True, isolation_level=None)

    def told(self) -> Iterator[dict[str, Any]]:
        connection = self._open("bus.db")
        for (value,) in connection.execute("SELECT value FROM log WHERE topic = 'monitoring' ORDER BY id"):
            yield json.loads(value)
        connection.close()

    def bytes_on_disk(self) -> dict[str, int]:
        """By table where this SQLite can tell, else the file as a whole; stop the process before."""
        pages = self.rows("SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)")
        return {"the file": int(pages[0][0])}

    def close(self) -> None:
        self.stop()
        if self._connection is not None:
            self._connection.close()


class Run:
    """One timed run over events that are on the bus already: from the ready line until all is counted and told."""

    def __init__(
        self, product: Product, events: int, limit_s: float, meanwhile: Sequence[Callable[[], None]] = (), before: int = 0
    ) -> None:
        """`events`: all that are there in the end, `before` of which were counted earlier."""
        self.product, self.events, self.before = product, events, before
        begin = time.perf_counter()
        self.ready = product.start()
        for begin_too in meanwhile:
            begin_too()
        self.to_ready_s = self.ready - begin
        self.seen: list[tuple[float, int]] = []
        end = self.ready + limit_s
        while (counted := product.counted()) < events or product.unsent():
            if time.perf_counter() > end:
                raise TimeoutError(f"{counted:,} of {events:,} counted, {product.unsent()} not sent after {limit_s:.0f} s")
            self.seen.append((time.perf_counter(), counted))
            time.sleep(0.02)  # asking without a pause would be a load of its own
        self.done = time.perf_counter()

    @property
    def seconds(self) -> float:
        return self.done - self.ready

    def second_half(self) -> float:
        """Events a second after the first half was counted."""
        at, counted = self._half()
        return (self.events - counted) / (self.done - at)

    def first_half(self) -> float:
        """Events a second until the first half was counted."""
        at, counted = self._half()
        return (counted - self.before) / (at - self.ready)

    def _half(self) -> tuple[float, int]:
        """When half of the events were counted, and how many then."""
        half = (self.before + self.events) / 2
        return next(((at, n) for at, n in self.seen if n >= half), self.seen[-1])

    def microseconds(self) -> float:
        """What an event costs once the first batch is counted: without joining the group, which does not grow."""
        at, counted = next(((at, n) for at, n in self.seen if self.before < n < self.events), (self.ready, self.before))
        return (self.done - at) / (self.events - counted) * 1e6
