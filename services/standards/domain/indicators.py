"""What an indicator may say, and which of its versions counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import chain, pairwise
from typing import Self

from pydantic import BaseModel, ConfigDict

from libs.common.errors import Fault
from libs.common.events.standards import IndicatorActivated, IndicatorTried, Override, Repetition, WarningLine

SEVERITIES = ("blue", "yellow", "orange", "red")
UNITS = ("class", "course", "programme", "department")  # most specific first
_OF_CLASS = ("class", "programme", "department")
ABOVE = {
    "class": UNITS,
    "lesson": UNITS,
    "homeroom": _OF_CLASS,
    "student": _OF_CLASS,
    "course": ("course", "programme", "department"),
    "programme": ("programme", "department"),
    "department": ("department",),
}
"""The kinds of units that subjects of a level are or lie in; a homeroom is a class, and a student's class is the homeroom."""


class Status(StrEnum):
    """`active` is the newest activated version; what it replaced is `superseded` and still judges its own time. In `trial` one at a
    time counts what it would warn of; one that is `abandoned` never warns.
    """

    DRAFT = "draft"
    TRIAL = "trial"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    ABANDONED = "abandoned"


def status_of(version: int, active: int | None, trial: int | None, *, begun: bool, abandoned: bool = False) -> Status:
    """Return what a version is while version `active` is the active one and `trial` the one in trial (None: none); `begun`: it was
    put in force, or in trial, at some time; `abandoned`: its trial came to nothing.
    """
    if abandoned:
        return Status.ABANDONED
    if version == trial:
        return Status.TRIAL
    if active is None or version > active:
        return Status.SUPERSEDED if begun else Status.DRAFT
    return Status.ACTIVE if version == active else Status.SUPERSEDED


def ends_of(begins: Mapping[int, date]) -> dict[int, date | None]:
    """Return, of versions in force with their first days, the day from which on another judges (None: it still does).

    Each day belongs to the latest-effective version, of several the newest; one that another replaced before its first day was over
    ends on that day.
    """
    found: dict[int, date | None] = {}
    after: date | None = None
    for begin, version in sorted(((day, version) for version, day in begins.items()), reverse=True):
        found[version] = after
        after = begin
    return found


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
    evaluate: str | dict[str, str | int]
    warning_lines: tuple[WarningLine, ...]
    effective_from: date
    stale_after_days: int | None = None
    grace_days: int = 0
    raise_after_windows: int = 1
    clear_after_windows: int = 1
    hold_days: int = 0
    repetition: Repetition | None = None
    overrides: tuple[Override, ...] = ()
    effect_windows: int | None = None
    trial: bool = False

    def in_order(self) -> Self:
        """Return the same with lines in the order of their severities, and overrides from the most specific on."""
        overrides = sorted(self.overrides, key=lambda each: (UNITS.index(each.kind), each.id))
        own = tuple(each.model_copy(update={"warning_lines": _mildest_first(each.warning_lines)}) for each in overrides)
        return self.model_copy(update={"warning_lines": tuple(_mildest_first(self.warning_lines)), "overrides": own})

    def activated(self, code: str, version: int, fact: type[IndicatorActivated] = IndicatorActivated) -> IndicatorActivated:
        """Return the fact that this is in force."""
        said = {name: getattr(self, name) for name in type(self).model_fields if name != "trial"}
        lists = {"warning_lines": list(self.warning_lines), "overrides": list(self.overrides)}
        return fact(code=code, version=version, **{**said, **lists})

    def tried(self, code: str, version: int) -> IndicatorActivated:
        """Return the fact that this is in trial."""
        return self.activated(code, version, IndicatorTried)


def _mildest_first(lines: Iterable[WarningLine]) -> list[WarningLine]:
    return sorted(lines, key=lambda line: SEVERITIES.index(line.severity))


Band = tuple[Decimal, Decimal]


def faults_of(definition: Definition) -> list[Fault]:
    """Return what contradicts itself; pointers count warning lines as they were given."""
    lines = faults_of_lines(definition.comparison, definition.warning_lines)
    rest = (_faults_of_time(definition), _faults_of_repetition(definition), _faults_of_overrides(definition))
    return [*lines, *chain.from_iterable(rest)]


def faults_of_lines(comparison: str, lines: Sequence[WarningLine], at: str = "/warning_lines") -> list[Fault]:
    """Return what contradicts itself in warning lines that stand `at` a pointer.

    A severity stands once, a worse severity has the worse `enter`, and a warning never clears on the wrong side of
    where it began: `below` needs clear ≥ enter, `above` clear ≤ enter, and `outside` a clear band within the enter band.
    """
    shapes = [fault for n, line in enumerate(lines) for fault in _faults_of_shape(comparison, line, f"{at}/{n}")]
    if shapes:
        return shapes
    found: list[Fault] = []
    seen: dict[str, int] = {}
    for n, line in enumerate(lines):
        if line.severity in seen:
            found.append(Fault(pointer=f"{at}/{n}/severity", detail=f"{line.severity} stands twice"))
        seen.setdefault(line.severity, n)
        if not _within(comparison, line.clear, line.enter):
            detail = f"a warning that begins {comparison} {_shown(line.enter)} cannot clear at {_shown(line.clear)}"
            found.append(Fault(pointer=f"{at}/{n}/clear", detail=detail))
    ordered = [(name, seen[name]) for name in SEVERITIES if name in seen]
    for (mild, a), (worse, b) in pairwise(ordered):
        first, second = lines[a].enter, lines[b].enter
        if first == second or not _within(comparison, first, second):
            detail = f"{worse} must begin {comparison} {mild}, which begins at {_shown(first)}"
            found.append(Fault(pointer=f"{at}/{b}/enter", detail=detail))
    return found


def _faults_of_shape(comparison: str, line: WarningLine, at: str) -> Iterator[Fault]:
    """`outside` is judged by bands [low, high], the others by numbers."""
    for name, value in (("enter", line.enter), ("clear", line.clear)):
        if comparison != "outside" and isinstance(value, tuple):
            yield Fault(pointer=f"{at}/{name}", detail=f"'{comparison}' is judged by a number, not by a band")
        elif comparison == "outside" and not isinstance(value, tuple):
            yield Fault(pointer=f"{at}/{name}", detail="'outside' is judged by a band: [low, high]")
        elif isinstance(value, tuple) and value[0] > value[1]:
            yield Fault(pointer=f"{at}/{name}", detail="a band is [low, high]: the low bound first")


def _within(comparison: str, inner: Decimal | Band, outer: Decimal | Band) -> bool:
    """Whether a value on `inner` is not past `outer`; shapes have been checked."""
    if isinstance(inner, tuple) and isinstance(outer, tuple):
        return outer[0] <= inner[0] and inner[1] <= outer[1]
    assert isinstance(inner, Decimal)
    assert isinstance(outer, Decimal)
    return inner >= outer if comparison == "below" else inner <= outer


def _shown(value: Decimal | Band) -> str:
    return f"[{value[0]:f}, {value[1]:f}]" if isinstance(value, tuple) else f"{value:f}"


def _faults_of_time(definition: Definition) -> Iterator[Fault]:
    if definition.grace_days and definition.evaluate != "window_close":
        yield Fault(pointer="/grace_days", detail="only windows that are judged at their close ('window_close') have a grace")
    if isinstance(definition.evaluate, dict) and "lesson_end_plus_minutes" in definition.evaluate and definition.level != "lesson":
        yield Fault(pointer="/evaluate", detail=f"a {definition.level} has no lesson's end: use level 'lesson'")


def _faults_of_overrides(definition: Definition) -> Iterator[Fault]:
    """A unit stands once and can hold subjects of the level, and its lines contradict themselves as little as the others."""
    seen: set[tuple[str, str]] = set()
    for n, each in enumerate(definition.overrides):
        at = f"/overrides/{n}"
        if each.kind not in ABOVE.get(definition.level, ()):
            yield Fault(pointer=f"{at}/{each.kind}", detail=f"no {definition.level} lies in a {each.kind}")
        if (each.kind, each.id) in seen:
            yield Fault(pointer=f"{at}/{each.kind}", detail=f"{each.kind} {each.id} stands twice")
        seen.add((each.kind, each.id))
        yield from faults_of_lines(definition.comparison, each.warning_lines, f"{at}/warning_lines")


def _faults_of_repetition(definition: Definition) -> Iterator[Fault]:
    again, mildest = definition.repetition, min((SEVERITIES.index(line.severity) for line in definition.warning_lines), default=0)
    if again is None:
        return
    if SEVERITIES.index(again.severity) <= mildest:
        detail = f"{again.severity} is no worse than the mildest warning line: repetition would change nothing"
        yield Fault(pointer="/repetition/severity", detail=detail)
    if again.windows < definition.raise_after_windows:
        detail = f"a warning begins after {definition.raise_after_windows} windows: repetition counts as many, or more"
        yield Fault(pointer="/repetition/windows", detail=detail)
