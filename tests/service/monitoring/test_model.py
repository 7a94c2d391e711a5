"""The service agrees with a plain model of the contract after each step of random histories."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from libs.common.events.gateway import RosterImported
from libs.common.events.standards import IndicatorActivated, IndicatorTried, Override, WarningLine
from services.monitoring.domain.windows import Window, from_day
from services.monitoring.tables import TurnRow, WordRow
from tests.conftest import SettableClock
from tests.model import school as model
from tests.model.school import Bound, Content, School, Sent, Telling, Version
from tests.service.harness import ServiceUnderTest
from tests.service.monitoring.arrivals import ABOVE, ARRIVALS, FIRST, HOMES, PLACES
from tests.service.monitoring.test_rebuilding import rebuilt
from tests.service.monitoring.watching import CODES
from tests.service.monitoring.world import (
    CLASSES,
    ENROLLMENTS,
    EVERYTHING,
    TERMS,
    close_windows,
    correction,
    digest,
    forget,
    monitoring,
    retraction,
    sent,
    take,
    terms,
    warned,
)

EXAMPLES = int(os.environ.get("EXAMPLES", "10"))  # more of them by hand, after a change of the path
BEGIN = datetime(2026, 3, 6, 4, 0, tzinfo=UTC)  # a Friday noon in Shanghai

Op = tuple[str, Any]
observations = st.tuples(
    st.integers(0, 25), st.integers(0, 3), st.integers(0, 2), st.integers(0, 20),
    st.sampled_from(["S1", "S2", "S3"]), st.sampled_from(["C1", "C2", "C9"]),
    st.one_of(st.none(), st.none(), st.tuples(st.sampled_from(["corrects", "corrects", "retracts"]), st.integers(0, 25))),
)  # fmt: skip
ops = st.lists(
    st.one_of(
        st.tuples(st.just("count"), st.lists(observations, min_size=1, max_size=6)),
        st.tuples(st.just("count"), st.lists(observations, min_size=1, max_size=6)),
        st.tuples(st.just("activate"), st.sampled_from(sorted(CODES))),
        st.tuples(st.sampled_from(["try", "release"]), st.sampled_from(sorted(CODES))),
        st.tuples(st.just("learn"), st.sampled_from(sorted(ARRIVALS))),
        st.tuples(st.just("move"), st.sampled_from(["C1", "C2", "H1", "S1", "S3"])),
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
        self.model, self.imports, self.active = School(), 0, dict[str, int]()
        self.live, self.tried, self.trials = list[IndicatorActivated](), dict[str, IndicatorTried](), 0

    @property
    def today(self) -> date:
        return (self.clock.now + timedelta(hours=8)).date()

    async def begin(self) -> None:
        await forget(self.sut, everything=True)
        self.clock.now = BEGIN
        self.model, self.imports, self.active = School(), 0, {}
        self.live, self.tried, self.trials = [], {}, 0
        await self.bring(FIRST)
        self.model.classes |= {"H1": [PLACES["H1"]], "H2": [PLACES["H2"]]}
        self.model.above = ABOVE

    async def bring(self, parts: dict[str, Any]) -> None:
        self.imports += 1
        await self.sut.handle(RosterImported(part=f"m{self.imports}/1", last=True, today=self.today, **parts))

    async def do(self, op: Op) -> None:
        match op:
            case ("count", list(batch)):
                await take(self.sut, *[self._send(*each) for each in batch])
            case ("activate", str(code)):
                done = self.active.get(code, 0)
                for version in CODES[code][done : done + 1]:
                    self.active[code] = done + 1
                    await self._activate(version)
            case ("try", str(code)):
                await self._try(code)
            case ("release", str(code)) if code in self.tried:
                tried = self.tried.pop(code)
                self.model.stop(story(tried))
                await self._activate(IndicatorActivated(**tried.model_dump()))
            case ("learn", str(id_)):
                await self.bring(ARRIVALS[id_])
                self._learn(id_)
            case ("move", str(id_)):
                await self._move(id_)
            case ("terms", None):
                self.imports += 1
                await self.sut.handle(terms(f"m{self.imports}/1"))
                self.model.terms = [(t.start, t.end) for t in TERMS if t.kind in {"term", "semester"}]
            case ("days", int(days)):
                self.clock.advance(days=days)
                await close_windows(self.sut)
                self.model.close(self.today)
            case ("dismiss", int(n)):
                await self._dismiss(n)

    async def _activate(self, version: IndicatorActivated) -> None:
        await self.sut.handle(version)
        self.model.activate(plain(version), self.today)
        self.live.append(version)

    async def _try(self, code: str) -> None:
        """One version of each indicator is in trial at a time, an indicator of its own; its number is beyond those of `CODES`."""
        self.trials += 1
        said = {**CODES[code][self.trials % len(CODES[code])].model_dump(), "version": 10 + self.trials}
        if code in self.tried:
            self.model.stop(story(self.tried[code]))
        self.tried[code] = IndicatorTried(**said)
        await self.sut.handle(self.tried[code])
        self.model.activate(replace(plain(self.tried[code]), code=story(self.tried[code])), self.today)

    def _send(
        self, n: int, numerator: int, more: int, back: int, student: str, class_: str, about: tuple[str, int] | None
    ) -> bytes:
        day, denominator = self.today - timedelta(back), max(numerator, 1) + more
        content = Content(
            "attendance", day, numerator, denominator, (("student", student), ("class", class_), ("lesson", f"L{class_}-{day}"))
        )
        said = {"day": str(day), "student": student, "class_": class_, "lesson": f"L{class_}-{day}"}
        self.model.lessons[said["lesson"]] = class_
        match about:
            case ("retracts", int(of)) if of != n:
                self.model.send(Sent(f"e{n}", None, f"e{of}"))
                return retraction(f"e{n}", f"e{of}", day=str(day))
            case ("corrects", int(of)) if of != n:
                self.model.send(Sent(f"e{n}", content, f"e{of}"))
                return correction(f"e{n}", f"e{of}", numerator, denominator, **said)
        self.model.send(Sent(f"e{n}", content))
        return sent(f"e{n}", numerator, denominator, **said)

    def _learn(self, id_: str) -> None:
        if id_ in PLACES:
            self.model.classes.setdefault(id_, [PLACES[id_]])
        else:
            self.model.students.add(id_)
            self.model.homes[id_] = HOMES[id_]

    async def _move(self, id_: str) -> None:
        """A class goes to the other department, or comes back; a student's homeroom of late is another one than was told."""
        if id_ in self.model.students:
            spans = [e for e in ENROLLMENTS if e.person == id_ and e.class_id[0] == "H"]
            last, old = spans[-1], self.model.homes[id_][-1][2]
            other = {"H1": "H2", "H2": "H1"}[old]
            await self.bring({"enrollments": [last.model_copy(update={"class_id": other})]})
            self.model.homes[id_] = [*self.model.homes[id_][:-1], (*self.model.homes[id_][-1][:2], other)]
        elif id_ in self.model.classes:
            _, place = self.model.classes[id_][-1]
            org, units = ("arts", {"department": "arts"}) if place["department"] == "mech" else ("cnc", PLACES["H1"][1])
            known = next(c for c in CLASSES if c.id == id_)
            await self.bring({"classes": [known.model_copy(update={"org": org})]})
            course = {"course": place["course"]} if "course" in place else {}
            programme = {"programme": "cnc"} if course.get("course") == "K1" else {}  # the course's, where the class has none
            dated = [each for each in self.model.classes[id_] if each[0] != self.today]
            self.model.classes[id_] = [*dated, (self.today, {**programme, **units, **course})]
            if not dated:
                self.model.classes[id_] = [(date.min, {**programme, **units, **course})]

    async def _dismiss(self, n: int) -> None:
        open_ = [w for w in await warned(self.sut) if w["status"] == "open"]
        if open_:
            chosen = sorted(open_, key=lambda w: (w["indicator"], w["level"], w["subject"]))[n % len(open_)]
            async with self.sut.as_(EVERYTHING) as client:
                answer = await client.post(f"/warnings/{chosen['id']}/dismiss", json={"reason": "误报"})
            assert answer.status_code == 200
            self.model.dismiss((chosen["indicator"], chosen["level"], chosen["subject"]))

    async def compare(self) -> None:
        telling = self.model.tell()
        sums, rows, _ = await digest(self.sut)
        windows = {(v.metric, v.level, v.window) for v in (*self.live, *self.tried.values())}
        shown = {
            (metric, level, code, Window(window).name.lower(), from_day(start)): (n // 10**6, d // 10**6)
            for metric, level, code, window, start, n, d, _ in sums
            if d
        }
        expected = {
            (metric, level, subject, window, start): total
            for (metric, level, subject, window), cells in telling.sums.items()
            for start, total in cells.items()
            if window == "day" or (metric, level, window) in windows
        }
        assert shown == expected
        assert await stories(self.sut) == told_by(telling)
        warnings = [dict(said) for said in rows]
        open_ = {(w["indicator"], w["level"], w["subject"]): w for w in warnings if w["episode_open"] == "True"}
        stand = {key: (w["severity"], w["status"]) for key, w in open_.items()}
        assert stand == {key: (severity, "dismissed" if quiet else "open") for key, (severity, quiet) in telling.open.items()}
        assert len(open_) == len([w for w in warnings if w["episode_open"] == "True"])
        assert {w["status"] for w in warnings if (w["episode_open"], w["trial"]) == ("False", "False")} <= {
            "cleared",
            "withdrawn",
            "dismissed",
        }


def story(tried: IndicatorTried) -> str:
    """The code under which monitoring keeps the trial apart."""
    return f"{tried.code}@{tried.version}"


def told_by(telling: Telling) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for code, level, subject, _, step, severity, *_ in telling.steps:
        found[code, level, subject].append((severity, step == "dismissed"))
    return dict(found)


async def stories(sut: ServiceUnderTest) -> dict[Any, list[Any]]:
    """Each story as its turns have it: severity (None: no episode) and whether it was dismissed."""
    found: dict[Any, list[Any]] = defaultdict(list)
    async with sut.database.reading() as session:
        rows = await session.execute(
            select(TurnRow, WordRow.kind, WordRow.code)
            .join(WordRow, WordRow.id == TurnRow.subject_word)
            .order_by(TurnRow.place, TurnRow.id)
        )
        for turn, level, subject in rows:
            found[turn.indicator, level, subject].append((turn.severity, turn.quiet))
    return dict(found)


def plain(v: IndicatorActivated) -> Version:
    lines = plain_lines(v.warning_lines)
    said = (v.code, v.version, v.metric, v.level, v.window, v.comparison == "below", int(v.min_denominator))
    again = None if v.repetition is None else (v.repetition.severity, v.repetition.windows)
    patience = (v.raise_after_windows, v.clear_after_windows, v.hold_days, again, v.grace_days, tuple(map(plainly, v.overrides)))
    minutes = v.evaluate.get("lesson_end_plus_minutes") if isinstance(v.evaluate, dict) else None
    when = v.evaluate if isinstance(v.evaluate, str) else "daily" if minutes is None else "lesson_end"
    return Version(*said, when, lines, v.effective_from, *patience, wait=int(minutes or 0) // 1440)


def plain_lines(lines: Sequence[WarningLine]) -> tuple[tuple[str, Bound, Bound], ...]:
    return tuple((line.severity, exact(line.enter), exact(line.clear)) for line in lines)


def plainly(o: Override) -> model.Override:
    return model.Override(o.kind, o.id, plain_lines(o.warning_lines), None if o.min_denominator is None else int(o.min_denominator))


def exact(bound: Decimal | tuple[Decimal, Decimal]) -> Bound:
    return (Fraction(bound[0]), Fraction(bound[1])) if isinstance(bound, tuple) else Fraction(bound)


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
    state = await rebuilt(pair.sut)
    assert (state["before"], state["mended"]) == (state["after"], 0)


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
    return "count", [(first + n, numerator, 1, back, student, class_, None) for n, back in enumerate(days)]


def about(n: int, amends: str, of: int, numerator: int = 0, back: int = 0, student: str = "S1", class_: str = "C1") -> Op:
    return "count", [(n, numerator, 1, back, student, class_, (amends, of))]


HISTORY: list[Op] = [
    some(0, [0, 3, 12, 1]),
    ("activate", "a-steps"),
    ("try", "a-steps"),
    ("try", "b-student"),
    ("activate", "b-student"),
    ("learn", "C1"),
    some(4, [0, 0, 0], numerator=3),
    ("activate", "c-above"),
    ("activate", "d-close"),
    ("try", "d-close"),
    some(7, [0, 1, 9], "S2", "C2"),
    ("learn", "S1"),
    ("activate", "f-day"),
    ("try", "g-daily"),
    ("release", "a-steps"),
    ("activate", "g-daily"),
    ("activate", "h-patient"),
    ("activate", "i-closes-patiently"),
    ("activate", "j-outside"),
    ("activate", "k-units"),
    ("activate", "l-students"),
    ("activate", "m-courses"),
    ("activate", "n-lessons"),
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
    ("activate", "h-patient"),
    ("activate", "k-units"),
    about(26, "retracts", 0),
    about(27, "corrects", 14, 3, 6, "S3"),
    about(28, "retracts", 20),
    ("try", "d-close"),
    ("try", "n-lessons"),
    ("release", "b-student"),
    ("move", "C2"),
    ("move", "S3"),
    ("activate", "j-outside"),
    some(18, [0, 1, 2, 3, 9], "S1", "C1", 3),
    ("activate", "l-students"),
    ("days", 7),
    some(23, [0, 7, 8], "S2", "C1"),
    ("days", 8),
]


async def test_one_long_history_agrees_on_every_database(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(BEGIN)
    async with monitoring(database_url, tmp_path, clock) as sut:
        pair = Pair(sut, clock)
        await play(pair, HISTORY)

        steps = pair.model.tell().steps
        assert {step[4] for step in steps} == {"raised", "escalated", "cleared", "ended", "dismissed"}
        assert len(steps) > 20
