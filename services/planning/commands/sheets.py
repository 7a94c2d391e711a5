"""Goals in and out of tables: a sheet is taken whole or not at all, and the same again changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any
from uuid import UUID

from sqlalchemy import delete

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from libs.common.events.setup import Breakdown
from libs.common.sheet import SheetRow
from services.planning import queries
from services.planning.commands.goals import must_be_draft, write_goal
from services.planning.commands.plans import writable
from services.planning.domain.goals import Goal, kept
from services.planning.domain.sheets import COLUMNS, PLAN_COLUMN, Column, Names, read_row, shown, title_of
from services.planning.tables import GoalRow, LinkRow, PlanRow

TITLES = (PLAN_COLUMN, *(column.title for column in COLUMNS))


@dataclass(frozen=True, slots=True)
class Taken:
    """What a sheet changed: goals as `plan/code`; `same`: how many say already what their row says."""

    added: list[str]
    changed: list[str]
    same: int


@dataclass(slots=True)
class _Book:
    """What a sheet is read against: each plan that it names, and that plan's goals."""

    plans: dict[str, PlanRow] = field(default_factory=dict)
    goals: dict[str, dict[str, GoalRow]] = field(default_factory=dict)
    names: dict[str, Names] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Told:
    """A row that changes something."""

    row: SheetRow
    plan: PlanRow
    goal: Goal
    new: bool


async def names_for(tx_or_session: Any, scope: Scope, plan: str, goals: Iterable[GoalRow]) -> Names:
    """How ids read in a table of these goals."""
    parents = {UUID(each["goal"]) for row in goals for each in row.content.get("parents", ())}
    codes = await queries.codes_of_goals(tx_or_session, scope, parents)
    units = await queries.names_of_units(tx_or_session, scope.school)
    return Names(plan, units, codes, lambda above, code: queries.goal_id(scope.school, above, code))


def rows_of(goals: Sequence[GoalRow], columns: Sequence[Column], names: Names, *, plans: bool) -> list[list[str | None]]:
    """The cells of these goals, a row each; `plans`: after their plan's code."""
    said = [({PLAN_COLUMN: row.plan_code} if plans else {}) | shown(row.content, columns, names) for row in goals]
    titles = [*([PLAN_COLUMN] if plans else []), *(column.title for column in columns)]
    return [[row.get(title) for title in titles] for row in said]


async def take_sheet(tx: Transaction, scope: Scope, by: str, rows: Sequence[SheetRow], why: str | None, only: str | None) -> Taken:
    """Write what the rows of a whole sheet say into drafts; goals that it lacks stay. `only`: the one plan that it may name.

    Raises Invalid with every fault by its cell, Conflict where a goal of a plan that is no draft would change: then nothing is taken.
    """
    book = _Book()
    named = [(row, row.said.get(PLAN_COLUMN, only)) for row in rows]
    for row, code in named:
        if code is None or (only is not None and code != only):
            book.faults.append(row.fault(PLAN_COLUMN, "the code of a plan is needed" if only is None else f"it is {only}"))
        elif code not in book.plans and (reason := await _open(tx, scope, by, book, code)) is not None:
            book.faults.append(row.fault(PLAN_COLUMN, reason))
    if book.faults:
        raise Invalid("the sheet cannot be taken in", book.faults)
    told = [(row, code or "", row.said.get(COLUMNS[0].title)) for row, code in named]
    return await _take(tx, scope, by, book, COLUMNS, told, why)


async def take_breakdown(
    tx: Transaction,
    scope: Scope,
    by: str,
    code: str,
    table: Breakdown,
    columns: Sequence[Column],
    rows: Sequence[SheetRow],
    why: str | None,
) -> Taken:
    """As `take_sheet`, of one plan's own table. Where it has no codes, a row is the goal that says the same, else a new one."""
    book = _Book()
    if (reason := await _open(tx, scope, by, book, code)) is not None:
        raise NotFound(reason)
    by_field = {column.field: column.title for column in columns}
    if "code" in by_field:
        told = [(row, code, row.said.get(by_field["code"])) for row in rows]
        return await _take(tx, scope, by, book, columns, told, why)
    title = by_field["statement"]
    known: dict[str, list[str]] = {}
    for goal in book.goals[code].values():
        known.setdefault(shown(goal.content, columns, book.names[code]).get(title, ""), []).append(goal.code)
    free = (f"G{n}" for n in range(1, 1_000_000) if f"G{n}" not in book.goals[code])
    found: list[tuple[SheetRow, str, str | None]] = []
    seen: set[str] = set()
    for row in rows:
        text = row.said.get(title, "")
        goals = known.get(text, [])
        if not text or text in seen or len(goals) > 1:
            reason = (
                f"what tells the rows of {table.name} apart is needed, once"
                if not text or text in seen
                else "several goals say this"
            )
            book.faults.append(row.fault(title, reason))
        seen.add(text)
        found.append((row, code, goals[0] if goals else next(free)))
    if book.faults:
        raise Invalid("the sheet cannot be taken in", book.faults)
    return await _take(tx, scope, by, book, columns, found, why)


async def _open(tx: Transaction, scope: Scope, by: str, book: _Book, code: str) -> str | None:
    """Load a plan that a sheet names, and lock it; or say why it cannot be written."""
    try:
        plan = await writable(tx, scope, by, code)
    except (NotFound, Forbidden) as error:
        return error.detail
    goals = await queries.goals_of(tx.session, plan.id)
    book.plans[code], book.goals[code] = plan, {row.code: row for row in goals}
    book.names[code] = await names_for(tx.session, scope, code, goals)
    return None


async def _take(
    tx: Transaction,
    scope: Scope,
    by: str,
    book: _Book,
    columns: Sequence[Column],
    told: Sequence[tuple[SheetRow, str, str | None]],
    why: str | None,
) -> Taken:
    found: list[_Told] = []
    seen: dict[tuple[str, str], str] = {}
    for row, plan, code in told:
        title = next((column.title for column in columns if column.field == "code"), columns[0].title)
        if code is None or (plan, code) in seen:
            book.faults.append(
                row.fault(title, f"it stands in {seen[plan, code]} already" if code else "the goal's code is needed")
            )
            continue
        seen[plan, code] = row.cell(title)
        there = book.goals[plan].get(code)
        before = {"code": code} if there is None else there.content
        goal, wrong = read_row(row.said, before, columns, book.names[plan])
        book.faults += [row.fault(each.title, each.reason) for each in wrong]
        if goal is not None and (there is None or goal != kept(there.content)):
            found.append(_Told(row, book.plans[plan], goal, there is None))
    if book.faults:
        raise Invalid("the sheet cannot be taken in", book.faults)
    await _write(tx, scope, by, columns, found, why)
    names = {new: [f"{each.plan.code}/{each.goal.code}" for each in found if each.new is new] for new in (True, False)}
    return Taken(names[True], names[False], len(told) - len(found))


async def _write(
    tx: Transaction, scope: Scope, by: str, columns: Sequence[Column], found: Sequence[_Told], why: str | None
) -> None:
    """Parents first, and the links that are to change out of the way: what hangs together in the end may stand in any order."""
    for plan in {each.plan.code: each.plan for each in found}.values():
        must_be_draft(plan)
    ids = {queries.goal_id(each.plan.school, each.plan.code, each.goal.code): each for each in found}
    for id_, each in ids.items():
        await tx.session.execute(delete(LinkRow).where(LinkRow.goal == id_, LinkRow.version == each.plan.version))
    faults: list[Fault] = []
    for id_ in _parents_first(columns, ids):
        each = ids[id_]
        try:
            await write_goal(tx, scope, by, each.plan, each.goal, why, new=each.new)
        except Invalid as error:
            faults += [_in_cell(columns, each, fault) for fault in error.errors]
    if faults:
        raise Invalid("the sheet cannot be taken in", faults)


def _parents_first(columns: Sequence[Column], ids: Mapping[UUID, _Told]) -> list[UUID]:
    graph = {id_: {parent.goal for parent in each.goal.parents} & set(ids) for id_, each in ids.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle: Collection[UUID] = dict.fromkeys(error.args[1])
        faults = [
            _in_cell(columns, ids[id_], Fault(pointer="/parents", detail="links between goals form no circle")) for id_ in circle
        ]
        raise Invalid("the sheet cannot be taken in", faults) from error


def _in_cell(columns: Sequence[Column], told: _Told, fault: Fault) -> Fault:
    where = fault["pointer"].removeprefix("/goal").strip("/").split("/")
    return told.row.fault(title_of(columns, where, told.row.said), fault["detail"])


def breakdown_of(setup: Mapping[str, Any]) -> Breakdown:
    """The school's own table. Raises Conflict where its set-up names none."""
    if (said := setup.get("breakdown")) is None:
        raise Conflict("the school's set-up names no table of goals: say its columns under `breakdown`")
    return Breakdown.model_validate(said)
