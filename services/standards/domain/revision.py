"""When a standard is to be revised."""

from __future__ import annotations

from datetime import date, timedelta

from services.standards.domain.values import months_later


def due_on(effective_from: date, years: int) -> date:
    """The day on which a standard has been in force for so many years: the revision is due from then on."""
    return months_later(effective_from, 12 * years) if effective_from.year + years <= date.max.year else date.max


def remind_on(effective_from: date, years: int, days: int) -> date:
    """The day on which somebody is told that the revision comes, so many days before it."""
    due = due_on(effective_from, years)
    return max(effective_from, due - timedelta(days=days))
