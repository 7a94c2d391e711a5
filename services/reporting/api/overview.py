"""How the school stands, and what happened."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

from fastapi import APIRouter

from libs.common.auth import Scope
from libs.common.http import Cursor, Limit, Page, Read, from_cursor, needs, page
from services.reporting import queries
from services.reporting.domain import IMPROVEMENT_STATES, SEVERITIES, UNCLEARED
from services.reporting.queries import Group
from services.reporting.schemas import (
    ImprovementCounts,
    IndicatorCount,
    OverviewView,
    TimelineView,
    UnitCount,
    WarningCounts,
)
from services.reporting.tables import FeedRow

router = APIRouter()


@router.get("/overview")
async def read_overview(scope: Annotated[Scope, needs("report.read")], session: Read) -> OverviewView:
    """Count what the caller may see: uncleared warnings and improvement tasks."""
    position = await queries.feed_end(session, scope.school)  # first: what changes meanwhile comes by the stream again
    groups = await queries.uncleared(session, scope)
    units = await queries.uncleared_by_unit(session, scope)
    states, overdue = await queries.improvements_by_status(session, scope)
    return OverviewView(
        school=scope.school,
        name=await queries.school_name(session, scope),
        position=str(position),
        warnings=_warnings(groups, units),
        improvements=ImprovementCounts(
            open=states.total() - states["closed"], overdue=overdue, by_status=_each(IMPROVEMENT_STATES, states)
        ),
    )


def _warnings(groups: Sequence[Group], units: Sequence[tuple[str, str, int]]) -> WarningCounts:
    names = {group.indicator: group.name for group in groups}
    indicators = _count(groups, lambda group: group.indicator)
    return WarningCounts(
        uncleared=sum(group.count for group in groups),
        by_level=dict(sorted(_count(groups, lambda group: group.level).items())),
        by_severity=_each(SEVERITIES, _count(groups, lambda group: group.severity)),
        by_status=_each(UNCLEARED, _count(groups, lambda group: group.status)),
        by_unit=[UnitCount(unit=id_, name=name, uncleared=count) for id_, name, count in units],
        by_indicator=[
            IndicatorCount(indicator=code, name=names[code], uncleared=count)
            for code, count in sorted(indicators.items(), key=lambda item: (-item[1], item[0]))
        ],
    )


def _count(groups: Iterable[Group], key: Callable[[Group], str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for group in groups:
        counts[key(group)] += group.count
    return counts


def _each(words: Iterable[str], counts: Counter[str]) -> dict[str, int]:
    """Every word with its count, 0 where there is none."""
    return {word: counts[word] for word in words}


@router.get("/timeline")
async def list_timeline(
    scope: Annotated[Scope, needs("report.read")], session: Read, limit: Limit = 100, cursor: Cursor = None
) -> Page[TimelineView]:
    """List what happened to warnings, improvements, annual tasks, letters and due items, newest first."""
    last = from_cursor(cursor, int)
    rows = await queries.list_timeline(session, scope, before=last[0] if last else None, limit=limit)
    return page(rows, limit, _line, lambda row: (row.position,))


def _line(row: FeedRow) -> TimelineView:
    fields = {name: getattr(row, name) for name in TimelineView.model_fields}
    return TimelineView(**{**fields, "detail": json.loads(row.detail)})
