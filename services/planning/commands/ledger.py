"""Take a ledger in from Excel: what it has and ours lacks is opened; what both have stays as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Fault, Invalid
from libs.common.sheet import SheetRow
from libs.common.xml_text import for_xml
from services.planning import queries
from services.planning.commands.evidence import unknown_files
from services.planning.commands.finding import Found, open_found
from services.planning.commands.working import log_progress
from services.planning.domain.files import files_in
from services.planning.domain.sources import FOUND_BY, WORDS

MOST = 5_000
MOST_CHARACTERS = 2_000
MOST_PARTS = 20
LEVELS = {"programme": "programme", "school": "school"}
"""What a problem of a unit is about, by the unit's kind: any other unit is a department."""

FIELDS = {
    "subject": "责任部门",
    "unit": "责任部门",
    "owner": "责任人",
    "verifier": "验收人",
    "deadline": "整改期限",
}
"""The columns in which a field of a problem stands."""

_PARTS = re.compile(r"[\n；;]+")


@dataclass(frozen=True, slots=True)
class Taken:
    """How many problems were opened, and how many rows say what the ledger has already."""

    opened: int
    same: int


@dataclass(frozen=True, slots=True)
class _Names:
    """What the words of a sheet may name: units by id and by name, their kinds, staff by id and by name."""

    units: dict[str, list[str]]
    kinds: dict[str, str]
    staff: dict[str, list[str]]


async def take_ledger(tx: Transaction, scope: Scope, by: str, rows: Sequence[SheetRow]) -> Taken:
    """Open what the rows say and the ledger does not have yet; all or nothing. The same again changes nothing.

    A row is there already where source, problem, unit and date are: its number is that of the sheet alone. Raises Invalid with every
    fault by its cell, Forbidden where the caller may not open one.
    """
    if len(rows) > MOST:
        raise Invalid(f"a ledger of more than {MOST:,} rows comes in parts")
    await queries.lock_school(tx.session, scope.school)
    names = await _names(tx, scope, rows)
    there = await _there(tx, scope, names)
    new = [row for row in rows if not _is_there(row, there)]
    found, faults = _read_all(new, names)
    lost = await unknown_files(tx, [part for row in new for part in _parts(row.said.get("佐证"))])
    faults += [row.fault("佐证", "there is no such file") for row in new if _files(row) & lost]
    if faults:
        raise Invalid("the ledger cannot be taken in", faults)

    def at(n: int, name: str, why: str) -> Fault:
        return new[n].fault(FIELDS.get(name, "问题"), why)

    opened = await open_found(tx, scope, by, found, at) if found else []
    for row, improvement in zip(new, opened, strict=True):
        text, evidence = row.said.get("进展"), _parts(row.said.get("佐证"))
        if text or evidence:
            await log_progress(tx, improvement, by, text or "随台账登记", evidence)
    return Taken(len(opened), len(rows) - len(opened))


async def _names(tx: Transaction, scope: Scope, rows: Sequence[SheetRow]) -> _Names:
    units: dict[str, list[str]] = {}
    kinds = {}
    for id_, name, kind in await queries.units_of(tx.session, scope.school):
        kinds[id_] = kind
        for word in {id_, name}:
            units.setdefault(word, []).append(id_)
    people = [row.said[column] for row in rows for column in ("责任人", "验收人") if column in row.said]
    return _Names(units, kinds, await queries.staff_by_name(tx.session, scope.school, people))


Key = tuple[str, str, str]


async def _there(tx: Transaction, scope: Scope, names: _Names) -> dict[Key, set[date | None]]:
    """The dates of what the ledger has, by source, problem and unit in words, the unit by its id and by its name."""
    words: dict[str, set[str]] = {}
    for word, ids in names.units.items():
        for id_ in ids:
            words.setdefault(id_, set()).add(word)
    found: dict[Key, set[date | None]] = {}
    for source, title, unit, due_on, deadline in await queries.list_alike(tx.session, scope.school):
        for word in {""} if unit is None else words.get(unit, set()) | {unit}:
            found.setdefault((WORDS[source], _plain(title), word), set()).update({due_on, deadline})
    return found


def _is_there(row: SheetRow, there: dict[Key, set[date | None]]) -> bool:
    dates = there.get((row.said.get("来源", ""), _plain(row.said.get("问题", "")), row.said.get("责任部门", "")))
    if dates is None:
        return False
    written = row.said.get("整改期限")
    return written is None or _date(written) in dates


def _plain(text: str) -> str:
    """As a cell gives it back: line ends and blanks are not told apart."""
    return " ".join(for_xml(text).split())


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in _PARTS.split(text or "") if part.strip()]


def _files(row: SheetRow) -> set[str]:
    return {file for part in _parts(row.said.get("佐证")) for file in files_in(part)}


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _read_all(rows: Sequence[SheetRow], names: _Names) -> tuple[list[Found], list[Fault]]:
    found, faults = [], []
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        wrong = _wrong(row, names)
        key = tuple(row.said.get(column, "") for column in ("来源", "问题", "责任部门", "整改期限"))
        if key in seen:
            wrong["问题"] = f"the problem of row {seen[key]} again"
        seen.setdefault(key, row.number)
        faults += [row.fault(column, why) for column, why in wrong.items()]
        if not wrong:
            found.append(_found(row, names))
    return found, faults


def _wrong(row: SheetRow, names: _Names) -> dict[str, str]:
    """What is wrong in a row that is to open a problem, by column."""
    wrong = {column: "a problem has one" for column in ("问题", "来源") if column not in row.said}
    if row.said.get("来源", "自查") not in FOUND_BY:
        wrong["来源"] = f"one of {'、'.join(FOUND_BY)} is needed"
    for column, known in (("责任部门", names.units), ("责任人", names.staff), ("验收人", names.staff)):
        if (word := row.said.get(column)) is not None and len(known.get(word, ())) != 1:
            wrong[column] = "nobody and nothing has this name" if word not in known else "several have this name: write the id"
    if "整改期限" in row.said and _date(row.said["整改期限"]) is None:
        wrong["整改期限"] = "a date is written YYYY-MM-DD"
    if "销号日期" in row.said:
        wrong["销号日期"] = "what is closed already cannot be opened"
    for column in ("问题", "整改目标", "整改措施", "佐证", "进展"):
        parts = _parts(row.said.get(column)) if column in {"整改措施", "佐证"} else [row.said.get(column, "")]
        if len(parts) > MOST_PARTS or any(len(part) > MOST_CHARACTERS for part in parts):
            wrong[column] = f"at most {MOST_PARTS} lines of {MOST_CHARACTERS:,} characters"
    return wrong


def _found(row: SheetRow, names: _Names) -> Found:
    said = row.said
    unit = names.units[said["责任部门"]][0] if "责任部门" in said else None
    level = "school" if unit is None else LEVELS.get(names.kinds[unit], "department")
    due_on = _date(said.get("整改期限", ""))
    return Found(
        source=FOUND_BY[said["来源"]],
        problem=said["问题"],
        level=level,
        subject=None if level == "school" else unit,
        unit=unit,
        owner=names.staff[said["责任人"]][0] if "责任人" in said else None,
        verifier=names.staff[said["验收人"]][0] if "验收人" in said else None,
        due_on=due_on,
        measures=_parts(said.get("整改措施")) or None,
        goal=said.get("整改目标"),
        deadline=due_on,
    )
