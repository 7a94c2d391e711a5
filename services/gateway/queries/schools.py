"""Schools and what day it is there."""

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.errors import NotFound
from services.gateway.tables import MetricRow, SchoolRow


async def find_school(session: AsyncSession, code: str) -> SchoolRow | None:
    """Return the school, None where there is none of this code."""
    return await session.get(SchoolRow, code)


async def get_school(session: AsyncSession, code: str) -> SchoolRow:
    """Return the school. Raises NotFound."""
    if (row := await find_school(session, code)) is None:
        raise NotFound(f"no school {code!r}")
    return row


async def list_schools(session: AsyncSession, only: str, *, after: str | None, limit: int) -> Sequence[SchoolRow]:
    """Return schools by code just past `after`, one more than `limit`; `only` that one unless it is empty."""
    statement = select(SchoolRow).order_by(SchoolRow.code).limit(limit + 1)
    if only:
        statement = statement.filter_by(code=only)
    if after is not None:
        statement = statement.where(SchoolRow.code > after)
    return (await session.scalars(statement)).all()


async def find_metric(session: AsyncSession, school: str, code: str) -> MetricRow | None:
    """Return the gateway's copy of a metric."""
    return await session.get(MetricRow, (school, code))


def today_in(school: SchoolRow, now: datetime) -> date:
    """The date in the school's zone."""
    return now.astimezone(ZoneInfo(school.timezone)).date()
