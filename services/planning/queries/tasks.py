"""Annual tasks as they are read. What belongs to one school takes its scope or its code first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, and_, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.database import in_batches
from libs.common.errors import NotFound
from libs.common.event import NAMESPACE
from libs.common.events.setup import AgreementKind, TaskClass
from services.planning.domain.plans import PERSONAL
from services.planning.domain.tasks import OWNERS_TURN, TaskStatus
from services.planning.queries.improvements import get_improvement
from services.planning.queries.school import IN_AT_ONCE, parents_of, setup_of
from services.planning.tables import GoalRow, PlanRow, TaskPlaceRow, TaskRow, TaskStepRow, TaskVersionRow

Position = tuple[date, UUID]


def task_id(school: str, *why: object) -> UUID:
    """The id of a task that is made by a rule: the same from the same cause, so that it is made once."""
    return uuid5(NAMESPACE, "|".join((school, "task", *map(str, why))))


async def task_classes(session: AsyncSession, school: str) -> dict[str, TaskClass]:
    """Return the school's classes of tasks by code."""
    said = (await setup_of(session, school)).get("task_classes", ())
    return {each.code: each for each in map(TaskClass.model_validate, said)}


async def agreement_kinds(session: AsyncSession, school: str) -> dict[str, AgreementKind]:
    """Return the school's kinds of agreements by code."""
    said = (await setup_of(session, school)).get("agreements", ())
    return {each.code: each for each in map(AgreementKind.model_validate, said)}


def covered(scope: Scope) -> ColumnElement[bool]:
    return and_(TaskRow.school == scope.school, scope.where(TaskPlaceRow.place, TaskPlaceRow.task == TaskRow.id))


async def get_task(session: AsyncSession, scope: Scope, task: UUID) -> TaskRow:
    """Raises NotFound, also for what the scope does not cover."""
    if (row := await session.scalar(select(TaskRow).where(covered(scope), TaskRow.id == task))) is None:
        raise NotFound("there is no such task")
    return row


async def lock_tasks(session: AsyncSession, scope: Scope, ids: Sequence[UUID]) -> Sequence[TaskRow]:
    """Return these tasks in the order of `ids`, locked. Raises NotFound where one is missing or not covered."""
    sql = select(TaskRow).where(covered(scope), TaskRow.id.in_(ids)).order_by(TaskRow.id).with_for_update()
    found = {row.id: row for row in await session.scalars(sql)}
    if missing := [id_ for id_ in ids if id_ not in found]:
        raise NotFound("there is no such task" if len(ids) == 1 else f"there is no task {missing[0]}")
    return [found[id_] for id_ in ids]


async def list_tasks(
    session: AsyncSession,
    scope: Scope,
    *,
    filters: Mapping[str, Any],
    overdue: bool | None,
    today: date,
    after: Position | None,
    limit: int,
) -> Sequence[TaskRow]:
    """Return tasks by due date, one more than `limit`, past `after` (due, id). `filters`: columns and the value wanted, None: any."""
    sql = select(TaskRow).where(covered(scope)).order_by(TaskRow.due, TaskRow.id).limit(limit + 1)
    for name, value in filters.items():
        if value is not None:
            sql = sql.where(getattr(TaskRow, name) == value)
    if overdue is not None:
        late = and_(TaskRow.status.in_(OWNERS_TURN), TaskRow.due < today)
        sql = sql.where(late if overdue else not_(late))
    if after is not None:
        sql = sql.where(or_(TaskRow.due > after[0], and_(TaskRow.due == after[0], TaskRow.id > after[1])))
    return (await session.scalars(sql)).all()


async def known_tasks(session: AsyncSession, ids: Collection[UUID]) -> set[UUID]:
    """Return which of these tasks there are."""
    found: set[UUID] = set()
    for some in in_batches(list(ids), IN_AT_ONCE):
        found.update(await session.scalars(select(TaskRow.id).where(TaskRow.id.in_(some))))
    return found


async def tasks_below(session: AsyncSession, tasks: Collection[UUID]) -> Sequence[TaskRow]:
    """Return all tasks below these, however deep."""
    found: list[TaskRow] = []
    level: Collection[UUID] = tasks
    while level:
        below: list[TaskRow] = []
        for some in in_batches(list(level), IN_AT_ONCE):
            below += (await session.scalars(select(TaskRow).where(TaskRow.parent.in_(some)).order_by(TaskRow.id))).all()
        found += below
        level = [row.id for row in below]
    return found


async def units_above(session: AsyncSession, tasks: Collection[UUID]) -> dict[UUID, str | None]:
    """Return whose these tasks are, by unit."""
    found: dict[UUID, str | None] = {}
    for some in in_batches(list(tasks), IN_AT_ONCE):
        found.update((await session.execute(select(TaskRow.id, TaskRow.unit).where(TaskRow.id.in_(some)))).all())
    return found


async def children_of_task(session: AsyncSession, scope: Scope, task: UUID) -> Sequence[TaskRow]:
    """Return the tasks right below one that the caller may see, by due date."""
    sql = select(TaskRow).where(covered(scope), TaskRow.parent == task)
    return (await session.scalars(sql.order_by(TaskRow.due, TaskRow.id))).all()


async def task_versions(session: AsyncSession, task: UUID) -> Sequence[TaskVersionRow]:
    """Return what a task has said, version by version; the caller has been given it."""
    return (await session.scalars(select(TaskVersionRow).where(TaskVersionRow.task == task).order_by(TaskVersionRow.version))).all()


async def task_steps(session: AsyncSession, task: UUID) -> Sequence[TaskStepRow]:
    """Return what happened to a task that the caller has been given, oldest first."""
    return (await session.scalars(select(TaskStepRow).where(TaskStepRow.task == task).order_by(TaskStepRow.position))).all()


async def count_progress(session: AsyncSession, task: UUID) -> int:
    """How many lines of progress a task has."""
    sql = select(func.count()).where(TaskStepRow.task == task, TaskStepRow.step == "progressed")
    return await session.scalar(sql) or 0


async def list_late_tasks(session: AsyncSession, school: str, today: date, limit: int) -> Sequence[TaskRow]:
    """Return what is past its due date, in its owner's hands, and has not been called overdue yet; locked."""
    late = (TaskRow.status.in_(OWNERS_TURN), TaskRow.due < today, TaskRow.overdue_at.is_(None))
    sql = select(TaskRow).where(TaskRow.school == school, *late).order_by(TaskRow.id).limit(limit).with_for_update()
    return (await session.scalars(sql)).all()


async def list_soon_tasks(session: AsyncSession, school: str, today: date, days: int, limit: int) -> Sequence[TaskRow]:
    """Return what falls due within so many days, is in its owner's hands, and has been told of so few days or fewer by nobody; locked."""
    ours = (TaskRow.school == school, TaskRow.status.in_(OWNERS_TURN), TaskRow.owner.is_not(None))
    soon = (TaskRow.due >= today, TaskRow.due <= today + timedelta(days=days))
    new = or_(TaskRow.countdown.is_(None), TaskRow.countdown > days)
    sql = select(TaskRow).where(*ours, *soon, new).order_by(TaskRow.id).limit(limit).with_for_update()
    return (await session.scalars(sql)).all()


async def unowned_tasks(session: AsyncSession, school: str) -> Sequence[TaskRow]:
    """Return the tasks of units that nobody has yet, because the unit had no head."""
    mine = (TaskRow.school == school, TaskRow.status == TaskStatus.ASSIGNED, TaskRow.owner.is_(None))
    return (await session.scalars(select(TaskRow).where(*mine).order_by(TaskRow.id).with_for_update())).all()


async def sees_finding(session: AsyncSession, scope: Scope, improvement: UUID) -> bool:
    """Whether there is an improvement of this id that the caller may see."""
    try:
        await get_improvement(session, scope, improvement)
    except NotFound:
        return False
    return True


async def goals_in_force(session: AsyncSession, school: str) -> Sequence[tuple[GoalRow, PlanRow]]:
    """Return the live goals of all plans but those of persons, each with its plan, by plan and code."""
    sql = (
        select(GoalRow, PlanRow)
        .join(PlanRow, PlanRow.id == GoalRow.plan)
        .where(GoalRow.school == school, GoalRow.live, PlanRow.kind != PERSONAL)
        .order_by(GoalRow.plan_code, GoalRow.code)
    )
    return [(goal, plan) for goal, plan in await session.execute(sql)]


# --- where tasks lie ----------------------------------------------------------------------------------------------------


async def places_of_task(session: AsyncSession, school: str, unit: str | None, people: Iterable[str]) -> set[str]:
    """Return where a task lies: the school, its unit upwards, and the people who have it."""
    above = await parents_of(session, school)
    found = {f"school:{school}", *(f"teacher:{person}" for person in people)}
    while unit is not None and f"unit:{unit}" not in found:
        found.add(f"unit:{unit}")
        unit = above.get(unit)
    return found


async def placed_tasks(session: AsyncSession, school: str) -> Sequence[TaskRow]:
    """Return the tasks that are not closed, in units."""
    sql = select(TaskRow).where(TaskRow.school == school, TaskRow.unit.is_not(None), TaskRow.status != TaskStatus.CLOSED)
    return (await session.scalars(sql.order_by(TaskRow.id))).all()


async def places_of_tasks(session: AsyncSession, school: str) -> dict[UUID, set[str]]:
    """Return where each of the school's tasks lies now."""
    sql = select(TaskPlaceRow.task, TaskPlaceRow.place).join(TaskRow, TaskRow.id == TaskPlaceRow.task)
    found: dict[UUID, set[str]] = {}
    for task, place in await session.execute(sql.where(TaskRow.school == school)):
        found.setdefault(task, set()).add(place)
    return found
