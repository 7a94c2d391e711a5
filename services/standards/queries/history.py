"""What an indicator said over the years, and what standards asked of what it measures."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from services.standards.domain.content import Element
from services.standards.domain.states import State
from services.standards.queries.standards import read
from services.standards.tables import StandardVersionRow


@dataclass(frozen=True, slots=True)
class Asked:
    """An element of a version of a standard that names the indicator or what it measures."""

    row: StandardVersionRow
    name: str
    element: Element


async def standards_asking(session: AsyncSession, scope: Scope, named: Collection[str]) -> list[Asked]:
    """Return the elements that name an indicator or a metric, of all standards that are or were in force, by their first day."""
    row = StandardVersionRow
    sql = select(row).where(row.school == scope.school, row.state.in_([State.ACTIVE, State.RETIRED]), row.activated_at.is_not(None))
    found = []
    for each in await session.scalars(sql.order_by(row.effective_from, row.code, row.version)):
        content = read(each)
        found += [Asked(each, content.name, element) for element in content.elements if not element.names.isdisjoint(named)]
    return found
