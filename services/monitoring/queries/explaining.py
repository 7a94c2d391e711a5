"""What an explanation of a warning is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from services.monitoring.domain.episodes import Indicator
from services.monitoring.domain.explaining import Contribution, contributions
from services.monitoring.domain.windows import WINDOWS
from services.monitoring.queries.evidence import list_evidence
from services.monitoring.queries.measurements import Asked, Measurement, list_measurements
from services.monitoring.queries.schools import School
from services.monitoring.tables import WarningRow

MOST_OBSERVATIONS = 20_000
CONTRIBUTORS, TREND = 10, 12


@dataclass(frozen=True, slots=True)
class Explained:
    """A warning with the version that judges it, the worst contributors, the last windows, and its observations by source."""

    row: WarningRow
    indicator: Indicator
    contributors: Sequence[Contribution]
    trend: Sequence[Measurement]
    sources: Mapping[str, int]
    labels: Mapping[str, int]
    whole: bool


async def explain(session: AsyncSession, school: School, row: WarningRow) -> Explained:
    """Explain a warning by the observations of its deciding window."""
    indicator = next(v for v in school.versions[row.indicator] if v.version == row.version).form(row.override or {})
    found = await list_evidence(session, school, row, 0, MOST_OBSERVATIONS + 1)
    within = found[:MOST_OBSERVATIONS]
    if indicator.kind == "latest":
        within = sorted(within, key=lambda o: (o.time, o.place))[-1:]
    parts = ((school.roster.subjects(o.references, o.day), o.numerator, o.denominator) for o in within)
    asked = Asked(school.metric_ids[row.metric], row.level, WINDOWS[row.window], frozenset({row.subject}), None, None)
    trend = await list_measurements(session, school.calendar, asked, None, 10_000)
    return Explained(
        row,
        indicator,
        contributions(indicator, row.line, parts, CONTRIBUTORS),
        trend[-TREND:],
        dict(sorted(Counter(o.source for o in found[:MOST_OBSERVATIONS]).items())),
        dict(sorted(Counter(o.label for o in found[:MOST_OBSERVATIONS]).items())),
        len(found) <= MOST_OBSERVATIONS,
    )
