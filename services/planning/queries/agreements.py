"""Letters of responsibility as they are read. What belongs to one school takes its scope or its code first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from libs.common.auth import Scope
from libs.common.database import in_batches
from libs.common.errors import NotFound
from libs.common.event import NAMESPACE
from services.planning.domain.agreements import AgreementStatus
from services.planning.domain.tasks import TaskStatus
from services.planning.queries.projects import posted
from services.planning.queries.school import IN_AT_ONCE, not_gone
from services.planning.tables import (
    AgreementPlaceRow,
    AgreementRow,
    AgreementTaskRow,
    EnrollmentRow,
    HomeroomRow,
    SchoolRow,
    TaskRow,
)


def agreement_id(school: str, kind: str, year: int, party: str, version: int) -> UUID:
    return uuid5(NAMESPACE, f"{school}|agreement|{kind}|{year}|{party}|{version}")


def covered(scope: Scope) -> ColumnElement[bool]:
    mine = scope.where(AgreementPlaceRow.place, AgreementPlaceRow.agreement == AgreementRow.id)
    return and_(AgreementRow.school == scope.school, mine)


async def get_agreement(session: AsyncSession, scope: Scope, agreement: UUID) -> AgreementRow:
    """Raises NotFound, also for what the scope does not cover."""
    if (row := await session.scalar(select(AgreementRow).where(covered(scope), AgreementRow.id == agreement))) is None:
        raise NotFound("there is no such agreement")
    return row


async def lock_agreements(session: AsyncSession, scope: Scope, ids: Sequence[UUID]) -> Sequence[AgreementRow]:
    """Return these agreements in the order of `ids`, locked. Raises NotFound where one is missing or not covered."""
    sql = select(AgreementRow).where(covered(scope), AgreementRow.id.in_(ids)).order_by(AgreementRow.id).with_for_update()
    found = {row.id: row for row in await session.scalars(sql)}
    if missing := [id_ for id_ in ids if id_ not in found]:
        raise NotFound("there is no such agreement" if len(ids) == 1 else f"there is no agreement {missing[0]}")
    return [found[id_] for id_ in ids]


async def list_agreements(
    session: AsyncSession, scope: Scope, *, filters: Mapping[str, Any], after: tuple[int, UUID] | None, limit: int
) -> Sequence[AgreementRow]:
    """Return agreements, the latest year first, one more than `limit`. `filters`: columns and the value wanted, None: any."""
    sql = select(AgreementRow).where(covered(scope)).order_by(AgreementRow.year.desc(), AgreementRow.id).limit(limit + 1)
    for name, value in filters.items():
        if value is not None:
            sql = sql.where(getattr(AgreementRow, name) == value)
    if after is not None:
        year, id_ = after
        sql = sql.where(or_(AgreementRow.year < year, and_(AgreementRow.year == year, AgreementRow.id > id_)))
    return (await session.scalars(sql)).all()


async def newest_agreements(session: AsyncSession, school: str, kind: str, year: int) -> dict[str, AgreementRow]:
    """Return the newest version of each agreement of a kind and year, by party, locked."""
    mine = (AgreementRow.school == school, AgreementRow.kind == kind, AgreementRow.year == year, AgreementRow.newest)
    return {row.party: row for row in await session.scalars(select(AgreementRow).where(*mine).with_for_update())}


async def agreements_that_freeze(session: AsyncSession, tasks: Collection[UUID]) -> Sequence[AgreementRow]:
    """Return the newest agreements that hold one of these tasks and still hold, locked."""
    found: dict[UUID, AgreementRow] = {}
    holding = AgreementRow.status.in_((AgreementStatus.ISSUED, AgreementStatus.SIGNED))
    for some in in_batches(list(tasks), IN_AT_ONCE):
        held = select(AgreementTaskRow.agreement).where(AgreementTaskRow.task.in_(some))
        sql = select(AgreementRow).where(AgreementRow.id.in_(held), holding).order_by(AgreementRow.id).with_for_update()
        found.update({row.id: row for row in await session.scalars(sql)})
    return list(found.values())


async def tasks_to_sign(session: AsyncSession, school: str, year: int, classes: Collection[str]) -> dict[str, list[TaskRow]]:
    """Return by unit the tasks of a year and of these classes that the unit was given: what it handed on itself is not among them."""
    above = aliased(TaskRow)
    sql = (
        select(TaskRow)
        .outerjoin(above, above.id == TaskRow.parent)
        .where(
            TaskRow.school == school,
            TaskRow.year == year,
            TaskRow.task_class.in_(classes),
            TaskRow.unit.is_not(None),
            TaskRow.status != TaskStatus.DRAFT,
            or_(above.id.is_(None), above.unit.is_(None), above.unit != TaskRow.unit),
        )
        .order_by(TaskRow.task_class, TaskRow.due, TaskRow.id)
    )
    found: dict[str, list[TaskRow]] = {}
    for row in await session.scalars(sql):
        assert row.unit is not None
        found.setdefault(row.unit, []).append(row)
    return found


async def school_name(session: AsyncSession, school: str) -> str:
    row = await session.get(SchoolRow, school)
    return school if row is None else row.name


async def holders_of(session: AsyncSession, school: str, post: str, day: date) -> list[str]:
    """Return who holds a post on a day, by id: by the table of posts, and of teachers and class teachers by the roster."""
    people = set(await posted(session, school, post, day))
    if post in {"teacher", "class_teacher"}:
        people |= set(await session.scalars(_teaching(school, day, homeroom=post == "class_teacher")))
    return sorted(people)


def _teaching(school: str, day: date, *, homeroom: bool) -> Any:
    homerooms = select(HomeroomRow.id).where(HomeroomRow.school == school, HomeroomRow.active)
    begun = or_(EnrollmentRow.start.is_(None), EnrollmentRow.start <= day)
    on = or_(EnrollmentRow.end.is_(None), EnrollmentRow.end > day)
    where = EnrollmentRow.class_id.in_(homerooms) if homeroom else EnrollmentRow.class_id.not_in(homerooms)
    mine = (EnrollmentRow.school == school, EnrollmentRow.role == "teacher", not_gone(school, EnrollmentRow.person))
    return select(EnrollmentRow.person).where(*mine, begun, on, where).distinct()
