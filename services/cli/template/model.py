"""What a template may say: strict, so that a slip of the pen is found before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from libs.common.errors import Fault
from services.gateway.domain.setup import Code, Coded, Line, Part, Period, Setup, Years, faults, twice

Issuer = Literal["national", "provincial", "municipal", "institutional"]
Months = Annotated[int, Field(ge=1, le=1200)]
MetricCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Prose = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]


class Family(Coded):
    """A family of standards: what they are about (`kind`), and every how many years they are revised (None: not stated).

    `review_path`: the posts that review them; where the documents do not say, as for every family of standards.
    """

    kind: Line
    revision_years: Years | None = None
    review_path: Annotated[list[Code], Field(min_length=1, max_length=10)] = ["quality_office", "school_leader"]
    owner: Line | None = None


class Clause(Part):
    code: Line
    text: Prose


class Limit(Part):
    """What a metric is held to."""

    metric: MetricCode
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

    by: Line
    every_months: Months | None = None
    evidence: Prose | None = None


class Document(Part):
    """The rule that meets an element."""

    rule: Line
    version: Line | None = None


class Element(Coded):
    """An element of a standard; `met_by` None: the documents do not say how it is met."""

    note: Prose | None = None
    clauses: Annotated[list[Clause], Field(max_length=200)] = []
    issuer: Issuer | None = None
    owner: Line | None = None
    met_by: Literal["measured", "judged", "document"] | None = None
    indicators: Annotated[list[MetricCode], Field(max_length=50)] = []
    criterion: Criterion | None = None
    judged: Judged | None = None
    document: Document | None = None
    floor: Floor | None = None


class Group(Coded):
    """Elements that belong together; none: the documents have lost them. `form_fields` are fields of a form, no elements."""

    elements: Annotated[list[Element], Field(max_length=500)] = []
    form_fields: Annotated[list[Coded], Field(max_length=100)] = []


class Rung(Coded):
    """A rung of a ladder, and the elements that it asks for."""

    elements: Annotated[list[Code], Field(max_length=500)] = []


class Ladder(Coded):
    """A ladder inside a standard, its lowest rung first."""

    level: Line
    cumulative: bool = False
    rungs: Annotated[list[Rung], Field(max_length=50)] = []


class Standard(Coded):
    """A standard with its groups and ladders. `effective_from` None: from the first day of the period."""

    family: Code
    note: Prose | None = None
    issuer: Issuer = "institutional"
    source_document: Line | None = None
    owner: Line | None = None
    level: Line | None = None
    effective_from: Day | None = None
    effective_to: Day | None = None
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


def template_faults(template: Template) -> list[Fault]:
    """What does not hang together in a template that is well-formed."""
    found = [Fault(pointer=f"/setup{fault['pointer']}", detail=fault["detail"]) for fault in faults(template.setup)]
    given = [said for said in ("template", "period") if getattr(template.setup, said) is not None]
    found += [Fault(pointer=f"/setup/{said}", detail="loading says it, not the template") for said in given]
    found += [*twice("/families", template.families), *twice("/standards", template.standards)]
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
    """What does not hang together in a standard; pointers begin with `where`."""
    yield from twice(f"{where}/groups", standard.groups)
    yield from twice(f"{where}/ladders", standard.ladders)
    seen: set[str] = set()
    for n, group in enumerate(standard.groups):
        for m, element in enumerate(group.elements):
            if element.code in seen:
                yield Fault(pointer=f"{where}/groups/{n}/elements/{m}/code", detail=f"the code {element.code!r} stands twice")
            seen.add(element.code)
    for n, ladder in enumerate(standard.ladders):
        yield from twice(f"{where}/ladders/{n}/rungs", ladder.rungs)
        for m, rung in enumerate(ladder.rungs):
            for missing in sorted({*rung.elements} - seen):
                yield Fault(pointer=f"{where}/ladders/{n}/rungs/{m}/elements", detail=f"no element {missing!r} is there")
