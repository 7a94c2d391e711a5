"""What a template may say: strict, so that a slip of the pen is found before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from libs.common.days import Day
from libs.common.errors import Fault
from libs.common.events.setup import Coded, Part
from services.cli.template.plans import OwnPlan, plan_faults
from services.gateway.domain.setup import Period, Setup, Years, faults, twice
from services.monitoring.templates import TEMPLATE
from services.standards.domain.content import Content, Said
from services.standards.domain.values import Code, Line, Post


class Family(Part):
    """A family of standards: what they are about (`kind`), and every how many years they are revised (None: not stated).

    `review_path`: the posts that review them; where the documents do not say, as for every family of standards.
    """

    code: Code
    name: Line
    name_en: Line | None = None
    kind: Line
    revision_years: Years | None = None
    remind_days: Annotated[int, Field(ge=0, le=3660)] = 90
    review_path: Annotated[list[Post], Field(min_length=1, max_length=10)] = ["quality_office", "school_leader"]
    owner: Line | None = None


class Standard(Said):
    """A standard as standards takes it. `effective_from` None: from the first day of the period."""

    code: Code
    family: Code
    effective_from: Day | None = None
    effective_to: Day | None = None


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
    said = {name: getattr(standard, name) for name in Content.model_fields}
    content = Content(**{**said, "effective_from": standard.effective_from or date.min})
    for fault in content.faults():
        yield Fault(pointer=where + fault["pointer"], detail=fault["detail"])
