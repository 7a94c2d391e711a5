"""Request and response bodies of workflows, registers, rules and work packages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from libs.common.events.setup import WorkflowStep
from libs.common.http import Body, View
from services.planning.domain.goals import Line, Words
from services.planning.domain.workflows import About, Filing, Lines, Package, Rule, RunStatus
from services.planning.tables import FilingRow, PackageRow, RuleRow, RunHistoryRow, RunRow


class RunIn(Body):
    """What a workflow is to work on; without a name the run is called after it."""

    about: About
    name: Line | None = None


class DoneBody(Body):
    """That a step is done: where the document is that it asks for, what shows it, and words."""

    document: Line | None = None
    evidence: Lines = []
    text: Words | None = None


class BackBody(Body):
    """Which earlier step (from 1) has to be done again, and why."""

    to: Annotated[int, Field(ge=1, le=50)]
    reason: Words


class StopBody(Body):
    reason: Words


class WorkflowView(View):
    """A workflow of the school."""

    code: str
    name: str
    name_en: str | None
    steps: list[WorkflowStep]
    tags: list[str]


class RunItem(View):
    """A run in a list: at which of its steps (from 1) it is, and until when; `overdue`: that day has passed."""

    id: UUID
    workflow: str
    name: str
    about_kind: str
    about: str
    status: RunStatus
    step: int
    steps: int
    step_name: str
    post: str | None
    due_on: date | None
    overdue: bool
    started_at: datetime
    started_by: str
    ended_at: datetime | None


class RunEventView(View):
    """One thing that happened to a run; `by` null: the clock."""

    step: int
    what: str
    at: datetime
    by: str | None
    said: dict[str, Any]


class RunView(RunItem):
    """A run whole; `doers`: who does its step today."""

    plan: list[WorkflowStep]
    doers: list[str]
    history: list[RunEventView]


class RegisterView(View):
    """A register, and how much of what stands in it the caller may see."""

    code: str
    name: str
    keeper: str
    filed: int


class FilingView(Filing):
    """What a unit has filed; `status` is `filed`, or `replaced` by what it filed later: nobody judges it."""

    id: UUID
    status: str
    filed_at: datetime
    filed_by: str


class RuleView(Rule):
    """A rule in its newest version; `review_due`: its owner has been reminded."""

    code: str
    version: int
    review_due: bool
    written_at: datetime
    written_by: str


class RuleDetail(RuleView):
    """A rule with its earlier versions, newest first."""

    earlier: list[RuleView]


class RuleSetView(View):
    """A rule that a level is to have, and the codes of those rules in force that are it."""

    level: str
    name: str
    rules: list[str]


class RuleSetsView(View):
    items: list[RuleSetView]


class PackageView(Package):
    code: str
    changed_at: datetime
    changed_by: str


def run_item(row: RunRow) -> RunItem:
    return RunItem.model_validate(_run(row))


def run_view(row: RunRow, doers: Sequence[str], history: Sequence[RunHistoryRow]) -> RunView:
    told = [RunEventView.model_validate(each) for each in history]
    return RunView.model_validate({**_run(row), "plan": row.content["steps"], "doers": list(doers), "history": told})


def _run(row: RunRow) -> dict[str, Any]:
    steps = row.content["steps"]
    waiting = steps[row.step - 1]
    columns = {column.key: getattr(row, column.key) for column in RunRow.__table__.columns}
    said = {"steps": len(steps), "step_name": waiting["name"], "post": waiting.get("post")}
    return {**columns, **said, "overdue": row.overdue_at is not None}


def filing_view(row: FilingRow) -> FilingView:
    said = {name: getattr(row, name) for name in ("id", "status", "filed_at", "filed_by")}
    return FilingView.model_validate({**row.content, **said})


def rule_view(row: RuleRow) -> RuleView:
    return RuleView.model_validate(_rule(row))


def _rule(row: RuleRow) -> dict[str, Any]:
    said = {name: getattr(row, name) for name in ("code", "version", "written_at", "written_by")}
    return {**row.content, **said, "review_due": row.reminded_at is not None}


def rule_detail(rows: Sequence[RuleRow]) -> RuleDetail:
    newest, *earlier = rows
    return RuleDetail.model_validate({**_rule(newest), "earlier": [rule_view(row) for row in earlier]})


def package_view(row: PackageRow) -> PackageView:
    said = {name: getattr(row, name) for name in ("code", "changed_at", "changed_by")}
    return PackageView.model_validate({**row.content, **said})
