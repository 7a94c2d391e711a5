"""Request and response bodies of cycles and proposals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from libs.common.events.setup import Spiral
from libs.common.http import Body, View
from libs.common.reasons import at
from services.planning.domain.goals import Words
from services.planning.domain.proposals import Change, Decision, ProposalStatus
from services.planning.domain.spiral import behind, trail, waits_for
from services.planning.domain.states import Status
from services.planning.tables import CycleRow, ImprovementRow, PlanRow, ProposalRow


class DiagnosisBody(Body):
    """What a diagnosis found, and what it proposes to change."""

    findings: Words
    proposals: Annotated[list[Change], Field(max_length=100)] = []


class LessonBody(Body):
    """What was learnt, or why there is nothing to keep: exactly one of both."""

    lesson: Words | None = None
    none_because: Words | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.lesson is None) == (self.none_because is None):
            raise at("lesson", "either a lesson, or why there is none")
        return self


class DecideBody(Body):
    """What becomes of a proposal, and why."""

    decision: Decision
    reason: Words


class StepView(View):
    """A step of a cycle. `state` is `done`, `missed` (the period ended without it), `not_asked`, `now` or `later`; `on` the day since when."""

    name: str
    name_en: str | None
    state: str
    on: date | None


class LoopView(View):
    """An improvement as a dynamic loop: the step that it stands at, None where its steps are behind it or it is closed."""

    improvement: UUID
    title: str
    status: Status
    step: str | None
    waits_for: str | None


class CycleItem(View):
    """A cycle in a list: `open` while its period lasts, `ended`, or `closed` with its diagnosis.

    `step` is the step it stands at and `waits_for` what completes it, in words; `loops` how many improvements are under way in it, and
    `open_loops` how many of them are not closed.
    """

    id: UUID
    level: str
    subject: str
    name: str | None
    length: str
    starts_on: date
    ends_on: date
    spiral: str
    status: str
    step: str | None
    waits_for: str | None
    loops: int
    open_loops: int
    asks_lesson: bool
    opened_at: datetime
    closed_at: datetime | None


class CycleView(CycleItem):
    """A cycle whole; its newest dynamic loops. `baseline` and `result` are the figures of its goals when it began and when it closed."""

    steps: list[StepView]
    dynamic: list[LoopView]
    findings: str | None
    diagnosed_by: str | None
    diagnosed_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    lesson: str | None
    lesson_reason: str | None
    lesson_by: str | None
    baseline: list[dict[str, Any]] | None
    result: list[dict[str, Any]] | None


class ProposalView(View):
    """A change that waits for a diagnosis, or what became of it; `place` is the object in whose diagnosis it is decided."""

    id: UUID
    kind: str
    of: str
    old: Annotated[str | None, Field(serialization_alias="from")]
    new: Annotated[str, Field(serialization_alias="to")]
    why: str
    place: str
    improvement: UUID | None
    task: UUID | None
    cycle: UUID | None
    by: str
    at: datetime
    status: ProposalStatus
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


class ExceptionView(View):
    """A version whose origin is an exception; `confirmed_by` the second person, None while nobody has approved it."""

    plan: str
    version: int
    status: str
    reason: str
    by: str
    at: datetime
    confirmed_by: str | None


def exception_view(row: PlanRow) -> ExceptionView:
    said = {"plan": row.code, "version": row.version, "status": row.status, "reason": row.origin["reason"]}
    return ExceptionView.model_validate({**said, "by": row.created_by, "at": row.created_at, "confirmed_by": row.approved_by})


def proposal_view(row: ProposalRow) -> ProposalView:
    return ProposalView.model_validate(row)


def cycle_item(row: CycleRow, spiral: Spiral | None, loops: tuple[int, int]) -> CycleItem:
    return CycleItem.model_validate(_item(row, spiral, loops))


def cycle_view(row: CycleRow, spiral: Spiral | None, loops: tuple[int, int], improvements: Sequence[ImprovementRow]) -> CycleView:
    columns = {column.key: getattr(row, column.key) for column in CycleRow.__table__.columns}
    dynamic = [_loop(each, spiral) for each in improvements]
    return CycleView.model_validate({**columns, **_item(row, spiral, loops), "steps": _steps(row, spiral), "dynamic": dynamic})


def _facts(row: CycleRow) -> list[tuple[Any, str]]:
    return [(fact, day) for fact, day in row.facts]


def _item(row: CycleRow, spiral: Spiral | None, loops: tuple[int, int]) -> dict[str, Any]:
    columns = {column.key: getattr(row, column.key) for column in CycleRow.__table__.columns}
    steps = spiral.steps if spiral else []
    at = len(trail(spiral, _facts(row))) if spiral else 0
    now = steps[at].name if at < len(steps) else None
    return {**columns, "step": now, "waits_for": waits_for(steps, at), "loops": loops[0], "open_loops": loops[1]}


def _steps(row: CycleRow, spiral: Spiral | None) -> list[dict[str, Any]]:
    if spiral is None:
        return []
    passed, found = trail(spiral, _facts(row)), list[dict[str, Any]]()
    for n, each in enumerate(spiral.steps):
        done = passed[n] if n < len(passed) else None
        unasked = each.by == ["lesson_stored"] and not row.asks_lesson and done is not None
        state = (
            "not_asked"
            if unasked
            else "missed"
            if done and done.missed
            else "done"
            if done
            else "now"
            if n == len(passed)
            else "later"
        )
        found.append({"name": each.name, "name_en": each.name_en, "state": state, "on": done and date.fromisoformat(done.on)})
    return found


def _loop(row: ImprovementRow, spiral: Spiral | None) -> dict[str, Any]:
    facts = {"measured", "warning_raised"}
    facts |= {"improvement_started"} if row.measures is not None else set()
    facts |= {"improvement_verified"} if row.verified_by is not None else set()
    steps = spiral.dynamic if spiral and row.status != Status.CLOSED else []
    at = behind(steps, frozenset(facts))  # type: ignore[arg-type]  # facts of the closed vocabulary
    now = steps[at].name if at < len(steps) else None
    return {"improvement": row.id, "title": row.title, "status": row.status, "step": now, "waits_for": waits_for(steps, at)}
