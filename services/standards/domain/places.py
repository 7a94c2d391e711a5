"""Where a subject lies, and who holds a post over it: a small copy of the roster decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

SCHOOL_WIDE = frozenset({"quality_office", "school_leader"})
"""Posts whose object is the whole school, whatever their row says."""


@dataclass(frozen=True, slots=True)
class Held:
    """A post of a person from `start` (inclusive) to `end` (exclusive); `object` None: over the whole school."""

    post: str
    object: str | None
    start: date | None
    end: date | None

    def on(self, day: date) -> bool:
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject, and where it lies (`kind:id`)."""

    level: str
    id: str
    places: frozenset[str] = field(default_factory=frozenset)

    def under(self, held: Held) -> bool:
        """Whether a post is held over it: over the school, its level, or a place in which it lies."""
        if held.object is None or held.post in SCHOOL_WIDE:
            return True
        return any(held.object in {place, place.partition(":")[2]} for place in self.places)


def units_above(unit: str | None, parents: Mapping[str, str | None]) -> list[str]:
    """Return a unit and all above it; a circle ends where it closes."""
    found: list[str] = []
    while unit is not None and unit not in found:
        found.append(unit)
        unit = parents.get(unit)
    return found


def unit_places(units: Iterable[str | None], parents: Mapping[str, str | None]) -> set[str]:
    return {f"unit:{above}" for unit in units for above in units_above(unit, parents)}
