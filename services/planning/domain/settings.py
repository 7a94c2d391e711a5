"""What a school may set for its improvements, and our defaults.

No founding document of a school states these numbers: the defaults are this product's own, meant to be changed.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from libs.common.events.routines import Post
from libs.common.reasons import at

Severity = Literal["blue", "yellow", "orange", "red"]
Level = Literal["student", "teacher", "class", "homeroom", "course", "programme", "department", "lesson", "school"]
Points = Annotated[int, Field(ge=1, le=100)]
Days = Annotated[int, Field(ge=0, le=365)]
Ladder = Annotated[list[Post], Field(min_length=1, max_length=10)]
Measure = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]

FoundBy = Literal[
    "self_check",
    "mid_term_check",
    "spot_check",
    "patrol",
    "complaint",
    "incident",
    "diagnosis_item",
    "review_element",
    "collection",
]
"""Where a problem that people found comes from; `collection` is the yearly collection of problems of the Hubei document's article 17."""

SEVERITIES: tuple[Severity, ...] = ("blue", "yellow", "orange", "red")
PLAN_DAYS: dict[Severity, int] = {"blue": 7, "yellow": 5, "orange": 3, "red": 1}
DUE_DAYS: dict[Severity, int] = {"blue": 30, "yellow": 21, "orange": 14, "red": 7}
BUDGET_BEHIND: dict[Severity, int] = {"yellow": 20, "orange": 35}
BUDGET_AHEAD: dict[Severity, int] = {"yellow": 20, "orange": 35}
COUNTDOWN_DAYS = [30, 7, 1]
OWNERS: dict[Level, list[Post]] = {
    "student": ["class_teacher", "department_head", "quality_office"],
    "class": ["teacher", "course_leader", "department_head", "quality_office"],
    "lesson": ["teacher", "course_leader", "department_head", "quality_office"],
    "homeroom": ["class_teacher", "department_head", "quality_office"],
    "course": ["course_leader", "programme_leader", "department_head", "quality_office"],
    "teacher": ["teacher", "department_head", "quality_office"],
    "programme": ["programme_leader", "department_head", "quality_office"],
    "department": ["department_head", "quality_office"],
    "school": ["quality_office"],
}
VERIFIERS: dict[Level, list[Post]] = {
    "student": ["department_head", "quality_office", "school_leader"],
    "class": ["course_leader", "department_head", "quality_office", "school_leader"],
    "lesson": ["course_leader", "department_head", "quality_office", "school_leader"],
    "homeroom": ["department_head", "quality_office", "school_leader"],
    "course": ["department_head", "quality_office", "school_leader"],
    "teacher": ["department_head", "quality_office", "school_leader"],
    "programme": ["department_head", "quality_office", "school_leader"],
    "department": ["quality_office", "school_leader"],
    "school": ["school_leader", "quality_office"],
}
MEASURES: dict[Level, list[str]] = {
    "student": ["谈话", "联系家长", "补交"],
    "class": ["谈话", "补交", "听课帮扶"],
    "lesson": ["听课帮扶"],
    "homeroom": ["谈话", "联系家长", "补交"],
    "course": ["听课帮扶", "集体备课"],
    "teacher": ["谈话", "听课帮扶"],
    "programme": ["专题研讨", "听课帮扶"],
    "department": ["专题研讨", "听课帮扶"],
    "school": ["专题研讨"],
}


class Terms(BaseModel):
    """Days from the day on which a problem is recorded to the plan and to the end of the work."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    plan_days: Days
    due_days: Days

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.plan_days > self.due_days:
            raise at("plan_days", "the plan cannot be due after its work")
        return self


SOURCES: dict[FoundBy, Terms] = {
    "self_check": Terms(plan_days=7, due_days=30),
    "mid_term_check": Terms(plan_days=7, due_days=30),
    "spot_check": Terms(plan_days=7, due_days=30),
    "patrol": Terms(plan_days=3, due_days=14),
    "complaint": Terms(plan_days=3, due_days=15),
    "incident": Terms(plan_days=3, due_days=15),
    "diagnosis_item": Terms(plan_days=14, due_days=90),
    "review_element": Terms(plan_days=30, due_days=365),
    "collection": Terms(plan_days=14, due_days=90),
}
"""A mid-term check's seven days and a review's year are the documents' (digest §12 scenario 13, §9.5)."""


class SchoolSettings(BaseModel):
    """A school's settings for improvements; what a document leaves out, also a single level or severity, keeps the default.

    `plan_days` and `due_days`: days from the warning to the plan and to the end of the work; `sources`: the same of problems that
    people found. `measures`: what `start` proposes. `owners`, `verifiers`: posts from the nearest upwards; the first one held is it,
    a verifier never the owner. `tracking`: the post whose holders follow and urge (推进组). `recurs_days`: a problem that comes back
    within so many days is known as the same again. `countdown_days`: how many days before an annual task falls due its owner is told. `budget_behind`, `budget_ahead`: by how many percentage points the execution rate
    of a budget line may differ from the share of the year that is over.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    plan_days: dict[Severity, Days] = PLAN_DAYS
    due_days: dict[Severity, Days] = DUE_DAYS
    measures: dict[Level, Annotated[list[Measure], Field(min_length=1, max_length=20)]] = MEASURES
    owners: dict[Level, Ladder] = OWNERS
    verifiers: dict[Level, Ladder] = VERIFIERS
    budget_behind: dict[Severity, Points] = BUDGET_BEHIND
    budget_ahead: dict[Severity, Points] = BUDGET_AHEAD
    sources: dict[FoundBy, Terms] = SOURCES
    tracking: Post = "level_group"
    recurs_days: Annotated[int, Field(ge=0, le=3650)] = 365
    countdown_days: Annotated[list[Days], Field(max_length=10)] = COUNTDOWN_DAYS

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        return {
            **given,
            **{
                name: {**default, **given[name]} if isinstance(given.get(name), dict) else given.get(name, default)
                for name, default in defaults.items()
            },
        }

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for mild, worse in pairwise(SEVERITIES):
            for name, days in (("plan_days", self.plan_days), ("due_days", self.due_days)):
                if days[worse] > days[mild]:
                    raise at(name, f"{worse} cannot have more days than {mild}")
        for severity in SEVERITIES:
            if self.plan_days[severity] > self.due_days[severity]:
                raise at("plan_days", f"the plan of {severity} cannot be due after its work")
        return self
