"""Who is asking: tokens, accounts, and the principal that follows from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import EVERYWHERE, Grant, Principal, Scope
from libs.common.errors import NotFound, Unauthorized
from services.gateway.domain.credentials import digest
from services.gateway.domain.policy import EVERYTHING, grants, posts_today
from services.gateway.domain.relations import Post
from services.gateway.queries.roster import find_person, relations_of
from services.gateway.queries.schools import get_school, today_in
from services.gateway.queries.sources import find_source_of_key
from services.gateway.tables import AccessTokenRow, AccountRow, AttemptRow, OperatorTokenRow

OPERATOR = Grant(EVERYTHING, frozenset({EVERYWHERE}))


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whose token it is: `username` for persons only; `school` is empty for the operator."""

    kind: str
    id: str
    school: str
    username: str | None = None


async def find_bearer(session: AsyncSession, token: str, now: datetime) -> Bearer | None:
    """Return whose token this is; None for an unknown, expired or revoked one, or one of a disabled account."""
    hashed = digest(token)
    person = await session.scalar(
        select(AccountRow)
        .join(AccessTokenRow, AccessTokenRow.username == AccountRow.username)
        .where(AccessTokenRow.digest == hashed, AccessTokenRow.expires_at > now, AccountRow.disabled.is_(False))
    )
    if person is not None:
        return Bearer("person", person.person, person.school, person.username)
    if await session.scalar(select(OperatorTokenRow.id).filter_by(digest=hashed)) is not None:
        return Bearer("operator", "operator", "")
    if (source := await find_source_of_key(session, token)) is not None:
        return Bearer("source", source.name, source.school)
    return None


async def principal_of(session: AsyncSession, token: str, school: str | None, now: datetime) -> Principal:
    """Return who is asking, with the rights that follow from their posts and relations now.

    `school` is the one that the request names. Raises Unauthorized for a token that nobody holds, NotFound for a school
    that is not there, or not theirs.
    """
    bearer = await find_bearer(session, token, now)
    if bearer is None:
        raise Unauthorized(
            "this token is not known, or no longer", headers={"WWW-Authenticate": 'Bearer realm="zhengai", error="invalid_token"'}
        )
    if bearer.kind == "operator":
        code = "" if school is None else (await get_school(session, school)).code
        return Principal("operator", bearer.id, code, (OPERATOR,))
    if school not in {None, bearer.school}:
        raise NotFound(f"no school {school!r}")
    if bearer.kind == "source":
        return Principal("source", bearer.id, bearer.school)
    today = today_in(await get_school(session, bearer.school), now)
    relations = await relations_of(session, bearer.school, bearer.id, today)
    return Principal("person", bearer.id, bearer.school, grants(relations, bearer.id, today))


async def find_operator_token(session: AsyncSession) -> OperatorTokenRow | None:
    """Return the row of the operator's token, None before the first start is over."""
    return await session.get(OperatorTokenRow, 1)


async def find_account(session: AsyncSession, username: str) -> AccountRow | None:
    """Return the account of this name in any school."""
    return await session.get(AccountRow, username)


async def get_account(session: AsyncSession, scope: Scope, username: str) -> AccountRow:
    """Return an account of the school. Raises NotFound."""
    row = await find_account(session, username)
    if row is None or row.school != scope.school:
        raise NotFound(f"no user {username!r}")
    return row


async def get_attempts(session: AsyncSession, username: str) -> AttemptRow:
    """Return the row that counts attempts to sign in by this name, which is there, locked until the transaction ends."""
    return await session.get_one(AttemptRow, username, with_for_update=True)


async def list_accounts(session: AsyncSession, scope: Scope, *, after: str | None, limit: int) -> Sequence[AccountRow]:
    """Return the school's accounts by name just past `after`, one more than `limit`."""
    statement = select(AccountRow).filter_by(school=scope.school).order_by(AccountRow.username).limit(limit + 1)
    if after is not None:
        statement = statement.where(AccountRow.username > after)
    return (await session.scalars(statement)).all()


@dataclass(frozen=True, slots=True)
class Description:
    """What a caller is told of themselves."""

    username: str | None = None
    name: str | None = None
    posts: tuple[Post, ...] = ()


async def describe(session: AsyncSession, caller: Principal, token: str | None, now: datetime) -> Description:
    """Return the account, name and posts of who is asking; empty for the operator and for sources."""
    if caller.kind != "person" or token is None:
        return Description()
    bearer = await find_bearer(session, token, now)
    today = today_in(await get_school(session, caller.school), now)
    relations = await relations_of(session, caller.school, caller.id, today)
    person = await find_person(session, caller.school, caller.id)
    return Description(bearer.username if bearer else None, person.name if person else None, posts_today(relations, today))
