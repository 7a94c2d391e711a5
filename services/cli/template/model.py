"""What a template may say: strict, so that a slip of the pen is found before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from libs.common.errors import Fault
from libs.common.events.setup import Coded, Part
from libs.common.reasons import reason_of, where_of
from services.cli.template.plans import OwnPlan, plan_faults
from services.gateway.domain.setup import Period, Setup, Years, faults, twice
from services.monitoring.templates import TEMPLATE
from services.standards.domain.content import Content, Issuer, Months
from services.standards.domain.values import Code, Line, Post, Prose

Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
SOME_DAY = "0001-01-01"


class Said(Coded):
    """A part of a standard: code and words as standards takes them, capital letters in a code too, which a set-up has none of."""

    name: Line
    name_en: Line | None = None
    code: Code


class Family(Said):
    """A family of standards: what they are about (`kind`), and every how many years they are revised (None: not stated).

    `review_path`: the posts that review them; where the documents do not say, as for every family of standards.
    """

    kind: Line
    revision_years: Years | None = None
    review_path: Annotated[list[Post], Field(min_length=1, max_length=10)] = ["quality_office", "school_leader"]
    owner: Line | None = None


class Clause(Part):
    code: Line
    text: Prose


class Limit(Part):
    """What a metric is held to."""

    metric: Code
    comparison: Literal["at_least", "at_most"]
    value: float | int


class Criterion(Limit):
    """What makes an element met: the metric's latest window with data."""

    window: Literal["day", "week", "month", "term", "year"] = "year"
    min_denominator: float | int | None = None
    valid_months: Months | None = None


class Floor(Limit):
    """The bottom line (底线), and the clause that a refusal names."""

    clause: Line


class Judged(Part):
    """Who judges an element, and after how many months again."""

    by: Post
    every_months: Months | None = None
    evidence: Prose | None = None


class Document(Part):
    """The rule that meets an element."""

    rule: Line
    version: Line | None = None


class Element(Said):
    """An element of a standard; `met_by` None: the documents do not say how it is met."""

    note: Prose | None = None
    clauses: Annotated[list[Clause], Field(max_length=200)] = []
    issuer: Issuer | None = None
    owner: Line | None = None
    met_by: Literal["measured", "judged", "document"] | None = None
    indicators: Annotated[list[Code], Field(max_length=50)] = []
    criterion: Criterion | None = None
    judged: Judged | None = None
    document: Document | None = None
    floor: Floor | None = None


class FormField(Said):
    """A field of a form, and what it says (None: the form is empty)."""

    text: Prose | None = None


class Position(Part):
    """The post that a filled form describes; `unit` None: of each unit."""

    post: Post
    unit: Line | None = None


class Group(Said):
    """Elements that belong together; none: the documents have lost them. `form_fields` are fields of a form, no elements."""

    elements: Annotated[list[Element], Field(max_length=500)] = []
    form_fields: Annotated[list[FormField], Field(max_length=100)] = []


class Rung(Said):
    """A rung of a ladder, and the elements that it asks for."""

    elements: Annotated[list[Code], Field(max_length=500)] = []


class Ladder(Said):
    """A ladder inside a standard, its lowest rung first."""

    level: Line
    cumulative: bool = False
    rungs: Annotated[list[Rung], Field(max_length=50)] = []


class Standard(Said):
    """A standard with its groups and ladders. `effective_from` None: from the first day of the period."""

    family: Code
    note: Prose | None = None
    issuer: Issuer = "institutional"
    source_document: Line | None = None
    owner: Line | None = None
    level: Line | None = None
    effective_from: Day | None = None
    effective_to: Day | None = None
    position: Position | None = None
    trial: bool = False
    groups: Annotated[list[Group], Field(max_length=200)] = []
    ladders: Annotated[list[Ladder], Field(max_length=50)] = []

    @property
    def elements(self) -> list[Element]:
        return [element for group in self.groups for element in group.elements]


class Template(Coded):
    """The whole of a school's documents. In names `{period}` is the period that the school plans for, as people write it."""

    format: Literal[1]
    period: Period
    setup: Setup
    families: Annotated[list[Family], Field(max_length=100)] = []
    standards: Annotated[list[Standard], Field(max_length=1000)] = []
    plans: Annotated[list[OwnPlan], Field(max_length=5000)] = []


def template_faults(template: Template) -> list[Fault]:
    """What does not hang together in a template that is well-formed."""
    loaded = template.setup.model_copy(update={"period": template.period})
    found = [Fault(pointer=f"/setup{fault['pointer']}", detail=fault["detail"]) for fault in faults(loaded)]
    given = [said for said in ("template", "period") if getattr(template.setup, said) is not None]
    found += [Fault(pointer=f"/setup/{said}", detail="loading says it, not the template") for said in given]
    found += [*twice("/families", template.families), *twice("/standards", template.standards)]
    known = {code for metric in TEMPLATE for code in (metric.code, metric.alias)}
    for n, metric in enumerate(template.setup.metrics):
        if metric not in known:
            found.append(Fault(pointer=f"/setup/metrics/{n}", detail=f"the catalogue has no metric {metric!r}"))
    found += plan_faults(template.plans, [kind.code for kind in template.setup.plan_kinds if kind.per is None])
    families = {family.code for family in template.families}
    for n, standard in enumerate(template.standards):
        if standard.family not in families:
            found.append(Fault(pointer=f"/standards/{n}/family", detail=f"no family {standard.family!r} is there"))
        found += standard_faults(f"/standards/{n}", standard)
    standards = {standard.code for standard in template.standards}
    for n, ladder in enumerate(template.setup.ladders):
        for m, rung in enumerate(ladder.rungs):
            for missing in sorted({*rung.standards} - standards):
                pointer = f"/setup/ladders/{n}/rungs/{m}/standards"
                found.append(Fault(pointer=pointer, detail=f"no standard {missing!r} is there"))
    return found


def standard_faults(where: str, standard: Standard) -> Iterator[Fault]:
    """What standards would refuse in a standard, but for what depends on the school; pointers begin with `where`."""
    said = standard.model_dump(mode="json", exclude_defaults=True, exclude={"code", "family"})
    try:
        content = Content.kept({"effective_from": SOME_DAY, **said})
    except ValidationError as error:
        for found in error.errors(include_url=False, include_input=False):
            yield Fault(pointer="/".join((where, *map(str, where_of(found)))), detail=reason_of(found))
    else:
        for fault in content.faults():
            yield Fault(pointer=where + fault["pointer"], detail=fault["detail"])
