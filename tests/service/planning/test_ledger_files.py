"""The ledger of problems as Excel and on paper: what goes out, what comes in, and what is refused by its cell."""

from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from httpx import AsyncClient, Response

from libs.common import sheet, word
from libs.common.events.gateway import Person
from services.planning.domain.ledger import COLUMNS
from tests.service.harness import principal
from tests.service.planning.school import PEOPLE, roster, tell, warning
from tests.service.planning.test_finding import FINDING, HEAD, OFFICE, PLAN, recorded, school
from tests.service.planning.test_ledger import ledger

XLSX = {"content-type": sheet.MEDIA_TYPE}


async def table(client: AsyncClient, **filters: Any) -> list[dict[str, str]]:
    """The ledger's Excel file, row by row."""
    answer = await client.get("/ledger/sheet", params=filters)
    assert answer.headers["content-type"] == sheet.MEDIA_TYPE
    return [row.said for row in sheet.read_sheet(answer.content, COLUMNS)]


async def bring(client: AsyncClient, *rows: dict[str, str | None]) -> Response:
    """Send rows as an Excel file."""
    cells = [[row.get(column) for column in COLUMNS] for row in rows]
    return await client.post("/ledger/sheet", content=sheet.write_sheet("台账", COLUMNS, cells), headers=XLSX)


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
        {"问题": "部门计划缺目标", "来源": "自查", "责任部门": "mech", "整改期限": "2025-12-31"},
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
        assert (third["due_on"], third["overdue"]) == ("2025-12-31", True), "an old ledger says what was due long ago"
        async with sut.as_(
            principal("improvement.work", "improvement.read", id="T1")
        ) as owner:  # the plan stands in the sheet already
            assert (await owner.post(f"/improvements/{first['improvement']}/start")).json()["deadline"] == "2026-04-10"

        again = await bring(office, *mine)
        assert again.json() == {"opened": 0, "same": 3}
        assert len(await ledger(office)) == 3


async def test_the_same_sheet_twice_at_once_comes_in_once(database_url: str, tmp_path: Path) -> None:
    mine: dict[str, str | None] = {"问题": "制度未修订", "来源": "年度收集"}
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office:
        answers = await asyncio.gather(*(bring(office, mine) for _ in range(3)))
        assert sorted(answer.json()["opened"] for answer in answers) == [0, 0, 1]
        assert len(await ledger(office)) == 1


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
