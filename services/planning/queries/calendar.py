"""The calendar that a school works by."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.planning.domain.calendar import CalendarDocument, SchoolCalendar, Term
from services.planning.queries.school import once
from services.planning.tables import CalendarRow, SchoolRow, SessionRow

TERMS = ("term", "semester")
DEFAULT_YEAR_START = "09-01"  # as `SchoolAdded` has it


async def calendar_document(session: AsyncSession, school: str) -> CalendarDocument:
    """Return what the school says of its calendar; the defaults where it has said nothing."""
    row = await session.get(CalendarRow, school)
    return CalendarDocument.model_validate(row.document if row else {})


async def calendar_of(session: AsyncSession, school: str) -> SchoolCalendar:
    """Return the school's calendar: its own document with the terms of the roster and its academic year."""

    async def load() -> SchoolCalendar:
        row = await session.get(SchoolRow, school)
        month, _, day = (row.year_start if row else DEFAULT_YEAR_START).partition("-")
        mine = (SessionRow.school == school, SessionRow.kind.in_(TERMS), SessionRow.active, SessionRow.start < SessionRow.end)
        terms = [Term(each.id, each.title, each.start, each.end) for each in await session.scalars(select(SessionRow).where(*mine))]
        return SchoolCalendar(await calendar_document(session, school), (int(month), int(day)), tuple(terms))

    return await once(session, ("calendar", school), load)
