"""P13: a worker that is stopped past its lease and its session, and woken after another took over, changes nothing any more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.conftest import KAFKA, POSTGRES
from tests.flow.oulad import post
from tests.flow.stack import Process, School, Stack, distributed, until
from tests.servers import free_port
from tests.torture.tormentor import asleep

TAKE_OVER_S = 150.0  # what a sleeper holds in the database is taken from it after a minute
BELOW = {
    "code": "low", "name": "出勤", "metric": "attendance", "level": "student", "window": "week", "comparison": "below",
    "target": 0.9, "min_denominator": 1, "evaluate": "on_update", "effective_from": "2020-01-01",
    "warning_lines": [{"severity": "orange", "enter": 0.8, "clear": 0.8}],
}  # fmt: skip


def absences(students: Sequence[int]) -> bytes:
    """One absence for each, which is a warning each."""
    return json.dumps([
        {"specversion": "1.0", "id": f"e{n}", "source": "urn:campus:zombie:lms", "type": "cn.zhengai.observation.v1",
         "time": "2024-03-05T10:00:00+08:00",
         "data": {"metric": "attendance", "numerator": 0, "denominator": 1, "student": f"S{n}", "class": "C1"}}
        for n in students
    ]).encode()  # fmt: skip


@pytest.fixture
def school(tmp_path: Path) -> Iterator[School]:
    assert KAFKA, "make test-servers starts Kafka"
    assert POSTGRES, "make test-servers starts PostgreSQL"
    with distributed(tmp_path, KAFKA, POSTGRES) as stack:
        yield stack.operator("zombie")


@contextmanager
def second_worker(stack: Stack, folder: Path) -> Iterator[Process]:
    """Another process of monitoring, which nobody asks over HTTP."""
    first = stack.processes["monitoring"]
    second = Process("monitoring-2", folder / "monitoring-2", dict(first.environment))
    second.port = free_port()
    second.start()
    try:
        yield second
    finally:
        second.stop()


def exactly(school: School, students: int) -> None:
    """Each absence is counted once, and each is one warning with one task."""
    (whole,) = school.get("monitoring/measurements", metric="attendance", level="school", window="week")["items"]
    assert (whole["numerator"], whole["denominator"], whole["revision"]) == (0, students, students)
    warnings = list(school.items("monitoring/warnings"))
    assert sorted(w["subject"] for w in warnings if w["status"] == "open") == sorted(f"S{n}" for n in range(students))
    assert len(warnings) == students
    assert sorted(i["warning"] for i in tasks(school)) == sorted(w["id"] for w in warnings)


def tasks(school: School) -> list[Any]:
    return list(school.items("planning/improvements"))


def has_tasks(school: School, count: int) -> Callable[[], bool]:
    return lambda: len(tasks(school)) == count


def counting(stack: Stack) -> bool:
    """Whether a transaction is open in which monitoring counts: it holds the row of its school."""
    url, _, schema = stack.processes["monitoring"].environment["ZHENGAI_DATABASE_URL"].partition("?options=-csearch_path%3D")
    engine = create_engine(url)
    sql = text("SELECT count(*) FROM pg_locks WHERE mode = 'RowShareLock' AND relation = to_regclass(:name)")
    with engine.connect() as connection:
        found = connection.scalar(sql, {"name": f"{schema.format(service='monitoring')}.school"})
    engine.dispose()
    return bool(found)


@pytest.mark.servers
@pytest.mark.timeout(300)
def test_a_worker_that_sleeps_while_another_takes_over_wakes_and_changes_nothing(school: School, tmp_path: Path) -> None:
    key, stack = school.add(), school.stack
    school.activate(BELOW)
    post(school, key, absences(range(50)))
    school.settle()
    first = stack.processes["monitoring"]
    with asleep(first) as wake:
        post(school, key, absences(range(40, 100)))  # reaches the sleeper's socket: it will try to count this when it wakes
        with second_worker(stack, tmp_path):
            until(has_tasks(school, 100), "the other one counts, judges and publishes", TAKE_OVER_S)
            wake()
            post(school, key, absences(range(90, 150)))
            school.settle()
            until(lambda: "lease lost" in (first.folder / "log").read_text(), "the sleeper has seen that it lost its leases")
            school.settle()
            exactly(school, 150)


@pytest.mark.servers
@pytest.mark.timeout(300)
def test_a_worker_that_falls_asleep_inside_a_transaction_holds_nobody_up_and_commits_nothing(
    school: School, tmp_path: Path
) -> None:
    key, stack = school.add(), school.stack
    school.activate(BELOW)
    sent = 0
    while True:
        post(school, key, absences(range(sent, sent + 200)))
        sent += 200
        with asleep(stack.processes["monitoring"]) as wake:
            if not counting(stack):
                continue
            with second_worker(stack, tmp_path):
                until(has_tasks(school, sent), "the other one counts, judges and publishes", TAKE_OVER_S)
                wake()
                post(school, key, absences(range(sent - 100, sent + 100)))
                school.settle()
                exactly(school, sent + 100)
                return
