"""What a goal says: what is to be reached, by when, who answers for it, and how one will see that it was."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from libs.common.days import Day
from libs.common.numbers import NUMBER_SCHEMA, exact_number
from libs.common.reasons import at
from services.planning.domain.settings import Level

CODE = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
KEPT = {"kept": True}
"""The context in which a document of the database is read: its decimals are text."""
_TEXT = r"^[^\x00]*$"
_PRINTED = r"^[^\x00-\x1f\x7f]*$"


def _number(value: object, info: ValidationInfo) -> Decimal:
    try:
        return exact_number(Decimal(value) if info.context and isinstance(value, str) else value)
    except InvalidOperation as error:
        raise ValueError("a number is needed") from error


Code = Annotated[str, StringConstraints(pattern=CODE)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=_TEXT)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=_PRINTED)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_PRINTED)]
Number = Annotated[
    Decimal,
    BeforeValidator(_number),
    PlainSerializer(lambda value: f"{value:f}", return_type=str, when_used="json"),
    WithJsonSchema(NUMBER_SCHEMA),
]
Operator = Literal["at_least", "at_most", "equal"]
RollUp = Literal["none", "weighted", "sum", "minimum", "maximum"]
Window = Literal["day", "week", "month", "term", "year"]
Reference = Annotated[UUID, Field(strict=False)]


class Part(BaseModel):
    """A part of what people write: unknown fields refused, no value bent into another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Target(Part):
    """What is to be reached by the end of a year."""

    year: Annotated[int, Field(ge=2000, le=2200)]
    target: Number


class Measure(Part):
    """What a goal is measured by: an indicator, or a metric at a level over windows of a kind; neither where its children are summed.

    `subject` None: what the plan is about. `unit` is how the numbers read; a ratio's targets are ratios: 0.8 is 80 %.
    """

    indicator: Line | None = None
    metric: Line | None = None
    level: Level | None = None
    window: Window | None = None
    subject: Id | None = None
    operator: Operator = "at_least"
    unit: Line | None = None
    baseline: Number | None = None
    values: Annotated[list[Target], Field(max_length=50)] = []

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.indicator is not None and (self.metric, self.level, self.window) != (None, None, None):
            raise at("indicator", "an indicator says itself which metric, level and window it is of")
        if self.metric is not None and (self.level is None or self.window is None):
            raise at("metric", "a metric is measured at a level and over a window: name both")
        if self.metric is None and (self.level, self.window) != (None, None):
            raise at("metric", "a level and a window are those of a metric: name it")
        if any(later.year <= earlier.year for earlier, later in pairwise(self.values)):
            raise at("values", "years ascend, each named once")
        return self

    @property
    def of_data(self) -> bool:
        """Whether monitoring measures it."""
        return self.indicator is not None or self.metric is not None


class Deliverable(Part):
    """A result (成果) that is there or is not: how many of which level, and what makes it count."""

    name: Line
    level: Literal["national", "provincial", "municipal", "school"]
    number: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    acceptance: Words | None = None
    evidence: Words | None = None


class Parent(Part):
    """A goal that this one serves, and its weight there."""

    goal: Reference
    weight: Annotated[Number, Field(gt=0, le=1)] | None = None


class Goal(Part):
    """A goal whole. A draft may lack what publication asks for.

    `owner` is one person or `owner_post` one post; `unit` the department that answers; `safeguard` what supports it (保障措施),
    `assessment` how it is judged (考核标准), `standard` the code of the standard's element that it fulfils,
    `system` the vertical system (纵向系统) that it belongs to.
    """

    code: Code
    statement: Words | None = None
    measure: Measure | None = None
    deliverable: Deliverable | None = None
    owner: Id | None = None
    owner_post: Line | None = None
    unit: Id | None = None
    helpers: Annotated[list[Id], Field(max_length=100)] = []
    weight: Annotated[Number, Field(gt=0)] | None = None
    measures: Annotated[list[Words], Field(max_length=50)] = []
    expected_effect: Words | None = None
    deadline: Day | None = None
    safeguard: Words | None = None
    assessment: Words | None = None
    standard: Line | None = None
    system: Code | None = None
    roll_up: RollUp = "none"
    parents: Annotated[list[Parent], Field(max_length=50)] = []

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.measure is not None and self.deliverable is not None:
            raise at("deliverable", "a goal is measured or delivers something: two goals, where both are meant")
        if self.owner is not None and self.owner_post is not None:
            raise at("owner_post", "exactly one answers for a goal: a person or a post")
        if len(set(self.helpers)) < len(self.helpers) or self.owner in self.helpers:
            raise at("helpers", "a helper is named once and is not the owner")
        if len({parent.goal for parent in self.parents}) < len(self.parents):
            raise at("parents", "a parent is named once")
        if self.measure is not None and not self.measure.of_data and self.roll_up != "sum":
            raise at("measure", "a measure names an indicator or a metric; only where children are summed it has neither")
        return self

    @property
    def answers(self) -> bool:
        """Whether somebody answers for it."""
        return self.owner is not None or self.owner_post is not None

    @property
    def measurable(self) -> bool:
        """Whether one will see that it is reached; a sum needs a measure to be compared with."""
        return self.measure is not None or self.deliverable is not None or self.roll_up not in {"none", "sum"}


def kept(document: dict[str, Any]) -> Goal:
    """The goal of a document that was written by `document_of`."""
    return Goal.model_validate(document, context=KEPT)


def document_of(goal: Goal) -> dict[str, Any]:
    """The goal as it is kept: decimals, days and ids as text, what says nothing left out."""
    return goal.model_dump(mode="json", exclude_defaults=True)
