"""The demo school's campus, lesson by lesson, through the public API alone.

A few classes and students begin weak and recover, so that warnings come and go before one's eyes; some teachers work on
their tasks. The same school days each time: the seed is fixed.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import structlog

from services.gateway import demo_school
from services.gateway.demo_school import DemoSchool, Lessons, Student

log = structlog.get_logger()
LASTS_S = 30 * 60
LESSON_S = 3.0
STEP_EVERY = 3  # lessons between two steps of people
PAST_FROM = 10  # lessons before the past is told
PATIENCE_S = 60.0
FEATURED = ("D1-P1-C1-1", "D2-P1-C1-2", "D3-P1-C2-1", "D2-P2-C3-1")
_ZONE = ZoneInfo("Asia/Shanghai")
_SEED = 20260901
_BATCH = {"Content-Type": "application/cloudevents-batch+json"}
Event = dict[str, Any]
# Source, metric, a usual value, whom it is about beside the class.
_USUAL = (
    ("attendance", "attendance", 0.95, "student"),
    ("attendance", "teacher_attendance", 0.98, "teacher"),
    ("classroom", "classroom_score", 0.82, "student"),
    ("classroom", "interaction_response", 0.8, "student"),
    ("classroom", "lesson_step_completion", 0.93, "teacher"),
    ("teaching", "assignment_completion", 0.9, "student"),
    ("teaching", "assignment_marking", 0.92, "teacher"),
    ("teaching", "assessment_score", 0.8, "student"),
    ("teaching", "objective_attainment", 0.8, "teacher"),
    ("teaching", "learning_effect", 0.82, "student"),
    ("teaching", "teaching_evaluation", 0.88, "teacher"),
)


# --- the campus: what its systems have to tell -----------------------------------------------------------------------


@dataclass
class Campus:
    """Holds lessons and says what three campus systems report of each. `run` keeps the ids of two simulations apart."""

    run: str
    school: DemoSchool = field(default_factory=demo_school.build)
    held: Counter[str] = field(default_factory=Counter)
    random: random.Random = field(default_factory=lambda: random.Random(_SEED))  # noqa: S311 - a demo, not a secret
    _ids: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.students = {each.id: self.school.students_of(each.id) for each in self.school.classes}
        homeroom = self.school.homerooms[0].id
        featured = [student for class_id in FEATURED for student in self.students[class_id][:2]]
        self.weak = {s.id for s in [*featured, *[s for s in self.school.students if s.homeroom == homeroom][:3]]}

    def timetable(self) -> Iterator[Lessons]:
        """Lessons for ever: every third one of the featured classes, the others in turn between them."""
        featured = itertools.cycle([each for name in FEATURED for each in self.school.classes if each.id == name])
        others = itertools.cycle([each for each in self.school.classes if each.id not in FEATURED])
        while True:
            yield next(featured)
            yield next(others)
            yield next(others)

    def yesterday(self, at: datetime) -> dict[str, list[Event]]:
        """Heads counted in a few of yesterday's lessons: that day is over, so they are judged at once."""
        told = []
        for n, each in enumerate(self.school.classes[::6]):
            size = len(self.students[each.id])
            heads = round(size * (0.6 if n % 3 == 1 else 0.95))
            lesson = f"{each.id}/{at - timedelta(days=1):%Y%m%d}"
            told.append(
                self._event(
                    "attendance", at - timedelta(days=1), "lesson_attendance", heads, size, **{"class": each.id}, lesson=lesson
                )
            )
        return {"attendance": told}

    def past(self, day: date) -> dict[str, list[Event]]:
        """A day of an earlier week, thinly: so that curves have something to begin with. The same whenever it is told."""
        told: dict[str, list[Event]] = {name: [] for name in demo_school.SOURCES}
        chance, at = random.Random(day.toordinal()), datetime(day.year, day.month, day.day, 10, tzinfo=_ZONE)  # noqa: S311 - as above
        tide, ids = 0.05 * math.sin(day.toordinal() / 2.0), itertools.count()
        for taught in self.school.classes:
            for source, metric, usual, person in _USUAL:
                healthy = [each.id for each in self.students[taught.id] if each.id not in self.weak]
                who = {"student": chance.choice(healthy)} if person == "student" else {"teacher": taught.teacher}
                value = min(20, round(20 * (usual + tide + chance.uniform(-0.05, 0.05))))
                event = self._event(source, at, metric, value, 20, **{"class": taught.id}, **who)
                told[source].append({**event, "id": f"past-{day}-{next(ids)}"})
        return told

    def lesson(self, taught: Lessons, at: datetime) -> dict[str, list[Event]]:
        """One lesson: what each campus system reports of it, by source."""
        self.held[taught.id] += 1
        n = self.held[taught.id]
        weak = taught.id in FEATURED and n <= 2
        told: dict[str, list[Event]] = {name: [] for name in demo_school.SOURCES}
        present = self._attend(told["attendance"], taught, at, n, weak=weak)
        self._work_in_class(told["classroom"], taught, at, present, weak=weak)
        self._work_at_home(told["teaching"], taught, at, n, weak=weak)
        return told

    def _attend(self, told: list[Event], taught: Lessons, at: datetime, n: int, *, weak: bool) -> list[Student]:
        lesson, students = f"{taught.id}/{self.run}-{n}", self.students[taught.id]
        likely = 0.6 if weak else 0.98
        present = [s for s in students if self.random.random() < (0.45 if self._is_weak(s, n) else likely)]
        there = {student.id for student in present}
        where = {"class": taught.id, "lesson": lesson}
        told += [self._event("attendance", at, "attendance", s.id in there, 1, student=s.id, **where) for s in students]
        told.append(self._event("attendance", at, "lesson_attendance", len(present), len(students), **where))
        came = not (taught.id == FEATURED[3] and n <= 2)
        told.append(self._event("attendance", at, "teacher_attendance", came, 1, teacher=taught.teacher, **where))
        return present

    def _work_in_class(self, told: list[Event], taught: Lessons, at: datetime, present: list[Student], *, weak: bool) -> None:
        for student in present:
            score = round(self.random.gauss(62 if weak else 84, 6))
            self._of_student(told, "classroom", at, taught, student, "classroom_score", min(score, 100), 100)
            if self.random.random() < 0.3:
                answers = self.random.random() < (0.5 if weak else 0.85)
                self._of_student(told, "classroom", at, taught, student, "interaction_response", answers, 1)
        self._of_class(told, "classroom", at, taught, "lesson_step_completion", 4 if weak else 6, 6)

    def _work_at_home(self, told: list[Event], taught: Lessons, at: datetime, n: int, *, weak: bool) -> None:
        students = self.students[taught.id]
        if n % 2:
            for student in students:
                done = 3 if self._is_weak(student, n) else self.random.randint(6, 7) if weak else self.random.randint(8, 10)
                self._of_student(told, "teaching", at, taught, student, "assignment_completion", done, 10)
            marked = round(len(students) * (0.6 if weak else 0.95))
            self._of_class(told, "teaching", at, taught, "assignment_marking", marked, len(students))
        if n % 3 == 2:
            for student in students:
                score = 35 if self._is_weak(student, n) else self.random.randint(66, 96)
                self._of_student(told, "teaching", at, taught, student, "assessment_score", score, 100)
            self._of_class(told, "teaching", at, taught, "objective_attainment", self.random.randint(72, 90), 100)
        if n % 4 == 3:
            for student in students:
                self._of_student(told, "teaching", at, taught, student, "learning_effect", self.random.randint(3, 5), 5)
            self._of_class(told, "teaching", at, taught, "teaching_evaluation", self.random.randint(82, 95), 100)

    def _is_weak(self, student: Student, n: int) -> bool:
        """Weak students fail in the first three lessons of each class, then somebody has talked to them."""
        return student.id in self.weak and n <= 3

    def _of_student(
        self, told: list[Event], source: str, at: datetime, taught: Lessons, student: Student, metric: str, value: int, of: int
    ) -> None:
        told.append(self._event(source, at, metric, value, of, student=student.id, **{"class": taught.id}))

    def _of_class(self, told: list[Event], source: str, at: datetime, taught: Lessons, metric: str, value: int, of: int) -> None:
        told.append(self._event(source, at, metric, value, of, teacher=taught.teacher, **{"class": taught.id}))

    def _event(self, source: str, at: datetime, metric: str, numerator: int, denominator: int, **refs: str) -> Event:
        return {
            "specversion": "1.0",
            "id": f"{self.run}-{next(self._ids)}",
            "source": f"urn:campus:{demo_school.CODE}:{source}",
            "type": "cn.zhengai.observation.v1",
            "time": at.isoformat(timespec="milliseconds"),
            "data": {"metric": metric, "numerator": int(numerator), "denominator": denominator, **refs},
        }


# --- the people: what some of them do about it -----------------------------------------------------------------------


class People:
    """Demo accounts that start and submit their tasks, and verify those of others."""

    WORKERS = ("course_leader", "class_teacher", "teacher")
    VERIFIERS = ("department_head", "quality_office")

    def __init__(self, client: httpx.AsyncClient, accounts: list[Mapping[str, str]]) -> None:
        self._client = client
        self._accounts = {account["role"]: account for account in accounts}
        self._tokens: dict[str, str] = {}
        self._steps = itertools.cycle(
            [
                *((role, step) for role in self.WORKERS for step in (self.acknowledge, self.start)),
                *((role, self.submit) for role in self.WORKERS),
                *((role, self.verify) for role in self.VERIFIERS),
            ]
        )

    async def step(self) -> None:
        """Let the next one do the next thing, if there is anything to do."""
        role, step = next(self._steps)
        if role in self._accounts:
            await step(role)

    async def acknowledge(self, role: str) -> None:
        if warning := await self._first(role, "/api/v1/monitoring/warnings", "open"):
            await self._call(role, "POST", f"/api/v1/monitoring/warnings/{warning['id']}/acknowledge")

    async def start(self, role: str) -> None:
        if task := await self._first(role, "/api/v1/planning/improvements", "proposed"):
            await self._call(role, "POST", f"/api/v1/planning/improvements/{task['id']}/start", json={})

    async def submit(self, role: str) -> None:
        if task := await self._first(role, "/api/v1/planning/improvements", "running"):
            done = {"done": "已逐一谈话并布置补做(演示)", "evidence": ["谈话记录(演示)"]}
            await self._call(role, "POST", f"/api/v1/planning/improvements/{task['id']}/submit", json=done)

    async def verify(self, role: str) -> None:
        """Confirm what the data has confirmed; anything else waits for it."""
        task = await self._first(role, "/api/v1/planning/improvements", "submitted")
        if task is None:
            return
        whole = await self._call(role, "GET", f"/api/v1/planning/improvements/{task['id']}")
        if whole and whole["cleared"]:
            await self._call(role, "POST", f"/api/v1/planning/improvements/{task['id']}/verify", json={})

    async def _first(self, role: str, path: str, status: str) -> dict[str, Any] | None:
        """The oldest of the newest ten in this state: the very newest stay for whoever watches the page."""
        found = await self._call(role, "GET", path, params={"status": status, "limit": "10"})
        return found["items"][-1] if found and found["items"] else None

    async def _call(self, role: str, method: str, path: str, **options: Any) -> dict[str, Any] | None:
        """Answer None where it was refused: whoever watches the page may have been faster."""
        if role not in self._tokens:
            account = self._accounts[role]
            form = {"grant_type": "password", "username": account["username"], "password": account["password"]}
            answer = await self._client.post("/api/v1/auth/token", data=form)
            if not answer.is_success:
                return None
            self._tokens[role] = answer.json()["access_token"]
        headers = {"Authorization": f"Bearer {self._tokens[role]}"}
        answer = await self._client.request(method, path, headers=headers, **options)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            del self._tokens[role]
        body: dict[str, Any] | None = answer.json() if answer.is_success and answer.content else None
        return body


# --- the run ---------------------------------------------------------------------------------------------------------


async def simulate(base_url: str, demo: Mapping[str, Any], operator_token: str, *, lasts_s: float = LASTS_S) -> None:
    """Put the demo indicators in force, then hold lessons for half an hour. `demo` is what demo.json holds.

    A lost connection or a busy server only delays it; a request that is refused ends it with a line in the log.
    """
    # A proxy named in the environment is for other machines.
    async with httpx.AsyncClient(base_url=base_url, trust_env=False, timeout=30, verify=base_url.startswith("https")) as client:
        try:
            await _ready(client)
            await apply_indicators(client, operator_token)
            await _hold_lessons(client, demo, lasts_s)
        except httpx.HTTPStatusError as error:
            log.warning("the simulator stops", answer=error.response.status_code, detail=error.response.text[:300])


async def _ready(client: httpx.AsyncClient) -> None:
    while True:
        try:
            if (await client.get("/readyz")).is_success:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.2)


async def apply_indicators(client: httpx.AsyncClient, operator_token: str) -> None:
    """Create and activate the demo indicators; what is already so stays. Returns when every service works by them."""
    params, headers = {"school": demo_school.CODE}, {"Authorization": f"Bearer {operator_token}"}
    await _settle(client, params, headers)  # a school's metrics reach the other services a moment after the school
    for indicator in demo_school.indicators(_now().astimezone(_ZONE).date()):
        answer = await _send(client, "POST", "/api/v1/standards/indicators", json=indicator, params=params, headers=headers)
        draft = answer.json()
        path = f"/api/v1/standards/indicators/{draft['code']}/versions/{draft['version']}/activate"
        await _send(client, "POST", path, params=params, headers=headers)
    await _settle(client, params, headers)


async def _settle(client: httpx.AsyncClient, params: Mapping[str, str], headers: Mapping[str, str]) -> None:
    """Return when all that was accepted before has taken hold everywhere, or after a minute."""
    answer = await _send(client, "GET", "/api/v1/progress", params=params, headers=headers)
    after, until = {**params, "after": answer.json()["position"]}, time.monotonic() + PATIENCE_S
    while (await _send(client, "GET", "/api/v1/progress", params=after, headers=headers)).status_code != httpx.codes.OK:
        if time.monotonic() > until:
            log.warning("not everything has taken hold after a minute; the simulator goes on")
            return
        await asyncio.sleep(0.1)


async def _hold_lessons(client: httpx.AsyncClient, demo: Mapping[str, Any], lasts_s: float) -> None:
    keys = {source["name"]: source["key"] for source in demo["sources"]}
    campus, people = Campus(run=f"{_now():%Y%m%d%H%M%S}"), People(client, demo["accounts"])
    begin = time.monotonic()
    await _report(client, keys, campus.yesterday(_now()))
    past = iter(school_days_before(_now().astimezone(_ZONE).date()))
    for n, taught in enumerate(campus.timetable()):
        if time.monotonic() - begin > lasts_s:
            return
        await _report(client, keys, campus.lesson(taught, _now()))
        if n >= PAST_FROM and (day := next(past, None)):
            await _report(client, keys, campus.past(day))
        if n % STEP_EVERY == STEP_EVERY - 1:
            try:
                await people.step()
            except httpx.TransportError as error:
                log.info("a step of the demo's people was lost", reason=repr(error))
        await asyncio.sleep(max(0.0, begin + (n + 1) * LESSON_S - time.monotonic()))


def school_days_before(today: date) -> list[date]:
    """The ten weekdays of the two weeks before this one, newest first: no window of this week changes by them."""
    monday = today - timedelta(days=today.weekday())
    days = [monday - timedelta(days=n) for n in range(1, 15)]
    return [day for day in days if day.weekday() < 5]


async def _report(client: httpx.AsyncClient, keys: Mapping[str, str], told: Mapping[str, list[Event]]) -> None:
    for source, events in told.items():
        if events:
            headers = {**_BATCH, "Authorization": f"Bearer {keys[source]}"}
            await _send(client, "POST", "/api/v1/events", json=events, headers=headers)


async def _send(client: httpx.AsyncClient, method: str, path: str, **options: Any) -> httpx.Response:
    """Return a success; send again until there is an answer. Raises HTTPStatusError for a refusal."""
    while True:
        try:
            answer = await client.request(method, path, **options)
        except httpx.TransportError:
            await asyncio.sleep(1.0)
            continue
        if answer.status_code in {429, 503}:
            await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
            continue
        return answer.raise_for_status()


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)
