"""Request and response bodies of indicators."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from libs.common.days import Day
from libs.common.events.origin import Origin
from libs.common.events.standards import Override, WarningLine
from libs.common.http import Body, View
from libs.common.numbers import NUMBER_SCHEMA, exact_number
from libs.common.reasons import at
from services.standards.domain.content import Criterion, Floor
from services.standards.domain.indicators import Definition, Status, ends_of, status_of
from services.standards.domain.values import CODE, METRIC, Level, Number, Prose, Shown
from services.standards.queries.history import Asked
from services.standards.queries.indicators import Found
from services.standards.tables import IndicatorRow, VersionRow

MOST_WINDOWS = 60
"""How many windows a warning line may look back on: five years of months."""
MOST_MINUTES = 7 * 24 * 60
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


def _bound(value: object) -> Decimal | tuple[Decimal, Decimal]:
    if not isinstance(value, list | tuple):
        return exact_number(value)
    if len(value) != 2:
        raise ValueError("a band has two bounds: [low, high]")
    return exact_number(value[0]), exact_number(value[1])


def _not_yet(**words: str) -> Callable[[object], object]:
    def check(value: object) -> object:
        if isinstance(value, str) and value in words:
            raise ValueError(words[value])
        return value

    return check


def _evaluate(value: object) -> object:
    if value in {"on_update", "window_close"} if isinstance(value, str) else False:
        return value
    if isinstance(value, dict) and set(value) == {"daily_at"} and isinstance(value["daily_at"], str):
        if _TIME.fullmatch(value["daily_at"]):
            return value
        raise ValueError("daily_at is a time of the school's day, written HH:MM")
    if isinstance(value, dict) and set(value) == {"lesson_end_plus_minutes"}:
        minutes = value["lesson_end_plus_minutes"]
        if isinstance(minutes, int) and not isinstance(minutes, bool) and 0 <= minutes <= MOST_MINUTES:
            return value
        raise ValueError(f"lesson_end_plus_minutes is a whole number from 0 to {MOST_MINUTES}")
    raise ValueError('\'on_update\', \'window_close\', {"daily_at": "HH:MM"} or {"lesson_end_plus_minutes": n}')


Bound = Annotated[
    Decimal | tuple[Decimal, Decimal],
    BeforeValidator(_bound),
    WithJsonSchema(
        {"anyOf": [NUMBER_SCHEMA, {"type": "array", "prefixItems": [NUMBER_SCHEMA, NUMBER_SCHEMA], "minItems": 2, "maxItems": 2}]}
    ),
]
"""A number, or of the comparison `outside` a band [low, high]."""
Unit = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
Positive = Annotated[Number, Field(gt=0)]
Severity = Literal["blue", "yellow", "orange", "red"]
Window = Annotated[
    Literal["day", "week", "month", "term", "year"],
    BeforeValidator(_not_yet(lesson="a lesson is a level, not a window: use level `lesson` with a day")),
]
Comparison = Literal["below", "above", "outside"]
Evaluate = Annotated[
    str | dict[str, str | int],
    BeforeValidator(_evaluate),
    WithJsonSchema(
        {
            "oneOf": [
                {"enum": ["on_update", "window_close"]},
                {
                    "type": "object",
                    "required": ["daily_at"],
                    "additionalProperties": False,
                    "properties": {"daily_at": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}},
                },
                {
                    "type": "object",
                    "required": ["lesson_end_plus_minutes"],
                    "additionalProperties": False,
                    "properties": {"lesson_end_plus_minutes": {"type": "integer", "minimum": 0, "maximum": MOST_MINUTES}},
                },
            ]
        }
    ),
]


class WarningLineBody(Body):
    """Where warnings of a severity begin (`enter`: past it) and end (`clear`: no longer past it).

    Numbers; of the comparison `outside` bands `[low, high]`, past which a value is below the low or above the high bound.
    """

    severity: Severity
    enter: Bound
    clear: Bound


class RepetitionBody(Body):
    """A severity that a warning has at least, once the latest `windows` windows with enough data are all past the mildest line."""

    severity: Severity
    windows: Annotated[int, Field(ge=2, le=MOST_WINDOWS)]


class OverrideBody(Body):
    """Lines of its own, or none, for what lies in a unit: exactly one unit, and either `warning_lines` (with a `min_denominator` where
    that is another one, too) or `off`.
    """

    class_: Annotated[Unit | None, Field(alias="class")] = None
    course: Unit | None = None
    programme: Unit | None = None
    department: Unit | None = None
    warning_lines: Annotated[list[WarningLineBody] | None, Field(min_length=1, max_length=4)] = None
    min_denominator: Positive | None = None
    off: bool = False

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if len(self._units()) != 1:
            raise ValueError("exactly one of class, course, programme and department")
        if (self.warning_lines is None) != self.off:
            raise at("warning_lines", "either warning_lines or off: true")
        if self.off and self.min_denominator is not None:
            raise at("min_denominator", "what is off has no min_denominator")
        return self

    def _units(self) -> list[tuple[str, str]]:
        named = (("class", self.class_), ("course", self.course), ("programme", self.programme), ("department", self.department))
        return [(kind, unit) for kind, unit in named if unit is not None]

    def override(self) -> Override:
        """Return what it says as a value of the domain."""
        ((kind, unit),) = self._units()
        lines = [WarningLine.model_validate(line.model_dump()) for line in self.warning_lines or ()]
        return Override(kind=kind, id=unit, warning_lines=lines, min_denominator=self.min_denominator, off=self.off)


class IndicatorIn(Body):
    """What an indicator watches and when it warns."""

    code: Annotated[str, Field(pattern=CODE, examples=["class-completion-week"])]
    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["班级周作业完成率"])]
    metric: Annotated[str, Field(pattern=METRIC, examples=["assignment_completion"])]
    level: Level
    window: Window
    comparison: Comparison
    target: Number | None = None
    min_denominator: Positive
    evaluate: Evaluate
    warning_lines: Annotated[list[WarningLineBody], Field(min_length=1, max_length=4)]
    effective_from: Day
    stale_after_days: Annotated[
        int | None, Field(ge=1, le=3660, description="Days without data after which an uncleared warning is stale; none: never.")
    ] = None
    grace_days: Annotated[
        int, Field(ge=0, le=366, description="With `window_close`: a window is judged so many days after its end.")
    ] = 0
    raise_after_windows: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_WINDOWS,
            description="A warning begins once so many windows with enough data in a row are past the mildest line.",
        ),
    ] = 1
    clear_after_windows: Annotated[
        int, Field(ge=1, le=MOST_WINDOWS, description="It ends once so many in a row are not past the clear line of the mildest.")
    ] = 1
    hold_days: Annotated[
        int,
        Field(ge=0, le=3660, description="It ends in no window that starts less than so many days after the one that raised it."),
    ] = 0
    repetition: RepetitionBody | None = None
    overrides: Annotated[
        list[OverrideBody],
        Field(max_length=1000, description="Other lines for units; of those that fit, the most specific counts."),
    ] = []
    effect_windows: Annotated[
        int | None,
        Field(
            ge=1,
            le=MOST_WINDOWS,
            description="The effect of an improvement is measured over so many windows with enough data after it was verified; "
            "none: 10 days, 4 weeks, 2 months, 1 term or year.",
        ),
    ] = None
    trial: Annotated[
        bool,
        Field(
            description="Activated, it is in trial (试运行) first: breaches are counted, and nobody is warned until its release."
        ),
    ] = False

    origin: Annotated[
        Origin | None, Field(description="Why there is a further version; without it that is an exception, and listed as such.")
    ] = None

    def definition(self) -> Definition:
        """Return what it says as a value of the domain."""
        said = self.model_dump(exclude={"code", "overrides", "origin"})
        return Definition.model_validate({**said, "overrides": [each.override() for each in self.overrides]})


class TuneIn(Body):
    """Other warning lines, and why."""

    warning_lines: Annotated[list[WarningLineBody], Field(min_length=1, max_length=4)]
    reason: Prose

    def lines(self) -> list[WarningLine]:
        return [WarningLine.model_validate(line.model_dump()) for line in self.warning_lines]


class TemplateIn(Body):
    """From when the drafts are meant to be in force; left out: from today. `trial`: activated, they are in trial first."""

    effective_from: Day | None = None
    trial: bool = False


class TemplateView(View):
    """What a template brought: codes of the drafts that are new, of indicators that were there, and of those without a metric here."""

    added: list[str]
    there: list[str]
    without_metric: list[str]


class WarningLineView(View):
    severity: str
    enter: Shown | tuple[Shown, Shown]
    clear: Shown | tuple[Shown, Shown]


class OverrideView(View):
    """As it was given: a unit by its kind, and `warning_lines` or `off`."""

    model_config = ConfigDict(extra="allow")

    warning_lines: list[WarningLineView] | None = None
    min_denominator: Shown | None = None
    off: bool = False

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """Show what was kept."""
        lines = said["warning_lines"] or None
        return cls(**{said["kind"]: said["id"]}, warning_lines=lines, min_denominator=said["min_denominator"], off=said["off"])


class RepetitionView(View):
    severity: str
    windows: int


class IndicatorView(View):
    """One version of an indicator; `newest_version` is the last one written, draft or not.

    `trial`: it is, or was, in trial; since `released_at` it warns, and `abandoned_because` says why it never will. `reason` says why
    its lines were tuned.
    """

    code: str
    version: int
    status: Status
    newest_version: int
    name: str
    metric: str
    level: str
    window: str
    comparison: str
    target: Shown | None
    min_denominator: Shown
    evaluate: str | dict[str, str | int]
    warning_lines: list[WarningLineView]
    effective_from: date
    stale_after_days: int | None = None
    grace_days: int = 0
    raise_after_windows: int = 1
    clear_after_windows: int = 1
    hold_days: int = 0
    repetition: RepetitionView | None = None
    overrides: list[OverrideView] = []
    effect_windows: int | None = None
    origin: dict[str, Any]
    created_at: datetime
    created_by: str
    activated_at: datetime | None
    activated_by: str | None
    trial: bool = False
    reason: str | None = None
    released_at: datetime | None = None
    released_by: str | None = None
    abandoned_at: datetime | None = None
    abandoned_by: str | None = None
    abandoned_because: str | None = None


class HistoryItem(IndicatorView):
    """A version as part of the history; from `effective_to` on another judges (null: none does, or it never was in force)."""

    effective_to: date | None


class AskedView(View):
    """What an element of a standard asks of the indicator or its metric, and from when to when the standard is in force.

    `effective_to` null: no end is known. The same element of two versions of a standard stands here twice.
    """

    standard: str
    version: int
    name: str
    element: str
    element_name: str
    indicators: list[str]
    criterion: Criterion | None
    floor: Floor | None
    effective_from: date
    effective_to: date | None

    @classmethod
    def of(cls, found: Asked, ended: date | None) -> Self:
        """Show an element; `ended`: the day in the school's zone on which its standard was taken out of force (None: it was not)."""
        row, element = found.row, found.element
        said = {"indicators": element.indicators, "criterion": element.criterion, "floor": element.floor}
        about = {"element": element.code, "element_name": element.name, "name": found.name}
        end = min((day for day in (ended, row.effective_to) if day is not None), default=None)
        return cls(standard=row.code, version=row.version, **about, **said, effective_from=row.effective_from, effective_to=end)


class HistoryView(View):
    """What an indicator said over the years, newest first, and what standards asked of what it measures, oldest first."""

    code: str
    versions: list[HistoryItem]
    standards: list[AskedView]


def history(code: str, rows: Sequence[Found], asked: Sequence[Asked], zone: tzinfo) -> HistoryView:
    """Show the history of an indicator; `zone` is its school's."""
    live = {row.version: date.fromisoformat(row.definition["effective_from"]) for row, _ in rows if _was_live(row)}
    ends = ends_of(live)
    versions = [HistoryItem(**view(*each).model_dump(), effective_to=ends.get(each[0].version)) for each in rows]
    ended = [None if each.row.retired_at is None else each.row.retired_at.astimezone(zone).date() for each in asked]
    return HistoryView(code=code, versions=versions, standards=[AskedView.of(*each) for each in zip(asked, ended, strict=True)])


def _was_live(row: VersionRow) -> bool:
    if row.definition.get("trial", False):
        return row.released_at is not None
    return row.activated_at is not None


def view(row: VersionRow, indicator: IndicatorRow) -> IndicatorView:
    """Show a version beside what its indicator says of it."""
    overrides = [OverrideView.of(each) for each in row.definition.get("overrides", ())]
    return IndicatorView(
        code=row.code,
        version=row.version,
        status=status_of(
            row.version,
            indicator.active,
            indicator.trial,
            begun=row.activated_at is not None,
            abandoned=row.abandoned_at is not None,
        ),
        newest_version=indicator.newest,
        **{**row.definition, "overrides": overrides},
        origin=row.origin,
        created_at=row.created_at,
        created_by=row.created_by,
        activated_at=row.activated_at,
        activated_by=row.activated_by,
        reason=row.reason,
        released_at=row.released_at,
        released_by=row.released_by,
        abandoned_at=row.abandoned_at,
        abandoned_by=row.abandoned_by,
        abandoned_because=row.abandoned_because,
    )
