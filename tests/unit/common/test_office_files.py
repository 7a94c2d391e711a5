"""Word and Excel files: what is written is read again, and what is no such file is refused by a sentence."""

from io import BytesIO

import pytest
from docx import Document
from openpyxl import Workbook

from libs.common.errors import Invalid
from libs.common.sheet import read_sheet, write_sheet
from libs.common.word import Block, Fields, Grid, Heading, Lines, write_word


def test_a_document_says_what_it_was_given_and_the_same_data_gives_the_same_bytes() -> None:
    blocks: list[Block] = [
        Heading("责任"),
        Lines(["第一条", "第二条"]),
        Fields([("单位", "教务处")]),
        Grid(["任务", "指标"], [["双师型教师", "75 %"]]),
    ]
    made = write_word("年度责任状", blocks)
    assert made == write_word("年度责任状", blocks)
    paper = Document(BytesIO(made))
    assert [p.text for p in paper.paragraphs] == ["年度责任状", "责任", "第一条", "第二条"]
    cells = [[cell.text for row in table.rows for cell in row.cells] for table in paper.tables]
    assert cells == [["单位", "教务处"], ["任务", "指标", "双师型教师", "75 %"]]


def test_a_sheet_is_read_as_it_was_written_with_text_that_looks_like_a_formula() -> None:
    made = write_sheet("台账", ["序号", "问题"], [["1", "=1+1"], [None, None], ["3", None]])
    rows = read_sheet(made, ["序号", "问题"])
    assert [(row.number, row.said) for row in rows] == [(2, {"序号": "1", "问题": "=1+1"}), (4, {"序号": "3"})]
    assert rows[1].cell("问题") == "B4"


def test_another_head_is_refused_with_its_cells() -> None:
    with pytest.raises(Invalid) as refused:
        read_sheet(write_sheet("台账", ["序号", "题目"], []), ["序号", "问题"])
    assert [fault["pointer"] for fault in refused.value.errors] == ["/B1"]


def test_a_formula_is_refused_with_its_cell() -> None:
    book = Workbook()
    book.active.append(["序号"])
    book.active.append(["=1+1"])
    out = BytesIO()
    book.save(out)
    with pytest.raises(Invalid) as refused:
        read_sheet(out.getvalue(), ["序号"])
    assert refused.value.errors == [{"pointer": "/A2", "detail": "cell A2: text is needed, no formula"}]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not an archive", write_sheet("x", ["a"], [])[:-40]])
def test_what_is_no_excel_file_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid, match="no Excel file"):
        read_sheet(content, ["a"])
