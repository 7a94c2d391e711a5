"""Runs of workflows and what is filed, and who holds a post over something. What belongs to one school takes its scope or its code first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import get_args
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.errors import NotFound
from libs.common.events.routines import Post
from libs.common.events.setup import Workflow
from services.planning.domain.owners import Subject
from services.planning.domain.workflows import RunStatus
from services.planning.queries.school import directory_of, parents_of
from services.planning.tables import CourseRow, FilingRow, OrgRow, PaperPlaceRow, RunHistoryRow, RunRow

OF_NO_UNIT = frozenset({"teacher", "class_teacher"})
"""Posts held over classes, not over a unit or what lies in one."""


async def holders_of(session: AsyncSession, school: str, post: str, places: Iterable[str], today: date) -> list[str]:
    """Return who holds a post over something that lies in these places (`kind:id`): the nearest of them. A post unknown here: nobody."""
    if post not in get_args(Post) or post in OF_NO_UNIT:
        return []
    about = Subject("unit", "", tuple(sorted(places)), today)
    directory = await directory_of(session, school, [about])
    held = directory.holders(about, [post])[post]
    nearest = min((each.nearness for each in held), default=0)
    return sorted({each.person for each in held if each.nearness == nearest})


async def places_of_unit(session: AsyncSession, school: str, unit: str | None) -> set[str]:
    """Return where something of a unit lies: the unit, those above it, the school. None: the school alone."""
    above = await parents_of(session, school)
    found = {f"school:{school}"}
    while unit is not None and f"unit:{unit}" not in found:
        found.add(f"unit:{unit}")
        unit = above.get(unit)
    return found


async def find_unit(session: AsyncSession, school: str, unit: str) -> OrgRow | None:
    """Return a unit that the roster has and that is not gone."""
    row = await session.get(OrgRow, (school, unit))
    return row if row is not None and row.active else None


async def find_course(session: AsyncSession, school: str, course: str) -> CourseRow | None:
    row = await session.get(CourseRow, (school, course))
    return row if row is not None and row.active else None


# --- runs -----------------------------------------------------------------------------------------------------------------


def visible(scope: Scope, person: str) -> ColumnElement[bool]:
    """What lies in the scope, and what somebody started."""
    mine = scope.where(PaperPlaceRow.place, PaperPlaceRow.paper == RunRow.id)
    return and_(RunRow.school == scope.school, or_(mine, RunRow.started_by == person))


async def get_run(session: AsyncSession, scope: Scope, person: str, run: UUID, *, lock: bool = False) -> RunRow:
    """Return a run, to change it with its row locked. Raises NotFound, also for what the caller may not see."""
    sql = select(RunRow).where(visible(scope, person), RunRow.id == run)
    if lock:
        sql = sql.with_for_update(of=RunRow).execution_options(populate_existing=True)
    if (row := await session.scalar(sql)) is None:
        raise NotFound("there is no such run")
    return row


async def list_runs(
    session: AsyncSession,
    scope: Scope,
    person: str,
    *,
    filters: Mapping[str, str | None],
    overdue: bool | None,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[RunRow]:
    """Return a page of runs and one more, newest first."""
    sql = select(RunRow).where(visible(scope, person)).order_by(RunRow.started_at.desc(), RunRow.id.desc()).limit(limit + 1)
    for name, value in filters.items():
        if value is not None:
            sql = sql.where(getattr(RunRow, name) == value)
    if overdue is not None:
        sql = sql.where(RunRow.overdue_at.is_not(None) if overdue else RunRow.overdue_at.is_(None))
    if before is not None:
        at, id_ = before
        sql = sql.where(or_(RunRow.started_at < at, and_(RunRow.started_at == at, RunRow.id < id_)))
    return (await session.scalars(sql)).all()


async def find_running(session: AsyncSession, school: str, workflow: str, kind: str, about: str) -> RunRow | None:
    """Return the run of a workflow about something that has not ended."""
    sql = select(RunRow).filter_by(school=school, workflow=workflow, about_kind=kind, about=about, status=RunStatus.RUNNING)
    row: RunRow | None = await session.scalar(sql.limit(1))
    return row


async def run_history(session: AsyncSession, run: UUID) -> Sequence[RunHistoryRow]:
    return (await session.scalars(select(RunHistoryRow).where(RunHistoryRow.run == run).order_by(RunHistoryRow.position))).all()


async def doers_of(session: AsyncSession, run: RunRow, today: date) -> list[str]:
    """Return who does the step at which a run is: who holds its post over what it is about, without a post who started it."""
    if run.status != RunStatus.RUNNING:
        return []
    post = Workflow.model_validate(run.content).steps[run.step - 1].post
    if post is None:
        return [run.started_by]
    return await holders_of(session, run.school, post, await paper_places(session, run.id), today)


async def paper_places(session: AsyncSession, paper: UUID) -> list[str]:
    return sorted(await session.scalars(select(PaperPlaceRow.place).where(PaperPlaceRow.paper == paper)))


async def list_late_runs(session: AsyncSession, school: str, today: date, limit: int) -> Sequence[RunRow]:
    """Return runs whose step's last day has passed, and that nobody has been told of."""
    late = (RunRow.status == RunStatus.RUNNING, RunRow.due_on < today, RunRow.overdue_at.is_(None))
    sql = select(RunRow).where(RunRow.school == school, *late).order_by(RunRow.due_on).limit(limit)
    return (await session.scalars(sql.with_for_update())).all()


# --- filings --------------------------------------------------------------------------------------------------------------


async def find_filing(session: AsyncSession, school: str, register: str, unit: str) -> FilingRow | None:
    """Return what a unit has filed in a register, as it stands."""
    row: FilingRow | None = await session.scalar(
        select(FilingRow).filter_by(school=school, register=register, unit=unit, status=RunStatus.FILED)
    )
    return row


def sees_filing(scope: Scope) -> ColumnElement[bool]:
    """What lies in the scope."""
    return and_(FilingRow.school == scope.school, scope.where(PaperPlaceRow.place, PaperPlaceRow.paper == FilingRow.id))


async def list_filings(
    session: AsyncSession, scope: Scope, register: str, *, unit: str | None, status: str | None, before: int | None, limit: int
) -> Sequence[FilingRow]:
    """Return a page of a register and one more, newest first."""
    sql = select(FilingRow).where(FilingRow.register == register, sees_filing(scope))
    for column, value in ((FilingRow.unit, unit), (FilingRow.status, status)):
        if value is not None:
            sql = sql.where(column == value)
    if before is not None:
        sql = sql.where(FilingRow.position < before)
    return (await session.scalars(sql.order_by(FilingRow.position.desc()).limit(limit + 1))).all()


async def count_filed(session: AsyncSession, scope: Scope) -> dict[str, int]:
    """Return how many filings stand in each register, of those that the caller may see."""
    seen = scope.where(PaperPlaceRow.place, PaperPlaceRow.paper == FilingRow.id)
    sql = select(FilingRow.register, func.count()).where(
        FilingRow.school == scope.school, FilingRow.status == RunStatus.FILED, seen
    )
    return dict((await session.execute(sql.group_by(FilingRow.register))).all())
