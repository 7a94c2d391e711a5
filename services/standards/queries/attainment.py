"""What is known of one subject, put together for deciding what it meets."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.errors import NotFound
from services.standards.domain.attainment import Finding, Known, LadderResult, climb, finding_of
from services.standards.domain.content import Ladder
from services.standards.queries.standards import InForce, active_indicators, get_in_force
from services.standards.queries.subjects import get_subject, judgements_of, sums_of, today_in


async def known_of(session: AsyncSession, scope: Scope, standard: str, level: str, subject: str, now: datetime) -> Known:
    """Raises NotFound for a subject that the roster does not know or the scope does not cover."""
    today = await today_in(session, scope.school, now)
    about = await get_subject(session, scope, level, subject, today)
    sums = await sums_of(session, scope.school, level, subject)
    judgements = await judgements_of(session, scope.school, standard, about)
    return Known(level, today, sums, judgements, await active_indicators(session, scope.school))


async def elements_of(
    session: AsyncSession, scope: Scope, standard: str, level: str, subject: str, now: datetime
) -> tuple[InForce, list[Finding]]:
    """Decide each element of a standard in force that is about subjects of the level. Raises NotFound."""
    found = await get_in_force(session, scope, standard)
    known = await known_of(session, scope, standard, level, subject, now)
    about = [each for each in found.content.elements if not (levels := found.content.levels(each.code)) or level in levels]
    return found, [finding_of(each, known) for each in about]


async def ladder_of(
    session: AsyncSession, scope: Scope, standard: str, code: str, subject: str, now: datetime
) -> tuple[InForce, Ladder, Known, LadderResult]:
    """Decide where a subject stands on a ladder of a standard in force. Raises NotFound."""
    found = await get_in_force(session, scope, standard)
    if (ladder := found.content.ladder(code)) is None:
        raise NotFound(f"the standard {standard!r} has no ladder {code!r}")
    known = await known_of(session, scope, standard, ladder.level, subject, now)
    return found, ladder, known, climb(ladder, [finding_of(each, known) for each in found.content.elements])
