"""Facts published by standards."""

from datetime import date
from decimal import Decimal

from pydantic import BaseModel

from libs.common.event import Event

UNSTATED = "unstated"
"""How an element is met that does not say it: nobody can be found to meet it or not, it stays undetermined (未定)."""


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
    `overrides` that fit a subject the most specific counts. The effect of an improvement is measured over `effect_windows` windows after
    it was verified; None: as many as monitoring takes for the kind of window.
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
    effect_windows: int | None = None


class IndicatorTried(IndicatorActivated, type="standards.indicator_tried", about="code"):
    """A version of an indicator is in trial (试运行): what it would warn of is counted, and nobody is warned.

    It ends with the next version in trial, when this version or a later one is activated, or when it is abandoned.
    """


class TrialAbandoned(Event, type="standards.trial_abandoned", about="code"):
    """The trial of a version (试运行) is over and came to nothing: its lines never warn."""

    code: str
    version: int


class Floor(BaseModel):
    """The bottom line of an element (底线): no target and no personal standard for the metric may be past it.

    `comparison` `at_least` or `at_most`; `clause` is what a refusal names.
    """

    metric: str
    comparison: str
    value: Decimal
    clause: str


class Element(BaseModel):
    """An element of a standard: how it is met is `measured` (by `indicators`), `judged`, a `document`, or `unstated`: nobody can say."""

    code: str
    name: str
    met_by: str
    indicators: list[str] = []
    floor: Floor | None = None


class StandardActivated(Event, type="standards.standard_activated", about="code"):
    """A version of a standard is in force from midnight of `effective_from` in the school's zone; the whole of it.

    `levels`: whom it is about, by itself; `kind`: by its family. `trial`: it is tried out, and none of its elements has a floor.
    """

    code: str
    version: int
    family: str
    name: str
    effective_from: date
    elements: list[Element]
    levels: list[str] = []
    trial: bool = False
    kind: str | None = None


class RevisionDue(Event, type="standards.revision_due", about="code"):
    """A version in force is to be revised by a day: its family's cycle says so. Told once a version, some days before."""

    code: str
    version: int
    family: str
    name: str
    due_on: date


class StandardRetired(Event, type="standards.standard_retired", about="code"):
    """A version of a standard is no longer in force, and none has taken its place: its floors are gone.

    `because` is `ended` (its last day is over) or `withdrawn` (by a person).
    """

    code: str
    version: int
    because: str


class MeasureWanted(Event, type="standards.measure_wanted", about="metric"):
    """Standards follows what a metric comes to at a level over windows of a kind; `subject` None: of everybody there."""

    metric: str
    level: str
    window: str
    subject: str | None = None
