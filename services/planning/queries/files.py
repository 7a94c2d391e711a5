"""Files, and who may see one: who handed it in, and whoever may see something that names it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from libs.common.auth import Scope
from libs.common.database import in_batches
from libs.common.errors import NotFound
from services.planning.queries.budgets import covered as sees_budget
from services.planning.queries.due import visible as sees_due
from services.planning.queries.entries import covered as sees_entry
from services.planning.queries.improvements import visible as sees_improvement
from services.planning.queries.plans import visible
from services.planning.queries.school import IN_AT_ONCE
from services.planning.queries.tasks import covered as covers_task
from services.planning.queries.workflows import sees_filing
from services.planning.queries.workflows import visible as sees_run
from services.planning.tables import (
    BudgetRow,
    DueItemRow,
    EntryRow,
    EvidenceRow,
    FileRow,
    FilingRow,
    GoalRow,
    ImprovementRow,
    PlanRow,
    RunRow,
    TaskRow,
    UploadRow,
)


async def find_file(session: AsyncSession, school: str, sha256: str) -> FileRow | None:
    """Return a file without its content."""
    return await session.get(FileRow, (school, sha256))


async def find_upload(session: AsyncSession, school: str, sha256: str, person: str) -> UploadRow | None:
    return await session.get(UploadRow, (school, sha256, person))


SEEN_BY: Mapping[str, str] = {
    "task": "task.read",
    "improvement": "improvement.read",
    "goal": "plan.read",
    "due_item": "due.read",
    "run": "process.read",
    "filing": "process.read",
    "entry": "guarantee.read",
    "budget": "guarantee.read",
}
"""What one must be allowed to read to read the files that are evidence of it."""


async def get_file(
    session: AsyncSession, school: str, person: str, scopes: Mapping[str, Scope], sha256: str, today: date
) -> tuple[FileRow, str]:
    """Return a file and its name. `scopes`: what the caller may see by permission.

    Raises NotFound, also for a file that the person has not handed in and that nothing names which they may see.
    """
    named = (FileRow.school == school, FileRow.sha256 == sha256)
    row = await session.scalar(select(FileRow).where(*named).options(undefer(FileRow.content)))
    mine = await find_upload(session, school, sha256, person)
    if row is None or (mine is None and not await _named_somewhere(session, school, person, scopes, sha256, today)):
        raise NotFound("there is no such file")
    if mine is not None:
        return row, mine.name
    sql = select(UploadRow.name).where(UploadRow.school == school, UploadRow.sha256 == sha256).order_by(UploadRow.at).limit(1)
    return row, await session.scalar(sql) or sha256


async def known_files(session: AsyncSession, school: str, files: Collection[str]) -> set[str]:
    """Return which of these files the school has."""
    found: set[str] = set()
    for some in in_batches(sorted(files), IN_AT_ONCE):
        found.update(await session.scalars(select(FileRow.sha256).where(FileRow.school == school, FileRow.sha256.in_(some))))
    return found


async def _named_somewhere(
    session: AsyncSession, school: str, person: str, scopes: Mapping[str, Scope], sha256: str, today: date
) -> bool:
    """Whether who handed the file in names it as evidence of something that may be seen: a stranger who knows its hash shows it to nobody."""
    own = select(UploadRow.person).where(UploadRow.school == school, UploadRow.sha256 == sha256)
    named = (EvidenceRow.school == school, EvidenceRow.sha256 == sha256, EvidenceRow.by.in_(own))
    for kind in await session.scalars(select(EvidenceRow.kind).where(*named).distinct()):
        scope = scopes.get(SEEN_BY[kind])
        if scope is None:
            continue
        condition = await _seen(session, kind, scope, person, today)
        if await session.scalar(select(exists().where(*named, EvidenceRow.kind == kind, *condition))):
            return True
    return False


async def _seen(session: AsyncSession, kind: str, scope: Scope, person: str, today: date) -> Sequence[ColumnElement[bool]]:
    """The condition that what a file is evidence of may be seen."""
    about = EvidenceRow.about
    match kind:
        case "task":
            return TaskRow.id == about, covers_task(scope)
        case "improvement":
            return ImprovementRow.id == about, sees_improvement(scope)
        case "goal":
            return GoalRow.goal == about, PlanRow.id == GoalRow.plan, visible(scope)
        case "due_item":
            return DueItemRow.id == about, sees_due(scope, person)
        case "run":
            return RunRow.id == about, sees_run(scope, person)
        case "filing":
            return FilingRow.id == about, sees_filing(scope)
        case "entry":
            return EntryRow.id == about, await sees_entry(session, scope, today)
        case _:
            return BudgetRow.id == about, *await sees_budget(session, scope)
