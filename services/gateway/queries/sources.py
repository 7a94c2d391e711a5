"""Campus systems, and which of them a key belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.database import Database
from libs.common.errors import NotFound, Unauthorized
from services.gateway.domain.credentials import digest
from services.gateway.tables import SourceKeyRow, SourceRow

CACHED_S = 2.0
CACHED_MOST = 10_000
_CACHE = "gateway.sources"


@dataclass(frozen=True, slots=True)
class Source:
    """A campus system that showed a live key, and the `source` values that it may send."""

    school: str
    name: str
    uris: frozenset[str]


async def find_source_of_key(session: AsyncSession, token: str) -> Source | None:
    """Return whose key this is; None for an unknown or revoked one."""
    statement = (
        select(SourceRow)
        .join(SourceKeyRow, (SourceKeyRow.school == SourceRow.school) & (SourceKeyRow.source == SourceRow.name))
        .where(SourceKeyRow.digest == digest(token), SourceKeyRow.revoked_at.is_(None))
    )
    row = (await session.scalars(statement)).one_or_none()
    return None if row is None else Source(row.school, row.name, frozenset(row.uris))


async def authenticate_source(database: Database, token: str | None) -> Source:
    """Return whose key this is. Raises Unauthorized for none, an unknown or a revoked one."""
    if token is not None:
        async with database.reading() as session:
            if (source := await find_source_of_key(session, token)) is not None:
                return source
    raise Unauthorized("no known key of a campus system", headers={"WWW-Authenticate": 'Bearer realm="zhengai"'})


async def authenticate_source_cached(database: Database, token: str | None) -> Source:
    """The same, remembered for 2 seconds: within that time a revocation by another process takes hold, here at once."""
    cache: dict[str, tuple[float, Source]] = database.memory.setdefault(_CACHE, {})
    if token is not None and (known := cache.get(token)) is not None and known[0] > monotonic():
        return known[1]
    source = await authenticate_source(database, token)
    if len(cache) >= CACHED_MOST:
        cache.clear()
    assert token is not None
    cache[token] = (monotonic() + CACHED_S, source)
    return source


def forget_cached_sources(database: Database) -> None:
    """Make the next use of any key look it up."""
    database.memory.pop(_CACHE, None)


async def get_source(session: AsyncSession, scope: Scope, name: str) -> SourceRow:
    """Return a source of the school. Raises NotFound."""
    if (row := await session.get(SourceRow, (scope.school, name))) is None:
        raise NotFound(f"no source {name!r}")
    return row


async def list_sources(session: AsyncSession, scope: Scope, *, after: str | None, limit: int) -> Sequence[SourceRow]:
    """Return the school's sources by name just past `after`, one more than `limit`."""
    statement = select(SourceRow).filter_by(school=scope.school).order_by(SourceRow.name).limit(limit + 1)
    if after is not None:
        statement = statement.where(SourceRow.name > after)
    return (await session.scalars(statement)).all()


async def list_keys(session: AsyncSession, school: str, names: Sequence[str]) -> Sequence[SourceKeyRow]:
    """Return all keys of these sources, also revoked ones, oldest first."""
    statement = select(SourceKeyRow).where(SourceKeyRow.school == school, SourceKeyRow.source.in_(names))
    return (await session.scalars(statement.order_by(SourceKeyRow.added_at, SourceKeyRow.id))).all()


async def count_live_keys(session: AsyncSession, school: str, name: str) -> int:
    """Return how many keys of the source are not revoked."""
    statement = select(func.count()).where(
        SourceKeyRow.school == school, SourceKeyRow.source == name, SourceKeyRow.revoked_at.is_(None)
    )
    return await session.scalar(statement) or 0
