"""Word documents (.docx) from data: headings, lines, fields and tables. The same data gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from libs.common.xml_text import for_xml

if TYPE_CHECKING:
    from docx.document import Document as Paper

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_FONT = "SimSun"
_SOME_DAY = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; `depth` 1 is a chapter."""

    text: str
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Lines:
    """Paragraphs, one a line."""

    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Fields:
    """Labels and what each says, as a table of two columns."""

    fields: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: the names of its columns, and its rows with as many cells each."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


Block = Heading | Lines | Fields | Grid


def write_word(title: str, blocks: Sequence[Block], *, wide: bool = False) -> bytes:
    """Return the document; `wide`: the paper lies on its long side, for tables of many columns."""
    from docx import Document  # noqa: PLC0415 - costs a start 0.1 s, and most processes never write one
    from docx.enum.section import WD_ORIENT  # noqa: PLC0415 - as above
    from docx.oxml.ns import qn  # noqa: PLC0415 - as above

    paper = Document()
    if wide:
        (section,) = paper.sections
        section.orientation = WD_ORIENT.LANDSCAPE
        section.page_width, section.page_height = section.page_height, section.page_width
    style = paper.styles["Normal"]
    style.font.name = _FONT
    style.element.rPr.rFonts.set(qn("w:eastAsia"), _FONT)
    paper.core_properties.title = for_xml(title)
    paper.core_properties.author = "Zhengai"
    paper.core_properties.created = paper.core_properties.modified = _SOME_DAY
    paper.add_heading(for_xml(title), 0)
    for block in blocks:
        _add(paper, block)
    out = BytesIO()
    paper.save(out)
    return _without_times(out)


def _add(paper: Paper, block: Block) -> None:
    match block:
        case Heading(text, depth):
            paper.add_heading(for_xml(text), depth)
        case Lines(lines):
            for line in lines:
                paper.add_paragraph(for_xml(line))
        case Fields(fields):
            _table(paper, [list(field) for field in fields], head=False)
        case Grid(columns, rows):
            _table(paper, [list(columns), *map(list, rows)], head=True)


def _table(paper: Paper, rows: Sequence[Sequence[str]], *, head: bool) -> None:
    """Cells are written through their row: asking the table for each cell costs the square of its size."""
    if not rows:
        return
    table = paper.add_table(len(rows), len(rows[0]), style="Table Grid")
    for n, (row, values) in enumerate(zip(table.rows, rows, strict=True)):
        for cell, value in zip(row.cells, values, strict=True):
            cell.paragraphs[0].add_run(for_xml(value)).bold = head and n == 0


def _without_times(made: BytesIO) -> bytes:
    """The same archive with every file's time at one day."""
    out = BytesIO()
    with ZipFile(made) as source, ZipFile(out, "w") as target:
        for name in source.namelist():
            target.writestr(ZipInfo(name), source.read(name), ZIP_DEFLATED)
    return out.getvalue()
