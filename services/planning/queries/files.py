"""Files, and who may see one: who handed it in, and whoever may see something that names it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Text, cast, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, undefer

from libs.common.auth import Scope
from libs.common.errors import NotFound
from services.planning.queries.due import visible as sees_due
from services.planning.queries.improvements import visible as sees_improvement
from services.planning.queries.plans import visible
from services.planning.queries.tasks import covered as covers_task
from services.planning.queries.workflows import visible as sees_run
from services.planning.tables import (
    DeliveryRow,
    DueItemRow,
    FileRow,
    GoalRow,
    HistoryRow,
    ImprovementRow,
    PlanRow,
    RunHistoryRow,
    RunRow,
    TaskRow,
    TaskStepRow,
    UploadRow,
)


def path_of(sha256: str) -> str:
    """Where a file is read: evidence names it so."""
    return f"/api/v1/planning/files/{sha256}"


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


async def _named_somewhere(session: AsyncSession, school: str, person: str, scopes: Mapping[str, Scope], sha256: str) -> bool:
    """Whether who handed the file in names it as evidence of something that may be seen: a stranger who knows its hash shows it to nobody."""
    own = select(UploadRow.person).where(UploadRow.school == school, UploadRow.sha256 == sha256)
    conditions = []
    if (tasks := scopes.get("task.read")) is not None:
        named = (TaskRow.id == TaskStepRow.task, _names(TaskStepRow.what, sha256), TaskStepRow.by.in_(own))
        conditions.append(exists().where(*named, covers_task(tasks)))
    if (improvements := scopes.get("improvement.read")) is not None:
        named = (ImprovementRow.id == HistoryRow.improvement, _names(HistoryRow.what, sha256), HistoryRow.by.in_(own))
        conditions.append(exists().where(*named, sees_improvement(improvements)))
    if (plans := scopes.get("plan.read")) is not None:
        named = (GoalRow.goal == DeliveryRow.goal, _names(DeliveryRow.evidence, sha256), DeliveryRow.by.in_(own))
        conditions.append(exists().where(*named, PlanRow.id == GoalRow.plan, visible(plans)))
    if (due := scopes.get("due.read")) is not None:
        conditions.append(exists().where(_names(DueItemRow.evidence, sha256), DueItemRow.done_by.in_(own), sees_due(due, person)))
    if (runs := scopes.get("process.read")) is not None:
        named = (RunRow.id == RunHistoryRow.run, _names(RunHistoryRow.said, sha256), RunHistoryRow.by.in_(own))
        conditions.append(exists().where(*named, sees_run(runs, person)))
    for condition in conditions:
        if await session.scalar(select(condition)):
            return True
    return False


def _names(column: InstrumentedAttribute[object], sha256: str) -> ColumnElement[bool]:
    """Whether a JSON text names the file; the hash has no characters that JSON or LIKE would read otherwise."""
    return cast(column, Text).contains(path_of(sha256))
