"""The ledger of problems: every source in one list, filtered, printed, in and out of Excel, overdue the morning after, counted by unit."""

from __future__ import annotations

from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from docx import Document
from httpx import AsyncClient, Response
from sqlalchemy import event

from libs.common import sheet, word
from libs.common.events.gateway import Person
from libs.common.events.planning import ImprovementOverdue, ImprovementPlanOverdue
from services.planning.domain.ledger import COLUMNS
from services.planning.domain.states import OWNERS_TURN, Status
from services.planning.service import service
from services.planning.tables import ImprovementRow
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest, principal
from tests.service.planning.school import NOON, PEOPLE, TODAY, one, roster, tell, warning
from tests.service.planning.test_finding import FINDING, HEAD, OFFICE, PLAN, recorded, school

XLSX = {"content-type": sheet.MEDIA_TYPE}


async def tick(sut: ServiceUnderTest) -> list[Any]:
    """Run the clock's job once; returns what it published."""
    job = next(job for job in service.jobs if job.name == "overdue")
    async with sut.database.transaction() as tx:
        await job.run(tx)
    return [message.event for message in await sut.published()]


async def kinds(sut: ServiceUnderTest, person: str) -> list[str]:
    async with sut.as_(principal("inbox.read", id=person)) as client:
        return [each["kind"] for each in (await client.get("/inbox")).json()["items"]]


async def ledger(client: AsyncClient, **filters: Any) -> list[dict[str, Any]]:
    answer = await client.get("/ledger", params=filters)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def table(client: AsyncClient, **filters: Any) -> list[dict[str, str]]:
    """The ledger's Excel file, row by row."""
    answer = await client.get("/ledger/sheet", params=filters)
    assert answer.headers["content-type"] == sheet.MEDIA_TYPE
    return [row.said for row in sheet.read_sheet(answer.content, COLUMNS)]


async def bring(client: AsyncClient, *rows: dict[str, str | None]) -> Response:
    """Send rows as an Excel file."""
    cells = [[row.get(column) for column in COLUMNS] for row in rows]
    return await client.post("/ledger/sheet", content=sheet.write_sheet("台账", COLUMNS, cells), headers=XLSX)


async def test_scenario_14_a_rectification_not_submitted_is_overdue_the_morning_after_with_notice_to_owner_and_tracking_group(
    database_url: str, tmp_path: Path
) -> None:
    clock = SettableClock(NOON)
    async with school(database_url, tmp_path, clock) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head:
        (item,) = await recorded(office, {**FINDING, "due_on": "2026-03-30"})
        assert (await head.post(f"/improvements/{item['id']}/start", json=PLAN)).status_code == 200
        await sut.published()

        clock.now = NOON.replace(day=30, hour=15, minute=59)  # 23:59 in Shanghai
        assert await tick(sut) == []
        before = (await office.get("/ledger/summary?by=unit")).json()["items"][0]
        assert (before["overdue"], before["on_time_rate"]) == (0, None)

        clock.now = NOON.replace(day=30, hour=16)  # the 31st begins
        assert await tick(sut) == [ImprovementOverdue(improvement=item["id"], warning=None, due_on=date(2026, 3, 30))]
        assert await tick(sut) == []
        assert [row["number"] for row in await ledger(office, overdue=True)] == [1]
        assert await kinds(sut, "D1") == ["improvement_overdue", "improvement_opened"]
        assert await kinds(sut, "G1") == ["improvement_overdue"]
        after = (await office.get("/ledger/summary?by=unit")).json()["items"][0]
        assert (after["key"], after["name"], after["overdue"], after["on_time_rate"]) == ("mech", "机电学院", 1, 0.0)


async def test_a_plan_not_started_by_its_date_is_overdue_by_itself(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with school(database_url, tmp_path, clock) as sut, sut.as_(OFFICE) as office:
        (item,) = await recorded(office, FINDING)
        await sut.published()
        clock.now = NOON.replace(day=9, hour=16)  # the plan was due on the 9th
        assert await tick(sut) == [ImprovementPlanOverdue(improvement=item["id"], warning=None, plan_due_on=date(2026, 3, 9))]
        assert await tick(sut) == []
        shown = await one(sut, item["id"], OFFICE)
        assert (shown["overdue"], shown["plan_overdue"]) == (False, True)
        assert await kinds(sut, "G1") == ["improvement_plan_overdue"]
        assert [row["number"] for row in await ledger(office, plan_overdue=True, overdue=False)] == [1]
        assert (await office.post(f"/improvements/{item['id']}/start", json=PLAN)).json()["plan_overdue"] is False


async def test_the_ledger_has_warnings_and_findings_in_one_list_with_filters_and_pages(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head:
        await tell(sut, warning(), warning(severity="red"))
        await recorded(head, {**FINDING, "measures": ["补签"], "goal": "达标", "deadline": "2026-03-20"})
        await recorded(office, {"problem": "制度未修订", "level": "school"}, source="collection")
        rows = await ledger(office)
        assert [(row["number"], row["source"], row["unit"]) for row in rows] == [
            (1, "warning", "cnc"),
            (2, "warning", "cnc"),
            (3, "mid_term_check", "mech"),
            (4, "collection", None),
        ]
        third = rows[2]
        assert (third["problem"], third["unit_name"], third["owner_name"]) == (FINDING["problem"], "机电学院", "D1老师")
        assert (third["measures"], third["goal"], third["deadline"], third["due_on"]) == (
            ["补签"],
            "达标",
            "2026-03-20",
            "2026-03-20",
        )
        assert (third["closed_on"], third["progress"], third["evidence"]) == (None, None, [])
        for filters, expected in (
            ({"source": "warning"}, [1, 2]),
            ({"unit": "mech"}, [3]),
            ({"owner": "D1"}, [3]),
            ({"status": "proposed", "indicator": "class-completion-week"}, [1, 2]),
            ({"from": "2026-03-02", "to": "2026-03-03"}, [1, 2, 3, 4]),
            ({"from": "2026-03-03"}, []),
            ({"to": "2026-03-02"}, []),
        ):
            assert [row["number"] for row in await ledger(office, **filters)] == expected
        first = (await office.get("/ledger?limit=3")).json()
        then = (await office.get("/ledger", params={"limit": 3, "cursor": first["next"]})).json()
        assert ([row["number"] for row in then["items"]], then["next"]) == ([4], None)
        assert [row["number"] for row in await ledger(head)] == [1, 2, 3]  # what the head's posts reach
        for wrong in ({"source": "rumour"}, {"from": "yesterday"}, {"colour": "red"}, {"cursor": "x"}):
            assert (await office.get("/ledger", params=wrong)).status_code == 422


async def test_a_row_goes_from_problem_to_struck_off_in_excel_and_on_paper(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head:
        (item,) = await recorded(office, {**FINDING, "problem": "任务\u0001未完成"})
        path = f"/improvements/{item['id']}"
        for step, body in (
            ("start", PLAN),
            ("progress", {"text": "已完成 16 项", "evidence": ["清单"]}),
            ("submit", {"done": "完成", "evidence": ["验收单"]}),
        ):
            assert (await head.post(f"{path}/{step}", json=body)).status_code == 200
        assert (await table(office))[0]["进展"] == "待验收：已完成 16 项"
        assert (await office.post(f"{path}/verify")).status_code == 200
        (row,) = await table(office)
        assert row == {
            "序号": "1",
            "问题": "任务未完成",
            "来源": "中期检查",
            "责任部门": "机电学院",
            "责任人": "D1老师",
            "整改措施": "补签责任书",
            "整改目标": "任务完成率达到 90%",
            "整改期限": "2026-03-20",
            "进展": "已销号：已完成 16 项",
            "佐证": "清单\n验收单",
            "验收人": "Q1老师",
            "销号日期": "2026-03-02",
        }
        printed = await office.get("/ledger/document")
        assert printed.headers["content-type"] == word.MEDIA_TYPE
        (grid,) = Document(BytesIO(printed.content)).tables
        assert [[cell.text for cell in line.cells] for line in grid.rows] == [list(COLUMNS), [row[name] for name in COLUMNS]]


async def test_what_was_written_out_changes_nothing_when_it_comes_in_again(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head:
        await tell(sut, warning(), warning(severity="red"))
        (item,) = await recorded(office, {**FINDING, "problem": "两行\r\n问题  也行"})
        await head.post(f"/improvements/{item['id']}/start", json=PLAN)
        await recorded(office, {"problem": "制度未修订", "level": "school"}, source="collection")
        before = await ledger(office)
        await sut.published()

        answer = await office.post("/ledger/sheet", content=(await office.get("/ledger/sheet")).content, headers=XLSX)

        assert (answer.status_code, answer.json()) == (200, {"opened": 0, "same": 4})
        assert await ledger(office) == before
        assert await sut.published() == []


async def test_a_schools_own_ledger_comes_in_whole_and_once(database_url: str, tmp_path: Path) -> None:
    mine: list[dict[str, str | None]] = [
        {
            "序号": "17",
            "问题": "顶岗实习记录不全",
            "来源": "抽查",
            "责任部门": "数控技术",
            "责任人": "T1",
            "整改措施": "补记录；培训",
            "整改目标": "全部补齐",
            "整改期限": "2026-04-10",
            "进展": "已补 20 份",
            "佐证": "照片",
            "验收人": "P1老师",
        },
        {"问题": "制度未修订", "来源": "年度收集"},
        {"问题": "部门计划缺目标", "来源": "自查", "责任部门": "mech"},
    ]
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office:
        answer = await bring(office, *mine)
        assert (answer.status_code, answer.json()) == (200, {"opened": 3, "same": 0}), answer.text
        first, second, third = await ledger(office)
        assert (first["number"], first["level"], first["subject"], first["unit"]) == (1, "programme", "cnc", "cnc")
        assert (first["owner"], first["verifier"], first["due_on"]) == ("T1", "P1", "2026-04-10")
        assert (first["measures"], first["goal"], first["progress"]) == (["补记录", "培训"], "全部补齐", "已补 20 份")
        assert (first["evidence"], first["status"]) == (["照片"], "proposed")
        assert (second["level"], second["unit"], third["level"], third["owner"]) == ("school", None, "department", "D1")
        async with sut.as_(
            principal("improvement.work", "improvement.read", id="T1")
        ) as owner:  # the plan stands in the sheet already
            assert (await owner.post(f"/improvements/{first['improvement']}/start")).json()["deadline"] == "2026-04-10"

        again = await bring(office, *mine)
        assert again.json() == {"opened": 0, "same": 3}
        assert len(await ledger(office)) == 3


@pytest.mark.parametrize(
    ("changes", "cells"),
    [
        ({"来源": "传闻"}, ["/C3"]),
        ({"来源": "预警"}, ["/C3"]),
        ({"问题": None}, ["/B3"]),
        ({"责任部门": "园艺系", "责任人": "无名", "验收人": "S1"}, ["/D3", "/E3", "/K3"]),
        ({"责任人": "同名"}, ["/E3"]),
        ({"责任人": "T1", "验收人": "T1老师"}, ["/K3"]),
        ({"整改期限": "下周"}, ["/H3"]),
        ({"销号日期": "2026-03-01"}, ["/L3"]),
        ({"问题": "x" * 2001}, ["/B3"]),
        ({"问题": "顶岗实习记录不全"}, ["/B3"]),
    ],
)
async def test_a_sheet_with_a_fault_names_its_cell_and_nothing_is_taken(
    tmp_path: Path, changes: dict[str, str | None], cells: list[str]
) -> None:
    good: dict[str, str | None] = {"问题": "顶岗实习记录不全", "来源": "抽查", "责任部门": "cnc"}
    async with school(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as sut, sut.as_(OFFICE) as office:
        await sut.handle(twins())
        answer = await bring(office, good, {**good, "问题": "另一个", **changes})
        assert answer.status_code == 422, answer.text
        assert sorted(error["pointer"] for error in answer.json()["errors"]) == cells
        assert await ledger(office) == []
        assert await sut.published() == []


def twins() -> Any:
    return roster(people=[*PEOPLE, *(Person(id=id_, name="同名", roles=["teacher"]) for id_ in ("X1", "X2"))])


async def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    async with school(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as sut, sut.as_(OFFICE) as office:
        other = sheet.write_sheet("表", ["序号"], [])
        assert (await office.post("/ledger/sheet", content=other, headers=XLSX)).status_code == 422
        assert (await office.post("/ledger/sheet", content=b"PK", headers=XLSX)).status_code == 422
        assert (await office.post("/ledger/sheet", content=b"a,b", headers={"content-type": "text/csv"})).status_code == 415
        async with sut.as_(principal("improvement.read", "improvement.work")) as reader:
            assert (await bring(reader, {"问题": "有", "来源": "自查"})).status_code == 403


async def test_units_are_counted_with_what_they_did_not_submit(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with school(database_url, tmp_path, clock) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head:
        dates = {"plan_due_on": "2026-03-05", "due_on": "2026-03-10"}
        met, late, *_ = await recorded(
            office,
            *({**FINDING, "problem": f"问题{n}", **dates} for n in range(3)),
            {"problem": "别的", "level": "programme", "subject": "cnc"},
        )
        plan = {**PLAN, "deadline": "2026-03-10"}
        for item in (met, late):
            for step, body in (("start", plan), ("submit", {"done": "完成", "evidence": ["单"]})):
                assert (await head.post(f"/improvements/{item['id']}/{step}", json=body)).status_code == 200
        assert (await office.post(f"/improvements/{met['id']}/verify")).status_code == 200
        clock.now = NOON.replace(day=11)
        assert (await office.post(f"/improvements/{late['id']}/verify")).status_code == 200

        mech, other = (await office.get("/ledger/summary", params={"by": "unit"})).json()["items"]
        assert (mech["key"], other["key"], other["on_time_rate"]) == ("mech", "cnc", None)
        assert (mech["total"], mech["completed"], mech["met"], mech["overdue"], mech["plan_overdue"]) == (3, 2, 1, 1, 1)
        assert (mech["completion_rate"], mech["met_rate"], mech["overdue_rate"]) == (0.666667, 0.333333, 0.333333)
        assert mech["on_time_rate"] == 0.333333
        by_source = (await office.get("/ledger/summary?by=source&unit=mech")).json()["items"]
        assert [(each["key"], each["name"], each["total"]) for each in by_source] == [("mid_term_check", "中期检查", 3)]
        assert (await office.get("/ledger/summary?by=colour")).status_code == 422


async def test_counts_by_unit_are_what_their_words_say_whatever_the_ledger_holds(database_url: str, tmp_path: Path) -> None:
    """A hundred problems in every state at random, counted by the database and one by one."""
    dice = Random(20260302)
    rows = [_some_row(dice, n) for n in range(1, 101)]
    async with school(database_url, tmp_path) as sut:
        async with sut.database.transaction() as tx:
            await tx.insert(ImprovementRow, rows)
        async with sut.as_(OFFICE) as office:
            items = (await office.get("/ledger/summary?by=unit")).json()["items"]
            listed = {row["number"] for row in await ledger(office, overdue=True, limit=500)}

    assert {item["key"] for item in items} == {None, "mech", "cnc"}
    for item in items:
        mine = [row for row in rows if row["unit"] == item["key"] and row["close_reason"] not in {"dismissed", "withdrawn"}]
        done = [row for row in mine if row["verified_on"] is not None]
        assert item["total"] == len(mine)
        assert item["completed"] == len(done)
        assert item["met"] == sum(row["verified_on"] <= row["due_on"] for row in done)
        assert item["overdue"] == sum(map(_late, mine))
        assert item["due"] == len(done) + sum(row["due_on"] < TODAY for row in mine if row["verified_on"] is None)
    assert listed == {row["number"] for row in rows if _late(row)}


def _late(row: dict[str, Any]) -> bool:
    return row["status"] in OWNERS_TURN and row["due_on"] < TODAY


def _some_row(dice: Random, n: int) -> dict[str, Any]:
    row: dict[str, Any] = {column.key: None for column in ImprovementRow.__table__.columns}
    status = dice.choice(list(Status))
    reason = dice.choice(["verified", "dismissed", "withdrawn"]) if status is Status.CLOSED else None
    verified = status is Status.VERIFIED or reason == "verified"
    return row | {
        "id": uuid4(),
        "school": "demo",
        "number": n,
        "source": "self_check",
        "unit": dice.choice([None, "mech", "cnc"]),
        "tracking": "level_group",
        "level": "department",
        "subject": "mech",
        "title": f"问题{n}",
        "status": status,
        "cleared": False,
        "warned": False,
        "owner_post": "department_head",
        "verifier_post": "quality_office",
        "vacant": [],
        "unfilled": False,
        "opened_at": NOON,
        "opened_on": TODAY,
        "plan_due_on": TODAY,
        "due_on": TODAY + timedelta(days=dice.randint(-5, 5)),
        "verified_on": TODAY - timedelta(days=dice.randint(0, 5)) if verified else None,
        "close_reason": reason,
    }


async def test_the_owner_of_a_warnings_task_is_told_once_however_often_the_warning_is_told(
    database_url: str, tmp_path: Path
) -> None:
    async with school(database_url, tmp_path) as sut:
        raised = [warning() for _ in range(3)]
        await tell(sut, *raised)
        await tell(sut, *raised)
        assert await kinds(sut, "T3") == ["improvement_opened"] * 3


async def test_many_problems_are_recorded_in_as_many_statements_as_few(tmp_path: Path) -> None:
    async with school(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as sut, sut.as_(OFFICE) as office:
        counts = []
        for many in (2, 200):
            said: list[str] = []

            def count(*spoken: Any, said: list[str] = said) -> None:
                said.append(spoken[2])

            event.listen(sut.database.engine.sync_engine, "before_cursor_execute", count)
            await recorded(office, *({**FINDING, "problem": f"问题{many}-{n}"} for n in range(many)))
            event.remove(sut.database.engine.sync_engine, "before_cursor_execute", count)
            counts.append(len(said))
        assert counts[1] <= counts[0] + 2
