"""Corrections and retractions, and what stands in the place of an original."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.database import in_batches
from libs.common.events.observations import REFERENCES, Content
from services.monitoring.queries.log import list_at
from services.monitoring.tables import AmendedRow, AmendmentRow


async def pending_roots(session: AsyncSession, school_id: int) -> set[bytes]:
    """The originals that are amended and have not come."""
    sql = select(AmendmentRow.root).where(AmendmentRow.school_id == school_id, AmendmentRow.place.is_(None))
    return {bytes(root) for root in await session.scalars(sql)}


async def list_amendments(session: AsyncSession, school_id: int, root: bytes) -> Sequence[AmendmentRow]:
    """All that amends an original, in the order of counting."""
    sql = select(AmendmentRow).filter_by(school_id=school_id, root=root).order_by(AmendmentRow.position)
    return (await session.scalars(sql)).all()


async def find_amendment(session: AsyncSession, school_id: int, position: int) -> AmendmentRow | None:
    """The amendment at a position; None where an observation stands there."""
    return await session.get(AmendmentRow, (school_id, position))


async def ended_at_place(session: AsyncSession, school_id: int, place: int) -> dict[int, int | None]:
    """What put the original at a place, and each of what was said instead of it, out of force, by position; None: it stands."""
    sql = select(AmendedRow.position, AmendedRow.ended_by).where(
        AmendedRow.school_id == school_id, or_(AmendedRow.position == place, AmendedRow.place == place)
    )
    return {place: None} | {position: ended_by for position, ended_by in await session.execute(sql)}  # noqa: C416 - rows are no pairs


async def find_contents(session: AsyncSession, school_id: int, positions: Collection[int]) -> dict[int, Content]:
    """What was counted at these positions, as far as it decides whether an id that comes again says the same."""
    amendments: dict[int, AmendmentRow] = {}
    for part in in_batches(sorted(positions), 10_000):
        sql = select(AmendmentRow).where(AmendmentRow.school_id == school_id, AmendmentRow.position.in_(part))
        amendments |= {row.position: row for row in await session.scalars(sql)}
    logged = await list_at(session, school_id, positions)
    found: dict[int, Content] = {}
    for position in positions:
        amendment, o = amendments.get(position), logged.get(position)
        amends = ("", "") if amendment is None else (amendment.target, amendment.reason or "")
        said: tuple[str, int, int, str | None] = ("", 0, 0, None) if o is None else (o.metric, o.numerator, o.denominator, o.phase)
        named = tuple(None if o is None else o.references.get(kind) for kind in REFERENCES)
        found[position] = (None if amendment is None else amendment.amends, *amends, *said, named)
    return found
