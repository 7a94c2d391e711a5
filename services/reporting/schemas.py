"""Response bodies."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from libs.common.http import View


class UnitCount(View):
    """Uncleared warnings that lie in a department."""

    unit: str
    name: str
    uncleared: int


class IndicatorCount(View):
    """Uncleared warnings of an indicator."""

    indicator: str
    name: str
    uncleared: int


class WarningCounts(View):
    """Uncleared warnings: all of them, and by what they have in common."""

    uncleared: int
    by_level: dict[str, int]
    by_severity: dict[str, int]
    by_status: dict[str, int]
    by_unit: list[UnitCount]
    by_indicator: list[IndicatorCount]


class ImprovementCounts(View):
    """Improvement tasks by status; `open` are those not closed, `overdue` those past their date and not submitted."""

    open: int
    overdue: int
    by_status: dict[str, int]


class OverviewView(View):
    """How the caller's part of the school stands; the stream after `position` tells what changes."""

    school: str
    name: str | None
    position: str
    warnings: WarningCounts
    improvements: ImprovementCounts


class TimelineView(View):
    """One thing that happened to `object`, a warning, improvement, annual task, letter or due item (`kind`): in words, and in fields."""

    position: int
    at: datetime
    kind: str
    object: UUID
    what: str
    by: str | None
    level: str
    subject: str
    indicator: str | None
    text: str
    detail: dict[str, Any]


class WarningView(View):
    """A warning of the stream, with the names of `GET /api/v1/monitoring/warnings`."""

    id: UUID
    indicator: str
    indicator_name: str
    version: int
    metric: str
    level: str
    subject: str
    subject_name: str | None
    window: str
    start: date
    severity: str
    status: str
    comparison: str
    value: Decimal
    numerator: Decimal
    denominator: Decimal
    line: Decimal
    raised_at: datetime
    improvement: UUID | None


class ImprovementView(View):
    """An improvement of the stream, with the names of `GET /api/v1/planning/improvements`."""

    id: UUID
    source: str
    warning: UUID | None
    indicator: str | None
    level: str
    subject: str
    title: str
    severity: str | None
    owner: str | None
    verifier: str | None
    status: str
    plan_due_on: date
    due_on: date
    overdue: bool
    opened_at: datetime


class Change(View):
    """What happened to the object of a stream event, in words and in fields."""

    what: str
    at: datetime
    by: str | None
    text: str
    detail: dict[str, Any]
