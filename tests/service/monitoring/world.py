"""A small school for monitoring's tests, what campus systems send of it, and how its state is read back."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import delete, select, update

from libs.common.database import Clock, Database, OutboxRow
from libs.common.event import Message
from libs.common.events.deadletters import DeadLettered
from libs.common.events.gateway import Class, Course, Enrollment, Org, Person, RosterImported, SchoolAdded, Session
from libs.common.events.monitoring import WarningCleared, WarningEscalated, WarningRaised
from libs.common.events.observations import CORRECTED, RETRACTED, TYPE
from libs.common.events.planning import ImprovementOpened, ImprovementStarted
from libs.common.events.standards import IndicatorActivated, Override, WarningLine
from libs.common.sqlite import pysqlite3
from services.monitoring.domain.attribution import WORD_BITS
from services.monitoring.queries.totals import of_metric
from services.monitoring.service import service
from services.monitoring.tables import MetricRow, SchoolRow, TotalRow, WarningRow, WarningStepRow, WordRow
from tests.service.harness import SCHOOL, ServiceUnderTest, principal, running

SQLITE = "sqlite+aiosqlite:///"
NOW = datetime(2026, 3, 31, 4, 0, tzinfo=UTC)  # noon in Shanghai: every observation lies before it
EVERYTHING = principal("metric.read", "metric.write", "measurement.read", "warning.read", "warning.handle", "conflict.read")

ORGS = [
    Org(id="demo", name="示范学院", kind="school"),
    Org(id="mech", name="机电学院", kind="department", parent="demo"),
    Org(id="cnc", name="数控技术", kind="programme", parent="mech"),
    Org(id="arts", name="艺术学院", kind="department", parent="demo"),
]
COURSES = [Course(id="K1", title="数控编程", org="cnc"), Course(id="K2", title="素描", org="arts")]
CLASSES = [
    Class(id="C1", title="数控编程1班", kind="scheduled", course="K1", org="cnc"),
    Class(id="C2", title="素描1班", kind="scheduled", course="K2", org="arts"),
    Class(id="H1", title="数控2301", kind="homeroom", org="cnc"),
    Class(id="H2", title="艺术2301", kind="homeroom", org="arts"),
]
PEOPLE = [
    *[Person(id=f"S{n}", name=f"学生{n}", roles=["student"]) for n in (1, 2, 3)],
    Person(id="T1", name="王老师", roles=["teacher"], orgs=["mech"]),
    Person(id="T2", name="李老师", roles=["teacher"], orgs=["arts"]),
]
ENROLLMENTS = [
    Enrollment(id="e1", class_id="H1", person="S1", role="student"),
    Enrollment(id="e2", class_id="C1", person="S1", role="student"),
    Enrollment(id="e3", class_id="H2", person="S2", role="student"),
    Enrollment(id="e4", class_id="C2", person="S2", role="student"),
    Enrollment(id="e5", class_id="H1", person="S3", role="student", end=date(2026, 3, 9)),
    Enrollment(id="e6", class_id="H2", person="S3", role="student", start=date(2026, 3, 9)),
    Enrollment(id="e7", class_id="C1", person="T1", role="teacher", primary=True),
]
TERMS = [
    Session(id="t1", title="2025秋", kind="semester", start=date(2025, 9, 1), end=date(2026, 1, 17)),
    Session(id="t2", title="2026春", kind="semester", start=date(2026, 2, 24), end=date(2026, 7, 11)),
    Session(id="g", title="校历", kind="schoolYear", start=date(2025, 9, 1), end=date(2026, 9, 1)),
]


def roster(**parts: Any) -> RosterImported:
    """The whole school in one part, without terms, but for what a test says otherwise."""
    whole: dict[str, Any] = {
        "part": "i1/1",
        "last": True,
        "today": date(2026, 3, 1),
        "orgs": ORGS,
        "courses": COURSES,
        "classes": CLASSES,
        "people": PEOPLE,
        "enrollments": ENROLLMENTS,
    }
    return RosterImported(**{**whole, **parts})


def terms(part: str = "terms/1", sessions: Sequence[Session] = TERMS) -> RosterImported:
    """An import of sessions alone."""
    return RosterImported(part=part, last=True, today=date(2026, 3, 1), sessions=list(sessions))


def indicator(code: str = "rate", lines: Mapping[str, tuple[Any, Any]] | None = None, **changes: Any) -> IndicatorActivated:
    """A class's attendance of the week, below 80%, cleared at 80%, but for what a test says otherwise."""
    said: dict[str, Any] = {
        "code": code,
        "version": 1,
        "name": f"指标{code}",
        "metric": "attendance",
        "level": "class",
        "window": "week",
        "comparison": "below",
        "min_denominator": Decimal(1),
        "evaluate": "on_update",
        "warning_lines": [
            WarningLine(severity=severity, enter=enter, clear=clear)
            for severity, (enter, clear) in (lines or {"orange": ("0.8", "0.8")}).items()
        ],
        "effective_from": date(2020, 1, 1),
    }
    return IndicatorActivated(**{**said, **changes})


def own(kind: str, id: str, lines: Mapping[str, tuple[Any, Any]], least: int | None = None) -> Override:  # noqa: A002 - as the field is called
    """What holds in a unit instead; without lines, nothing is judged there."""
    said = [WarningLine(severity=severity, enter=enter, clear=clear) for severity, (enter, clear) in lines.items()]
    return Override(kind=kind, id=id, warning_lines=said, min_denominator=None if least is None else Decimal(least), off=not said)


def sent(id: str, numerator: Any = 1, denominator: Any = 1, *, day: str = "2026-03-02", **said: Any) -> bytes:  # noqa: A002 - as the attribute is called
    """One observation as a campus system sends it: of S1 in C1 unless `student`, `class_` … say otherwise (None: not named)."""
    data: dict[str, Any] = {"metric": "attendance", "student": "S1", "class_": "C1"}
    data |= {name: value for name, value in said.items() if name not in {"source", "time", "attributes"}}
    event = {
        "specversion": "1.0",
        "id": id,
        "source": said.get("source", "urn:campus:demo:lms"),
        "type": TYPE,
        "time": said.get("time", f"{day}T10:00:00+08:00"),
        **said.get("attributes", {}),
        "data": {"numerator": numerator, "denominator": denominator}
        | {name.rstrip("_"): value for name, value in data.items() if value is not None},
    }
    return json.dumps(event, ensure_ascii=False).encode()


def correction(id: str, target: str, numerator: Any = 1, denominator: Any = 1, **said: Any) -> bytes:  # noqa: A002 - as above
    """A correction of an observation; what it says as `sent`."""
    event = json.loads(sent(id, numerator, denominator, **said))
    event["data"]["corrects"] = target
    return json.dumps({**event, "type": CORRECTED}, ensure_ascii=False).encode()


def retraction(id: str, target: str, reason: str = "误报", **said: Any) -> bytes:  # noqa: A002 - as above
    """A retraction of an observation."""
    event = json.loads(sent(id, **said))
    return json.dumps({**event, "type": RETRACTED, "data": {"retracts": target, "reason": reason}}, ensure_ascii=False).encode()


def array(*events: bytes) -> bytes:
    """One record that holds several events."""
    return b"[" + b",".join(events) + b"]"


_KEPT: dict[tuple[str, bool], bytes] = {}


@asynccontextmanager
async def monitoring(
    url: str, folder: Path, clock: Clock = lambda: NOW, *facts: Any, timezone: str = "Asia/Shanghai"
) -> AsyncIterator[ServiceUnderTest]:
    """The service with the school, its roster and what else a test tells it first; nothing is left in its outbox.

    On SQLite the database with the school, and the roster where it comes first, is made once and copied: that is most of
    the time that a small test takes.
    """
    told = facts or (roster(),)
    kept = (timezone, told[0] == roster())
    begin = [SchoolAdded(code=SCHOOL, name="示范学院", timezone=timezone), *told[: kept[1]]]
    if url.startswith(SQLITE) and kept not in _KEPT:
        with tempfile.TemporaryDirectory() as other:
            async with running(service, f"{SQLITE}{other}/kept.db", Path(other), clock) as sut:
                for fact in begin:
                    await sut.handle(fact)
                await sut.published()
            _KEPT[kept] = _bytes_of(f"{other}/kept.db")
    async with _begun(url, folder, clock, _KEPT.get(kept)) as sut:
        for fact in told[kept[1] :] if url.startswith(SQLITE) else [*begin, *told[kept[1] :]]:
            await sut.handle(fact)
        await sut.published()
        yield sut


def _bytes_of(file: str) -> bytes:
    with closing(pysqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(file).read_bytes()


@asynccontextmanager
async def _begun(url: str, folder: Path, clock: Clock, kept: bytes | None) -> AsyncIterator[ServiceUnderTest]:
    if kept is None or not url.startswith(SQLITE):
        async with running(service, url, folder, clock) as sut:
            yield sut
        return
    await asyncio.to_thread(Path(url.removeprefix(SQLITE)).write_bytes, kept)
    database = Database(url, clock)
    sut = ServiceUnderTest(service, database, folder)
    try:
        yield sut
    finally:
        await sut.bus.close()
        await database.close()


async def take(sut: ServiceUnderTest, *events: bytes) -> None:
    """Take observations in as one batch of one record each."""
    await sut.take("observations", *events)


async def close_windows(sut: ServiceUnderTest) -> None:
    """Run the job that judges closed windows."""
    await sut.run("judge-by-clock")


async def every(client: httpx.AsyncClient, path: str, limit: int = 500, **params: Any) -> list[dict[str, Any]]:
    """All items of a list, page by page; numbers as they stand in the JSON, exact."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(path, params={**params, "limit": limit, **cursor})
        assert answer.status_code == 200, answer.text
        page = json.loads(answer.text, parse_float=Decimal)
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next"] is None:
            return items
        assert len(page["items"]) == limit
        cursor = {"cursor": page["next"]}


async def measured(sut: ServiceUnderTest, level: str, window: str = "day", metric: str = "attendance", **params: Any) -> list[Any]:
    """Subject, start, numerator, denominator of every measurement, in the order of the API."""
    async with sut.as_(EVERYTHING) as client:
        items = await every(client, "/measurements", metric=metric, level=level, window=window, **params)
    return [(m["subject"], m["start"], m["numerator"], m["denominator"]) for m in items]


async def warned(sut: ServiceUnderTest, **params: Any) -> list[dict[str, Any]]:
    """Every warning, oldest first."""
    async with sut.as_(EVERYTHING) as client:
        return (await every(client, "/warnings", **params))[::-1]


async def detail(sut: ServiceUnderTest, id: str) -> dict[str, Any]:  # noqa: A002 - as the attribute is called
    async with sut.as_(EVERYTHING) as client:
        answer = await client.get(f"/warnings/{id}")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
    return shown


async def told(sut: ServiceUnderTest) -> list[str]:
    """What was published since the last time about warnings, shortly, in order."""
    return [said for message in await sut.published() if (said := shortly(message)) is not None]


def shortly(message: Message) -> str | None:
    match message.event:
        case WarningRaised() as e:
            return f"{e.indicator} {e.subject} raised {e.severity} {e.numerator}/{e.denominator} of {e.start}"
        case WarningEscalated() as e:
            return f"escalated {e.severity} {e.numerator}/{e.denominator} of {e.start}"
        case WarningCleared() as e:
            return f"cleared {e.numerator}/{e.denominator} of {e.start}"
    return None


async def letters(sut: ServiceUnderTest) -> list[DeadLettered]:
    """The dead letters since the last call."""
    return [message.event for message in await sut.published() if isinstance(message.event, DeadLettered)]


Digest = tuple[list[Any], list[Any], list[Any]]


async def digest(sut: ServiceUnderTest, school: str = SCHOOL) -> Digest:
    """Everything that must not depend on how a log was cut: sums, warnings and their histories, by subject."""
    async with sut.database.reading() as session:
        school_id = await session.scalar(select(SchoolRow.id).filter_by(code=school))
        sums = await session.execute(
            select(
                MetricRow.code, WordRow.kind, WordRow.code, TotalRow.window, TotalRow.start,
                TotalRow.numerator, TotalRow.denominator, TotalRow.revision,
            )
            .join(MetricRow, of_metric(MetricRow.id))
            .join(WordRow, WordRow.id == TotalRow.series.bitwise_and((1 << WORD_BITS) - 1))
            .where(WordRow.school_id == school_id)
        )  # fmt: skip
        rows = (await session.scalars(select(WarningRow).filter_by(school_id=school_id))).all()
        steps = await session.execute(select(WarningStepRow).order_by(WarningStepRow.id))
        history = [(str(s.warning), s.step, s.by, s.detail) for (s,) in steps]
    mine = {str(row.id) for row in rows}
    left_out = {"raised_at", "subject_word", "school_id", "_sa_instance_state"}
    warnings = [sorted((k, str(v)) for k, v in vars(row).items() if k not in left_out) for row in rows]
    return sorted(tuple(row) for row in sums), sorted(warnings), [step for step in history if step[0] in mine]


async def forget(sut: ServiceUnderTest, *, everything: bool = False) -> None:
    """Go back to a school in which nothing was counted; `everything`: and that has neither roster nor indicators."""
    keep = {"school", "metric", "installation"}
    if not everything:
        keep |= {"org", "course", "class", "person", "enrollment", "term", "indicator"}
    async with sut.database.transaction() as tx:
        for table in reversed(service.tables.sorted_tables):
            if table.name not in keep:
                await tx.session.execute(delete(table))
        await tx.session.execute(update(SchoolRow).values(position=0, packed=0, ids_packed=0, version=SchoolRow.version + 1))
        await tx.session.execute(delete(OutboxRow))
    sut.database.memory.clear()


def started(warning: str) -> ImprovementStarted:
    return ImprovementStarted(
        improvement=uuid4(), warning=UUID(warning), by="T1", measures=["谈话"], goal="≥80%", deadline=NOW.date()
    )


def opened(warning: str, improvement: UUID) -> ImprovementOpened:
    return ImprovementOpened(
        improvement=improvement,
        warning=UUID(warning),
        indicator="rate",
        level="class",
        subject="C1",
        title="整改",
        severity="yellow",
        owner="T1",
        owner_post="teacher",
        verifier=None,
        verifier_post="course_leader",
        vacant=[],
        plan_due_on=NOW.date(),
        due_on=NOW.date(),
        places=[],
    )


async def post(sut: ServiceUnderTest, path: str, by: str = "P1", **body: Any) -> tuple[int, Any]:
    async with sut.as_(principal("warning.read", "warning.handle", id=by)) as client:
        answer = await client.post(path, json=body or None)
    return answer.status_code, answer.json()
