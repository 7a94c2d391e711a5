"""Request and response bodies of standards."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from libs.common.http import Body, View
from services.standards.domain import LARGEST, PLACES, Definition, Status, status_of
from services.standards.tables import IndicatorRow, VersionRow

CODE = "^[a-z0-9][a-z0-9_-]{0,63}$"
METRIC = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"  # its code or its alias
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _exact(value: object) -> Decimal:
    """A JSON number as it was written; JSON gives it as a float, whose shortest text is what the sender wrote."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number is needed")  # noqa: TRY004 - pydantic shows a ValueError to the caller
    number = Decimal(str(value))
    if not number.is_finite() or abs(number) >= LARGEST:
        raise ValueError("a number below 1,000,000,000 is needed")
    number = number.normalize()
    if -int(number.as_tuple().exponent) > PLACES:
        raise ValueError("a number has at most 6 decimals")
    return number


def _plain(value: Decimal) -> Decimal:
    """The same number without an exponent, as it is to be read."""
    return Decimal(f"{value:f}")


def _day(value: object) -> date:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("a date is written YYYY-MM-DD")
    return date.fromisoformat(value)


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
    if isinstance(value, dict) and "lesson_end_plus_minutes" in value:
        raise ValueError("later: lesson_end_plus_minutes is not evaluated yet")
    raise ValueError("'on_update', 'window_close' or {\"daily_at\": \"HH:MM\"}")


Number = Annotated[
    Decimal,
    BeforeValidator(_exact),
    WithJsonSchema({"type": "number", "exclusiveMinimum": -LARGEST, "exclusiveMaximum": LARGEST, "multipleOf": 0.000001}),
]
Shown = Annotated[Decimal, AfterValidator(_plain), WithJsonSchema({"type": "number"})]
Positive = Annotated[Number, Field(gt=0)]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Level = Literal["student", "teacher", "class", "homeroom", "course", "programme", "department", "lesson", "school"]
Window = Annotated[
    Literal["day", "week", "month", "term", "year"],
    BeforeValidator(_not_yet(lesson="a lesson is a level, not a window: use level `lesson` with a day")),
]
Comparison = Annotated[Literal["below", "above"], BeforeValidator(_not_yet(outside="later: only below and above are judged now"))]
Evaluate = Annotated[
    str | dict[str, str],
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
            ]
        }
    ),
]


class WarningLineBody(Body):
    """Where warnings of a severity begin (`enter`: past it) and end (`clear`: no longer past it)."""

    severity: Literal["blue", "yellow", "orange", "red"]
    enter: Number
    clear: Number


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

    def definition(self) -> Definition:
        """Return what it says as a value of the domain."""
        return Definition.model_validate(self.model_dump(exclude={"code"}))


class TemplateIn(Body):
    """From when the drafts are meant to be in force; left out: from today."""

    effective_from: Day | None = None


class TemplateView(View):
    """What a template brought: codes of the drafts that are new, of indicators that were there, and of those without a metric here."""

    added: list[str]
    there: list[str]
    without_metric: list[str]


class WarningLineView(View):
    severity: str
    enter: Shown
    clear: Shown


class IndicatorView(View):
    """One version of an indicator; `newest_version` is the last one written, draft or not."""

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
    evaluate: str | dict[str, str]
    warning_lines: list[WarningLineView]
    effective_from: date
    stale_after_days: int | None = None
    created_at: datetime
    created_by: str
    activated_at: datetime | None
    activated_by: str | None


def view(row: VersionRow, indicator: IndicatorRow) -> IndicatorView:
    """Show a version beside what its indicator says of it."""
    return IndicatorView(
        code=row.code,
        version=row.version,
        status=status_of(row.version, indicator.active),
        newest_version=indicator.newest,
        **row.definition,
        created_at=row.created_at,
        created_by=row.created_by,
        activated_at=row.activated_at,
        activated_by=row.activated_by,
    )
