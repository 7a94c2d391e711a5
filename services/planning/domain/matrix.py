"""Five by five (五纵五横): what each vertical system has at each of the five levels, and what it lacks.

Source: the national frame of five vertical systems and five levels. A department is no level but carries the school's work; a class that
is taught belongs to its course, a homeroom to its students.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from libs.common.events.setup import Axis, Belonging

Layer = Literal["school", "programme", "course", "teacher", "student"]
What = Literal["goals", "standards", "tasks", "measures", "warnings"]
By = Literal["mechanisms", "standards", "metrics"]
LAYERS: tuple[Layer, ...] = ("school", "programme", "course", "teacher", "student")
LAYER_OF: Mapping[str, Layer] = {
    **{layer: layer for layer in LAYERS},
    "department": "school",
    "class": "course",
    "lesson": "course",
    "homeroom": "student",
}
NEEDED: tuple[What, ...] = ("goals", "standards", "tasks", "measures")
"""What a cell ought to have; a warning is nothing that it lacks."""


@dataclass(frozen=True, slots=True)
class Found:
    """So many of something at a level (None: of no level). `system` is what it says of itself, `by` what it is known by, such as a
    mechanism's code: where it says nothing itself, what the set-up says of that counts.
    """

    what: What
    level: str | None
    many: int
    system: str | None = None
    by: tuple[By, str] | None = None


@dataclass(slots=True)
class Cell:
    """What a system (None: what belongs to none) has at a level (None: what is of none)."""

    system: str | None
    layer: Layer | None
    has: dict[What, int] = field(default_factory=lambda: {**dict.fromkeys(NEEDED, 0), "warnings": 0})

    @property
    def lacks(self) -> list[What]:
        return [what for what in NEEDED if not self.has[what]]


@dataclass(frozen=True, slots=True)
class System:
    """A vertical system, and the codes of what belongs to it as a whole."""

    code: str
    name: str
    belongs: frozenset[tuple[By, str]] = frozenset()


def systems_of(setup: Mapping[str, Any]) -> dict[str, list[System]]:
    """The systems of each axis of a school's framework, by the axis's code; an axis of the levels themselves is none."""
    found: dict[str, list[System]] = {}
    belongings = [Belonging.model_validate(each) for each in setup.get("belongings", ())]
    for axis in (Axis.model_validate(each) for each in setup.get("framework", ())):
        if not {tag.code for tag in axis.tags} <= set(LAYERS):
            found[axis.code] = [System(tag.code, tag.name, _belongs(tag.code, belongings)) for tag in axis.tags]
    return found


def system_codes(setup: Mapping[str, Any]) -> set[str]:
    """What a goal or a measure may be tagged with."""
    return {system.code for systems in systems_of(setup).values() for system in systems}


def _belongs(system: str, belongings: Iterable[Belonging]) -> frozenset[tuple[By, str]]:
    own = [each for each in belongings if each.system == system]
    kinds: tuple[By, ...] = ("mechanisms", "standards", "metrics")
    return frozenset((kind, code) for each in own for kind in kinds for code in getattr(each, kind))


def fold(systems: Sequence[System], found: Iterable[Found]) -> list[Cell]:
    """The cells of the systems of one axis, and of what belongs to none of them: that is never guessed.

    Every system has its five cells; what belongs to none, or is of no level, has a cell where there is something.
    """
    own = {code: system.code for system in systems for code in system.belongs}
    known = {system.code for system in systems}
    cells: dict[tuple[str | None, Layer | None], Cell] = {
        (system.code, layer): Cell(system.code, layer) for system in systems for layer in LAYERS
    }
    for each in found:
        tag = each.system if each.system is not None else own.get(each.by) if each.by is not None else None
        key = (tag if tag in known else None, LAYER_OF.get(each.level or ""))
        cells.setdefault(key, Cell(*key)).has[each.what] += each.many
    order: dict[str | None, int] = {system.code: n for n, system in enumerate(systems)}
    layers: dict[str | None, int] = {layer: n for n, layer in enumerate(LAYERS)}
    last = len(order) + len(layers)
    return sorted(cells.values(), key=lambda cell: (order.get(cell.system, last), layers.get(cell.layer, last)))
