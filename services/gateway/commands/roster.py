"""The roster is taken in whole: what changed is stored and told, what is unchanged is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, update

from libs.common.auth import Scope
from libs.common.database import Transaction, in_batches
from services.gateway.commands.posts import end_orphans
from services.gateway.domain.roster.changes import Attendance, Changes, Difference, Known, changes, parts
from services.gateway.domain.roster.model import Roster
from services.gateway.queries.roster import load_roster, school_to_change
from services.gateway.queries.schools import today_in
from services.gateway.tables import (
    ClassRow,
    CourseRow,
    EnrollmentRow,
    ImportRow,
    OrgRow,
    ParentRow,
    PersonRow,
    RoleRow,
    SessionRow,
    Table,
)

BATCH = 1000
Counts = dict[str, dict[str, int]]


async def import_roster(tx: Transaction, scope: Scope, roster: Roster, by: str) -> Counts:
    """Make the school's roster what was sent, from today on. Returns rows, new, changed and inactive of each file.

    Publishes what changed in parts of at most 1,000 rows, and nothing where nothing did. Raises NotFound for an unknown school.
    """
    school = await school_to_change(tx.session, scope)
    today = today_in(school, tx.now)
    known = await load_roster(tx.session, school.code)
    found = await asyncio.to_thread(changes, known, roster, today)
    await _save(tx, school.code, known, found)
    for part in await asyncio.to_thread(parts, uuid4().hex, today, found):
        tx.publish(part, school=school.code)
        await asyncio.sleep(0)
    counts = count(roster, found)
    await end_orphans(tx, school.code, today)
    tx.session.add(ImportRow(school=school.code, at=tx.now, by=by, files=counts))
    return counts


def count(roster: Roster, found: Changes) -> Counts:
    """Return what each file brought; demographics are checked and not kept."""
    by_file: dict[str, Difference[Any]] = {
        "orgs": found.orgs,
        "academicSessions": found.sessions,
        "courses": found.courses,
        "classes": found.classes,
        "users": found.people,
        "roles": found.roles,
        "enrollments": found.enrollments,
    }
    nothing: Difference[Any] = Difference()
    return {file: {"rows": rows, **_sizes(by_file.get(file, nothing))} for file, rows in roster.rows.items()}


def _sizes(found: Difference[Any]) -> dict[str, int]:
    return {
        "new": len(found.new),
        "changed": len({row.id for row in found.changed}),
        "inactive": len(found.inactive),
    }


async def _save(tx: Transaction, school: str, known: Known, found: Changes) -> None:
    tables: Sequence[tuple[type[Table], Difference[Any]]] = (
        (OrgRow, found.orgs),
        (SessionRow, found.sessions),
        (CourseRow, found.courses),
        (ClassRow, found.classes),
        (PersonRow, found.people),
        (RoleRow, found.roles),
        (ParentRow, found.parents),
    )
    for table, difference in tables:
        await _write(tx, table, [_row(school, row) for row in difference.new], new=True)
        await _write(tx, table, [_row(school, row) for row in (*difference.changed, *difference.inactive)])
    await _save_enrollments(tx, school, known.enrollments, found.enrollments)


async def _save_enrollments(tx: Transaction, school: str, known: Mapping[str, Attendance], found: Difference[Attendance]) -> None:
    """Save spans; one that is followed by another is no longer the latest."""
    new: list[dict[str, Any]] = []
    changed: dict[str, dict[str, Any]] = {}
    for row in found.rows:
        before = known.get(row.id)
        if before is None or row.span.n > before.span.n:
            new.append(_span(school, row, latest=True))
            if before is not None:
                changed[row.id] = {**changed.get(row.id, _span(school, before, latest=True)), "latest": False}
        else:
            changed[row.id] = _span(school, row, latest=True)
    await _write(tx, EnrollmentRow, changed.values())
    await _write(tx, EnrollmentRow, new, new=True)


def _span(school: str, row: Attendance, *, latest: bool) -> dict[str, Any]:
    values = _row(school, row)
    return {**values, **_row(school, values.pop("span")), "latest": latest}


def _row(school: str, value: Any) -> dict[str, Any]:
    return {"school": school, **{name: getattr(value, name) for name in value.__slots__}}


async def _write(tx: Transaction, table: type[Table], rows: Iterable[dict[str, Any]], *, new: bool = False) -> None:
    for batch in in_batches(list(rows), BATCH):
        statement = insert(Table.metadata.tables[table.__tablename__]) if new else update(table)
        await tx.session.execute(statement, batch)
