"""Who judges a task that was submitted: whoever gave it, or whom the school's table of verifiers names; never who has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Forbidden
from services.planning import queries
from services.planning.domain.owners import Directory, Subject
from services.planning.domain.settings import Level
from services.planning.queries import projects as find
from services.planning.queries import tasks as find_tasks
from services.planning.tables import TaskRow

LEVELS: Mapping[str, Level] = {"programme": "programme", "school": "school"}
"""The level in the school's table at which the task of a unit stands, by the unit's kind: any other unit's is a department's."""


async def must_judge(tx: Transaction, scope: Scope, by: str, rows: Sequence[TaskRow]) -> None:
    """Raises Forbidden for who has a task or submitted it, for who leads the unit that others gave it to, also where the table names them,
    and for whose posts are not over the whole school where neither they nor their unit gave it and the table does not name them.
    """
    for row in rows:
        if by in {row.submitted_by, row.owner, *row.helpers}:
            raise Forbidden("who has a task or submitted it cannot judge it")
    today = await queries.today_in(tx.session, scope.school, tx.now)
    heads = await find.heads_of(tx.session, scope.school, {row.unit for row in rows if row.unit}, today)
    doubtful = [row for row in rows if scope.places is not None or by in heads.get(row.unit or "", ())]
    above = await find_tasks.units_above(tx.session, [row.parent for row in doubtful if row.parent])
    left = [row for row in doubtful if not _given_inside(row, scope, by, heads, above)]
    named = await _table(tx, scope.school, left)
    for row in left:
        if by in heads.get(row.unit or "", ()) or all(by not in people for people in named[row.id].values()):
            raise Forbidden("a task that others gave to a unit is judged by whoever gave it, or by whom the school's table names")


def _given_inside(
    row: TaskRow, scope: Scope, by: str, heads: Mapping[str, Sequence[str]], above: Mapping[UUID, str | None]
) -> bool:
    """Whether who judges gave it, or their unit did: by a head of it, or as a part of a task of its own."""
    if row.given_by == by or row.given_by in heads.get(row.unit or "", ()):
        return True
    unit = None if row.parent is None else above.get(row.parent)
    return unit is not None and scope.covers([f"unit:{unit}"])


async def judges_of(tx: Transaction, row: TaskRow) -> list[str]:
    """Who is told that a task waits: who gave it, else the first post of the school's table that somebody holds who may judge it."""
    today = await queries.today_in(tx.session, row.school, tx.now)
    heads = (await find.heads_of(tx.session, row.school, [row.unit] if row.unit else [], today)).get(row.unit or "", [])
    never = {row.owner, row.submitted_by, *row.helpers, *([] if row.given_by in heads else heads)}
    given = [row.given_by] if row.given_by and await find.find_person(tx.session, row.school, row.given_by) else []
    named = (await _table(tx, row.school, [row]))[row.id]
    for people in (given, *named.values()):
        if free := [person for person in people if person not in never]:
            return free
    return []


async def _table(tx: Transaction, school: str, rows: Sequence[TaskRow]) -> dict[UUID, dict[str, list[str]]]:
    """Who holds which post that the school's table of verifiers names for each task, in the table's order."""
    if not rows:
        return {}
    settings = await queries.settings_of(tx.session, school)
    abouts = {row.id: await _about(tx, row) for row in rows}
    directory: Directory = await queries.directory_of(tx.session, school, list(abouts.values()))
    found = {}
    for id_, about in abouts.items():
        holders = directory.holders(about, settings.verifiers[about.level])  # type: ignore[index]  # `_about` gives it one of the levels
        found[id_] = {post: sorted({holder.person for holder in held}) for post, held in holders.items()}
    return found


async def _about(tx: Transaction, row: TaskRow) -> Subject:
    today = await queries.today_in(tx.session, row.school, tx.now)
    places = await find_tasks.places_of_task(tx.session, row.school, row.unit, ())
    unit = None if row.unit is None else await find.find_org(tx.session, row.school, row.unit)
    level = "teacher" if unit is None else LEVELS.get(unit.kind, "department")
    return Subject(level, row.unit or row.owner or "", tuple(sorted(places)), today)
