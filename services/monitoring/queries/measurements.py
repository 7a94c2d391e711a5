"""Measurements: sums per subject and window, watched or not. A window that nobody watches is its days added up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitoring.domain.attribution import LEVEL_CODE
from services.monitoring.domain.episodes import Sum
from services.monitoring.domain.windows import Calendar, Window
from services.monitoring.queries.totals import subjects_of
from services.monitoring.tables import TotalRow, WordRow

_SUBJECTS = 50


@dataclass(frozen=True, slots=True)
class Measurement:
    """One window of one subject; numbers in millionths, `start` in days, `measured_at` in microseconds."""

    subject: str
    start: int
    numerator: int
    denominator: int
    revision: int
    measured_at: int
    at: int = -1


@dataclass(frozen=True, slots=True)
class Asked:
    """Which measurements: `since` (inclusive) and `before` (exclusive) are compared with the window's first day."""

    metric_id: int
    level: str
    window: Window
    subjects: frozenset[str] | None
    since: int | None
    before: int | None


async def list_measurements(
    session: AsyncSession, calendar: Calendar, asked: Asked, after: tuple[str, int] | None, limit: int
) -> list[Measurement]:
    """Up to `limit` measurements by subject and start, past `after`."""
    found: list[Measurement] = []
    subject = after[0] if after else None
    inclusive = after is not None
    while len(found) < limit:
        subjects = await _subjects(session, asked, subject, inclusive=inclusive)
        if not subjects:
            break
        rows = await _days(session, asked, [key for key, _ in subjects], calendar)
        found += [m for m in _windows(rows, dict(subjects), asked, calendar) if after is None or (m.subject, m.start) > after]
        subject, inclusive = subjects[-1][1], False
    return found[:limit]


async def _subjects(session: AsyncSession, asked: Asked, after: str | None, *, inclusive: bool) -> Sequence[tuple[int, str]]:
    sql = subjects_of(asked.metric_id, LEVEL_CODE[asked.level]).limit(_SUBJECTS)
    if asked.subjects is not None:
        sql = sql.where(WordRow.code.in_(sorted(asked.subjects)))
    if after is not None:
        sql = sql.where(WordRow.code >= after if inclusive else WordRow.code > after)
    return [(key, code) for key, _, code in await session.execute(sql)]


async def _days(session: AsyncSession, asked: Asked, series: Sequence[int], calendar: Calendar) -> Sequence[TotalRow]:
    sql = select(TotalRow).where(TotalRow.series.in_(series), TotalRow.window == Window.DAY)
    if asked.since is not None:
        sql = sql.where(TotalRow.start >= asked.since)
    if asked.before is not None:
        sql = sql.where(TotalRow.start < calendar.end(asked.window, asked.before))
    return (await session.scalars(sql.order_by(TotalRow.series, TotalRow.start))).all()


def _windows(rows: Iterable[TotalRow], names: dict[int, str], asked: Asked, calendar: Calendar) -> list[Measurement]:
    found: dict[tuple[str, int], Measurement] = {}
    for row in rows:
        start = calendar.start(asked.window, row.start)
        if (
            start is None
            or (asked.since is not None and start < asked.since)
            or (asked.before is not None and start >= asked.before)
        ):
            continue
        key = (names[row.series], start)
        m = found.get(key, Measurement(*key, 0, 0, 0, 0))
        total = Sum(m.numerator, m.denominator, m.revision, m.at) + Sum(row.numerator, row.denominator, row.revision, row.at)
        measured_at = max(m.measured_at, row.measured_at)
        found[key] = Measurement(*key, total.numerator, total.denominator, total.revision, measured_at, total.at)
    return [found[key] for key in sorted(found)]
