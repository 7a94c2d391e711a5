"""The service agrees with a plain model of the contract after each step of random histories."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.common.events.gateway import RosterImported
from libs.common.events.standards import IndicatorActivated
from services.monitoring.domain.attribution import LEVELS
from services.monitoring.domain.windows import Window, from_day
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest
from tests.service.monitoring.model import Counted, Model
from tests.service.monitoring.world import (
    CLASSES,
    COURSES,
    ENROLLMENTS,
    EVERYTHING,
    ORGS,
    PEOPLE,
    TERMS,
    close_windows,
    digest,
    forget,
    indicator,
    monitoring,
    sent,
    take,
    terms,
    warned,
)

EXAMPLES = int(os.environ.get("EXAMPLES", "10"))  # more of them by hand, after a change of the path
BEGIN = datetime(2026, 3, 6, 4, 0, tzinfo=UTC)  # a Friday noon in Shanghai

# Versions in the order in which each code's come into force; they differ in all that a version may differ in.
CODES: dict[str, list[IndicatorActivated]] = {
    "a-steps": [
        indicator(
            "a-steps", {"yellow": ("0.8", "0.9"), "orange": ("0.6", "0.7"), "red": ("0.4", "0.5")}, min_denominator=Decimal(3)
        ),
        indicator("a-steps", {"yellow": ("0.7", "0.7")}, version=2, effective_from=date(2026, 3, 4)),
    ],
    "b-student": [
        indicator("b-student", {"blue": ("0.6", "0.6")}, level="student", window="month", effective_from=date(2026, 2, 25)),
        indicator("b-student", {"red": ("0.9", "0.9")}, level="student", window="week", version=2, effective_from=date(2026, 3, 9)),
        indicator("b-student", {"red": ("0.5", "1")}, level="homeroom", window="week", version=3, effective_from=date(2026, 3, 12)),
    ],
    "c-above": [indicator("c-above", {"yellow": ("0.5", "0.4"), "red": ("0.9", "0.8")}, level="department", comparison="above")],
    "d-close": [
        indicator("d-close", {"orange": ("0.8", "0.85")}, evaluate="window_close", min_denominator=Decimal(2)),
        indicator("d-close", {"orange": ("0.5", "0.5")}, version=2, evaluate="window_close", effective_from=date(2026, 3, 11)),
    ],
    "e-term": [
        indicator("e-term", {"blue": ("0.7", "0.7")}, level="school", window="term", min_denominator=Decimal(4)),
        indicator("e-term", {"blue": ("0.7", "0.7")}, level="school", window="term", evaluate="window_close", version=2),
    ],
    "f-day": [indicator("f-day", {"red": ("0.5", "0.5")}, level="homeroom", window="day", evaluate="window_close")],
}
# What the roster brings, part by part: an id and what stands in that import.
ARRIVALS: dict[str, dict[str, Any]] = {
    "C1": {"classes": [CLASSES[0]]},
    "C2": {"classes": [CLASSES[1]]},
    **{
        f"S{n}": {
            "people": [PEOPLE[n - 1]],
            "enrollments": [e for e in ENROLLMENTS if e.person == f"S{n}" and e.class_id[0] == "H"],
        }
        for n in (1, 2, 3)
    },
}
FIRST = {"orgs": ORGS, "courses": COURSES, "classes": CLASSES[2:]}  # homerooms are there before who is in them

Op = tuple[str, Any]
observations = st.tuples(
    st.integers(0, 25), st.integers(0, 3), st.integers(0, 2), st.integers(0, 20),
    st.sampled_from(["S1", "S2", "S3"]), st.sampled_from(["C1", "C2", "C9"]),
)  # fmt: skip
ops = st.lists(
    st.one_of(
        st.tuples(st.just("count"), st.lists(observations, min_size=1, max_size=6)),
        st.tuples(st.just("count"), st.lists(observations, min_size=1, max_size=6)),
        st.tuples(st.just("activate"), st.sampled_from(sorted(CODES))),
        st.tuples(st.just("learn"), st.sampled_from(sorted(ARRIVALS))),
        st.tuples(st.just("terms"), st.just(None)),
        st.tuples(st.just("days"), st.integers(1, 9)),
        st.tuples(st.just("dismiss"), st.integers(0, 9)),
    ),
    max_size=14,
)


class Pair:
    """The service and the model, told the same."""

    def __init__(self, sut: ServiceUnderTest, clock: SettableClock) -> None:
        self.sut, self.clock = sut, clock
        self.model, self.imports = Model(), 0

    @property
    def today(self) -> date:
        return (self.clock.now + timedelta(hours=8)).date()

    async def begin(self) -> None:
        await forget(self.sut, everything=True)
        self.clock.now = BEGIN
        self.model, self.imports = Model(), 0
        await self.bring(FIRST)
        self.model.learn({"H1", "H2"})

    async def bring(self, parts: dict[str, Any]) -> None:
        self.imports += 1
        await self.sut.handle(RosterImported(part=f"m{self.imports}/1", last=True, today=self.today, **parts))

    async def do(self, op: Op) -> None:
        match op:
            case ("count", list(batch)):
                await take(self.sut, *[self._count(*each) for each in batch])
            case ("activate", str(code)):
                active = sum(v.code == code for v in self.model.versions)
                for version in CODES[code][active : active + 1]:
                    await self.sut.handle(version)
                    self.model.activate(version, self.today)
            case ("learn", str(id_)):
                await self.bring(ARRIVALS[id_])
                self.model.learn({id_} - self.model.known)
            case ("terms", None):
                self.imports += 1
                await self.sut.handle(terms(f"m{self.imports}/1"))
                self.model.set_terms(TERMS)
            case ("days", int(days)):
                self.clock.advance(days=days)
                await close_windows(self.sut)
                self.model.close(self.today)
            case ("dismiss", int(n)):
                await self._dismiss(n)

    def _count(self, n: int, numerator: int, more: int, back: int, student: str, class_: str) -> bytes:
        day = self.today - timedelta(back)
        denominator = max(numerator, 1) + more
        self.model.count(f"e{n}", Counted("attendance", day, numerator, denominator, {"student": student, "class": class_}))
        return sent(f"e{n}", numerator, denominator, day=str(day), student=student, class_=class_)

    async def _dismiss(self, n: int) -> None:
        open_ = [w for w in await warned(self.sut) if w["status"] == "open"]
        if open_:
            chosen = sorted(open_, key=lambda w: (w["indicator"], w["level"], w["subject"]))[n % len(open_)]
            async with self.sut.as_(EVERYTHING) as client:
                answer = await client.post(f"/warnings/{chosen['id']}/dismiss", json={"reason": "误报"})
            assert answer.status_code == 200
            self.model.open[chosen["indicator"], chosen["level"], chosen["subject"]].dismissed = True

    async def compare(self) -> None:
        sums, rows, steps = await digest(self.sut)
        shown = sorted(
            (metric, LEVELS[level], code, Window(window).name.lower(), str(from_day(start)), n / 10**6, d / 10**6, revision)
            for metric, level, code, window, start, n, d, revision in sums
        )
        assert shown == self.model.everything()
        warnings = {said["id"]: said for said in map(dict, rows)}
        key = {id_: (w["indicator"], w["level"], w["subject"]) for id_, w in warnings.items()}
        taken = [
            (*key[id_], step, d.get("severity"), d["start"], int(d["numerator"]), int(d["denominator"]))
            for id_, step, _, d in steps
            if step != "dismissed"
        ]
        assert sorted(taken, key=lambda step: step[:3]) == self.model.histories()
        open_ = {key[id_]: (w["severity"], w["status"]) for id_, w in warnings.items() if w["episode_open"] == "True"}
        expected = {of: (e.severity, "dismissed" if e.dismissed else "open") for of, e in self.model.open.items()}
        assert open_ == expected


class Runner:
    def __init__(self, runner: asyncio.Runner, pair: Pair) -> None:
        self._runner, self._pair = runner, pair

    def play(self, history: Sequence[Op]) -> None:
        self._runner.run(play(self._pair, history))


async def play(pair: Pair, history: Sequence[Op]) -> None:
    await pair.begin()
    for op in history:
        await pair.do(op)
        await pair.compare()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    folder: Path = tmp_path_factory.mktemp("model")
    clock = SettableClock(BEGIN)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        sut = runner.run(stack.enter_async_context(monitoring(f"sqlite+aiosqlite:///{folder}/m.db", folder, clock)))
        yield Runner(runner, Pair(sut, clock))
        runner.run(stack.aclose())


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=ops)
def test_the_service_agrees_with_the_model_after_every_step(both: Runner, history: list[Op]) -> None:
    both.play(history)


def some(first: int, days: Sequence[int], student: str = "S1", class_: str = "C1", numerator: int = 0) -> Op:
    return "count", [(first + n, numerator, 1, back, student, class_) for n, back in enumerate(days)]


HISTORY: list[Op] = [
    some(0, [0, 3, 12, 1]),
    ("activate", "a-steps"),
    ("activate", "b-student"),
    ("learn", "C1"),
    some(4, [0, 0, 0], numerator=3),
    ("activate", "c-above"),
    ("activate", "d-close"),
    some(7, [0, 1, 9], "S2", "C2"),
    ("learn", "S1"),
    ("activate", "f-day"),
    ("days", 4),
    ("dismiss", 0),
    some(10, [0, 2, 5, 6], "S3", "C2"),
    ("activate", "a-steps"),
    ("activate", "b-student"),
    ("activate", "e-term"),
    ("terms", None),
    ("learn", "C2"),
    ("learn", "S3"),
    ("days", 9),
    some(14, [0, 6, 7, 13], "S3", "C1", 3),
    ("activate", "b-student"),
    ("activate", "d-close"),
    ("activate", "e-term"),
    ("learn", "S2"),
    some(18, [0, 1, 2, 3, 9], "S1", "C1", 3),
    ("days", 7),
    some(23, [0, 7, 8], "S2", "C1"),
    ("days", 8),
]


async def test_one_long_history_agrees_on_every_database(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(BEGIN)
    async with monitoring(database_url, tmp_path, clock) as sut:
        pair = Pair(sut, clock)
        await play(pair, HISTORY)

        assert {step[3] for step in pair.model.steps} == {"raised", "escalated", "cleared", "ended"}
        assert len(pair.model.steps) > 20
