"""The life of a plan, and how plans and goals may hang together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from libs.common.days import Day
from libs.common.errors import Conflict, Fault
from libs.common.reasons import at
from services.planning.domain.goals import Code, Id, Line, Part, Words
from services.planning.domain.numbers import text_of
from services.planning.domain.settings import Level

PERSONAL = "personal"
PERSONS = frozenset({"teacher", "student"})


class SwotItem(Part):
    """A finding of a SWOT analysis, and the codes of the plan's goals that answer it."""

    kind: Literal["strength", "weakness", "opportunity", "threat"]
    text: Words
    goals: Annotated[list[Code], Field(max_length=100)] = []


class Plan(Part):
    """What people write of a plan. `kind` is `master`, `special`, `unit`, `programme`, `course`, `personal` or the school's own word.

    `unit` is the department that leads, `subject` whom or what it is about at its level: of a personal plan the teacher or student.
    """

    name: Line
    kind: Line
    level: Level
    unit: Id | None = None
    owner: Id | None = None
    owner_post: Line | None = None
    subject: Id | None = None
    period_from: Day
    period_to: Day
    parent: Code | None = None
    swot: Annotated[list[SwotItem], Field(max_length=400)] = []

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == PERSONAL and (self.subject is None or self.level not in PERSONS):
            raise at("subject", "a personal plan is of level teacher or student and names that person as its subject")
        if self.owner is not None and self.owner_post is not None:
            raise at("owner_post", "exactly one answers for a plan: a person or a post")
        return self


class PlanStatus(StrEnum):
    """Where a version of a plan stands; `replaced` is one that a later version took over from."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    PUBLISHED = "published"
    CLOSED = "closed"
    REPLACED = "replaced"


class PlanStep(StrEnum):
    """What people do with a plan; a comment changes nothing."""

    SUBMIT = "submit"
    RETURN = "return"
    APPROVE = "approve"
    PUBLISH = "publish"
    CLOSE = "close"


_AFTER = {
    (PlanStatus.DRAFT, PlanStep.SUBMIT): PlanStatus.IN_REVIEW,
    (PlanStatus.IN_REVIEW, PlanStep.RETURN): PlanStatus.DRAFT,
    (PlanStatus.APPROVED, PlanStep.RETURN): PlanStatus.DRAFT,
    (PlanStatus.IN_REVIEW, PlanStep.APPROVE): PlanStatus.APPROVED,
    (PlanStatus.APPROVED, PlanStep.PUBLISH): PlanStatus.PUBLISHED,
    (PlanStatus.PUBLISHED, PlanStep.CLOSE): PlanStatus.CLOSED,
}


def next_status(status: PlanStatus, step: PlanStep) -> PlanStatus:
    """Return the status after a step. Raises Conflict where the step does not follow."""
    if (after := _AFTER.get((status, step))) is None:
        allowed = " or ".join(before for before, by in _AFTER if by is step)
        raise Conflict(f"the plan is {status}: {step} needs it {allowed}")
    return after


def period_faults(
    mine: tuple[date, date], parent: tuple[date, date] | None, children: Iterable[tuple[str, date, date]]
) -> list[Fault]:
    """A period has a beginning and an end, both inclusive, lies inside the parent's and holds the children's (code, from, to)."""
    start, end = mine
    faults = []
    if end < start:
        faults.append(Fault(pointer="/period_to", detail="the period ends before it begins"))
    if parent is not None and start < parent[0]:
        faults.append(Fault(pointer="/period_from", detail=f"the parent plan begins on {parent[0]}"))
    if parent is not None and end > parent[1]:
        faults.append(Fault(pointer="/period_to", detail=f"the parent plan ends on {parent[1]}"))
    for code, from_, to in children:
        if from_ < start or to > end:
            where = "/period_from" if from_ < start else "/period_to"
            faults.append(Fault(pointer=where, detail=f"the plan {code} below it lasts from {from_} to {to}"))
    return faults


def leads_back(code: str, parent: str | None, parents: Mapping[str, str | None]) -> bool:
    """Whether a plan with this parent would lie below itself."""
    seen: set[str] = set()
    while parent is not None and parent not in seen:
        if parent == code:
            return True
        seen.add(parent)
        parent = parents.get(parent)
    return False


def weight_fault(weights: Sequence[Fraction | None], *, whole: bool) -> str | None:
    """What is wrong with the weights under a weighted goal: each has one, and together they are 1 exactly; not `whole`: at most 1."""
    if None in weights:
        return "each goal below a weighted one has a weight"
    total = sum((weight for weight in weights if weight is not None), Fraction(0))
    if total > 1 or (whole and total != 1):
        return f"the weights of the goals below it add up to {text_of(total)}, not to 1"
    return None
