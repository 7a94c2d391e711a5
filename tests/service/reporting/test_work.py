"""The timeline tells of annual tasks, letters, what is due and what improvements have changed, to whom they concern."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

from libs.common.event import Event
from libs.common.events.planning import AgreementSigned, DueItemOverdue, TaskAssigned, TaskOverdue, TaskVerified
from services.reporting.service import service
from tests.conftest import SettableClock
from tests.service.harness import principal, running
from tests.service.planning.school import METRIC, effect
from tests.service.reporting.facts import id_of, opened, orgs
from tests.service.reporting.streams import streaming
from tests.service.reporting.test_overview import MECH, READER

PLACES = ["school:demo", "teacher:T1", "unit:mech"]
TASK = {"task": id_of("t"), "task_class": "c", "title": "完善制度", "year": 2026, "unit": "mech", "due_on": date(2026, 12, 31)}
SIGNED = AgreementSigned(
    agreement=id_of("a"),
    kind="letter",
    name="目标责任书",
    year=2026,
    unit="mech",
    holder=None,
    version=2,
    by="D1",
    hash="0" * 64,
    places=["school:demo", "teacher:D1", "unit:mech"],
)
DUE = {"routine": "month", "name": "月度自查", "level": "course", "per": "course", "subject": "CNC101", "due_on": date(2026, 4, 5)}


def facts() -> list[Event]:
    return [
        TaskAssigned(**TASK, owner="T1", goal=None, places=PLACES),
        TaskOverdue(**TASK, owner="T1", places=PLACES),
        TaskVerified(**TASK, owner="T1", goal=None, by="Q1", met=True, score=Decimal("95.0"), places=PLACES),
        SIGNED,
        DueItemOverdue(**DUE, item=id_of("d"), owner="T1", places=["course:CNC101", "school:demo", "teacher:T1"]),
    ]


async def test_units_and_persons_read_what_became_of_their_work(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        await reporting.handle(orgs(MECH))
        await reporting.handle(*facts())

        async def told(*places: str) -> list[str]:
            async with reporting.as_(principal("report.read", over=places)) as client:
                return [line["text"] for line in (await client.get("/timeline")).json()["items"]]

        due = "CNC101的“月度自查”已逾期：应于2026-04-05前完成"
        task = [
            "Q1核验机械系的年度任务“完善制度”：已达成，95分",
            "机械系的年度任务“完善制度”已逾期：应于2026-12-31前完成",
            "机械系的年度任务“完善制度”已下达：2026-12-31前完成",
        ]
        signed = "D1签署机械系的2026年目标责任书（第2版）"
        assert await told("unit:mech") == [signed, *task]
        assert await told("teacher:T1") == [due, *task]
        assert await told("course:CNC101") == [due]
        assert await told("unit:info", "teacher:T2") == []
        async with reporting.as_(READER) as client:
            lines = (await client.get("/timeline")).json()["items"]
        assert [(line["kind"], line["what"], line["level"], line["subject"]) for line in lines[:2]] == [
            ("due_item", "overdue", "course", "CNC101"),
            ("agreement", "signed", "department", "mech"),
        ]


async def test_a_task_that_was_given_to_somebody_else_is_told_to_them(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as reporting:
        first = TaskAssigned(**TASK, owner="T1", goal=None, places=PLACES)
        await reporting.handle(first, first.model_copy(update={"owner": "T2", "places": ["unit:mech", "teacher:T2"]}))
        for person, lines in (("T1", 0), ("T2", 2)):
            async with reporting.as_(principal("report.read", over=[f"teacher:{person}"])) as client:
                assert len((await client.get("/timeline")).json()["items"]) == lines


async def test_an_effect_is_a_line_of_its_improvement_and_the_stream_sends_no_tasks(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    task = opened("e", "unit:mech")
    assert task.warning is not None
    async with running(service, database_url, tmp_path, clock) as reporting, streaming(reporting, READER) as stream:
        await stream.next()
        await reporting.handle(METRIC, task, *facts(), effect(task.improvement, task.warning))
        blocks = [await stream.next() for _ in range(2)]
        async with reporting.as_(READER) as client:
            line = (await client.get("/timeline?limit=1")).json()["items"][0]
    assert [(block.event, block.data["change"]["what"]) for block in blocks] == [
        ("improvement", "opened"),
        ("improvement", "effect"),
    ]
    assert line["text"] == f"“{task.title}”的整改成效：整改前70%，整改后95.33%，有效"
    assert (line["object"], line["detail"]["verdict"]) == (str(task.improvement), "effect")
