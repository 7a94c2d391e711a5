"""Standards as an Excel sheet, an element a row: what schools have today. Every fault names its cell."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.utils.exceptions import InvalidFileException
from pydantic import ValidationError

from services.cli import Failure
from services.cli.shell import content_of
from services.cli.template.model import Standard, standard_faults

SHEET = "标准"
COLUMNS = {
    "标准代码": "code",
    "标准名称": "name",
    "标准族": "family",
    "层面": "level",
    "组代码": "group",
    "组名称": "group_name",
    "要素代码": "element",
    "要素名称": "element_name",
    "认定方式": "met_by",
    "指标": "indicators",
}
"""What stands in the first row, and what we call it. Other fields of a standard are no columns: they stay as they are."""
MET_BY = {"监测": "measured", "评判": "judged", "文件": "document"}
MOST_ROWS = 50_000
SHOWN = 10
_LETTERS = dict(zip(COLUMNS.values(), "ABCDEFGHIJ", strict=True))


@dataclass
class Row:
    """A row with something in it; `said` has no empty cells."""

    number: int
    said: dict[str, str]

    def cell(self, column: str) -> str:
        return f"{_LETTERS[column]}{self.number}"


@dataclass
class Sheet:
    """What a sheet says of standards, by code, and where: `cells` maps (standard, path) to the cell that says it."""

    standards: dict[str, dict[str, Any]] = field(default_factory=dict)
    cells: dict[tuple[str, tuple[str | int, ...]], str] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)


def write_sheet(standards: Sequence[Standard]) -> bytes:
    """The standards as an Excel file."""
    book = Workbook()
    sheet = book.active
    sheet.title = SHEET
    sheet.freeze_panes = "A2"
    for number, values in enumerate([tuple(COLUMNS), *(row for standard in standards for row in _rows(standard))], 1):
        for column, value in enumerate(values, 1):
            if value is not None:
                cell = sheet.cell(number, column)
                cell.value = value
                cell.data_type = "s"  # text is text, also where it begins as a formula does
                cell.number_format = "@"
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _rows(standard: Standard) -> Iterator[tuple[str | None, ...]]:
    first = (standard.code, standard.name, standard.family, standard.level)
    words = {code: word for word, code in MET_BY.items()}
    if not standard.groups:
        yield (*first, *[None] * 6)
    for group in standard.groups:
        if not group.elements:
            yield (*first, group.code, group.name, *[None] * 4)
        for element in group.elements:
            how = words[element.met_by] if element.met_by else None
            yield (*first, group.code, group.name, element.code, element.name, how, "、".join(element.indicators) or None)


def read_sheet(file: Path, known: Sequence[Standard], families: Collection[str]) -> list[Standard]:
    """The standards that a sheet names: what it says, over what is known of them. Raises Failure with the cell of each fault."""
    sheet = Sheet()
    for row in _said(file, sheet):
        _take(row, sheet)
    before = {standard.code: standard.model_dump(mode="json", exclude_defaults=True) for standard in known}
    found = []
    for code, said in sheet.standards.items():
        try:
            standard = Standard.model_validate(_over(before.get(code, {}), said))
            sheet.faults += [
                (sheet.cells[code, ()], f"{fault['pointer']}: {fault['detail']}") for fault in standard_faults("", standard)
            ]
            if standard.family not in families:
                sheet.faults.append((sheet.cells[code, ("family",)], f"the school has no family {standard.family!r}"))
            found.append(standard)
        except ValidationError as error:
            for fault in error.errors(include_url=False, include_input=False):
                path = tuple(fault["loc"])
                while path and (code, path) not in sheet.cells:
                    path = path[:-1]
                sheet.faults.append((sheet.cells[code, path], str(fault["msg"])))
    if sheet.faults:
        words = [f"{file.name}, {cell}: {reason}" for cell, reason in sorted(sheet.faults, key=lambda at: (int(at[0][1:]), at[0]))]
        raise Failure("; ".join([*words[:SHOWN], *([f"and {len(words) - SHOWN} more"] if len(words) > SHOWN else [])]))
    return found


def _said(file: Path, sheet: Sheet) -> Iterator[Row]:
    """The rows below the head. Raises Failure for what is no such sheet."""
    try:
        book = load_workbook(BytesIO(content_of(file)), read_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise Failure(f"{file.name} is no Excel file (.xlsx)") from error
    if SHEET not in book.sheetnames:
        raise Failure(f"{file.name} has no sheet {SHEET!r}")
    rows = book[SHEET].iter_rows(max_col=len(COLUMNS))
    head = [cell.value for cell in next(rows, ())]
    for letter, named, wanted in zip(_LETTERS.values(), [*head, *[None] * len(COLUMNS)], COLUMNS, strict=False):
        if named != wanted:
            raise Failure(f"{file.name}, {letter}1: {wanted!r} belongs there")
    for number, cells in enumerate(rows, 2):
        if number > MOST_ROWS:
            raise Failure(f"{file.name} has more than {MOST_ROWS:,} rows")
        row = Row(number, {})
        for name, cell in zip(COLUMNS.values(), cells, strict=False):
            text = _text(cell, row.cell(name), sheet)
            if text:
                row.said[name] = text
        if row.said:
            yield row


def _text(cell: Any, where: str, sheet: Sheet) -> str:
    """What a cell says, as text: codes that look like numbers come as numbers."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str) and cell.data_type != "f":
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
        return str(int(value))
    sheet.faults.append((where, "text is needed, no formula, no date"))
    return ""


def _take(row: Row, sheet: Sheet) -> None:
    """Take a row in: a new standard, group or element, or more of the one above."""
    for name, needed in (
        ("code", "code"),
        ("group", "element"),
        ("group", "group_name"),
        ("element", "element_name"),
        ("element_name", "element"),
    ):
        if name not in row.said and (needed == "code" or needed in row.said):
            sheet.faults.append((row.cell(name), "what the rest of the row needs is missing here"))
            return
    code = row.said["code"]
    standard = sheet.standards.setdefault(code, {"groups": []})
    for name in ("code", "name", "family", "level"):
        _agree(row, sheet, standard, name, (code, (name,)))
    sheet.cells.setdefault((code, ()), row.cell("code"))
    if "group" not in row.said:
        return
    groups = standard["groups"]
    at = next((n for n, group in enumerate(groups) if group["code"] == row.said["group"]), len(groups))
    if at == len(groups):
        groups.append({"code": row.said["group"], "elements": []})
        sheet.cells[code, ("groups", at)] = row.cell("group")
    _agree(row, sheet, groups[at], "group_name", (code, ("groups", at, "name")))
    if "element" in row.said:
        _take_element(row, sheet, groups[at]["elements"], (code, ("groups", at, "elements")))


def _agree(row: Row, sheet: Sheet, part: dict[str, Any], column: str, where: tuple[str, tuple[str | int, ...]]) -> None:
    """A part is named on each of its rows, everywhere the same."""
    name = "name" if column == "group_name" else column
    sheet.cells.setdefault(where, row.cell(column))
    if (value := row.said.get(column)) is not None and part.setdefault(name, value) != value:
        sheet.faults.append((row.cell(column), f"{sheet.cells[where]} says {part[name]!r}"))


def _take_element(row: Row, sheet: Sheet, elements: list[dict[str, Any]], where: tuple[str, tuple[str | int, ...]]) -> None:
    code, path = where
    if (taken := sheet.cells.setdefault((code, ("element", row.said["element"])), row.cell("element"))) != row.cell("element"):
        sheet.faults.append((row.cell("element"), f"the element stands in {taken} already"))
        return
    at = (*path, len(elements))
    element: dict[str, Any] = {"code": row.said["element"], "met_by": None, "indicators": []}
    sheet.cells[code, at] = row.cell("element")
    if "element_name" in row.said:
        element["name"] = row.said["element_name"]
        sheet.cells[code, (*at, "name")] = row.cell("element_name")
    if (how := row.said.get("met_by")) is not None:
        if how not in MET_BY:
            sheet.faults.append((row.cell("met_by"), f"one of {'、'.join(MET_BY)} is needed"))
        element["met_by"] = MET_BY.get(how)
    if "indicators" in row.said:
        element["indicators"] = [each for each in re.split(r"[、,，;；\s]+", row.said["indicators"]) if each]
        sheet.cells[code, (*at, "indicators")] = row.cell("indicators")
    elements.append(element)


def _over(before: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """What a sheet says over what is known: fields that are no columns stay, groups and elements that it lacks are gone."""
    groups = {group["code"]: group for group in before.get("groups", [])}
    elements = {element["code"]: element for group in groups.values() for element in group.get("elements", [])}
    told = [
        {
            **{name: value for name, value in groups.get(group["code"], {}).items() if name != "elements"},
            **group,
            "elements": [{**elements.get(element["code"], {}), **element} for element in group["elements"]],
        }
        for group in said["groups"]
    ]
    return {**before, **said, "groups": told}
