"""Standards as an Excel sheet, an element a row: what schools have today. Every fault names its cell."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from libs.common import sheet
from libs.common.errors import Invalid
from libs.common.reasons import reason_of, where_of
from services.cli import Failure
from services.cli.shell import content_of
from services.cli.template.lines import path_of
from services.cli.template.model import Standard, standard_faults
from services.cli.template.writing import said

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
MET_BY = {"监测": "measured", "评判": "judged", "文件": "document", "未定": None}
"""How an element is met; `未定`, or an empty cell: nothing says it."""
WAYS = {"criterion": "measured", "judged": "judged", "document": "document"}
"""What else a standard says of how an element is met, and of which way: the sheet has no columns for it."""
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

    def fault(self, standard: str, path: tuple[str | int, ...], reason: str) -> None:
        """Note a fault of a part of a standard, in its cell or that of the innermost part around it that has one."""
        while path and (standard, path) not in self.cells:
            path = path[:-1]
        self.faults.append((self.cells[standard, path], reason))


def write_sheet(standards: Sequence[Standard]) -> bytes:
    """The standards as an Excel file."""
    return sheet.write_sheet(SHEET, tuple(COLUMNS), [row for standard in standards for row in _rows(standard)])


def _rows(standard: Standard) -> Iterator[tuple[str | None, ...]]:
    first = (standard.code, standard.name, standard.family, standard.level)
    words = {code: word for word, code in MET_BY.items()}
    if not standard.groups:
        yield (*first, *[None] * 6)
    for group in standard.groups:
        if not group.elements:
            yield (*first, group.code, group.name, *[None] * 4)
        for element in group.elements:
            how = words[element.met_by]
            yield (*first, group.code, group.name, element.code, element.name, how, "、".join(element.indicators) or None)


def read_sheet(file: Path, known: Sequence[Standard], families: Collection[str], measures: Collection[str]) -> list[Standard]:
    """The standards that a sheet names: what it says, over what is known of them. Raises Failure with the cell of each fault.

    `families`, and `measures` (indicators and metrics): the codes that the school has.
    """
    read = Sheet()
    for row in _said(file):
        _take(row, read)
    before = {standard.code: said(standard) for standard in known}
    found = []
    for code, told in read.standards.items():
        try:
            standard = Standard.model_validate(_over(before.get(code, {}), told))
        except ValidationError as error:
            for fault in error.errors(include_url=False, include_input=False):
                read.fault(code, where_of(fault), reason_of(fault))
            continue
        found.append(standard)
        for refused in standard_faults("", standard):
            path = path_of(refused["pointer"])
            read.fault(code, path, _of_way(standard, path) or refused["detail"])
        if standard.family not in families:
            read.fault(code, ("family",), f"the school has no family {standard.family!r}")
        for path, named in _named(standard):
            if named not in measures:
                read.fault(code, path, f"the school has no indicator and no metric {named!r}")
    if read.faults:
        raise _refusal(file, read.faults)
    return found


def _of_way(standard: Standard, path: tuple[str | int, ...]) -> str | None:
    """What is wrong with how an element is met, in the sheet's words; None: it is something else."""
    match path:
        case ("groups", int(n), "elements", int(m), str(part)) if part in WAYS:
            word = next(word for word, code in MET_BY.items() if code == WAYS[part])
            if getattr(standard.groups[n].elements[m], part) is None:
                return f"{word} needs more than a sheet can say: who judges it, or which document"
            return f"say how it is met: {word}, as the rest of what the standard says of it"
    return None


def _named(standard: Standard) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Each indicator or metric that an element names, and where."""
    for n, group in enumerate(standard.groups):
        for m, element in enumerate(group.elements):
            for named in element.indicators:
                yield ("groups", n, "elements", m, "indicators"), named


def _said(file: Path) -> list[Row]:
    """The rows below the head. Raises Failure for what is no such sheet."""
    try:
        rows = sheet.read_sheet(content_of(file), tuple(COLUMNS))
    except Invalid as error:
        said = [(fault["pointer"][1:], fault["detail"].partition(": ")[2]) for fault in error.errors]
        raise _refusal(file, said) if said else Failure(f"{file.name}: {error.detail}") from error
    return [Row(row.number, {COLUMNS[column]: text for column, text in row.said.items()}) for row in rows]


def _refusal(file: Path, faults: Sequence[tuple[str, str]]) -> Failure:
    """The first of what is wrong, each with its cell."""
    words = [f"{file.name}, {cell}: {reason}" for cell, reason in sorted(faults, key=lambda at: (int(at[0][1:]), at[0]))]
    return Failure("; ".join([*words[:SHOWN], *([f"and {len(words) - SHOWN} more"] if len(words) > SHOWN else [])]))


def _take(row: Row, read: Sheet) -> None:
    """Take a row in: a new standard, group or element, or more of the one above."""
    for name, needed in (
        ("code", "code"),
        ("group", "element"),
        ("group", "group_name"),
        ("element", "element_name"),
        ("element_name", "element"),
        ("element", "met_by"),
        ("element", "indicators"),
    ):
        if name not in row.said and (needed == "code" or needed in row.said):
            read.faults.append((row.cell(name), "what the rest of the row needs is missing here"))
            return
    code = row.said["code"]
    standard = read.standards.setdefault(code, {"groups": []})
    for name in ("code", "name", "family", "level"):
        _agree(row, read, standard, name, (code, (name,)))
    read.cells.setdefault((code, ()), row.cell("code"))
    if "group" not in row.said:
        return
    groups = standard["groups"]
    at = next((n for n, group in enumerate(groups) if group["code"] == row.said["group"]), len(groups))
    if at == len(groups):
        groups.append({"code": row.said["group"], "elements": []})
        read.cells[code, ("groups", at)] = row.cell("group")
    _agree(row, read, groups[at], "group_name", (code, ("groups", at, "name")))
    if "element" in row.said:
        _take_element(row, read, groups[at]["elements"], (code, ("groups", at, "elements")))


def _agree(row: Row, read: Sheet, part: dict[str, Any], column: str, where: tuple[str, tuple[str | int, ...]]) -> None:
    """A part is named on each of its rows, everywhere the same."""
    name = "name" if column == "group_name" else column
    read.cells.setdefault(where, row.cell(column))
    if (value := row.said.get(column)) is not None and part.setdefault(name, value) != value:
        read.faults.append((row.cell(column), f"{read.cells[where]} says {part[name]!r}"))


def _take_element(row: Row, read: Sheet, elements: list[dict[str, Any]], where: tuple[str, tuple[str | int, ...]]) -> None:
    code, path = where
    if (taken := read.cells.setdefault((code, ("element", row.said["element"])), row.cell("element"))) != row.cell("element"):
        read.faults.append((row.cell("element"), f"the element stands in {taken} already"))
        return
    at = (*path, len(elements))
    element: dict[str, Any] = {"code": row.said["element"], "met_by": None, "indicators": []}
    read.cells[code, at] = row.cell("element")
    if "element_name" in row.said:
        element["name"] = row.said["element_name"]
        read.cells[code, (*at, "name")] = row.cell("element_name")
    read.cells.update({(code, (*at, part)): row.cell("met_by") for part in ("met_by", *WAYS)})
    if (how := row.said.get("met_by")) is not None:
        if how not in MET_BY:
            read.faults.append((row.cell("met_by"), f"one of {'、'.join(MET_BY)} is needed"))
        element["met_by"] = MET_BY.get(how)
    if "indicators" in row.said:
        element["indicators"] = [each for each in re.split(r"[、,，;；\s]+", row.said["indicators"]) if each]
        read.cells[code, (*at, "indicators")] = row.cell("indicators")
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
