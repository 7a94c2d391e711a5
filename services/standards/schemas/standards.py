"""Request and response bodies of families, standards, judgements and ladders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, WithJsonSchema

from libs.common.days import Day
from libs.common.events.origin import Origin
from libs.common.http import Body, View
from services.standards.domain.attainment import Ask, Finding, Judgement, Known, LadderResult, RungResult, Sum, Verdict, Why
from services.standards.domain.content import Content, Ladder, Rater
from services.standards.domain.difference import Differences, difference
from services.standards.domain.states import State
from services.standards.domain.values import Code, Id, Level, Line, Post, Prose, Shown
from services.standards.queries.standards import InForce, read
from services.standards.tables import FamilyRow, JudgementRow, StandardRow, StandardVersionRow, StepRow

REMIND_DAYS = 90
DEFAULT_PATH = ("quality_office", "school_leader")
Anything = Annotated[Any, WithJsonSchema({"description": "What the field says in that version."})]


class FamilyIn(Body):
    """A family of standards. `revision_years` null: no document states how often it is revised.

    The quality office is told `remind_days` before a revision is due.
    """

    name: Annotated[Line, Field(examples=["教师标准"])]
    name_en: Line | None = None
    kind: Annotated[Line, Field(description="management, programme, course, teacher, student, or a word of the school's own.")]
    revision_years: Annotated[int | None, Field(ge=1, le=100)] = None
    remind_days: Annotated[int, Field(ge=0, le=3660)] = REMIND_DAYS
    review_path: Annotated[list[Post], Field(min_length=1, max_length=10)] = list(DEFAULT_PATH)
    owner: Line | None = None


class FamilyView(View):
    code: str
    name: str
    name_en: str | None
    kind: str
    revision_years: int | None
    remind_days: int
    review_path: list[str]
    owner: str | None
    changed_at: datetime
    changed_by: str

    @classmethod
    def of(cls, row: FamilyRow) -> FamilyView:
        return cls.model_validate(row)


class DueView(View):
    """A standard in force that its family's cycle calls to be revised; `in_work`: a newer version is being written."""

    standard: str
    name: str
    family: str
    revision_years: int
    version: int
    effective_from: date
    due_on: date
    in_work: bool


class StandardIn(Content):
    """The draft of a standard: its code, its family, and what it says."""

    code: Annotated[Code, Field(examples=["HB-ST-TCH"])]
    family: Annotated[Code, Field(examples=["teacher"])]
    origin: Annotated[
        Origin | None, Field(description="Why there is a further version; without it that is an exception, and listed as such.")
    ] = None

    def content(self) -> Content:
        """Return what it says, without code and family."""
        return Content.model_construct(**{name: getattr(self, name) for name in Content.model_fields})


class CommentIn(Body):
    """Words that go with a step."""

    comment: Prose | None = None


class ReasonIn(Body):
    reason: Prose


class StepView(View):
    step: str
    at: datetime
    by: str | None
    post: str | None
    text: str | None


class StandardItem(View):
    """A version of a standard without its content; `next_posts` are those that have yet to review it, in order.

    Of its `elements` so many are `undetermined` (未定): they do not say how they are met, so nobody is found to meet them, or not to.
    """

    code: str
    family: str
    version: int
    state: State
    newest_version: int
    active_version: int | None
    name: str
    name_en: str | None
    trial: bool
    elements: int
    undetermined: int
    effective_from: date
    effective_to: date | None
    authors: list[str]
    review_path: list[str]
    next_posts: list[str]
    created_at: datetime
    activated_at: datetime | None
    retired_at: datetime | None
    retired_because: str | None


class StandardView(StandardItem):
    """A version of a standard: what it says, why there is it, and what happened to it."""

    origin: dict[str, Any]
    content: Content
    steps: list[StepView]


def item(row: StandardVersionRow, standard: StandardRow) -> StandardItem:
    """Show a version without its content."""
    return StandardItem(**_said(row, standard))


def whole(row: StandardVersionRow, standard: StandardRow, steps: Sequence[StepRow]) -> StandardView:
    """Show all of a version."""
    return StandardView(
        **_said(row, standard), content=read(row), origin=row.origin, steps=[StepView.model_validate(each) for each in steps]
    )


def _said(row: StandardVersionRow, standard: StandardRow) -> dict[str, Any]:
    own = ("code", "version", "effective_from", "effective_to", "authors", "review_path")
    elements = [element for group in row.content["groups"] for element in group["elements"]]
    dated = ("created_at", "activated_at", "retired_at", "retired_because")
    return {
        **{name: getattr(row, name) for name in (*own, *dated)},
        **{name: row.content[name] for name in ("name", "name_en", "trial")},
        "elements": len(elements),
        "undetermined": sum(element["met_by"] is None for element in elements),
        "family": standard.family,
        "state": State(row.state),
        "newest_version": standard.newest,
        "active_version": standard.active,
        "next_posts": row.review_path[row.approvals :] if row.state == State.IN_REVIEW else [],
    }


class ChangedField(View):
    name: str
    old: Anything
    new: Anything


class ChangedPart(View):
    code: str
    fields: list[ChangedField]


class PartsView(View):
    """What only the second version has, what only the first has, and what is in both and not the same."""

    added: list[dict[str, Anything]]
    removed: list[dict[str, Anything]]
    changed: list[ChangedPart]

    @classmethod
    def of(cls, found: Differences) -> PartsView:
        return cls.model_validate(found)


class DifferenceView(View):
    """Two versions side by side: `old` is what the first says, `new` what the second says."""

    code: str
    old_version: int
    new_version: int
    fields: list[ChangedField]
    groups: PartsView
    elements: PartsView
    ladders: PartsView


def differing(old: StandardVersionRow, new: StandardVersionRow) -> DifferenceView:
    """Show two versions of a standard side by side."""
    fields, parts = difference(read(old), read(new))
    return DifferenceView(
        code=old.code,
        old_version=old.version,
        new_version=new.version,
        fields=[ChangedField.model_validate(each) for each in fields],
        **{name: PartsView.of(found) for name, found in parts.items()},
    )


class JudgementIn(Body):
    """Whether a subject meets an element, and what that rests on. `valid_until` is the last day on which it holds."""

    standard: Code
    element: Code
    level: Level
    subject: Id
    met: bool
    evidence: Prose
    valid_until: Day | None = None
    post: Annotated[Post | None, Field(description="By which post, where the caller holds several that judge.")] = None


class JudgementView(View):
    id: UUID
    standard: str
    version: int
    element: str
    level: str
    subject: str
    met: bool
    evidence: str
    judged_at: datetime
    judged_on: date
    valid_until: date | None
    judged_by: str
    post: str

    @classmethod
    def of(cls, row: JudgementRow) -> JudgementView:
        return cls.model_validate(row)


class MeasuredView(View):
    """What a metric came to in the window that decides, and the lowest and highest value that it may have."""

    metric: str
    window: str
    start: date
    value: Shown
    low: Shown | None
    high: Shown | None

    @classmethod
    def of(cls, ask: Ask, found: Sum) -> MeasuredView:
        return cls(metric=ask.metric, window=ask.window, start=found.start, value=found.value, low=ask.low, high=ask.high)


class RaterView(View):
    """A side that judges, what it weighs, and what it said last; `met` null: it has not judged yet."""

    by: str
    weight: Shown | None
    met: bool | None
    judgement: UUID | None
    valid_until: date | None

    @classmethod
    def of(cls, rater: Rater, found: Judgement | None) -> RaterView:
        said = {"by": rater.by, "weight": rater.weight}
        if found is None:
            return cls(**said, met=None, judgement=None, valid_until=None)
        return cls(**said, met=found.met, judgement=UUID(found.id), valid_until=found.valid_until)


class FindingView(View):
    """Whether an element is met; `why` says why it is undetermined (未认定), which is never the same as not met.

    `raters`: of several sides that judge it, each.
    """

    element: str
    name: str
    met_by: str | None
    verdict: Verdict
    why: Why | None
    measured: list[MeasuredView]
    judgement: UUID | None
    valid_until: date | None
    raters: list[RaterView]

    @classmethod
    def of(cls, found: Finding) -> FindingView:
        judgement = found.judgement
        return cls(
            element=found.element.code,
            name=found.element.name,
            met_by=found.element.met_by,
            verdict=found.verdict,
            why=found.why,
            measured=[MeasuredView.of(ask, each) for ask, each in found.values],
            judgement=UUID(judgement.id) if judgement else None,
            valid_until=judgement.valid_until if judgement else None,
            raters=[RaterView.of(*each) for each in found.raters],
        )


class AttainmentView(View):
    """Each element of a standard in force, for one subject."""

    standard: str
    version: int
    level: str
    subject: str
    elements: list[FindingView]


class RungView(View):
    """How far a subject is on a rung; `share` is met of required, null where the rung asks for nothing (a placeholder)."""

    code: str
    name: str
    required: int
    met: list[FindingView]
    missing: list[FindingView]
    undetermined: list[FindingView]
    share: Shown | None
    attained: bool

    @classmethod
    def of(cls, found: RungResult) -> RungView:
        parts = {name: [FindingView.of(each) for each in getattr(found, name)] for name in ("met", "missing", "undetermined")}
        rung = found.rung
        return cls(code=rung.code, name=rung.name, required=found.required, share=found.share, attained=found.attained, **parts)


class GapView(View):
    """What is lacking for the rung above the highest one attained."""

    rung: str
    name: str
    missing: list[str]
    undetermined: list[str]


class LadderView(View):
    """Where a subject stands on a ladder: each rung by itself, the highest attained, and the gap to the next."""

    standard: str
    version: int
    ladder: str
    name: str
    level: str
    subject: str
    cumulative: bool
    rungs: list[RungView]
    highest: str | None
    next: GapView | None


def on_ladder(standard: InForce, ladder: Ladder, known: Known, subject: str, found: LadderResult) -> LadderView:
    """Show where a subject stands."""
    above = found.next
    return LadderView(
        standard=standard.code,
        version=standard.version,
        ladder=ladder.code,
        name=ladder.name,
        level=known.level,
        subject=subject,
        cumulative=ladder.cumulative,
        rungs=[RungView.of(each) for each in found.rungs],
        highest=found.highest.rung.code if found.highest else None,
        next=above
        and GapView(
            rung=above.rung.code,
            name=above.rung.name,
            missing=[each.element.name for each in above.missing],
            undetermined=[each.element.name for each in above.undetermined],
        ),
    )
