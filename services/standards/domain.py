"""What an indicator may say, and which of its versions counts. Pure."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Self

from pydantic import BaseModel, ConfigDict

from libs.common.errors import Fault
from libs.common.events.standards import IndicatorActivated, WarningLine

SEVERITIES = ("blue", "yellow", "orange", "red")
PLACES = 6
LARGEST = 1_000_000_000


class Status(StrEnum):
    """`active` is the newest activated version; what it replaced is `superseded` and still judges its own time."""

    DRAFT = "draft"
    ACTIVE = "active"
    SUPERSEDED = "superseded"


def status_of(version: int, active: int | None) -> Status:
    """Return what a version is while version `active` (None: none yet) is the active one."""
    if active is None or version > active:
        return Status.DRAFT
    return Status.ACTIVE if version == active else Status.SUPERSEDED


class Definition(BaseModel):
    """What one version of an indicator says; lines, target and denominator are exact decimals in the metric's unit.

    Equal definitions compare equal however their numbers were written (0.8 and 0.80).
    """

    model_config = ConfigDict(frozen=True)

    name: str
    metric: str
    level: str
    window: str
    comparison: str
    target: Decimal | None = None
    min_denominator: Decimal
    evaluate: str | dict[str, str]
    warning_lines: tuple[WarningLine, ...]
    effective_from: date
    stale_after_days: int | None = None

    def mildest_first(self) -> Self:
        """Return the same with its lines in the order of their severities."""
        lines = sorted(self.warning_lines, key=lambda line: SEVERITIES.index(line.severity))
        return self.model_copy(update={"warning_lines": tuple(lines)})

    def activated(self, code: str, version: int) -> IndicatorActivated:
        """Return the fact that this is in force."""
        said = {name: getattr(self, name) for name in type(self).model_fields}
        return IndicatorActivated(code=code, version=version, **{**said, "warning_lines": list(self.warning_lines)})


def faults_of(definition: Definition) -> list[Fault]:
    """Return what contradicts itself in the warning lines; pointers count them as they were given.

    A severity stands once, a worse severity has the worse `enter`, and a warning never clears on the wrong side of
    where it began: `below` needs clear ≥ enter, `above` clear ≤ enter.
    """
    below = definition.comparison == "below"
    found: list[Fault] = []
    seen: dict[str, int] = {}
    for n, line in enumerate(definition.warning_lines):
        if line.severity in seen:
            found.append(Fault(pointer=f"/warning_lines/{n}/severity", detail=f"{line.severity} stands twice"))
        seen.setdefault(line.severity, n)
        if line.clear < line.enter if below else line.clear > line.enter:
            side = "below" if below else "above"
            found.append(
                Fault(
                    pointer=f"/warning_lines/{n}/clear",
                    detail=f"a warning that begins {side} {line.enter:f} cannot clear at {line.clear:f}",
                )
            )
    ordered = [(name, seen[name]) for name in SEVERITIES if name in seen]
    for (mild, a), (worse, b) in pairwise(ordered):
        first, second = definition.warning_lines[a].enter, definition.warning_lines[b].enter
        if second >= first if below else second <= first:
            order = "below" if below else "above"
            found.append(
                Fault(pointer=f"/warning_lines/{b}/enter", detail=f"{worse} must begin {order} {mild}, which begins at {first:f}")
            )
    return found
