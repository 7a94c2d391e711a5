"""Goals go out as Excel and come in again: errors by cell, nothing half taken, the same file again changes nothing."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from docx import Document
from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from libs.common.events.gateway import Org, SetupChanged
from libs.common.sheet import MEDIA_TYPE, write_sheet
from services.cli.template.reading import find, read_template
from services.planning.commands.sheets import TITLES
from tests.service.harness import SCHOOL, ServiceUnderTest
from tests.service.planning.chain import HEAD, OFFICE, ORDERED, STUDENT, drafted, goal, made, plan, published, seen, set_up
from tests.service.planning.school import ORGS, planning, roster, tell

HEADERS = {"content-type": MEDIA_TYPE}
PARENTS = get_column_letter(TITLES.index("上级目标") + 1)
WHOLE = goal(
    "G1",
    owner_post=None,
    owner="T1",
    helpers=["T2", "T3"],
    unit="mech",
    weight=0.3,
    measures=["引进企业教师；两年一轮", "培训\n考核"],
    expected_effect="=1+1",
    safeguard="经费\r\n场地",
    assessment="年度考核",
    standard="ST-1",
    roll_up="minimum",
)
MADE = goal(
    "G2",
    measure=None,
    deliverable={"name": "教学成果奖", "level": "provincial", "number": 2, "acceptance": "证书"},
    owner_post="quality_office",
)


def rows_of(content: bytes) -> list[list[Any]]:
    return [list(row) for row in load_workbook(BytesIO(content)).active.iter_rows(values_only=True)]


def said(**cells: str) -> list[str | None]:
    return [cells.get(title) for title in TITLES]


async def sent(client: httpx.AsyncClient, content: bytes, path: str = "/goals/sheet", **params: str) -> httpx.Response:
    return await client.post(path, content=content, headers=HEADERS, params=params)


async def faults(client: httpx.AsyncClient, *rows: list[str | None]) -> list[str]:
    answer = await sent(client, write_sheet("目标", TITLES, rows))
    assert answer.status_code == 422, answer.text
    return [each["detail"] for each in answer.json()["errors"]]


async def versions(sut: ServiceUnderTest, path: str) -> Any:
    return [each["goal"] for each in (await seen(sut, path))["items"]]


async def test_goals_go_out_whole_and_the_same_file_in_again_changes_nothing(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        (parent,) = await drafted(sut, plan("master"), goal("TOP", roll_up="weighted"))
        await drafted(sut, plan("unit", parent="master"), {**WHOLE, "parents": [{"goal": parent, "weight": 0.25}]}, MADE)
        before = await versions(sut, "/plans/unit/goals")
        async with sut.as_(OFFICE) as client:
            file = (await client.get("/goals/sheet")).content
            shown = {row[1]: dict(zip(TITLES, row, strict=True)) for row in rows_of(file)[1:]}
            assert (shown["G1"]["上级目标"], shown["G1"]["年度目标值"]) == ("master/TOP 0.25", "2026:0.6; 2030:0.8")
            assert (shown["G1"]["责任部门"], shown["G1"]["预期效果"]) == ("机电学院", "=1+1")
            assert (shown["G2"]["成果级别"], shown["TOP"]["汇总方式"]) == ("省级", "加权")
            answer = await sent(client, file)
            assert (answer.status_code, answer.json()) == (200, {"added": [], "changed": [], "same": 3})
            one = (await client.get("/plans/unit/goals/sheet")).content
            assert (await sent(client, one, "/plans/unit/goals/sheet")).json() == {"added": [], "changed": [], "same": 2}
        assert await versions(sut, "/plans/unit/goals") == before


async def test_a_file_adds_and_changes_goals_parents_and_children_in_any_order(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        ids = await drafted(sut, plan("master"), goal("A"), WHOLE)
        rows = [
            said(
                规划代码="master",
                目标代码="C",
                目标="子",
                监测项="T-DQ",
                层面="学校",
                统计周期="年",
                年度目标值="2026：60%；2030：0.8",
                上级目标="B 0.5",
            ),
            said(规划代码="master", 目标代码="B", 目标="父", 汇总方式="加权", 完成时间="2030-12-31", 责任岗位="quality_office"),
            said(规划代码="master", 目标代码="A", 目标="改", 成果名称="奖", 成果级别="国家级"),
        ]
        async with sut.as_(OFFICE) as client:
            answer = await sent(client, write_sheet("目标", TITLES, rows), why="论证")
            assert answer.json() == {"added": ["master/C", "master/B"], "changed": ["master/A"], "same": 0}
            assert (await sent(client, write_sheet("目标", TITLES, rows))).json()["same"] == 3
        found = {each["code"]: each for each in await versions(sut, "/plans/master/goals")}
        assert found["C"]["measure"]["values"] == [{"year": 2026, "target": 0.6}, {"year": 2030, "target": 0.8}]
        assert (found["A"]["measure"], found["A"]["deliverable"]["number"], found["G1"]["owner"]) == (None, 1, "T1")
        history = (await seen(sut, f"/goals/{ids[0]}"))["history"]
        assert [each["why"] for each in history] == [None, "论证"]


async def test_links_may_turn_round_in_one_file(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as client:
        await set_up(sut)
        await drafted(sut, plan("master"), goal("A"), goal("B"))
        file: list[list[Any]] = []
        for turn in ((None, "A"), ("B", None)):
            file = rows_of((await client.get("/goals/sheet")).content)
            for row, parent in zip(file[1:], turn, strict=True):
                row[-1] = parent
            assert (await sent(client, write_sheet("目标", TITLES, file[1:]))).json()["changed"]
        circle = [[*row[:-1], parent] for row, parent in zip(file[1:], ("B", "A"), strict=True)]
        assert (await sent(client, write_sheet("目标", TITLES, circle))).json()["errors"][0]["detail"].startswith(f"cell {PARENTS}")


async def test_every_fault_names_its_cell_and_nothing_is_taken(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as client:
        await set_up(sut)
        await drafted(sut, plan("master"), goal("A"))
        before = await versions(sut, "/plans/master/goals")
        good = said(规划代码="master", 目标代码="NEW", 目标="好")
        assert await faults(client, good, said(规划代码="nowhere", 目标代码="X"), said(目标代码="Y")) == [
            "cell A3: there is no such plan: nowhere",
            "cell A4: the code of a plan is needed",
        ]
        wrong = said(规划代码="master", 目标代码="X", 层面="火星", 年度目标值="六成", 权重="重", 完成时间="年底", 成果数量="两")
        assert [each.partition(":")[0] for each in await faults(client, good, wrong)] == [
            f"cell {at}3" for at in ("F", "L", "O", "V")
        ]
        measured = said(规划代码="master", 目标代码="X", 指标="none", 年度目标值="2026:1", 完成时间="2026")
        assert await faults(client, good, measured) == ["cell Y3: a date is written YYYY-MM-DD"]
        measured = said(规划代码="master", 目标代码="X", 指标="none", 年度目标值="2026:1", 上级目标="other/Y")
        assert [each.partition(":")[0] for each in await faults(client, good, measured)] == ["cell D3", f"cell {PARENTS}3"]
        floor = said(规划代码="master", 目标代码="X", 监测项="credits", 层面="学校", 统计周期="年", 年度目标值="2026:5")
        assert await faults(client, good, floor) == [
            "cell L3: 5 is below the floor 6 of student-standard/ST-2C: 第二课堂学分不少于 6 学分"
        ]
        assert await faults(client, good, good) == ["cell B3: it stands in B2 already"]
        for broken in (b"", b"PK\x03\x04", write_sheet("目标", TITLES[1:], [])):
            assert (await sent(client, broken)).status_code == 422
        assert (await client.post("/goals/sheet", json={})).status_code == 415
        assert await versions(sut, "/plans/master/goals") == before


async def test_a_published_plan_takes_the_same_file_and_no_other_and_nobody_writes_anothers(
    database_url: str, tmp_path: Path
) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as client:
        await set_up(sut)
        await drafted(sut, plan("master"), goal("A"))
        await published(sut, "master")
        file = (await client.get("/plans/master/goals/sheet")).content
        assert (await sent(client, file)).json()["same"] == 1
        changed = rows_of(file)[1]
        changed[TITLES.index("目标")] = "别的"
        assert (await sent(client, write_sheet("目标", TITLES, [changed]))).status_code == 409
        for who in (HEAD, STUDENT):
            async with sut.as_(who) as other:
                assert len(rows_of((await other.get("/goals/sheet")).content)) == 2, "what is published is for all to read"
                assert (await sent(other, file)).json()["errors"][0]["detail"] == "cell A2: there is no such plan: master"
        await made(client, "/plans/master/versions", ORDERED)
        assert (await sent(client, write_sheet("目标", TITLES, [changed]))).json()["changed"] == ["master/A"]


TABLE = read_template(find("foshan-yanbu")).setup.breakdown
SIX = ["二级目标", "主要举措", "保障措施", "时间进度", "责任部门", "考核标准"]


async def table(sut: ServiceUnderTest) -> None:
    assert TABLE is not None
    content = {"breakdown": TABLE.model_dump(mode="json", exclude_defaults=True)}
    await sut.handle(SetupChanged(code=SCHOOL, content=content))


async def test_the_breakdown_table_has_the_schools_columns_in_excel_and_word_and_comes_in_again(
    database_url: str, tmp_path: Path
) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as client:
        await set_up(sut)
        await drafted(sut, plan("master"), WHOLE)
        path = "/plans/master/breakdown"
        assert (await client.get(path)).status_code == (await sent(client, b"", path)).status_code == 409
        await table(sut)
        file = (await client.get(path)).content
        head, row = rows_of(file)
        assert head == SIX
        assert [row[3], row[4], row[5]] == ["2030-12-31", "机电学院", "年度考核"]
        paper = Document(BytesIO((await client.get(path, params={"form": "word"})).content))
        assert [[cell.text for cell in line.cells] for line in paper.tables[0].rows] == [SIX, row]
        assert (await sent(client, file, path)).json() == {"added": [], "changed": [], "same": 1}
        row[1], row[4] = "新举措一\n新举措二", "数控技术"
        answer = await sent(client, write_sheet("表", SIX, [row, ["新目标", "做", None, "2027-06-30", "教务处", None]]), path)
        assert answer.json() == {"added": ["master/G2"], "changed": ["master/G1"], "same": 0}
        first, second = await versions(sut, "/plans/master/goals")
        assert (first["measures"], first["unit"], first["owner"]) == (["新举措一", "新举措二"], "cnc", "T1")
        assert (second["statement"], second["unit"], second["deadline"]) == ("新目标", "教务处", "2027-06-30")
        twice = await sent(client, write_sheet("表", SIX, [row, row, ["x", None, None, "明年", None, None]]), path)
        assert [each["detail"].partition(":")[0] for each in twice.json()["errors"]] == ["cell A3"]
        wrong = await sent(client, write_sheet("表", SIX, [["x", None, None, "明年", None, None]]), path)
        assert wrong.json()["errors"] == [{"pointer": "/D2", "detail": "cell D2: a date is written YYYY-MM-DD"}]


@pytest.mark.parametrize("twins", [False, True])
async def test_a_unit_is_known_by_its_name_where_only_one_has_it(database_url: str, tmp_path: Path, twins: bool) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(OFFICE) as client:
        await set_up(sut)
        if twins:
            await tell(sut, roster(orgs=[*ORGS, Org(id="mech2", name="机电学院", kind="department", parent="demo")]))
        await drafted(sut, plan("master"), WHOLE)
        shown = dict(zip(TITLES, rows_of((await client.get("/goals/sheet")).content)[1], strict=True))
        assert shown["责任部门"] == ("mech" if twins else "机电学院")
