"""Standards in and out of Excel: equal there and back, every fault with its cell, nothing taken where there is one."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from openpyxl import Workbook, load_workbook

from services.cli.template import loading
from services.cli.template.reading import find, names, read_template
from services.cli.template.sheet import COLUMNS, SHEET, write_sheet
from tests.unit.cli.conftest import Installation, Zhengai, refusal
from tests.unit.cli.test_templates import EXAMPLES, Kept

SCHOOL = ("--school", "demo")
ALL = [*names(), str(EXAMPLES / "craft-school.json")]


def loaded(zhengai: Zhengai, there: Installation, name: str) -> Kept:
    """A school with a template."""
    kept = Kept(there, read_template(find(name)))
    ending = zhengai("school", "add", "demo", "--name", "示范", "--template", name)
    assert ending.status == 0, ending.err
    return kept


def sent(there: Installation) -> list[Any]:
    return [request.json for request in there.sent("POST", loading.STANDARDS)]


def changed(file: Path, cells: dict[str, Any]) -> Path:
    """The file with other values in some cells."""
    book = load_workbook(file)
    for cell, value in cells.items():
        book[SHEET][cell] = value
    book.save(file)
    return file


@pytest.mark.parametrize("name", ALL)
def test_what_was_exported_changes_nothing_when_it_is_imported(
    name: str, zhengai: Zhengai, installation: Installation, tmp_path: Path
) -> None:
    loaded(zhengai, installation, name)
    before, file = sent(installation), tmp_path / "standards.xlsx"
    assert zhengai("standard", "export", file, *SCHOOL).status == 0
    ending = zhengai("standard", "import", file, *SCHOOL)
    assert (ending.status, sent(installation)) == (0, before), ending.err


def test_a_changed_cell_is_a_draft_of_its_standard_and_what_is_no_column_stays(
    zhengai: Zhengai, installation: Installation, tmp_path: Path
) -> None:
    kept = loaded(zhengai, installation, str(EXAMPLES / "craft-school.json"))
    file = tmp_path / "standards.xlsx"
    zhengai("standard", "export", file, *SCHOOL)
    kept.versions, was = True, kept.parts[loading.STANDARDS]["hand"]
    ending = zhengai("standard", "import", changed(file, {"H2": "榫卯之工", "J3": None}), *SCHOOL, "--effective-from", "2026-09-01")
    assert ending.status == 0, ending.err
    body = sent(installation)[-1]
    (joint, hours), before = body["groups"][0]["elements"], was["groups"][0]["elements"]
    assert joint == {**before[0], "name": "榫卯之工"}
    assert hours == {name: value for name, value in before[1].items() if name != "indicators"}
    assert (body["effective_from"], body["ladders"]) == ("2026-09-01", was["ladders"])
    assert [each["code"] for each in sent(installation)] == ["hand", "safety", "hand"]


def test_a_refusal_names_its_standard(zhengai: Zhengai, installation: Installation, tmp_path: Path) -> None:
    loaded(zhengai, installation, str(EXAMPLES / "craft-school.json"))
    file = tmp_path / "standards.xlsx"
    zhengai("standard", "export", file, *SCHOOL)
    installation.on("POST", loading.STANDARDS, refusal(409, "a version that is 'in_review' cannot take the step 'write'"))
    ending = zhengai("standard", "import", changed(file, {"H2": "榫卯之工"}), *SCHOOL)
    assert (ending.status, "standard hand: a version that is 'in_review'" in ending.err) == (1, True), ending.err


FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"A1": "代码"}, "A1", "标准代码"),
    ({"A2": "手"}, "A2", "pattern"),
    ({"A3": None}, "A3", "missing"),
    ({"B3": "别的"}, "B3", "B2 says '手艺标准'"),
    ({"C2": "none", "C3": "none", "C4": "none"}, "C2", "no family 'none'"),
    ({"E2": None}, "E2", "missing"),
    ({"F3": "铁作"}, "F3", "F2 says '木作'"),
    ({"G3": "joint"}, "G3", "stands in G2 already"),
    ({"G2": None}, "G2", "missing"),
    ({"H2": None}, "H2", "missing"),
    ({"H2": "=1+1"}, "H2", "no formula"),
    ({"H2": True}, "H2", "text is needed"),
    ({"I2": "measured"}, "I2", "监测、评判、文件"),
    ({"J3": "attendance、出勤"}, "J3", "pattern"),
    ({"G2": "other"}, "A2", "the standard has no element 'joint'"),
    ({"D2": "匠人", "D3": "匠人"}, "D2", "'teacher'"),
    ({"I2": "未定"}, "I2", "say how it is met: 评判"),
    ({"I2": "文件"}, "I2", "文件 needs more than a sheet can say"),
    ({"I3": None}, "I3", "say how it is met: 监测"),
    ({"I3": "评判", "J3": None}, "I3", "评判 needs more than a sheet can say"),
    ({"G3": None, "H3": None, "J3": None}, "G3", "missing"),
    ({"J3": "attendence"}, "J3", "no indicator and no metric 'attendence'"),
]


@pytest.mark.parametrize(("cells", "cell", "reason"), FAULTS)
def test_a_fault_names_its_cell_and_nothing_is_sent(
    cells: dict[str, Any], cell: str, reason: str, zhengai: Zhengai, installation: Installation, tmp_path: Path
) -> None:
    kept = loaded(zhengai, installation, str(EXAMPLES / "craft-school.json"))
    kept.versions, file = True, tmp_path / "standards.xlsx"
    zhengai("standard", "export", file, *SCHOOL)
    before = sent(installation)
    ending = zhengai("standard", "import", changed(file, cells), *SCHOOL)
    assert (ending.status, sent(installation)) == (1, before)
    assert f"standards.xlsx, {cell}: " in ending.err
    assert reason in ending.err


def test_what_is_no_such_file_is_refused(zhengai: Zhengai, installation: Installation, tmp_path: Path) -> None:
    loaded(zhengai, installation, str(EXAMPLES / "craft-school.json"))
    text, other = tmp_path / "text.xlsx", tmp_path / "other.xlsx"
    text.write_text("标准", encoding="utf-8")
    Workbook().save(other)
    whole, chart = tmp_path / "whole.xlsx", tmp_path / "chart.xlsx"
    assert zhengai("standard", "export", whole, *SCHOOL).status == 0
    broken = [
        broke(whole, tmp_path / "sheet.xlsx", "xl/worksheets/sheet1.xml"),
        broke(whole, tmp_path / "book.xlsx", "xl/workbook.xml"),
        chart,
    ]
    book = Workbook()
    book.create_chartsheet(SHEET)
    del book["Sheet"]
    book.save(chart)
    expected = [(text, "no Excel file"), (other, "other.xlsx, A1: '标准代码'"), (tmp_path / "none.xlsx", "cannot be read")]
    for file, reason in [*expected, *((file, "no Excel file") for file in broken)]:
        ending = zhengai("standard", "import", file, *SCHOOL)
        assert (ending.status, reason in ending.err) == (1, True), ending.err


def broke(file: Path, copy: Path, part: str) -> Path:
    """A copy of an Excel file, one of its parts cut off in the middle."""
    with ZipFile(file) as whole, ZipFile(copy, "w") as cut:
        for name in whole.namelist():
            content = whole.read(name)
            cut.writestr(name, content[: len(content) // 2] if name == part else content)
    return copy


def test_text_that_looks_like_a_formula_stays_text() -> None:
    (standard,) = (each for each in read_template(EXAMPLES / "craft-school.json").standards if each.code == "safety")
    book = load_workbook(BytesIO(write_sheet([standard.model_copy(update={"name": "=1+1"})])))
    cell = book[SHEET]["B2"]
    assert (cell.value, cell.data_type) == ("=1+1", "s")
    assert [each.value for each in book[SHEET][1]] == list(COLUMNS)
