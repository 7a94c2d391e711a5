"""Descriptions of posts (岗位说明书), and the quality handbook of a unit (部门质量手册): what is in force, put together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.errors import NotFound
from services.standards.domain.content import Element
from services.standards.domain.places import Held
from services.standards.queries.standards import InForce, list_in_force
from services.standards.queries.subjects import today_in
from services.standards.tables import FamilyRow, OrgRow, PostRow


@dataclass(frozen=True, slots=True)
class Handbook:
    """What a unit works by: the descriptions of its posts, and the standards and elements that it answers for."""

    unit: str
    name: str
    positions: list[InForce]
    standards: list[tuple[InForce, list[Element]]]


async def list_positions(session: AsyncSession, scope: Scope, post: str | None, unit: str | None) -> list[InForce]:
    """Return the descriptions of posts in force, by code; of a post, of a unit (those of each unit are not the unit's own)."""
    found = [(each, each.content.position) for each in await list_in_force(session, scope.school)]
    return [
        each for each, position in found if position is not None and post in {None, position.post} and unit in {None, position.unit}
    ]


async def find_unit_name(session: AsyncSession, scope: Scope, unit: str) -> str:
    """Return a unit's name, its id where the roster does not have it."""
    row = await session.get(OrgRow, (scope.school, unit))
    return unit if row is None else row.name


async def get_handbook(session: AsyncSession, scope: Scope, unit: str, now: datetime) -> Handbook:
    """Put a unit's handbook together from what is in force today. Raises NotFound for a unit that the roster does not have.

    Its posts: those described for it, and those described for each unit that somebody holds over it today, but for posts that it
    describes itself. It answers for a standard, or an element, that names it as `owner`, by id or name; a standard that names nobody
    is its family's owner's.
    """
    if (row := await session.get(OrgRow, (scope.school, unit))) is None:
        raise NotFound(f"there is no unit {unit!r}")
    name = row.name
    in_force = await list_in_force(session, scope.school)
    held = await _posts_over(session, scope, unit, now)
    positions = _positions_of(in_force, unit, held)
    owners = await _family_owners(session, scope)
    standards = []
    for each in (each for each in in_force if each.content.position is None):
        whole = (each.content.owner or owners.get(each.family)) in {unit, name}
        mine = [e for e in each.content.elements if e.owner in {unit, name} or (whole and e.owner is None)]
        if whole or mine:
            standards.append((each, mine))
    return Handbook(unit, name, positions, standards)


def _positions_of(in_force: list[InForce], unit: str, held: set[str]) -> list[InForce]:
    described = [(each, each.content.position) for each in in_force]
    own = {position.post for _, position in described if position is not None and position.unit == unit}
    return [
        each
        for each, position in described
        if position is not None and (position.unit == unit or (position.unit is None and position.post in held - own))
    ]


async def _posts_over(session: AsyncSession, scope: Scope, unit: str, now: datetime) -> set[str]:
    today = await today_in(session, scope.school, now)
    rows = await session.scalars(select(PostRow).where(PostRow.school == scope.school, PostRow.object == unit))
    return {row.post for row in rows if Held(row.post, row.object, row.start, row.end).on(today)}


async def _family_owners(session: AsyncSession, scope: Scope) -> dict[str, str | None]:
    rows = await session.execute(select(FamilyRow.code, FamilyRow.owner).where(FamilyRow.school == scope.school))
    return dict(rows.all())
