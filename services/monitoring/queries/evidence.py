"""The observations behind a warning."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from services.monitoring.domain.attribution import NAMED
from services.monitoring.domain.windows import WINDOWS, to_day
from services.monitoring.queries.log import Logged, list_window
from services.monitoring.queries.schools import School
from services.monitoring.tables import WarningRow

_PART = 2_000  # more would be put into words for nothing where few of them are the subject's


async def list_evidence(session: AsyncSession, school: School, warning: WarningRow, after: int, limit: int) -> list[Logged]:
    """Up to `limit` observations of the warning's deciding window and subject past a position, in order of counting."""
    days = school.calendar.days(WINDOWS[warning.window], to_day(warning.start))
    metric_id = school.metric_ids[warning.metric]
    if warning.level in NAMED:
        named = (warning.level, warning.subject)
        return await list_window(session, school.id, metric_id, days, named, after, limit)
    found: list[Logged] = []
    while len(found) < limit and (part := await list_window(session, school.id, metric_id, days, None, after, _PART)):
        found += [o for o in part if school.roster.subjects(o.references, o.day).get(warning.level) == warning.subject]
        after = part[-1].position
    return found[:limit]
