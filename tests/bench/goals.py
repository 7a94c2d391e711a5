"""How fast the goal tree, the chain lint and the matrix answer: 20,000 goals in 6 levels with a task each, 600 plans, on SQLite or the PostgreSQL of `make test-servers`.

usage: python -m tests.bench.goals [GOALS]        (BENCH_POSTGRES=postgresql+psycopg://… for the other database; make bench runs it on both)
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from libs.common.database import Database
from libs.common.events.gateway import SchoolAdded
from libs.common.events.monitoring import Measured, Measurement
from libs.common.events.origin import FIRST
from services.planning.commands.attaining import reassess
from services.planning.queries import goal_id, plan_id
from services.planning.service import service
from services.planning.tables import FollowedRow, GoalRow, ImprovementRow, LinkRow, MeasuredRow, MetricRow, PlanRow, TaskRow
from tests.service.harness import SCHOOL, ServiceUnderTest, principal, running
from tests.service.planning.school import tell

LEVELS = (1, 12, 120, 1_000, 5_000)  # goals a level; the rest are in the sixth
PLANS = 600
WHO = principal("plan.read", "guarantee.read")
NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def plans() -> list[dict[str, Any]]:
    """The root and its plans below, all published."""
    same: dict[str, Any] = {
        "name": "计划",
        "level": "school",
        "unit": None,
        "owner": None,
        "owner_post": "quality_office",
        "subject": None,
        "swot": [],
    }
    status = {"status": "published", "current": True, "live": True, "created_at": NOW, "created_by": "Q1", "submitted_by": "Q1"}
    said = {
        **same,
        **status,
        "school": SCHOOL,
        "version": 1,
        "approved_by": "B1",
        "published_on": date(2026, 1, 1),
        "origin": FIRST,
    }
    period = {"period_from": date(2026, 1, 1), "period_to": date(2030, 12, 31)}
    return [
        {**said, **period, "id": plan_id(SCHOOL, f"P{n}", 1), "code": f"P{n}", "kind": "unit", "parent": "P0" if n else None}
        for n in range(PLANS)
    ]


def goals(many: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Goals and links: inner levels roll up by minimum, the leaves have a measure each; one in ten serves two parents."""
    chance = random.Random(7)
    sizes = [*LEVELS, many - sum(LEVELS)]
    rows: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []
    above: list[UUID] = []
    for depth, size in enumerate(sizes):
        here = []
        for n in range(size):
            code, plan = f"G{depth}-{n}", f"P{(n + depth) % PLANS}"
            id_ = goal_id(SCHOOL, plan, code)
            parents = sorted(set(chance.sample(above, 2 if n % 10 == 0 and len(above) > 1 else 1)), key=str) if above else []
            rows.append(_goal(id_, plan, code, parents, leaf=depth == len(sizes) - 1))
            base = {"goal": id_, "version": 1, "school": SCHOOL, "plan": plan_id(SCHOOL, plan, 1), "current": True, "live": True}
            links += [{**base, "parent": parent, "weight": None} for parent in parents]
            here.append(id_)
        above = here
    return rows, links


def _goal(id_: UUID, plan: str, code: str, parents: list[UUID], *, leaf: bool) -> dict[str, Any]:
    content: dict[str, Any] = {
        "code": code,
        "statement": "到 2030 年达到 80%",
        "owner_post": "quality_office",
        "deadline": "2030-12-31",
        "parents": [{"goal": str(parent)} for parent in parents],
    }
    if leaf:
        content["measure"] = {"indicator": "ind", "values": [{"year": 2026, "target": "0.6"}, {"year": 2030, "target": "0.8"}]}
    else:
        content["roll_up"] = "minimum"
    key = {"indicator": "ind", "metric": "m", "level": "teacher", "window": "year", "subject": code}
    base = {"goal": id_, "version": 1, "school": SCHOOL, "plan": plan_id(SCHOOL, plan, 1), "plan_code": plan, "code": code}
    measured = key if leaf else dict.fromkeys(key)
    return {**base, "roll_up": content.get("roll_up", "none"), **measured, "content": content, "current": True, "live": True}


async def fill(sut: ServiceUnderTest, many: int) -> list[UUID]:
    """A school with all that, numbers for nine of ten leaves, and 500 warnings of which half are overdue."""
    await tell(sut, SchoolAdded(code=SCHOOL, name="示范学院"))
    rows, links = goals(many)
    leaves = [row for row in rows if row["metric"] is not None]
    key = {"school": SCHOOL, "metric": "m", "level": "teacher", "window": "year"}
    numbers = {"start": date(2026, 1, 1), "denominator": "100", "value": "0.7", "numerator": "70"}
    async with sut.database.transaction() as tx:
        tx.school = SCHOOL
        await tx.insert(PlanRow, plans())
        await tx.insert(GoalRow, rows)
        await tx.insert(LinkRow, links)
        await tx.insert(TaskRow, [_task_of(n, row["goal"]) for n, row in enumerate(rows)])
        tx.session.add(MetricRow(school=SCHOOL, code="m", kind="ratio", unit="%", alias=None))
        await tx.insert(FollowedRow, [{**key, "subject": row["subject"]} for row in leaves])
        await tx.insert(MeasuredRow, [{**key, **numbers, "subject": row["subject"]} for row in leaves[: len(leaves) * 9 // 10]])
        await tx.insert(ImprovementRow, [_task(n, row["subject"]) for n, row in enumerate(leaves[:500])])
    begin = time.perf_counter()
    async with sut.database.transaction() as tx:
        tx.school = SCHOOL
        await reassess(tx, [row["goal"] for row in rows])
    print(f"all standings written anew    {time.perf_counter() - begin:8.2f} s")
    return [rows[sum(LEVELS[:depth])]["goal"] for depth in range(len(LEVELS) + 1)]


def _task(n: int, subject: str) -> dict[str, Any]:
    row: dict[str, Any] = {column.key: None for column in ImprovementRow.__table__.columns}
    words = (
        "metric",
        "source",
        "tracking",
        "comparison",
        "title",
        "goal_proposed",
        "curve",
        "owner_post",
        "verifier_post",
        "indicator_name",
    )
    due = NOW.date() + timedelta(days=7 if n % 2 else -7)
    said = {"school": SCHOOL, "indicator": "ind", "level": "teacher", "subject": subject, "severity": "red", "status": "proposed"}
    dates = {"number": n + 1, "opened_at": NOW, "opened_on": NOW.date(), "plan_due_on": due, "due_on": due}
    flags = {"cleared": False, "warned": True, "unfilled": False, "vacant": []}
    return {**row, **dict.fromkeys(words, "x"), **said, **dates, **flags, "id": UUID(int=n + 1), "warning": UUID(int=n + 1)}


def _task_of(n: int, goal: UUID) -> dict[str, Any]:
    """An annual task for a goal."""
    row: dict[str, Any] = {column.key: None for column in TaskRow.__table__.columns}
    said = {"school": SCHOOL, "task_class": "a", "year": 2026, "goal": goal, "due": date(2026, 12, 31), "unit": f"U{n % 40}"}
    as_given = {
        "helpers": [],
        "content": {},
        "version": 1,
        "status": "assigned",
        "percent": 0,
        "created_at": NOW,
        "created_by": "Q1",
    }
    return {**row, **said, **as_given, "id": UUID(int=n + 1)}


async def timed(sut: ServiceUnderTest, what: str, path: str, times: int) -> tuple[Any, float]:
    """The last answer, and the median milliseconds."""
    seconds = []
    answer: Any = None
    async with sut.as_(WHO) as client:
        for _ in range(times):
            begin = time.perf_counter()
            answer = await client.get(path)
            seconds.append(time.perf_counter() - begin)
            assert answer.status_code == 200, answer.text
    print(f"{what:28}  {statistics.median(seconds) * 1000:8.1f} ms  worst {max(seconds) * 1000:.1f} ms")
    return answer.json(), statistics.median(seconds) * 1000


async def one_measurement(sut: ServiceUnderTest, subject: str) -> None:
    """How long a leaf's new number takes up to the root."""
    value = Measurement(
        subject=subject, start=date(2026, 1, 1), numerator=Decimal(50), denominator=Decimal(100), value=Decimal("0.5"), revision=2
    )
    begin = time.perf_counter()
    await tell(sut, Measured(metric="m", level="teacher", window="year", measurements=[value]))
    print(f"a measurement, up to the root {(time.perf_counter() - begin) * 1000:8.1f} ms")


async def run(url: str, many: int) -> dict[str, float]:
    """Milliseconds of the slowest node of the tree, and of the lint of the whole."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with running(service, url or f"sqlite+aiosqlite:///{folder}/planning.db", Path(folder), lambda: NOW) as sut:
            nodes = await fill(sut, many)
            await _analyze(sut.database)
            for depth, node in enumerate(nodes):
                found, took = await timed(sut, f"tree, a node of level {depth + 1}", f"/goals/{node}/tree", 9)
                figures["tree"] = max(took, figures.get("tree", 0))
                print(f"{'':32}{found['below']}")
            _, figures["matrix"] = await timed(sut, "matrix of systems and levels", "/matrix", 9)
            await timed(sut, "goals that nothing protects", "/guarantees/unserved", 9)
            found, figures["lint"] = await timed(sut, "lint of the whole", "/lint", 3)
            print(f"{'':32}{found['counts']}")
            await one_measurement(sut, f"G{len(LEVELS)}-3")
    return figures


async def _analyze(database: Database) -> None:
    """As both databases do by themselves after a while."""
    async with database.transaction() as tx:
        connection = await tx.session.connection()
        await connection.exec_driver_sql("ANALYZE")


if __name__ == "__main__":
    asyncio.run(run(os.environ.get("BENCH_POSTGRES", ""), int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
