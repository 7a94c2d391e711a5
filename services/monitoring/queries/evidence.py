"""The observations behind a warning."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from services.monitoring.domain.windows import WINDOWS, to_day
from services.monitoring.queries.observations import Logged, list_window
from services.monitoring.queries.schools import School
from services.monitoring.tables import WarningRow

_NAMED = {"student", "teacher", "class", "lesson"}  # levels that only a named id counts at
_PART = 2_000


async def list_evidence(session: AsyncSession, school: School, warning: WarningRow, after: int, limit: int) -> list[Logged]:
    """Up to `limit` observations of the warning's deciding window and subject past a position, in order of counting."""
    days = school.calendar.days(WINDOWS[warning.window], to_day(warning.start))
    if warning.level in _NAMED:
        return await list_window(session, school.id, warning.metric, days, (warning.level, warning.subject), after, limit)
    found: list[Logged] = []
    while len(found) < limit:
        part = await list_window(session, school.id, warning.metric, days, None, after, _PART)
        found += [o for o in part if school.roster.subjects(o.references, o.day).get(warning.level) == warning.subject]
        if len(part) < _PART:
            break
        after = part[-1].position
    return found[:limit]
