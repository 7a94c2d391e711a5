"""Request and response bodies of annual tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from libs.common.http import Body, Exact, View
from libs.common.reasons import at
from services.planning.domain.goals import Id, Line, Number, Words
from services.planning.domain.tasks import OWNERS_TURN, People, Task, TaskStatus, days_left, kept_task
from services.planning.schemas.improvements import Ids
from services.planning.tables import TaskRow, TaskStepRow, TaskVersionRow

Evidence = Annotated[list[Line], Field(max_length=50)]


class PeopleBody(Body):
    """Whom a task is for: a unit, whose head has it where no owner is named, or a person; and who helps."""

    unit: Id | None = None
    owner: Id | None = None
    helpers: Annotated[list[Id], Field(max_length=100)] = []

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.helpers)) < len(self.helpers) or self.owner in self.helpers:
            raise at("helpers", "a helper is named once and is not the owner")
        return self

    def people(self) -> People:
        return People(self.unit, self.owner, tuple(self.helpers))

    def changed(self) -> dict[str, Any]:
        """What is said of people; what is left out stays as it is."""
        said = {name: getattr(self, name) for name in self.model_fields_set}
        return {**said, "helpers": tuple(self.helpers)} if "helpers" in said else said


class TaskBody(PeopleBody):
    """A task, whom it is for, and the task that it is a part of."""

    task: Task
    parent: Annotated[UUID | None, Field(strict=False)] = None


class ChangeTaskBody(Body):
    """A task whole as it shall be; once it is assigned a change has a reason."""

    task: Task
    why: Words | None = None


class YearBody(Body):
    year: Annotated[int, Field(ge=2000, le=2200)]


class TaskIdsBody(Body):
    ids: Ids


class ProgressBody(Body):
    """How far a task is, 100 is done; evidence as text or as paths of files."""

    text: Words
    percent: Annotated[int, Field(ge=0, le=100)]
    evidence: Evidence = []


class SubmitTaskBody(Body):
    """What was done, and the number reached where the task has one to reach."""

    done: Words
    value: Number | None = None
    evidence: Evidence = []


class VerifyTaskBody(Body):
    """What the verifier finds; `met` left out: by the number submitted. `score` is of 100."""

    met: bool | None = None
    score: Annotated[Number, Field(ge=0, le=100)] | None = None
    comment: Words | None = None


class VerifyTasksBody(VerifyTaskBody):
    ids: Ids


class ReturnTaskBody(Body):
    reason: Words


class ReturnTasksBody(ReturnTaskBody):
    ids: Ids


class WithdrawBody(Body):
    """Why a task is taken away; without `confirm` the answer says what hangs on it, and nothing changes."""

    reason: Words
    confirm: bool = False


class TaskItem(View):
    """A task in a list. `overdue` and `days_left` (0 on the due date, negative after it; null once it is done) are as of today."""

    id: UUID
    parent: UUID | None
    task_class: str
    class_name: str | None
    year: int
    title: str
    goal: UUID | None
    unit: str | None
    unit_name: str | None
    owner: str | None
    owner_name: str | None
    helpers: list[str]
    weight: Exact | None
    version: int
    status: TaskStatus
    percent: int
    due: date
    overdue: bool
    days_left: int | None
    met: bool | None
    score: Exact | None


class TaskVersionView(View):
    version: int
    task: Task
    at: datetime
    by: str
    why: str | None


class TaskStepView(View):
    """One thing that happened; `by` None is the system."""

    step: str
    at: datetime
    by: str | None
    what: dict[str, Any]


class TaskView(TaskItem):
    """A task whole: what it asks, what was submitted, the tasks right below it that the caller may see, its versions and history."""

    task: Task
    value: Exact | None
    done: str | None
    created_by: str
    given_by: str | None
    submitted_by: str | None
    verified_by: str | None
    children: list[TaskItem]
    versions: list[TaskVersionView]
    history: list[TaskStepView]


class TasksChanged(View):
    items: list[TaskItem]


class GeneratedView(View):
    """The tasks that were made, and how many of the year were there before."""

    made: int
    there: int
    items: list[TaskItem]


@dataclass(frozen=True, slots=True)
class Names:
    """What ids are called, and the day that it is."""

    people: Mapping[str, str]
    units: Mapping[str, str]
    classes: Mapping[str, str]
    today: date


def task_item(row: TaskRow, names: Names) -> TaskItem:
    return TaskItem.model_validate(_shown(row, names))


def _shown(row: TaskRow, names: Names) -> dict[str, Any]:
    columns = {column.key: getattr(row, column.key) for column in TaskRow.__table__.columns}
    open_ = row.status in {*OWNERS_TURN, TaskStatus.DRAFT}
    return {
        **columns,
        "class_name": names.classes.get(row.task_class),
        "title": row.content["title"],
        "unit_name": names.units.get(row.unit or ""),
        "owner_name": names.people.get(row.owner or ""),
        "weight": _number(row.content.get("weight")),
        "score": _number(row.score),
        "value": _number(row.value),
        "overdue": row.status in OWNERS_TURN and row.due < names.today,
        "days_left": days_left(row.due, names.today) if open_ else None,
    }


def task_view(
    row: TaskRow,
    names: Names,
    children: Sequence[TaskRow],
    versions: Sequence[TaskVersionRow],
    history: Sequence[TaskStepRow],
) -> TaskView:
    said = [
        TaskVersionView(version=each.version, task=kept_task(each.content), at=each.at, by=each.by, why=each.why)
        for each in versions
    ]
    found = {"children": [task_item(each, names) for each in children], "versions": said, "history": list(history)}
    return TaskView.model_validate({**_shown(row, names), "task": kept_task(row.content), **found})


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
