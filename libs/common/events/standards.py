"""Facts published by standards."""

from datetime import date
from decimal import Decimal

from pydantic import BaseModel

from libs.common.event import Event


class WarningLine(BaseModel):
    """Where a warning of one severity begins and where it ends; exact decimals in the metric's unit."""

    severity: str
    enter: Decimal
    clear: Decimal


class IndicatorActivated(Event, type="standards.indicator_activated", about="code"):
    """A version of an indicator is in force from midnight of `effective_from` in the school's zone.

    `evaluate` is `on_update`, `window_close` or `{"daily_at": "HH:MM"}`; `stale_after_days` None: its warnings never go stale.
    """

    code: str
    version: int
    name: str
    metric: str
    level: str
    window: str
    comparison: str
    target: Decimal | None = None
    min_denominator: Decimal
    evaluate: str | dict[str, str]
    warning_lines: list[WarningLine]
    effective_from: date
    stale_after_days: int | None = None
