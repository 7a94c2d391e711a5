"""Files, and who may see one: who handed it in, and whoever may see something that names it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from libs.common.auth import Scope
from libs.common.database import in_batches
from libs.common.errors import NotFound
from services.planning.domain.files import EvidenceOf
from services.planning.queries.due import visible as sees_due
from services.planning.queries.improvements import visible as sees_improvement
from services.planning.queries.plans import visible
from services.planning.queries.school import IN_AT_ONCE
from services.planning.queries.tasks import covered as covers_task
from services.planning.queries.workflows import visible as sees_run
from services.planning.tables import (
    DueItemRow,
    EvidenceRow,
    FileRow,
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


async def get_file(
    session: AsyncSession, school: str, person: str, scopes: Mapping[str, Scope], sha256: str
) -> tuple[FileRow, str]:
    """Return a file and its name. `scopes`: what the caller may see by permission.

    Raises NotFound, also for a file that the person has not handed in and that nothing names which they may see.
    """
    named = (FileRow.school == school, FileRow.sha256 == sha256)
    row = await session.scalar(select(FileRow).where(*named).options(undefer(FileRow.content)))
    mine = await find_upload(session, school, sha256, person)
    if row is None or (mine is None and not await _named_somewhere(session, school, person, scopes, sha256)):
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


async def _named_somewhere(session: AsyncSession, school: str, person: str, scopes: Mapping[str, Scope], sha256: str) -> bool:
    """Whether who handed the file in names it as evidence of something that may be seen: a stranger who knows its hash shows it to nobody."""
    seen: dict[EvidenceOf, tuple[str, Callable[[Scope], Sequence[ColumnElement[bool]]]]] = {
        "task": ("task.read", lambda scope: (TaskRow.id == EvidenceRow.about, covers_task(scope))),
        "improvement": ("improvement.read", lambda scope: (ImprovementRow.id == EvidenceRow.about, sees_improvement(scope))),
        "goal": ("plan.read", lambda scope: (GoalRow.goal == EvidenceRow.about, PlanRow.id == GoalRow.plan, visible(scope))),
        "due_item": ("due.read", lambda scope: (DueItemRow.id == EvidenceRow.about, sees_due(scope, person))),
        "run": ("process.read", lambda scope: (RunRow.id == EvidenceRow.about, sees_run(scope, person))),
    }
    own = select(UploadRow.person).where(UploadRow.school == school, UploadRow.sha256 == sha256)
    named = (EvidenceRow.school == school, EvidenceRow.sha256 == sha256, EvidenceRow.by.in_(own))
    for kind, (permission, may_see) in seen.items():
        scope = scopes.get(permission)
        if scope is not None and await session.scalar(select(exists().where(*named, EvidenceRow.kind == kind, *may_see(scope)))):
            return True
    return False
