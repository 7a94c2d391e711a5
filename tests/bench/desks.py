"""How fast desks, ledger, matrix and rankings answer: 20,000 tasks and 5,000 improvements, on SQLite or the PostgreSQL of `make test-servers`.

usage: python -m tests.bench.desks [TASKS]        (BENCH_POSTGRES=postgresql+psycopg://… for the other database; make bench runs it on both)
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from libs.common.events.gateway import SchoolAdded
from services.planning.service import service
from services.planning.tables import HistoryRow, HomeroomRow, ImprovementRow, OrgRow, PlaceRow, TaskPlaceRow, TaskRow
from tests.service.harness import SCHOOL, ServiceUnderTest, principal, running
from tests.service.planning.school import tell

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
UNITS, CLASSES, STUDENTS = 30, 300, 9_000
MAY = ("improvement.read", "task.read", "plan.read", "school.read", "guarantee.read", "standard.read")
ASKED = (
    ("desk of a department", "/desks/department-head", principal(*MAY, "desk.department", over=["unit:U3"], id="D3")),
    ("desk of the whole school", "/desks/department-head", principal(*MAY, "desk.department", id="Q1")),
    ("desk of a course leader", "/desks/course-leader", principal(*MAY, "desk.course", over=["course:K3"], id="L3")),
    ("desk of a class teacher", "/desks/class-teacher", principal(*MAY, "desk.class", over=["class:C3"], id="T3")),
    ("desk of a student", "/desks/student", principal(*MAY, "desk.student", over=["student:S3"], id="S3")),
    ("ledger, a page of the school", "/ledger", principal(*MAY, id="Q1")),
    ("ledger, a page of a unit", "/ledger", principal(*MAY, over=["unit:U3"], id="D3")),
    ("counts of the ledger by unit", "/ledger/summary?by=unit", principal(*MAY, id="Q1")),
    ("matrix, five by five, of tasks and improvements", "/matrix", principal(*MAY, id="Q1")),
    ("rankings of a year", "/rankings?year=2026", principal(*MAY, id="Q1")),
)


def tasks(many: int) -> Iterator[dict[str, Any]]:
    """Tasks of this year and the last, in every state, each with an owner of its unit."""
    empty: dict[str, Any] = {column.key: None for column in TaskRow.__table__.columns}
    states = ("assigned", "accepted", "in_progress", "submitted", "verified", "closed")
    for n in range(many):
        due = NOW.date() + timedelta(days=n % 400 - 100)
        content = {
            "title": f"任务 {n}",
            "task_class": "c",
            "year": 2026,
            "assessment": "按期",
            "start": "2026-01-01",
            "due": str(due),
        }
        said = {"task_class": "c", "year": 2026 - n % 2, "due": due, "unit": f"U{n % UNITS}", "owner": f"D{n % UNITS}"}
        state = {"status": states[n % len(states)], "met": True if n % len(states) >= 4 else None, "percent": 0, "version": 1}
        made = {"created_at": NOW, "created_by": "Q1", "content": content, "helpers": []}
        yield {**empty, **said, **state, **made, "id": UUID(int=n + 1), "school": SCHOOL}


def problems_of(many: int) -> int:
    """How many improvements there are beside so many tasks."""
    return many // 4


def improvements(many: int) -> Iterator[dict[str, Any]]:
    """Improvements of students and classes, half of them done."""
    chance = random.Random(7)
    empty: dict[str, Any] = {column.key: None for column in ImprovementRow.__table__.columns}
    words = ("metric", "comparison", "title", "goal_proposed", "curve", "owner_post", "verifier_post", "indicator_name", "tracking")
    for n in range(many):
        student = n % 3 > 0
        done = n % 2 == 0
        subject = f"S{chance.randrange(STUDENTS)}" if student else f"C{n % CLASSES}"
        due = NOW.date() + timedelta(days=n % 60 - 20)
        yield {
            **empty,
            **dict.fromkeys(words, "x"),
            "id": UUID(int=n + 1),
            "school": SCHOOL,
            "number": n + 1,
            "source": "warning",
            "warning": UUID(int=n + 1),
            "indicator": "ind",
            "level": "student" if student else "class",
            "subject": subject,
            "unit": f"U{n % UNITS}",
            "severity": ("yellow", "orange", "red")[n % 3],
            "status": "closed" if done else ("proposed", "running", "submitted")[n % 3],
            "cleared": done,
            "warned": not done,
            "owner": f"T{n % CLASSES}",
            "verifier": f"D{n % UNITS}",
            "vacant": [],
            "unfilled": False,
            "opened_at": NOW - timedelta(days=n % 90, seconds=n),
            "opened_on": NOW.date() - timedelta(days=n % 90),
            "plan_due_on": due,
            "due_on": due,
        }


def places(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        class_ = row["subject"] if row["level"] == "class" else f"C{int(row['subject'][1:]) % CLASSES}"
        number = int(class_[1:])
        lies = {"school:demo", f"unit:U{number % UNITS}", f"class:{class_}", f"level:{row['level']}"}
        lies.add(f"student:{row['subject']}" if row["level"] == "student" else f"course:K{number % 100}")
        for place in sorted(lies):
            yield {"improvement": row["id"], "place": place}


async def fill(sut: ServiceUnderTest, many: int) -> None:
    await tell(sut, SchoolAdded(code=SCHOOL, name="示范学院"))
    work, problems = list(tasks(many)), list(improvements(problems_of(many)))
    empty: dict[str, Any] = {column.key: None for column in OrgRow.__table__.columns}
    cleared = [{"improvement": row["id"], "step": "warning_cleared", "at": NOW, "by": None, "what": {}} for row in problems[::2]]
    async with sut.database.transaction() as tx:
        units = [
            {**empty, "school": SCHOOL, "id": f"U{n}", "name": f"系部 {n}", "kind": "department", "active": True}
            for n in range(UNITS)
        ]
        await tx.insert(OrgRow, [{name: row[name] for name in empty} for row in units])
        await tx.insert(
            HomeroomRow, [{"school": SCHOOL, "id": f"C{n}", "active": True, "org": f"U{n % UNITS}"} for n in range(CLASSES)]
        )
        await tx.insert(TaskRow, work)
        lies = [{"task": row["id"], "place": place} for row in work for place in ("school:demo", f"unit:{row['unit']}")]
        await tx.insert(TaskPlaceRow, lies)
        await tx.insert(ImprovementRow, problems)
        await tx.insert(PlaceRow, list(places(problems)))
        await tx.insert(HistoryRow, cleared)
    async with sut.database.transaction() as tx:
        await (await tx.session.connection()).exec_driver_sql("ANALYZE")


async def run(url: str, many: int) -> dict[str, float]:
    """Median milliseconds of each call."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with running(service, url or f"sqlite+aiosqlite:///{folder}/planning.db", Path(folder), lambda: NOW) as sut:
            await fill(sut, many)
            for what, path, who in ASKED:
                async with sut.as_(who) as client:
                    seconds = []
                    for _ in range(9):
                        begin = time.perf_counter()
                        answer = await client.get(path)
                        seconds.append(time.perf_counter() - begin)
                        assert answer.status_code == 200, answer.text
                figures[what] = statistics.median(seconds) * 1000
                print(f"{what:32}  {figures[what]:8.1f} ms  worst {max(seconds) * 1000:.1f} ms")
    return figures


if __name__ == "__main__":
    asyncio.run(run(os.environ.get("BENCH_POSTGRES", ""), int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
