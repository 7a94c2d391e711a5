"""Facts published by standards."""

from datetime import date
from decimal import Decimal

from pydantic import BaseModel

from libs.common.event import Event


class WarningLine(BaseModel):
    """Where a warning of one severity begins and where it ends; exact decimals in the metric's unit.

    Of the comparison `outside` both are bands, their low and their high bound.
    """

    severity: str
    enter: Decimal | tuple[Decimal, Decimal]
    clear: Decimal | tuple[Decimal, Decimal]


class Repetition(BaseModel):
    """A severity that a warning has at least, once the latest `windows` windows with enough data are all past the mildest line."""

    severity: str
    windows: int


class Override(BaseModel):
    """Other lines, or none, for what lies in a unit; `kind` is `class`, `course`, `programme` or `department`.

    Either `warning_lines`, with a `min_denominator` of their own where one is given, or `off`: there the subject is not judged.
    """

    kind: str
    id: str
    warning_lines: list[WarningLine] = []
    min_denominator: Decimal | None = None
    off: bool = False


class IndicatorActivated(Event, type="standards.indicator_activated", about="code"):
    """A version of an indicator is in force from midnight of `effective_from` in the school's zone.

    `evaluate` is `on_update`, `window_close` (`grace_days` after the window's end), `{"daily_at": "HH:MM"}` or
    `{"lesson_end_plus_minutes": n}`; `stale_after_days` None: its warnings never go stale.
    A warning begins after `raise_after_windows` windows in a row past the mildest line, and ends after `clear_after_windows` not past
    its clear line, at the earliest in a window that starts `hold_days` after the one that raised it. Of the
    `overrides` that fit a subject the most specific counts.
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
    evaluate: str | dict[str, str | int]
    warning_lines: list[WarningLine]
    effective_from: date
    stale_after_days: int | None = None
    grace_days: int = 0
    raise_after_windows: int = 1
    clear_after_windows: int = 1
    hold_days: int = 0
    repetition: Repetition | None = None
    overrides: list[Override] = []
