"""What is known of posts and their delegations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, and_, or_, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Principal, Scope
from services.gateway.domain.posts import Ground, Holding, Key
from services.gateway.domain.roster.changes import Span
from services.gateway.queries.roster import held
from services.gateway.tables import ClassRow, CourseRow, DelegationRow, OrgRow, PersonRow, PostRow


async def load_ground(session: AsyncSession, school: str) -> Ground:
    """Return what posts may refer to: the active rows of the roster."""
    units = await session.execute(select(OrgRow.id, OrgRow.kind).filter_by(school=school, active=True))
    courses = await session.scalars(select(CourseRow.id).filter_by(school=school, active=True))
    classes = await session.execute(select(ClassRow.id, ClassRow.kind).filter_by(school=school, active=True))
    people = await session.execute(select(PersonRow.id, PersonRow.roles).filter_by(school=school, active=True))
    return Ground(
        school,
        units={row.id: row.kind for row in units},
        courses=set(courses),
        classes={row.id: row.kind for row in classes},
        people={row.id: row.roles for row in people},
    )


async def load_posts(session: AsyncSession, school: str) -> dict[Key, PostRow]:
    """Return the latest span of each post that came by file, under what names it there."""
    rows = await session.scalars(select(PostRow).where(PostRow.school == school, PostRow.latest, PostRow.delegation.is_(None)))
    return {(row.person, row.post, row.object, row.given): row for row in rows}


def holding(row: PostRow) -> Holding:
    """A row as a value."""
    return Holding(row.person, row.post, row.object, row.place, row.given, Span(row.start, row.end, row.n, row.after, row.left))


@dataclass(frozen=True, slots=True)
class Held:
    """A post with the name of who holds it, and who gave it where it was delegated."""

    id: int
    person: str
    name: str | None
    post: str
    object: str | None
    start: date | None
    end: date | None
    delegated_by: str | None


async def list_posts(
    session: AsyncSession,
    scope: Scope,
    today: date,
    *,
    person: str | None,
    post: str | None,
    object_: str | None,
    after: tuple[str, int] | None,
    limit: int,
) -> Sequence[Held]:
    """Return posts that are not over, by person, one more than `limit`."""
    statement = (
        select(PostRow, PersonRow.name, DelegationRow.from_person)
        .outerjoin(PersonRow, and_(PersonRow.school == PostRow.school, PersonRow.id == PostRow.person))
        .outerjoin(DelegationRow, DelegationRow.id == PostRow.delegation)
        .where(PostRow.school == scope.school, _within(scope), or_(PostRow.end.is_(None), PostRow.end > today))
        .order_by(PostRow.person, PostRow.id)
        .limit(limit + 1)
    )
    for column, wanted in ((PostRow.person, person), (PostRow.post, post), (PostRow.object, object_)):
        if wanted is not None:
            statement = statement.where(column == wanted)
    if after is not None:
        statement = statement.where(tuple_(PostRow.person, PostRow.id) > after)
    return [
        Held(row.id, row.person, name, row.post, row.object, row.start, row.end, giver)
        for row, name, giver in await session.execute(statement)
    ]


def _within(scope: Scope) -> ColumnElement[bool]:
    return true() if scope.places is None else PostRow.place.in_(sorted(scope.places))


async def find_post(session: AsyncSession, school: str, person: str, post: str, object_: str | None, today: date) -> PostRow | None:
    """Return a post that the person holds today, by file before by delegation."""
    statement = (
        select(PostRow)
        .filter_by(school=school, person=person, post=post, object=object_)
        .where(held(PostRow.start, PostRow.end, today))
        .order_by(PostRow.delegation.is_not(None))
        .limit(1)
    )
    return await session.scalar(statement)


async def list_delegated(session: AsyncSession, school: str, today: date) -> Sequence[tuple[PostRow, str]]:
    """Return the delegated posts of a school that are not over, each with the person who gave it."""
    statement = (
        select(PostRow, DelegationRow.from_person)
        .join(DelegationRow, DelegationRow.id == PostRow.delegation)
        .where(PostRow.school == school, PostRow.end > today)
        .order_by(PostRow.id)
    )
    return [(row, giver) for row, giver in await session.execute(statement)]


async def list_delegations(
    session: AsyncSession, scope: Scope, caller: Principal, *, after: int | None, limit: int
) -> Sequence[DelegationRow]:
    """Return delegations, newest first: all to whoever keeps the posts of the school, to others those that they gave or were given."""
    statement = select(DelegationRow).filter_by(school=scope.school).order_by(DelegationRow.id.desc()).limit(limit + 1)
    if not caller.may("post.write"):
        statement = statement.where(or_(DelegationRow.from_person == caller.id, DelegationRow.to_person == caller.id))
    if after is not None:
        statement = statement.where(DelegationRow.id < after)
    return (await session.scalars(statement)).all()
