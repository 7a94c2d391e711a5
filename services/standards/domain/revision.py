"""When a standard is to be revised."""

from __future__ import annotations

from datetime import date

from services.standards.domain.values import months_later


def due_on(effective_from: date, years: int) -> date:
    """The day on which a standard has been in force for so many years: the revision is due from then on."""
    return months_later(effective_from, 12 * years) if effective_from.year + years <= date.max.year else date.max
