"""Goals as the rows of a table: what each column says of a goal, to people and back.

A cell that says what the goal says already changes nothing, so what a cell cannot show whole stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from libs.common.events.setup import Breakdown
from libs.common.reasons import reason_of, where_of
from services.planning.domain.goals import CODE, KEPT, Goal
from services.planning.domain.wording import LEVELS

Path = tuple[str, ...]
MOST_IN_A_CELL = 32_767
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_BETWEEN = re.compile(r"[;；\n]")
_YEAR = re.compile(r"(\d{4})\s*[:：=]\s*(\S+)", re.ASCII)
_PARENT = re.compile(rf"(?:({CODE[1:-1]})/)?({CODE[1:-1]})(?:\s+(\S+))?", re.ASCII)
OPERATORS = {"at_least": "不低于", "at_most": "不高于", "equal": "等于"}
WINDOWS = {"day": "日", "week": "周", "month": "月", "term": "学期", "year": "年"}
ROLL_UPS = {"none": "不汇总", "weighted": "加权", "sum": "求和", "minimum": "最低", "maximum": "最高"}
RANKS = {"national": "国家级", "provincial": "省级", "municipal": "市级", "school": "校级"}


@dataclass(frozen=True, slots=True)
class Names:
    """How ids read in a table of one plan. `units`: names of units that no other unit has; `goals`: `plan/code` of a goal's id."""

    plan: str
    units: Mapping[str, str]
    goals: Mapping[str, str]
    find: Callable[[str, str], UUID]

    def unit(self, text: str) -> str:
        """The unit of that name, else what stands there: a school may plan before its roster comes."""
        return next((id_ for id_, name in self.units.items() if name == text), text)


@dataclass(frozen=True, slots=True)
class Kind:
    """How a value stands in a cell. `read` raises ValueError for what it cannot be."""

    write: Callable[[Any, Names], str]
    read: Callable[[str, Names], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, which field of a goal's document it is, how it is written; `default`: what stands there unsaid."""

    title: str
    field: str
    path: Path
    kind: Kind
    default: Any = None


def _number(text: str) -> str:
    """An exact decimal as text; 80% is 0.8."""
    share = text.endswith(("%", "％"))
    try:
        value = Decimal(text[:-1] if share else text)
    except InvalidOperation as error:
        raise ValueError("a number is needed") from error
    if not value.is_finite():
        raise ValueError("a number is needed")
    return f"{value / 100 if share else value:f}"


def _whole(text: str) -> int:
    if not re.fullmatch(r"\d{1,7}", text, re.ASCII):
        raise ValueError("a whole number is needed")
    return int(text)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in _BETWEEN.split(text) if part.strip()]


def _years(text: str, _: Names) -> list[dict[str, Any]]:
    found = []
    for part in _parts(text):
        if (match := _YEAR.fullmatch(part)) is None:
            raise ValueError("years and their targets look like 2026:0.6; 2030:0.8")
        found.append({"year": int(match[1]), "target": _number(match[2])})
    return found


def _parents(text: str, names: Names) -> list[dict[str, Any]]:
    found = []
    for part in _parts(text):
        if (match := _PARENT.fullmatch(part)) is None:
            raise ValueError("goals that it serves look like PLAN/CODE, with a weight PLAN/CODE 0.5")
        plan, code, weight = match.groups()
        id_ = _as_id(code) if plan is None else None
        parent: dict[str, Any] = {"goal": str(id_ or names.find(plan or names.plan, code))}
        found.append(parent if weight is None else {**parent, "weight": _number(weight)})
    return found


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _shown_parents(value: Sequence[Mapping[str, str]], names: Names) -> str:
    return "; ".join(
        " ".join([names.goals.get(each["goal"], each["goal"]), *([each["weight"]] if "weight" in each else [])]) for each in value
    )


def _word(words: Mapping[str, str]) -> Kind:
    meant = {said: value for value, said in words.items()} | {value: value for value in words}

    def read(text: str, _: Names) -> str:
        if text not in meant:
            raise ValueError(f"one of {'、'.join(words.values())} is needed")
        return meant[text]

    return Kind(lambda value, _: words[value], read)


TEXT = Kind(lambda value, _: value, lambda text, _: text)
LINES = Kind(lambda value, _: "\n".join(value), lambda text, _: [line.strip() for line in text.splitlines() if line.strip()])
LIST = Kind(lambda value, _: "; ".join(value), lambda text, _: _parts(text))
NUMBER = Kind(lambda value, _: value, lambda text, _: _number(text))
WHOLE = Kind(lambda value, _: str(value), lambda text, _: _whole(text))
YEARS = Kind(lambda value, _: "; ".join(f"{each['year']}:{each['target']}" for each in value), _years)
PARENTS = Kind(_shown_parents, _parents)
UNIT = Kind(lambda value, names: names.units.get(value, value), lambda text, names: names.unit(text))

COLUMNS = (
    Column("目标代码", "code", ("code",), TEXT),
    Column("目标", "statement", ("statement",), TEXT),
    Column("指标", "indicator", ("measure", "indicator"), TEXT),
    Column("监测项", "metric", ("measure", "metric"), TEXT),
    Column("层面", "level", ("measure", "level"), _word(LEVELS)),
    Column("统计周期", "window", ("measure", "window"), _word(WINDOWS)),
    Column("监测对象", "subject", ("measure", "subject"), TEXT),
    Column("比较方式", "operator", ("measure", "operator"), _word(OPERATORS), "at_least"),
    Column("单位", "measure_unit", ("measure", "unit"), TEXT),
    Column("基准值", "baseline", ("measure", "baseline"), NUMBER),
    Column("年度目标值", "targets", ("measure", "values"), YEARS),
    Column("成果名称", "deliverable", ("deliverable", "name"), TEXT),
    Column("成果级别", "deliverable_level", ("deliverable", "level"), _word(RANKS)),
    Column("成果数量", "deliverable_number", ("deliverable", "number"), WHOLE, 1),
    Column("验收标准", "acceptance", ("deliverable", "acceptance"), TEXT),
    Column("佐证材料", "evidence", ("deliverable", "evidence"), TEXT),
    Column("责任人", "owner", ("owner",), TEXT),
    Column("责任岗位", "owner_post", ("owner_post",), TEXT),
    Column("责任部门", "unit", ("unit",), UNIT),
    Column("协助人", "helpers", ("helpers",), LIST),
    Column("权重", "weight", ("weight",), NUMBER),
    Column("主要举措", "measures", ("measures",), LINES),
    Column("预期效果", "expected_effect", ("expected_effect",), TEXT),
    Column("完成时间", "deadline", ("deadline",), TEXT),
    Column("保障措施", "safeguard", ("safeguard",), TEXT),
    Column("考核标准", "assessment", ("assessment",), TEXT),
    Column("标准要素", "standard", ("standard",), TEXT),
    Column("纵向系统", "system", ("system",), TEXT),
    Column("汇总方式", "roll_up", ("roll_up",), _word(ROLL_UPS)),
    Column("上级目标", "parents", ("parents",), PARENTS),
)
"""Every field of a goal: a sheet with all of them says goals whole."""
PLAN_COLUMN = "规划代码"


def columns_of(table: Breakdown) -> tuple[Column, ...]:
    """The columns of a school's own table, under its titles."""
    by_field = {column.field: column for column in COLUMNS}
    return tuple(replace(by_field[each.field], title=each.name) for each in table.columns)


def shown(document: Mapping[str, Any], columns: Sequence[Column], names: Names) -> dict[str, str]:
    """What the cells of a goal's row say, by title; empty ones left out."""
    found = {}
    for column in columns:
        value = _at(document, column)
        text = "" if value is None else _printable(column.kind.write(value, names))
        if text:
            found[column.title] = text
    return found


def _printable(text: str) -> str:
    """The text as a cell gives it back."""
    return _UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))[:MOST_IN_A_CELL].strip()


def _at(document: Mapping[str, Any], column: Column) -> Any:
    *above, last = column.path
    part: Any = document
    for name in above:
        if name not in part:
            return None
        part = part[name]
    return part.get(last, column.default)


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong in the cell under a title."""

    title: str
    reason: str


def read_row(
    said: Mapping[str, str], before: Mapping[str, Any], columns: Sequence[Column], names: Names
) -> tuple[Goal | None, list[Wrong]]:
    """The goal that a row says over what it was before (empty: it is new), or what is wrong with it."""
    document, wrong = deepcopy(dict(before)), []
    there = shown(before, columns, names)
    for column in columns:
        text = said.get(column.title, "")
        if text == there.get(column.title, ""):
            continue
        try:
            _put(document, column.path, column.kind.read(text, names) if text else None)
        except ValueError as error:
            wrong.append(Wrong(column.title, str(error)))
    if wrong:
        return None, wrong
    try:
        return Goal.model_validate(document, context=KEPT), []
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return None, [Wrong(title_of(columns, where_of(each), said), reason_of(each)) for each in found]


def _put(document: dict[str, Any], path: Path, value: Any) -> None:
    """Say something in a document, None: no longer."""
    if len(path) > 1:
        part = dict(document.get(path[0], {}))
        _put(part, path[1:], value)
        value = part or None
    if value is None:
        document.pop(path[0], None)
    else:
        document[path[0]] = value


def title_of(columns: Sequence[Column], where: Sequence[str | int], said: Mapping[str, str]) -> str:
    """The title of the column that a part of a goal's document stands under: of several the first that says something."""
    path = tuple(str(each) for each in where)
    exact = [column.title for column in columns if path[: len(column.path)] == column.path]
    inside = [column.title for column in columns if path and column.path[: len(path)] == path]
    return next(iter(exact), None) or next((t for t in inside if t in said), None) or next(iter(inside), columns[0].title)
