"""Corrections and retractions, and what stands in the place of an original."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitoring.tables import AmendmentRow, ObservationRow


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


async def rows_of_place(session: AsyncSession, school_id: int, place: int) -> Sequence[ObservationRow]:
    """The original at a place and all that was said instead of it."""
    sql = select(ObservationRow).where(
        ObservationRow.school_id == school_id, or_(ObservationRow.position == place, ObservationRow.place == place)
    )
    return (await session.scalars(sql.order_by(ObservationRow.position))).all()
