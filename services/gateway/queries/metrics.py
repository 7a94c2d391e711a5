"""The copy of schools' metrics that the intake of events asks."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic

from sqlalchemy import select

from libs.common.database import Database
from libs.common.events.observations import MetricRule
from services.gateway.tables import MetricRow

CACHED_S = 2.0
_CACHE = "gateway.metrics"


async def metrics_of(database: Database, school: str, *, anew: bool = False) -> Mapping[str, MetricRule]:
    """The school's metrics by code and by alias, remembered for 2 seconds unless asked anew."""
    cache: dict[str, tuple[float, Mapping[str, MetricRule]]] = database.memory.setdefault(_CACHE, {})
    known = cache.get(school)
    if known is not None and known[0] > monotonic() and not anew:
        return known[1]
    async with database.reading() as session:
        rows = await session.scalars(select(MetricRow).filter_by(school=school))
        rules = [((row.code, row.alias), MetricRule(frozenset(row.grain), row.kind, row.active)) for row in rows]
    metrics = {code: rule for codes, rule in rules for code in codes if code is not None}
    cache[school] = (monotonic() + CACHED_S, metrics)
    return metrics


def forget_metrics(database: Database, school: str) -> None:
    """The school's metrics have changed: ask anew."""
    database.memory.get(_CACHE, {}).pop(school, None)
