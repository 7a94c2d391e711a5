"""What workflows, filings, rules and work packages say, and what may follow what in a run.

Source: digest §2.2 (work packages, controlled matters), §2.5 (steps of drafting, review, approval, filing), HB 9(3), HB 17.
"""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from libs.common.days import Day
from libs.common.errors import Conflict, Fault, Invalid
from libs.common.events.setup import Tags, Workflow, WorkflowStep
from libs.common.reasons import at
from services.planning.domain.goals import Code, Id, Line, Part, Reference, Words
from services.planning.domain.settings import Level

AboutKind = Literal["school", "department", "programme", "course", "plan"]
UNITS = frozenset({"department", "programme"})
REMIND_DAYS = 30  # meant to be changed, rule by rule: no document of a school states it
Lines = Annotated[list[Line], Field(max_length=100)]


class RunStatus(StrEnum):
    """Where a run stands; it ends as `filed` where its last step files, and is `stopped` where somebody ends it before."""

    RUNNING = "running"
    FINISHED = "finished"
    FILED = "filed"
    STOPPED = "stopped"


class About(Part):
    """What a run is about: a unit, course or plan by its id or code; the school has none."""

    kind: AboutKind
    id: Id | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.kind == "school") is not (self.id is None):
            raise at("id", "name what it is about, and only the school without an id")
        return self


class Filing(Part):
    """What a unit files. Of a group: its name, who leads it, its members, and where its documents are."""

    unit: Id
    name: Line
    head: Id | None = None
    members: Annotated[list[Id], Field(max_length=500)] = []
    documents: Lines = []
    note: Words | None = None


class Rule(Part):
    """A rule (规章制度): which of its level's set it is, who answers for it, where it is written, when it is to be looked at again."""

    name: Line
    level: Level
    rule_set: Line | None = None
    unit: Id | None = None
    owner: Id | None = None
    owner_post: Line | None = None
    document: Line | None = None
    issued_on: Day | None = None
    review_on: Day | None = None
    remind_days: Annotated[int, Field(ge=0, le=366)] = REMIND_DAYS
    in_force: bool = True
    tags: Tags = []

    @model_validator(mode="after")
    def _one_owner(self) -> Self:
        if (self.owner is None) is (self.owner_post is None):
            raise at("owner_post", "exactly one answers for a rule: a person or a post")
        if self.issued_on is not None and self.review_on is not None and self.review_on <= self.issued_on:
            raise at("review_on", "a rule is looked at again after it was issued")
        return self

    @property
    def remind_on(self) -> date | None:
        """The day from which on its owner is reminded; None: never."""
        if self.review_on is None or not self.in_force:
            return None
        return self.review_on - timedelta(days=self.remind_days)


class PostTask(Part):
    """What a post does of a work, and the standard (an element's code, or words) by which it is done."""

    post: Line
    task: Words
    standard: Line | None = None


class Work(Part):
    """A work that a duty asks for: who does it, by which workflow of the school where there is one."""

    name: Line
    posts: Annotated[list[PostTask], Field(min_length=1, max_length=50)]
    workflow: Code | None = None


class Package(Part):
    """A work package (工作包): duty → work → post → standard. `duty_id`: the duty, where it is one of the unit's duties kept here."""

    name: Line
    unit: Id
    duty: Words
    duty_id: Reference | None = None
    works: Annotated[list[Work], Field(min_length=1, max_length=100)]
    tags: Tags = []


def due(step: WorkflowStep, today: date) -> date | None:
    """The last day for a step that is reached today."""
    return None if step.days is None else today + timedelta(days=step.days)


def after(workflow: Workflow, step: int) -> tuple[RunStatus, int]:
    """The status once a step (from 1) is done, and the step that waits then."""
    if step < len(workflow.steps):
        return RunStatus.RUNNING, step + 1
    return (RunStatus.FILED if workflow.steps[-1].kind == "file" else RunStatus.FINISHED), step


def returned(workflow: Workflow, step: int, to: int) -> None:
    """Raises Conflict at a step that files, which gives no verdict; Invalid for a step that is not an earlier one."""
    if workflow.steps[step - 1].kind == "file":
        raise Conflict("filing gives no verdict: nothing is returned from it")
    if to >= step:
        raise Invalid("a run is returned to an earlier step", [Fault(pointer="/to", detail=f"it is at step {step}")])
