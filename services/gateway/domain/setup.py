"""How a school is set up: what its documents name and nothing is measured by. Kept whole, for whoever needs it.

Bodies and roles, kinds of reports and of plans: all of it is the school's own data. No code knows a name in it. The parts that other
services work by are in the shared language, `libs/common/events/setup.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Literal, Protocol, Self

from pydantic import Field, model_validator

from libs.common.errors import Fault
from libs.common.events.routines import Routine, routine_faults
from libs.common.events.setup import (
    AgreementKind,
    Axis,
    Belonging,
    Breakdown,
    Code,
    Coded,
    Cycle,
    EntryWords,
    Line,
    Mechanism,
    Named,
    Part,
    Register,
    RuleSet,
    Spiral,
    TaskClass,
    Workflow,
)
from libs.common.reasons import at

StandardCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""As standards takes it, with capital letters."""
Years = Annotated[int, Field(ge=1, le=100)]


class Period(Part):
    """Years, both inclusive, that a school plans for."""

    first: Annotated[int, Field(ge=1950, le=2200)]
    last: Annotated[int, Field(ge=1950, le=2200)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise at("last", "the period ends before it begins")
        return self


class Organ(Coded):
    """A body (机构) of the school's quality assurance; `several`: one in each unit. `level`: what it answers for, if not for all."""

    parent: Code | None = None
    level: Line | None = None
    several: bool = False


class Department(Named):
    """A department that the documents name; `body`: the one that it is."""

    aliases: Annotated[list[Line], Field(max_length=20)] = []
    body: Code | None = None
    several: bool = False


class PlanKind(Coded):
    """A plan that the documents ask for of each unit, programme, course or person (`per`), or once (None).

    `years`: how long it lasts, None: the documents do not say. Below one of `parents`: of several, the school chooses.
    """

    kind: Line
    level: Line
    lead: Line | None = None
    parents: Annotated[list[Code], Field(max_length=50)] = []
    per: Line | None = None
    years: Years | None = None
    every_term: bool = False


class ReportKind(Coded):
    """A report that the documents ask for. `public`: `yes`, `no`, or `on_review`, once somebody has looked at it."""

    level: Line
    frequency: Line
    public: Literal["yes", "no", "on_review"] = "no"
    contents: Annotated[list[Line], Field(max_length=50)] = []


class Step(Named):
    """A rung of a ladder whose rungs are whole standards."""

    standards: Annotated[list[StandardCode], Field(max_length=50)] = []


class Ladder(Coded):
    """A ladder across standards; one inside a standard stands there."""

    cumulative: bool = False
    rungs: Annotated[list[Step], Field(max_length=50)] = []


class Setup(Part):
    """The whole set-up. `template`: what it was loaded from; `metrics`: codes of the catalogue that the documents need."""

    template: Code | None = None
    period: Period | None = None
    bodies: Annotated[list[Organ], Field(max_length=500)] = []
    departments: Annotated[list[Department], Field(max_length=500)] = []
    roles: Annotated[list[Named], Field(max_length=500)] = []
    plan_kinds: Annotated[list[PlanKind], Field(max_length=1000)] = []
    ladders: Annotated[list[Ladder], Field(max_length=100)] = []
    cycles: Annotated[list[Cycle], Field(max_length=100)] = []
    spirals: Annotated[list[Spiral], Field(max_length=20)] = []
    reports: Annotated[list[ReportKind], Field(max_length=500)] = []
    routines: Annotated[list[Routine], Field(max_length=300)] = []
    task_classes: Annotated[list[TaskClass], Field(max_length=50)] = []
    agreements: Annotated[list[AgreementKind], Field(max_length=50)] = []
    metrics: Annotated[list[Line], Field(max_length=1000)] = []
    breakdown: Breakdown | None = None
    framework: Annotated[list[Axis], Field(max_length=20)] = []
    workflows: Annotated[list[Workflow], Field(max_length=200)] = []
    registers: Annotated[list[Register], Field(max_length=50)] = []
    rule_sets: Annotated[list[RuleSet], Field(max_length=20)] = []
    guarantees: Annotated[list[Mechanism], Field(max_length=100)] = []
    belongings: Annotated[list[Belonging], Field(max_length=100)] = []
    entry_words: EntryWords = EntryWords()


def faults(setup: Setup) -> list[Fault]:
    """What does not hang together: a code that stands twice, a parent or a report that is not there, bodies or plans in a circle."""
    found = [
        *twice("/bodies", setup.bodies),
        *twice("/plan_kinds", setup.plan_kinds),
        *twice("/ladders", setup.ladders),
        *twice("/reports", setup.reports),
        *twice("/spirals", setup.spirals),
        *_without_length(setup),
        *twice("/guarantees", setup.guarantees),
        *_belonging_faults(setup),
        *twice("/task_classes", setup.task_classes),
        *twice("/agreements", setup.agreements),
    ]
    found += circles("/bodies", "parent", [(body.code, [body.parent] if body.parent else []) for body in setup.bodies])
    found += circles("/plan_kinds", "parents", [(plan.code, plan.parents) for plan in setup.plan_kinds])
    bodies = {body.code for body in setup.bodies}
    reports = {report.code for report in setup.reports}
    for n, cycle in enumerate(setup.cycles):
        if cycle.report is not None and cycle.report not in reports:
            found.append(Fault(pointer=f"/cycles/{n}/report", detail=f"no report {cycle.report!r} is there"))
    for n, department in enumerate(setup.departments):
        if department.body is not None and department.body not in bodies:
            found.append(Fault(pointer=f"/departments/{n}/body", detail=f"no body {department.body!r} is there"))
    levels = {cycle.level for cycle in setup.cycles}
    found += routine_faults("/routines", setup.routines, period=setup.period is not None, levels=levels)
    return [*found, *_breakdown_faults(setup.breakdown), *_process_faults(setup), *_agreement_faults(setup)]


def _process_faults(setup: Setup) -> Iterator[Fault]:
    """Workflows and registers have codes of their own; a tag stands on one axis, and a workflow names tags that are there."""
    yield from twice("/workflows", setup.workflows)
    yield from twice("/registers", setup.registers)
    yield from twice("/framework", setup.framework)
    tags: set[str] = set()
    for n, axis in enumerate(setup.framework):
        for m, tag in enumerate(axis.tags):
            if tag.code in tags:
                yield Fault(pointer=f"/framework/{n}/tags/{m}/code", detail=f"the code {tag.code!r} stands twice")
            tags.add(tag.code)
    for n, workflow in enumerate(setup.workflows):
        for m, name in enumerate(workflow.tags):
            if name not in tags:
                yield Fault(pointer=f"/workflows/{n}/tags/{m}", detail=f"no tag {name!r} is there")
    levels = [each.level for each in setup.rule_sets]
    for n, level in enumerate(levels):
        if level in levels[:n]:
            yield Fault(pointer=f"/rule_sets/{n}/level", detail=f"{level!r} stands twice")


def _agreement_faults(setup: Setup) -> Iterator[Fault]:
    """Classes of tasks that agreements name and nobody has, and yearly tasks of a class outside their agreement or without the duty it asks for."""
    links = {each.code: each.link for each in setup.task_classes}
    for n, agreement in enumerate(setup.agreements):
        for m, code in enumerate(agreement.classes):
            if code not in links:
                yield Fault(pointer=f"/agreements/{n}/classes/{m}", detail=f"no class of tasks {code!r} is there")
        for m, task in enumerate(agreement.yearly):
            where = f"/agreements/{n}/yearly/{m}"
            if task.task_class not in agreement.classes:
                yield Fault(pointer=f"{where}/task_class", detail="the agreement does not hold tasks of this class")
            elif links.get(task.task_class, "none") not in {"none", "duty"}:
                yield Fault(
                    pointer=f"{where}/task_class", detail="a task of every unit is of a class that needs a duty, or no link"
                )
            elif links.get(task.task_class) == "duty" and task.duty is None:
                yield Fault(pointer=f"{where}/duty", detail="its class needs a duty")


def _breakdown_faults(table: Breakdown | None) -> Iterator[Fault]:
    """A table says each thing once under titles of their own, and what tells its rows apart is a column."""
    if table is None:
        return
    for said in ("name", "field"):
        values = [getattr(column, said) for column in table.columns]
        for n, value in enumerate(values):
            if value in values[:n]:
                yield Fault(pointer=f"/breakdown/columns/{n}/{said}", detail=f"{value!r} stands twice")
    if not {"code", "statement"} & {column.field for column in table.columns}:
        yield Fault(pointer="/breakdown/columns", detail="a column is what tells the rows apart: code or statement")


def _without_length(setup: Setup) -> Iterator[Fault]:
    """Objects that two spirals name, or whose cycles have no length."""
    lengths = {cycle.level for cycle in setup.cycles}
    seen: set[str] = set()
    for n, spiral in enumerate(setup.spirals):
        for m, each in enumerate(spiral.objects):
            where = f"/spirals/{n}/objects/{m}"
            if each.level in seen:
                yield Fault(pointer=f"{where}/level", detail=f"{each.level!r} goes by a spiral already")
            if (each.cycle or each.level) not in lengths:
                yield Fault(
                    pointer=where, detail=f"no cycle of level {each.cycle or each.level!r} is there: nothing says how long it is"
                )
            seen.add(each.level)


def _belonging_faults(setup: Setup) -> Iterator[Fault]:
    """Systems and mechanisms that are not there, and what belongs to two systems of one axis."""
    axes = {tag.code: axis.code for axis in setup.framework for tag in axis.tags}
    mechanisms = {each.code for each in setup.guarantees}
    seen: set[tuple[str | None, str, str]] = set()
    for n, each in enumerate(setup.belongings):
        if each.system not in axes:
            yield Fault(pointer=f"/belongings/{n}/system", detail=f"no tag {each.system!r} stands in /framework")
        for field in ("mechanisms", "standards", "metrics"):
            for m, code in enumerate(getattr(each, field)):
                pointer = f"/belongings/{n}/{field}/{m}"
                if field == "mechanisms" and code not in mechanisms:
                    yield Fault(pointer=pointer, detail=f"no mechanism {code!r} stands in /guarantees")
                if (axes.get(each.system), field, code) in seen:
                    yield Fault(pointer=pointer, detail=f"{code!r} belongs to two systems")
                seen.add((axes.get(each.system), field, code))


class _HasCode(Protocol):
    @property
    def code(self) -> str: ...


def twice(where: str, items: Sequence[_HasCode]) -> Iterator[Fault]:
    """Codes that stand a second time."""
    seen: set[str] = set()
    for n, item in enumerate(items):
        if item.code in seen:
            yield Fault(pointer=f"{where}/{n}/code", detail=f"the code {item.code!r} stands twice")
        seen.add(item.code)


def circles(where: str, field: str, items: Sequence[tuple[str, Sequence[str]]]) -> Iterator[Fault]:
    """Parents (each item's second part, its `field`) that are not there, and those that lie below their own child."""
    parents = dict(items)
    for n, (code, above) in enumerate(items):
        for parent in above:
            if parent not in parents:
                yield Fault(pointer=f"{where}/{n}/{field}", detail=f"no {parent!r} stands in {where}")
        if code in _above(code, parents):
            yield Fault(pointer=f"{where}/{n}/{field}", detail=f"{code!r} lies below itself")


def _above(code: str, parents: Mapping[str, Iterable[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(parents.get(code, ()))
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            waiting += parents.get(each, ())
    return seen
