"""Sums do not depend on order at all, warnings only on the order of counting: never on how a log was cut (promise P5)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from libs.common.events.deadletters import DeadLettered
from libs.common.events.standards import IndicatorActivated, Repetition
from services.monitoring.commands.intake import TOLERANCE
from tests.service.harness import ServiceUnderTest
from tests.service.monitoring.world import (
    EVERYTHING,
    NOW,
    array,
    digest,
    forget,
    indicator,
    monitoring,
    own,
    roster,
    sent,
    take,
    terms,
)

EXAMPLES = int(os.environ.get("EXAMPLES", "12"))  # more of them by hand, after a change of the path
QUICK = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
START = date(2026, 2, 16)

WATCHING: list[IndicatorActivated] = [
    indicator("steps", {"yellow": ("0.8", "0.9"), "red": ("0.5", "0.6")}, min_denominator=Decimal(2)),
    indicator("moving", {"orange": ("0.7", "0.7")}, min_denominator=Decimal(2)),
    indicator("moving", {"orange": ("0.7", "0.8")}, version=2, effective_from=date(2026, 3, 11)),
    indicator("longer", {"blue": ("0.6", "0.6")}, level="student"),
    indicator("longer", {"blue": ("0.6", "0.6")}, level="student", version=2, window="month", effective_from=date(2026, 3, 4)),
    indicator("daily", {"blue": ("0.5", "1")}, level="student", window="day"),
    indicator("many", {"red": ("0.9", "0.8")}, level="school", window="term", comparison="above"),
    indicator(
        "patient",
        {"yellow": ("0.7", "0.8")},
        window="day",
        raise_after_windows=2,
        clear_after_windows=2,
        hold_days=4,
        repetition=Repetition(severity="red", windows=3),
    ),
    indicator(
        "units",
        {"yellow": (("0.4", "0.8"), ("0.5", "0.7"))},
        level="student",
        window="week",
        comparison="outside",
        raise_after_windows=2,
        overrides=[own("department", "mech", {"red": (("0.3", "0.9"), ("0.5", "0.7"))}, least=3), own("class", "H2", {})],
    ),
    indicator("closing", level="department", evaluate="window_close", effective_from=date(2026, 2, 25)),
]

observations = st.builds(
    lambda n, numerator, more, day, student, class_: (
        f"e{n}",
        sent(f"e{n}", numerator, max(numerator, 1) + more, day=str(START + timedelta(day)), student=student, class_=class_),
    ),
    st.integers(0, 30),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 34),
    st.sampled_from(["S1", "S2", "S3", "S9"]),
    st.sampled_from(["C1", "C2", "C9"]),
)
logs = st.lists(observations, max_size=16)


class Bench:
    """One service for many examples, each beginning with nothing counted."""

    def __init__(self, runner: asyncio.Runner, sut: ServiceUnderTest) -> None:
        self._runner, self._sut = runner, sut

    def count(self, batches: Sequence[Sequence[bytes]]) -> tuple[Any, list[Any]]:
        """What stands, and what was published, after these batches of records."""
        return self._runner.run(self._count(batches))

    async def _count(self, batches: Sequence[Sequence[bytes]]) -> tuple[Any, list[Any]]:
        await forget(self._sut)
        for batch in batches:
            await take(self._sut, *batch)
        # The id of a letter is made of the text that it holds, which may be written otherwise.
        facts = [
            m.event.detail if isinstance(m.event, DeadLettered) else (m.id, m.causationid, m.event)
            for m in await self._sut.published()
        ]
        return await digest(self._sut), facts


async def define_more(sut: ServiceUnderTest) -> None:
    """A metric that is switched off, one that has a source of its own, and one of which the newest observation is all that counts."""
    async with sut.as_(EVERYTHING) as client:
        for body in ({"code": "off", "active": False}, {"code": "owned", "source": "urn:campus:demo:lms"}, {"code": "newest"}):
            kind = "latest" if body["code"] == "newest" else "ratio"
            about = {"name": "指标", "grain": ["class"], "kind": kind, "direction": "higher"}
            assert (await client.post("/metrics", json=about | body)).status_code == 201
    await sut.published()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder: Path = tmp_path_factory.mktemp("order")
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        whole = monitoring(f"sqlite+aiosqlite:///{folder}/m.db", folder, lambda: NOW, roster(), terms(), *WATCHING)
        sut = runner.run(stack.enter_async_context(whole))
        runner.run(define_more(sut))
        yield Bench(runner, sut)
        runner.run(stack.aclose())


def cut(events: Sequence[bytes], marks: Sequence[int]) -> list[list[bytes]]:
    """Batches of records: mark 0 and 1 go on with the array, 2 begins a record, 3 a batch."""
    batches: list[list[list[bytes]]] = [[[]]]
    for n, event in enumerate(events):
        mark = marks[n % len(marks)] if marks else 0
        if mark == 3:
            batches.append([[]])
        elif mark == 2 and batches[-1][-1]:
            batches[-1].append([])
        batches[-1][-1].append(event)
    return [[one[0] if len(one) == 1 else array(*one) for one in batch if one] for batch in batches if any(batch)]


def late(day: str, id: str, numerator: int) -> tuple[str, bytes]:  # noqa: A002 - as the attribute is called
    return id, sent(id, numerator, 3, day=day)


@QUICK
@given(log=logs, marks=st.lists(st.integers(0, 3), max_size=12))
@example(
    log=[late("2026-03-02", "a", 3), late("2026-03-18", "b", 3), late("2026-03-03", "c", 0), late("2026-03-04", "d", 0)], marks=[]
)
def test_any_cut_of_a_log_gives_the_same_sums_warnings_steps_and_facts(
    bench: Bench, log: list[tuple[str, bytes]], marks: list[int]
) -> None:
    events = [event for _, event in log]

    assert bench.count(cut(events, marks)) == bench.count([[array(*events)]])


wrong = st.builds(
    lambda n, said: (f"w{n}", sent(f"w{n}", **{"numerator": 1, **said})),
    st.integers(0, 3),
    st.sampled_from(
        [
            {"student": None},
            {"metric": "nothing"},
            {"metric": "teacher_attendance"},
            {"metric": "C-SAT"},
            {"metric": "off", "student": None},
            {"metric": "owned", "student": None},
            {"metric": "owned", "student": None, "source": "urn:campus:demo:other"},
            {"metric": "newest", "student": None},
            {"time": "2000-01-01T00:00:00+00:00"},
            {"time": "1999-12-31T23:59:59.999999+00:00"},
            {"time": (NOW + TOLERANCE).isoformat()},
            {"time": (NOW + TOLERANCE + timedelta(microseconds=1)).isoformat()},
            {"time": "9999-12-31T23:59:59-12:00"},
            {"numerator": 9000, "denominator": 9000},
        ]
    ),
)


@QUICK
@given(log=st.lists(st.one_of(observations, observations, observations, wrong), max_size=16), marks=st.lists(st.integers(0, 3)))
def test_what_is_counted_by_columns_and_one_by_one_comes_to_the_same(
    bench: Bench, log: list[tuple[str, bytes]], marks: list[int]
) -> None:
    plain = [event for _, event in log]
    extended = [event.replace(b'"data":', b'"extended": "1", "data":') for event in plain]

    assert bench.count(cut(extended, marks)) == bench.count(cut(plain, marks))


@QUICK
@given(log=logs, data=st.data())
def test_sums_are_the_same_in_any_order(bench: Bench, log: list[tuple[str, bytes]], data: st.DataObject) -> None:
    events = list(dict(log).values())  # one content an id: of two the first stands, which is an order
    shuffled = data.draw(st.permutations(events))

    (sums, _, _), _ = bench.count([events])
    assert bench.count([shuffled])[0][0] == sums


async def test_cuts_agree_on_every_database(database_url: str, tmp_path: Path) -> None:
    events = [
        sent(f"e{n}", n % 3, 3, day=str(START + timedelta(n * 11 % 35)), student=f"S{1 + n % 3}", class_=("C1", "C2", "C9")[n % 3])
        for n in range(40)
    ]
    found = []
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), terms(), *WATCHING) as sut:
        for marks in ([], [3, 0, 0, 2, 0, 2], [2]):
            await forget(sut)
            for batch in cut(events, marks):
                await take(sut, *batch)
            found.append((await digest(sut), [(m.id, m.event) for m in await sut.published()]))

    assert found[0][1], "the log raises warnings"
    assert found[1:] == found[:1] * 2
