"""Parts of a school's set-up that other services work by: `SetupChanged` carries them, strict as they were when somebody wrote them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from libs.common.reasons import at

Code = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class Part(BaseModel):
    """A part of a document: unknown fields refused, nothing bent into another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Named(Part):
    """What has a name of the school's own, and perhaps an English one."""

    name: Line
    name_en: Line | None = None


class Coded(Named):
    """What other parts refer to."""

    code: Code


class Span(Part):
    """A length of time."""

    value: Annotated[int, Field(ge=1, le=100)]
    unit: Literal["day", "week", "month", "term", "year", "academic_year"]


class Cycle(Part):
    """The periods after which a level is diagnosed, the shortest first, and the report that ends the longest."""

    level: Line
    periods: Annotated[list[Span], Field(min_length=1, max_length=10)]
    report: Code | None = None


Fact = Literal[
    "plan_published",
    "standard_active",
    "tasks_signed",
    "work_started",
    "measured",
    "warning_raised",
    "improvement_started",
    "improvement_verified",
    "period_ended",
    "diagnosis_written",
    "diagnosis_approved",
    "lesson_stored",
    "proposals_decided",
]
"""What happens to an object, and so completes a step of its spiral."""
AFTER_THE_PERIOD: frozenset[Fact] = frozenset({"diagnosis_written", "diagnosis_approved", "lesson_stored", "proposals_decided"})
OF_A_LOOP: frozenset[Fact] = frozenset({"measured", "warning_raised", "improvement_started", "improvement_verified"})


class SpiralStep(Named):
    """A step of a spiral, and the facts of which any one completes it."""

    by: Annotated[list[Fact], Field(min_length=1, max_length=13)]


class SpiralObject(Part):
    """What goes by a spiral: every object of a level; `cycle` is the level whose `cycles` say how long, None: the level's own."""

    level: Literal["school", "department", "programme", "course", "teacher", "homeroom", "student", "post"]
    cycle: Line | None = None


class Spiral(Coded):
    """A table of the steps that a cycle goes through (静态螺旋), and of those of each improvement inside it (动态螺旋).

    `inside` is the number, from 1, of the step in which the dynamic loop lies: where the whole is told, its steps follow that one.
    """

    objects: Annotated[list[SpiralObject], Field(min_length=1, max_length=8)]
    steps: Annotated[list[SpiralStep], Field(min_length=1, max_length=50)]
    dynamic: Annotated[list[SpiralStep], Field(max_length=50)] = []
    inside: Annotated[int, Field(ge=1, le=50)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.dynamic) != (self.inside is not None) or (self.inside or 0) > len(self.steps):
            raise at("dynamic", "a dynamic loop lies inside one of the steps: `inside` is its number")
        if any(not OF_A_LOOP.issuperset(step.by) for step in self.dynamic):
            raise ValueError(f"a step of the dynamic loop is completed by one of {', '.join(sorted(OF_A_LOOP))}")
        late = [AFTER_THE_PERIOD.issuperset(step.by) for step in self.steps]
        if late != sorted(late) or any(
            AFTER_THE_PERIOD & set(step.by) for step, after in zip(self.steps, late, strict=True) if not after
        ):
            raise ValueError("what happens while the period lasts comes before its diagnosis, in steps of their own")
        if not any("diagnosis_approved" in step.by for step in self.steps):
            raise ValueError("a cycle closes with its diagnosis only: a step is completed by `diagnosis_approved`")
        return self


class TaskClass(Coded):
    """A class of annual tasks, and what each of its tasks is linked to: `goal`, `resolution`, `duty`, `project`, `plan` or `finding`."""

    link: Literal["goal", "resolution", "duty", "project", "plan", "finding", "none"]


class YearlyTask(Part):
    """A task that each unit has every year, due on `due` (`MM-DD`); `duty`: the duty that it follows from, where its class needs one."""

    task_class: Code
    title: Line
    assessment: Line
    duty: Line | None = None
    due: Annotated[str, Field(pattern=r"^\d{2}-\d{2}$")] = "12-31"

    @model_validator(mode="after")
    def _of_every_year(self) -> Self:
        try:
            date.fromisoformat(f"2001-{self.due}")
        except ValueError as error:
            raise ValueError("due is a day of every year, written MM-DD") from error
        return self


class AgreementKind(Coded):
    """A letter of responsibility (责任状) that each unit signs by its head, or each holder of `post`, every year.

    `classes`: the tasks that it holds; `yearly`: those among them that every unit has; `clauses`: what else it says.
    """

    per: Literal["unit", "post"]
    post: Line | None = None
    classes: Annotated[list[Code], Field(max_length=50)] = []
    yearly: Annotated[list[YearlyTask], Field(max_length=50)] = []
    clauses: Annotated[list[Line], Field(max_length=100)] = []

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.per == "post") != (self.post is not None):
            raise at("post", "a letter per post names the post, one per unit names none")
        if self.per == "post" and (self.classes or self.yearly):
            raise at("classes", "tasks are those of units: a letter per post has clauses alone")
        return self


GoalField = Literal[
    "code",
    "statement",
    "indicator",
    "metric",
    "level",
    "window",
    "subject",
    "operator",
    "measure_unit",
    "baseline",
    "targets",
    "deliverable",
    "deliverable_level",
    "deliverable_number",
    "acceptance",
    "evidence",
    "owner",
    "owner_post",
    "unit",
    "helpers",
    "weight",
    "measures",
    "expected_effect",
    "deadline",
    "safeguard",
    "assessment",
    "standard",
    "system",
    "roll_up",
    "parents",
]
"""What of a goal may stand in a column."""


class BreakdownColumn(Named):
    """A column of the table in which a school breaks its goals down, and what of a goal stands in it."""

    field: GoalField


class Breakdown(Named):
    """The table in which a school breaks its goals down (目标任务分解表): its name, and its columns in their order.

    A row is known by the goal's code where that is a column, else by what the goal says.
    """

    columns: Annotated[list[BreakdownColumn], Field(min_length=1, max_length=30)]


StepPost = Literal[
    "course_leader",
    "programme_leader",
    "office_head",
    "department_quality_officer",
    "department_head",
    "level_group",
    "quality_office",
    "school_leader",
]
"""Posts that can do a step of a workflow: those over units, courses, levels and the school."""
Tags = Annotated[list[Code], Field(max_length=50)]


class Axis(Coded):
    """An axis of the school's frame (六系统, 五纵, 五横): what workflows, rules and work packages may be tagged with."""

    tags: Annotated[list[Coded], Field(min_length=1, max_length=50)]


class WorkflowStep(Named):
    """A step of a workflow: done by who holds `post` over what it is about (None: by who started it), within `days`.

    `document` is what has to be there once it is done. `file`: it is filed (备案), without a verdict, and nothing returns from there.
    """

    kind: Literal["work", "file"] = "work"
    post: StepPost | None = None
    document: Line | None = None
    days: Annotated[int, Field(ge=1, le=365)] | None = None


class Workflow(Coded):
    """The steps that something takes one after the other (流程)."""

    steps: Annotated[list[WorkflowStep], Field(min_length=1, max_length=50)]
    tags: Tags = []


class Register(Coded):
    """What units file without anybody approving it (备案); who holds `keeper` keeps it and is told."""

    keeper: StepPost = "quality_office"


class RuleSet(Part):
    """The rules (规章制度) that a level is to have."""

    level: Line
    names: Annotated[list[Line], Field(min_length=1, max_length=100)]


class Mechanism(Coded):
    """A mechanism of the guarantee chain (保障机制), and the units that lead it, as the documents call them."""

    leads: Annotated[list[Line], Field(max_length=100)] = []


class Belonging(Part):
    """What belongs as a whole to a vertical system, a tag of the framework: by code. A single goal or measure says it itself."""

    system: Code
    mechanisms: Annotated[list[Code], Field(max_length=100)] = []
    standards: Annotated[list[Line], Field(max_length=500)] = []
    metrics: Annotated[list[Line], Field(max_length=500)] = []


Words = Annotated[list[Named], Field(max_length=100)]


class EntryWords(Part):
    """The words that trainings, hazards, student aid and their like are written down by; where a list is empty, any word will do."""

    safety_categories: Words = []
    training_forms: Words = []
    training_topics: Words = []
    incident_classes: Words = []
    incident_grades: Words = []
    aid_kinds: Words = []
    culture: Words = []
    budget_items: Words = []
