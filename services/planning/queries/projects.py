"""What tasks are linked to (resolutions, duties, projects), and who holds which post. What belongs to one school takes its code first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, SQLColumnExpression, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.event import NAMESPACE
from services.planning.queries.school import not_gone
from services.planning.tables import DutyRow, OrgRow, PersonRow, PostRow, ProjectRow, ResolutionRow

HEADS = ("department_head", "office_head")
"""The posts that lead a unit."""
UNITS = ("department", "office")
"""The kinds of units that have tasks and sign for them."""


async def find_resolution(session: AsyncSession, school: str, number: str) -> ResolutionRow | None:
    return await session.get(ResolutionRow, (school, number))


async def list_resolutions(session: AsyncSession, scope: Scope, *, after: str | None, limit: int) -> Sequence[ResolutionRow]:
    """Return the school's resolutions by number, one more than `limit`: every member of staff may know them."""
    sql = select(ResolutionRow).where(ResolutionRow.school == scope.school).order_by(ResolutionRow.number).limit(limit + 1)
    return (await session.scalars(sql if after is None else sql.where(ResolutionRow.number > after))).all()


def duty_id(school: str, unit: str | None, post: str | None, text: str) -> UUID:
    """The id of a duty: the same words of the same unit or post are one duty."""
    return uuid5(NAMESPACE, f"{school}|duty|{unit}|{post}|{text}")


async def find_duty(session: AsyncSession, school: str, duty: UUID) -> DutyRow | None:
    row = await session.get(DutyRow, duty)
    return row if row is not None and row.school == school else None


async def list_duties(
    session: AsyncSession, scope: Scope, *, unit: str | None, post: str | None, after: UUID | None, limit: int
) -> Sequence[DutyRow]:
    """Return the school's duties, one more than `limit`: every member of staff may know them."""
    sql = select(DutyRow).where(DutyRow.school == scope.school).order_by(DutyRow.id).limit(limit + 1)
    for column, value in ((DutyRow.unit, unit), (DutyRow.post, post)):
        if value is not None:
            sql = sql.where(column == value)
    return (await session.scalars(sql if after is None else sql.where(DutyRow.id > after))).all()


async def find_project(session: AsyncSession, school: str, code: str) -> ProjectRow | None:
    return await session.get(ProjectRow, (school, code))


async def list_projects(
    session: AsyncSession, scope: Scope, *, unit: str | None, after: str | None, limit: int
) -> Sequence[ProjectRow]:
    """Return the school's projects by code, one more than `limit`: every member of staff may know them."""
    sql = select(ProjectRow).where(ProjectRow.school == scope.school).order_by(ProjectRow.code).limit(limit + 1)
    if unit is not None:
        sql = sql.where(ProjectRow.unit == unit)
    return (await session.scalars(sql if after is None else sql.where(ProjectRow.code > after))).all()


# --- units, heads, holders ----------------------------------------------------------------------------------------------


async def units_of(session: AsyncSession, school: str) -> dict[str, OrgRow]:
    """Return the active units that may have tasks, by id."""
    sql = select(OrgRow).where(OrgRow.school == school, OrgRow.active, OrgRow.kind.in_(UNITS)).order_by(OrgRow.id)
    return {row.id: row for row in await session.scalars(sql)}


async def find_org(session: AsyncSession, school: str, unit: str) -> OrgRow | None:
    return await session.get(OrgRow, (school, unit))


async def org_names(session: AsyncSession, school: str, units: Collection[str | None]) -> dict[str, str]:
    """Return the names of these units, where known."""
    wanted = sorted({unit for unit in units if unit is not None})
    sql = select(OrgRow.id, OrgRow.name).where(OrgRow.school == school, OrgRow.id.in_(wanted))
    return dict((await session.execute(sql)).all())


async def find_person(session: AsyncSession, school: str, person: str) -> PersonRow | None:
    """Return an active member of staff."""
    row = await session.get(PersonRow, (school, person))
    return row if row is not None and row.active else None


async def heads_of(session: AsyncSession, school: str, units: Collection[str], day: date) -> dict[str, list[str]]:
    """Return who leads each of these units on a day, by id; a unit without a head is not there."""
    sql = select(PostRow.object, PostRow.person).where(
        PostRow.school == school, PostRow.post.in_(HEADS), PostRow.object.in_(units), held(day), not_gone(school, PostRow.person)
    )
    found: dict[str, list[str]] = {}
    for unit, person in await session.execute(sql.order_by(PostRow.person)):
        assert unit is not None
        if person not in (there := found.setdefault(unit, [])):
            there.append(person)
    return found


def leads(school: str, unit: SQLColumnExpression[Any], person: SQLColumnExpression[Any], day: date) -> ColumnElement[bool]:
    """Whether somebody leads a unit on a day, as `heads_of`, of each row of another statement."""
    sql = select(PostRow.key).where(PostRow.school == school, PostRow.object == unit, PostRow.person == person)
    return sql.where(PostRow.post.in_(HEADS), held(day), not_gone(school, PostRow.person)).exists()


async def posted_over(session: AsyncSession, school: str, units: Collection[str], day: date) -> set[str]:
    """Return who holds any post over one of these units on a day."""
    sql = select(PostRow.person).where(
        PostRow.school == school, PostRow.object.in_(units), held(day), not_gone(school, PostRow.person)
    )
    return set(await session.scalars(sql))


async def posted(session: AsyncSession, school: str, post: str, day: date, object_: str | None = None) -> list[str]:
    """Return who was given a post for a day, by id; `object_` None: over whatever."""
    sql = select(PostRow.person).where(PostRow.school == school, PostRow.post == post, held(day), not_gone(school, PostRow.person))
    if object_ is not None:
        sql = sql.where(PostRow.object == object_)
    return list(await session.scalars(sql.distinct().order_by(PostRow.person)))


def held(day: date) -> ColumnElement[bool]:
    """Whether a post is held on a day."""
    begun, on = or_(PostRow.start.is_(None), PostRow.start <= day), or_(PostRow.end.is_(None), PostRow.end > day)
    return begun & on
