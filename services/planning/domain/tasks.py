"""Annual tasks (年度目标任务): what one says, what it must be linked to, and its life from draft to closed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from libs.common.days import Day
from libs.common.errors import Conflict, Fault
from libs.common.reasons import at
from services.planning.domain.goals import KEPT, Code, Id, Line, Number, Operator, Part, Reference, Words

LINKS = ("goal", "resolution", "duty", "project", "plan", "finding")
"""What a class of tasks may ask for, each the name of the field that says it."""
WORD = {
    "goal": "a goal of a plan",
    "resolution": "the number of a resolution of the leadership",
    "duty": "a duty of the unit or post",
    "project": "a project",
    "plan": "a plan of a programme or course",
    "finding": "the improvement of a finding",
}
_SIGN = {"at_least": "不低于", "at_most": "不高于", "equal": "等于"}


class Aim(Part):
    """A number to be reached; a ratio's are ratios: 0.75 is 75 %. `indicator`: what it is of, where the school measures that.

    `baseline`: where it starts from, None: nobody knows.
    """

    target: Number
    baseline: Number | None = None
    operator: Operator = "at_least"
    indicator: Line | None = None
    unit: Line | None = None

    def met(self, value: Number) -> bool:
        """On the target is met."""
        match self.operator:
            case "at_least":
                return value >= self.target
            case "at_most":
                return value <= self.target
        return value == self.target

    def text(self) -> str:
        """The aim in words: 不低于 75%."""
        percent = self.unit == "%"
        number = f"{self.target * 100 if percent else self.target:f}"
        number = number.rstrip("0").rstrip(".") if "." in number else number
        return f"{_SIGN[self.operator]} {number}{self.unit or ''}"


class Task(Part):
    """What is to be done in a year: the part of a task that is agreed on and signed, kept version by version.

    `aim` or `acceptance` says when it is reached, `assessment` how it is judged (考核标准). Of the links, which one is needed is said
    by the task's class. `start` and `due` are inclusive.
    """

    task_class: Code
    title: Line
    year: Annotated[int, Field(ge=2000, le=2200)]
    goal: Reference | None = None
    resolution: Line | None = None
    duty: Reference | None = None
    project: Code | None = None
    plan: Code | None = None
    finding: Reference | None = None
    weight: Annotated[Number, Field(gt=0)] | None = None
    aim: Aim | None = None
    acceptance: Words | None = None
    assessment: Words
    measures: Annotated[list[Words], Field(max_length=50)] = []
    expected_effect: Words | None = None
    start: Day
    due: Day

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.due < self.start:
            raise at("due", "a task ends after it starts")
        if self.aim is None and self.acceptance is None:
            raise at("aim", "a task has an aim or says what makes it accepted")
        return self


def kept_task(document: Mapping[str, Any]) -> Task:
    """The task of a document that was written by `document_of`."""
    return Task.model_validate(document, context=KEPT)


def document_of(task: Task) -> dict[str, Any]:
    """The task as it is kept: decimals, days and ids as text, what says nothing left out."""
    return task.model_dump(mode="json", exclude_defaults=True)


def missing_link(link: str, task: Task) -> list[Fault]:
    """What a class of tasks that asks for `link` misses in a task. Source: digest §5.1, scenario 2."""
    if link == "none" or getattr(task, link) is not None:
        return []
    return [Fault(pointer=f"/{link}", detail=f"a task of this class names {WORD[link]}")]


@dataclass(frozen=True, slots=True)
class People:
    """Who has a task: a unit, and in it a person with helpers."""

    unit: str | None = None
    owner: str | None = None
    helpers: tuple[str, ...] = ()


class TaskStatus(StrEnum):
    """Where a task stands; `closed` is the end. Source: digest, appendix A."""

    DRAFT = "draft"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    VERIFIED = "verified"
    CLOSED = "closed"


class TaskStep(StrEnum):
    """What people do with a task; `withdraw` takes it away from whom it was assigned to."""

    ASSIGN = "assign"
    ACCEPT = "accept"
    PROGRESS = "progress"
    SUBMIT = "submit"
    RETURN = "return"
    VERIFY = "verify"
    CLOSE = "close"
    WITHDRAW = "withdraw"


OWNERS_TURN = (TaskStatus.ASSIGNED, TaskStatus.ACCEPTED, TaskStatus.IN_PROGRESS, TaskStatus.RETURNED)
"""States in which whoever has the task has something to do: only these can be overdue."""
DONE = (TaskStatus.VERIFIED, TaskStatus.CLOSED)
_AFTER: Mapping[TaskStep, tuple[Iterable[TaskStatus], TaskStatus]] = {
    TaskStep.ASSIGN: ((TaskStatus.DRAFT,), TaskStatus.ASSIGNED),
    TaskStep.ACCEPT: ((TaskStatus.ASSIGNED,), TaskStatus.ACCEPTED),
    TaskStep.PROGRESS: ((TaskStatus.ACCEPTED, TaskStatus.IN_PROGRESS, TaskStatus.RETURNED), TaskStatus.IN_PROGRESS),
    TaskStep.SUBMIT: ((TaskStatus.ACCEPTED, TaskStatus.IN_PROGRESS, TaskStatus.RETURNED), TaskStatus.SUBMITTED),
    TaskStep.RETURN: ((TaskStatus.SUBMITTED,), TaskStatus.RETURNED),
    TaskStep.VERIFY: ((TaskStatus.SUBMITTED,), TaskStatus.VERIFIED),
    TaskStep.CLOSE: ((TaskStatus.VERIFIED,), TaskStatus.CLOSED),
    TaskStep.WITHDRAW: ((*OWNERS_TURN, TaskStatus.SUBMITTED), TaskStatus.DRAFT),
}


def next_status(status: TaskStatus, step: TaskStep) -> TaskStatus:
    """Return the status after a step. Raises Conflict where the step does not follow."""
    before, after = _AFTER[step]
    if status not in before:
        raise Conflict(f"the task is {status}: {step} needs it {' or '.join(before)}")
    return after


def days_left(due: date, today: date) -> int:
    """Days until the end of the due date: 0 on the day itself, negative afterwards."""
    return (due - today).days


class Milestone(Part):
    """A step of a project; `done_on` None: not reached yet."""

    name: Line
    due: Day
    done_on: Day | None = None


class Project(Part):
    """A project (建设项目): its level, who leads it, how long it lasts, its milestones, and its budget in yuan."""

    name: Line
    level: Annotated[str, Field(pattern="^(national|provincial|municipal|school|department)$")]
    unit: Id | None = None
    owner: Id | None = None
    period_from: Day
    period_to: Day
    milestones: Annotated[list[Milestone], Field(max_length=100)] = []
    budget: Annotated[Number, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.period_to < self.period_from:
            raise at("period_to", "the project ends before it begins")
        if any(not self.period_from <= each.due <= self.period_to for each in self.milestones):
            raise at("milestones", "milestones lie inside the project's period")
        if self.unit is None and self.owner is None:
            raise at("unit", "a unit or a person answers for a project")
        return self
