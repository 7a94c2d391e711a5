"""Excel sheets (.xlsx) as rows of text under named columns, out and in. Every fault of one that comes in names its cell."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from itertools import islice
from typing import Any
from zipfile import BadZipFile, ZipFile

from libs.common.errors import Fault, Invalid
from libs.common.xml_text import for_xml

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_ROWS = 50_000
MOST_CHARACTERS = 32_767  # of a cell: Excel reads no more
MOST_BYTES = 100 * 1024 * 1024  # unpacked: a small archive must not fill the memory
BROKEN = (
    BadZipFile,
    SyntaxError,  # of both readers of XML
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    RuntimeError,
    AttributeError,
)
"""What the reader of Excel files raises for one that is none, or is cut off: it breaks wherever it happens to be."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row with something in it: its number in the sheet, and what it says by column; empty cells are left out."""

    number: int
    said: dict[str, str]
    columns: tuple[str, ...]

    def cell(self, column: str) -> str:
        """Where a column of this row stands: `C3`."""
        return f"{letter(self.columns.index(column) + 1)}{self.number}"

    def fault(self, column: str, reason: str) -> Fault:
        """What is wrong in a cell of this row."""
        return at_cell(self.cell(column), reason)


def letter(number: int) -> str:
    """What a column is called, counted from 1."""
    from openpyxl.utils import get_column_letter  # noqa: PLC0415 - costs a start 0.2 s, and most processes never see a sheet

    return str(get_column_letter(number))


def at_cell(cell: str, reason: str) -> Fault:
    """A fault in a cell."""
    return Fault(pointer=f"/{cell}", detail=f"cell {cell}: {reason}")


def write_sheet(title: str, columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> bytes:
    """Return an Excel file with one sheet, the columns' names in its first row. Text is text, also where it begins as a formula does."""
    from openpyxl import Workbook  # noqa: PLC0415 - as above

    book = Workbook(write_only=False)
    sheet = book.active
    sheet.title = title
    sheet.freeze_panes = "A2"
    for number, values in enumerate([tuple(columns), *rows], 1):
        for column, value in enumerate(values, 1):
            if value is not None:
                cell = sheet.cell(number, column)
                cell.value = for_xml(value)[:MOST_CHARACTERS]
                cell.data_type = "s"
                cell.number_format = "@"
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def read_sheet(content: bytes, columns: Sequence[str]) -> list[SheetRow]:
    """Return the rows of the first sheet, whose first row must name these columns in this order.

    Raises Invalid for what is no Excel file, has another head or too many rows, or holds a formula where text belongs; dates
    become `YYYY-MM-DD`.
    """
    head, *rows = _cells(content, len(columns))
    wrong = [
        at_cell(f"{letter(n)}1", f"{wanted!r} belongs there")
        for n, wanted in enumerate(columns, 1)
        if n > len(head) or head[n - 1].value != wanted
    ]
    if wrong:
        raise Invalid("the first row does not name the columns", wrong)
    found, faults = [], []
    for number, cells in enumerate(rows, 2):
        row = SheetRow(number, {}, tuple(columns))
        for name, cell in zip(columns, cells, strict=False):
            text = _text(cell)
            if text is None:
                faults.append(row.fault(name, "text is needed, no formula"))
            elif text:
                row.said[name] = text
        if row.said:
            found.append(row)
    if faults:
        raise Invalid("the sheet cannot be taken in", faults)
    return found


def _cells(content: bytes, width: int) -> list[tuple[Any, ...]]:
    from openpyxl import load_workbook  # noqa: PLC0415 - as above
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415 - as above

    try:
        with ZipFile(BytesIO(content)) as archive:
            size = sum(each.file_size for each in archive.infolist())
        if size > MOST_BYTES:
            raise Invalid(f"the Excel file unpacks to more than {MOST_BYTES:,} bytes")
        book = load_workbook(BytesIO(content), read_only=True)
        rows = list(islice(book.worksheets[0].iter_rows(max_col=width), MOST_ROWS + 2))
    except (*BROKEN, InvalidFileException) as error:
        raise Invalid("this is no Excel file (.xlsx)") from error
    if len(rows) > MOST_ROWS + 1:
        raise Invalid(f"the sheet has more than {MOST_ROWS:,} rows")
    return rows or [()]


def _text(cell: Any) -> str | None:
    """What a cell says, as text; None for a formula or an error."""
    value = cell.value
    if value is None:
        return ""
    if cell.data_type in {"f", "e"} or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float):
        return str(int(value)) if float(value).is_integer() else repr(value)
    return None
