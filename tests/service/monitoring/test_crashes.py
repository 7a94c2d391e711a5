"""P1, P2: whatever await point a process crashes at, nothing is lost and nothing doubled.

A seeded history goes through the real intake, outbox, bus and planning, on an injected clock. Each of its await points is
stopped at, and what follows must be, to the last fact, what follows from a run that nobody disturbed. EXAMPLES=n: n seeds.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from sqlalchemy import Integer, inspect

from libs.common import migrate
from libs.common.auth import Scope
from libs.common.bus import Record
from libs.common.event import Event, Message, decode, encode
from libs.common.events.gateway import SchoolAdded
from services.monitoring.domain.windows import Window, from_day
from services.monitoring.queries.catalogue import find_metric
from services.monitoring.queries.measurements import Asked, list_measurements
from services.monitoring.queries.schools import get_school, load_calendar
from services.monitoring.queries.warnings import list_steps, list_warnings
from services.planning.queries import list_improvements
from tests.model.school import Content, School, Sent, Telling
from tests.service.crashing import How, Images, Walk, broken_at, copied
from tests.service.harness import SCHOOL, Everything
from tests.service.monitoring.arrivals import HOMES, PLACES
from tests.service.monitoring.process import SERVICES, Op, Process, process
from tests.service.monitoring.test_model import plain
from tests.service.monitoring.world import (
    TERMS,
    array,
    correction,
    indicator,
    retraction,
    roster,
    sent,
    terms,
)

SEEDS = range(int(os.environ.get("EXAMPLES", "1")))
BEGIN = datetime(2026, 3, 6, 4, 0, tzinfo=UTC)  # a Friday noon in Shanghai
EVENTS, SENDINGS, DAYS = 25, 5, 5
# Watched and not watched ones.
SUMS = [
    ("student", "day"),
    ("student", "month"),
    ("class", "day"),
    ("class", "week"),
    ("homeroom", "week"),
    ("course", "term"),
    ("school", "day"),
]
STEPS = {"yellow": ("0.8", "0.9"), "orange": ("0.6", "0.7"), "red": ("0.4", "0.5")}
AT_FIRST = [
    indicator("steps", STEPS, min_denominator=Decimal(3)),
    indicator("student", {"blue": ("0.6", "0.6")}, level="student", window="month"),
    indicator("closed", {"orange": ("0.8", "0.85")}, evaluate="window_close", level="homeroom"),
]
LATER = indicator("daily", {"red": ("0.7", "0.8")}, evaluate={"daily_at": "08:00"}, level="course", window="term")
# Once through all that there is to do: what observations raise, what is done about it, and what that tells monitoring.
ROUND = [("take", group) for group in ("monitoring", "planning", "monitoring.observations")] + [
    ("hand on", "monitoring"),
    ("take", "planning.monitoring"),
    ("hand on", "planning"),
    ("take", "monitoring"),
]


@dataclass
class History:
    """What happens in a school, step by step, and what the model says of it."""

    seed: int
    ops: list[Op] = field(default_factory=list)
    model: School = field(default_factory=School)

    def __post_init__(self) -> None:
        self._random, self._now = Random(self.seed), BEGIN
        self._learn()
        self._tell(SchoolAdded(code=SCHOOL, name="示范学院"), roster(), terms())
        for each in AT_FIRST:
            self._tell(each)
            self.model.activate(plain(each), self._today)
        self.ops += ROUND * 2
        self.prepared = len(self.ops)
        events = [self._event(n) for n in self._random.sample(range(EVENTS), EVENTS)]
        events += self._random.choices(events, k=EVENTS // 5)
        for n in range(SENDINGS):
            self._send(events[n::SENDINGS])
            self._something_else(n)
        self.ops += ROUND * 2

    @property
    def _today(self) -> date:
        return (self._now + timedelta(hours=8)).date()

    def now_before(self, op: int) -> datetime:
        return next((what for kind, what in reversed(self.ops[:op]) if kind == "day"), BEGIN)

    def _learn(self) -> None:
        self.model.terms = [(t.start, t.end) for t in TERMS if t.kind in {"term", "semester"}]
        self.model.classes = {class_: [place] for class_, place in PLACES.items()}
        self.model.homes, self.model.students = dict(HOMES), set(HOMES)

    def _tell(self, *facts: Event) -> None:
        for fact in facts:
            message = Message(uuid5(NAMESPACE_URL, f"{self.seed} {len(self.ops)}"), self._now, SCHOOL, fact)
            self.ops.append(("send", [Record(fact.producer(), SCHOOL, encode(message))]))
            self.ops.append(("take", "monitoring"))

    def _event(self, n: int) -> tuple[bytes, Sent]:
        """Of every five one corrects and one takes back another, which may come later."""
        r = self._random
        day, numerator, more = self._today - timedelta(r.randrange(20)), r.randrange(4), r.randrange(3)
        named = {"student": r.choice(["S1", "S2", "S3"]), "class_": r.choice(["C1", "C2", "C9"])}
        denominator = max(numerator, 1) + more
        about = (("student", named["student"]), ("class", named["class_"]))
        content, of = Content("attendance", day, numerator, denominator, about), f"e{r.randrange(EVENTS)}"
        kind = r.choice(["", "", "", "corrects", "retracts"]) if of != f"e{n}" else ""
        if kind == "retracts":
            return retraction(f"e{n}", of, day=str(day)), Sent(f"e{n}", None, of)
        if kind == "corrects":
            return correction(f"e{n}", of, numerator, denominator, day=str(day), **named), Sent(f"e{n}", content, of)
        return sent(f"e{n}", numerator, denominator, day=str(day), **named), Sent(f"e{n}", content)

    def _send(self, events: Sequence[tuple[bytes, Sent]]) -> None:
        cut = self._random.randrange(len(events))
        values = [array(*[raw for raw, _ in events[:cut]]), *[raw for raw, _ in events[cut:]]]
        self.ops.append(("send", [Record("observations", SCHOOL, value) for value in values if value != b"[]"]))
        self.ops.append(("take", "monitoring.observations"))
        for _, told in events:
            self.model.send(told)

    def _something_else(self, n: int) -> None:
        if n == SENDINGS // 2:
            self._tell(LATER)
            self.model.activate(plain(LATER), self._today)
        self.ops += [op for op in ROUND if self._random.random() < 0.6]
        if self._random.random() < 0.5:
            self._now += timedelta(self._random.randrange(1, DAYS))
            self.ops.append(("day", self._now))
            self.model.close(self._today)


# --- what follows from it --------------------------------------------------------------------------------------------


Outcome = dict[str, Any]


async def outcome(done: Process) -> Outcome:
    """Sums, warnings with their histories, tasks, and each fact that was told, as often as it may be told: once."""
    assert await done.left() == 0
    everything = Scope(SCHOOL, None)
    found: Outcome = {}
    async with done.suts["monitoring"].database.reading() as session:
        school = await get_school(session, SCHOOL)
        calendar, metric = await load_calendar(session, school), await find_metric(session, school.id, "attendance")
        assert metric is not None
        for level, window in SUMS:
            asked = Asked(metric.id, level, Window[window.upper()], None, None, None)
            sums = await list_measurements(session, calendar, asked, None, 1000)
            found[f"{level} {window}"] = [(m.subject, from_day(m.start), m.numerator, m.denominator, m.revision) for m in sums]
        warnings = await list_warnings(session, everything, {}, None, 1000)
        found["warnings"] = {str(row.id): shown(row) for row in warnings}
        found["histories"] = {str(row.id): [shown(step) for step in await list_steps(session, row.id)] for row in warnings}
    async with done.suts["planning"].database.reading() as session:
        tasks = await list_improvements(session, everything, status=None, warning=None, owner=None, after=None, limit=1000)
        found["tasks"] = {str(row.warning): shown(row) for row in tasks}
    for topic in SERVICES:
        found[f"facts of {topic}"] = await facts(done, topic)
    return found


def shown(row: Any) -> dict[str, Any]:
    """All of a row but the numbers that the database has given."""
    mine = inspect(type(row)).column_attrs
    return {each.key: getattr(row, each.key) for each in mine if not isinstance(each.columns[0].type, Integer)}


async def facts(done: Process, topic: str) -> dict[str, list[tuple[str, Event]]]:
    """By what they are about, in the order in which they were told first; a relay that crashed tells again what it told."""
    found: dict[str, Event] = {}
    async with done.bus.subscribe("test", [topic]) as subscription:
        while records := await subscription.fetch(1 << 30, wait=0):
            for record in records:
                message = decode(record.value, Everything())
                assert message is not None
                assert found.setdefault(str(message.id), message.event) == message.event
    about: dict[str, list[tuple[str, Event]]] = defaultdict(list)
    for id_, event in found.items():
        about[str(getattr(event, event.about_field))].append((id_, event))
    return about


def difference(wanted: Outcome, found: Outcome) -> dict[str, Any]:
    return {what: (wanted[what], found[what]) for what in wanted if wanted[what] != found[what]}


def check_model(history: History, found: Outcome) -> None:
    """What nobody disturbed is what the model says, and enough happened."""
    telling = history.model.tell()
    for level, window in SUMS:
        sums = {(subject, start): (n, d) for subject, start, n, d, _ in found[f"{level} {window}"] if d}
        assert sums == summed(telling, level, window)
    open_ = {(w["indicator"], w["level"], w["subject"]): w["severity"] for w in found["warnings"].values() if w["status"] == "open"}
    assert open_ == {key: severity for key, (severity, _) in telling.open.items()}
    assert sorted(found["tasks"]) == sorted(found["warnings"])
    assert len(telling.steps) > 5


def summed(telling: Telling, level: str, window: str) -> dict[tuple[str, date], tuple[int, int]]:
    cells = [(subject, starts) for (_, *where, subject, of), starts in telling.sums.items() if (where, of) == ([level], window)]
    return {(subject, start): (total[0] * 10**6, total[1] * 10**6) for subject, starts in cells for start, total in starts.items()}


# --- the runs --------------------------------------------------------------------------------------------------------


async def prepared(history: History, folder: Path) -> Path:
    """The school before anything is observed."""
    await asyncio.to_thread(folder.mkdir)
    for name, service in SERVICES.items():
        await asyncio.to_thread(migrate.upgrade, service, f"sqlite+aiosqlite:///{folder}/{name}.db")
    async with process(folder, BEGIN) as begun:
        for op in history.ops[: history.prepared]:
            await begun.do(op)
        assert await begun.left() == 0
    return folder


async def undisturbed(history: History, begin: Path, images: Images) -> Outcome:
    """What follows where nothing goes wrong; what each await point leaves on the disk is kept in `images`."""
    async with process(copied(begin, images.folder), BEGIN) as whole:
        for n, op in enumerate(history.ops[history.prepared :], history.prepared):
            images.at = n
            await Walk(whole.do(op), images.take)
        found = await outcome(whole)
    check_model(history, found)
    return found


async def go_on(history: History, image: Path, at: int) -> Outcome:
    """Start on what a killed process left, and do what it was at, and the rest."""
    async with process(image, history.now_before(at)) as after:
        for op in history.ops[at:]:
            await after.do(op)
        return await outcome(after)


@pytest.mark.parametrize("seed", SEEDS)
async def test_killed_at_any_await_point_nothing_is_lost_and_nothing_doubled(seed: int, tmp_path: Path) -> None:
    history, images = History(seed), Images(tmp_path / "whole", tmp_path)
    wanted = await undisturbed(history, await prepared(history, tmp_path / "begin"), images)
    assert len(images.taken) > SENDINGS * 2
    for image, at in images.taken:
        found = await go_on(history, image, at)
        assert difference(wanted, found) == {}, f"seed {seed}, killed in step {at}, {history.ops[at][0]}"


@pytest.mark.parametrize("how", ["fails", "cancelled"])
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_process_that_fails_at_each_await_point_in_turn_and_goes_on_remembers_nothing_of_it(
    seed: int, how: How, tmp_path: Path
) -> None:
    history, images = History(seed), Images(tmp_path / "whole", tmp_path)
    begin = await prepared(history, tmp_path / "begin")
    wanted = await undisturbed(history, begin, images)
    async with process(copied(begin, tmp_path / "failing"), BEGIN) as failing:
        for op in history.ops[history.prepared :]:
            point = 1
            while await broken_at(point, how, failing.do(op)):
                point += 1
        found = await outcome(failing)
    assert difference(wanted, found) == {}, f"seed {seed}"
