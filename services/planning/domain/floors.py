"""Bottom lines (底线): no target for a metric may be past the floor of a standard in force. Source: digest §12, scenario 18."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from libs.common.events.standards import Element
from services.planning.domain.goals import Measure


@dataclass(frozen=True, slots=True)
class Bottom:
    """A floor with the element that has it."""

    standard: str
    element: str
    metric: str
    comparison: str
    value: Decimal
    clause: str

    def holds(self, target: Decimal) -> bool:
        """On the floor holds."""
        return target >= self.value if self.comparison == "at_least" else target <= self.value


@dataclass(frozen=True, slots=True)
class InForce:
    """A version of a standard and what it says."""

    code: str
    version: int
    effective_from: date
    elements: tuple[Element, ...]


def in_force(versions: Iterable[InForce], today: date) -> list[InForce]:
    """Return of each standard the version in force: the latest that is effective today, of several that begin on one day the newest."""
    best: dict[str, InForce] = {}
    for each in versions:
        if each.effective_from <= today:
            there = best.get(each.code)
            if there is None or (there.effective_from, there.version) < (each.effective_from, each.version):
                best[each.code] = each
    return sorted(best.values(), key=lambda each: each.code)


def floors_of(standards: Iterable[InForce]) -> dict[str, list[Bottom]]:
    """Return the floors by metric."""
    found: dict[str, list[Bottom]] = {}
    for standard in standards:
        for element in standard.elements:
            if (floor := element.floor) is not None:
                bottom = Bottom(standard.code, element.code, floor.metric, floor.comparison, floor.value, floor.clause)
                found.setdefault(floor.metric, []).append(bottom)
    return found


def past(measure: Measure | None, floors: Iterable[Bottom]) -> Iterator[tuple[str, str]]:
    """Give for each target past a floor its field and a sentence that names the clause. `floors` are the metric's."""
    if measure is None:
        return
    for bottom in floors:
        side = "below" if bottom.comparison == "at_least" else "above"
        for n, each in enumerate(measure.values):
            if not bottom.holds(each.target):
                said = (
                    f"{each.target:f} is {side} the floor {bottom.value:f} of {bottom.standard}/{bottom.element}: {bottom.clause}"
                )
                yield f"measure/values/{n}/target", said
