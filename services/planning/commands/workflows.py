"""Runs of workflows: start one, do its step, return it, stop it; and what units file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from libs.common.events.setup import Register, Workflow
from services.planning import queries
from services.planning.commands.evidence import keep_evidence, listed, single
from services.planning.commands.guarantees import people_faults
from services.planning.commands.inbox import Notice, tell
from services.planning.domain.workflows import UNITS, About, Filing, RunStatus, after, due, returned
from services.planning.tables import FilingRow, PaperPlaceRow, RunHistoryRow, RunRow

AT_ONCE = 1000  # runs and rules of a school that one run of the clock looks at


def workflows_in(setup: Mapping[str, Any]) -> dict[str, Workflow]:
    """The workflows of a set-up, by code."""
    return {each["code"]: Workflow.model_validate(each) for each in setup.get("workflows", ())}


def registers_in(setup: Mapping[str, Any]) -> dict[str, Register]:
    """The registers of a set-up, by code."""
    return {each["code"]: Register.model_validate(each) for each in setup.get("registers", ())}


async def start_run(tx: Transaction, scope: Scope, by: str, code: str, about: About, name: str | None) -> RunRow:
    """Let a workflow of the school begin. Its steps stay as they are now, also where the school changes them.

    Raises NotFound for an unknown workflow, Invalid for what it cannot be about, Forbidden beyond the caller's posts, Conflict where
    a run about the same has not ended.
    """
    workflow = workflows_in(await queries.setup_of(tx.session, scope.school)).get(code)
    if workflow is None:
        raise NotFound(f"the school has no workflow {code}")
    named, places = await _about(tx, scope, about)
    if not scope.covers(places):
        raise Forbidden("your posts do not reach what the run would be about")
    await queries.lock_school(tx.session, scope.school)
    if await queries.find_running(tx.session, scope.school, code, about.kind, about.id or scope.school) is not None:
        raise Conflict("a run of this workflow about the same has not ended")
    run = RunRow(
        id=uuid4(),
        school=scope.school,
        workflow=code,
        name=name or f"{named} {workflow.name}".strip(),
        content=workflow.model_dump(mode="json", exclude_defaults=True),
        about_kind=about.kind,
        about=about.id or scope.school,
        status=RunStatus.RUNNING,
        step=1,
        turn=0,
        started_at=tx.now,
        started_by=by,
    )
    tx.session.add(run)
    tx.session.add_all(PaperPlaceRow(paper=run.id, place=place) for place in sorted(places))
    await tx.session.flush()
    note(tx, run, "started", by)
    await _reach(tx, run, 1)
    return run


async def _about(tx: Transaction, scope: Scope, about: About) -> tuple[str, set[str]]:
    """What it is called, and where it lies. Raises Invalid for what is not there."""
    school, level = scope.school, f"level:{about.kind}"
    if about.id is None:
        return "", {f"school:{school}", level}
    if about.kind == "plan":
        if (plan := await queries.find_plan(tx.session, scope, about.id)) is not None:
            found = await queries.places_for(tx.session, school, [plan], await queries.today_in(tx.session, school, tx.now))
            return plan.name, found[plan.id]
    elif about.kind == "course":
        if (course := await queries.find_course(tx.session, school, about.id)) is not None:
            return course.title, {f"course:{about.id}", level, *await queries.places_of_unit(tx.session, school, course.org)}
    elif about.kind in UNITS and (unit := await queries.find_unit(tx.session, school, about.id)) is not None:
        return unit.name, {level, *await queries.places_of_unit(tx.session, school, about.id)}
    raise Invalid("the run is about nothing that is there", [Fault(pointer="/about/id", detail=f"there is no such {about.kind}")])


async def do_step(
    tx: Transaction, scope: Scope, by: str, id_: UUID, *, document: str | None, evidence: Sequence[str], text: str | None
) -> RunRow:
    """Do the step at which a run is. Raises Forbidden for who does not hold its post, Invalid without the document that it asks for."""
    run, workflow = await _mine(tx, scope, by, id_)
    step = workflow.steps[run.step - 1]
    if step.document is not None and document is None:
        raise Invalid("the step asks for a document", [Fault(pointer="/document", detail=f"say where {step.document} is")])
    await keep_evidence(tx, "run", [run.id], by, listed(evidence) | single(document))
    said = {"document": document, "evidence": list(evidence), "text": text}
    note(tx, run, "filed" if step.kind == "file" else "done", by, **{name: value for name, value in said.items() if value})
    status, waits = after(workflow, run.step)
    if status is RunStatus.RUNNING:
        await _reach(tx, run, waits)
    else:
        await _end(tx, run, status)
    return run


async def return_run(tx: Transaction, scope: Scope, by: str, id_: UUID, *, to: int, reason: str) -> RunRow:
    """Send a run back to an earlier step, with a reason. Raises as `do_step`, Conflict at a step that files."""
    run, workflow = await _mine(tx, scope, by, id_)
    returned(workflow, run.step, to)
    note(tx, run, "returned", by, to=to, reason=reason)
    await _reach(tx, run, to)
    return run


async def stop_run(tx: Transaction, scope: Scope, by: str, id_: UUID, reason: str) -> RunRow:
    """End a run before its last step: who started it, or who answers for the whole school."""
    run = await queries.get_run(tx.session, scope, by, id_, lock=True)
    _must_run(run)
    if by != run.started_by and scope.places is not None:
        raise Forbidden("a run is stopped by who started it, or by who answers for the whole school")
    note(tx, run, "stopped", by, reason=reason)
    await _end(tx, run, RunStatus.STOPPED)
    return run


def _must_run(run: RunRow) -> None:
    if run.status != RunStatus.RUNNING:
        raise Conflict(f"the run is {run.status}")


async def _mine(tx: Transaction, scope: Scope, by: str, id_: UUID) -> tuple[RunRow, Workflow]:
    """Load and lock a run whose step the caller does: who holds its post; where nobody does, who answers for the whole school."""
    run = await queries.get_run(tx.session, scope, by, id_, lock=True)
    _must_run(run)
    workflow = Workflow.model_validate(run.content)
    doers = await doers_of(tx, run)
    if by not in doers and (doers or scope.places is not None):
        step = workflow.steps[run.step - 1]
        raise Forbidden(f"step {run.step}, {step.name}, is done by {step.post or 'who started the run'}")
    return run, workflow


async def doers_of(tx: Transaction, run: RunRow) -> list[str]:
    """Who does the step at which a run is, today."""
    today = await queries.today_in(tx.session, run.school, tx.now)
    return await queries.doers_of(tx.session, run, today)


def note(tx: Transaction, run: RunRow, what: str, by: str | None, **said: Any) -> None:
    """Write a line of a run's history."""
    tx.session.add(RunHistoryRow(run=run.id, step=run.step, what=what, at=tx.now, by=by, said=said))


async def _reach(tx: Transaction, run: RunRow, step: int) -> None:
    """A step waits from now on, and who does it is told; where nobody holds its post, the quality office is."""
    today = await queries.today_in(tx.session, run.school, tx.now)
    waiting = Workflow.model_validate(run.content).steps[step - 1]
    run.step, run.turn, run.due_on, run.overdue_at = step, run.turn + 1, due(waiting, today), None
    await tx.session.flush()
    doers = await doers_of(tx, run)
    people = doers or await queries.holders_of(tx.session, run.school, "quality_office", [f"school:{run.school}"], today)
    words = f"「{run.name}」到了「{waiting.name}」这一步" + (f"，请于 {run.due_on} 前完成" if run.due_on else "")
    words += "" if doers else "：该步骤的岗位无人担任"
    await _tell(tx, run, people, "workflow_step", words, f"turn:{run.turn}")


async def _end(tx: Transaction, run: RunRow, status: RunStatus) -> None:
    run.status, run.ended_at, run.due_on, run.overdue_at = status, tx.now, None, None
    words = {RunStatus.FINISHED: "已办结", RunStatus.FILED: "已备案", RunStatus.STOPPED: "已终止"}
    await _tell(tx, run, [run.started_by], "workflow_ended", f"「{run.name}」{words[status]}", "ended")


async def _tell(tx: Transaction, run: RunRow, people: Iterable[str], kind: str, text: str, key: str) -> None:
    link = f"/api/v1/planning/workflow-runs/{run.id}"
    await tell(tx, [Notice(person, f"run:{run.id}:{key}", kind, text, link) for person in people], school=run.school)


async def call_late_runs(tx: Transaction) -> None:
    """By the clock: say once of each step whose last day has passed that it is overdue, to who does it and to who started the run."""
    today = await queries.today_in(tx.session, tx.school, tx.now)
    for run in await queries.list_late_runs(tx.session, tx.school, today, AT_ONCE):
        run.overdue_at = tx.now
        note(tx, run, "overdue", None, due_on=f"{run.due_on}")
        step = Workflow.model_validate(run.content).steps[run.step - 1]
        people = {run.started_by, *await doers_of(tx, run)}
        words = f"「{run.name}」的「{step.name}」已逾期，应于 {run.due_on} 前完成"
        await _tell(tx, run, sorted(people), "workflow_overdue", words, f"overdue:{run.turn}")


# --- filings --------------------------------------------------------------------------------------------------------------


async def put_on_file(tx: Transaction, scope: Scope, by: str, code: str, filing: Filing) -> tuple[FilingRow, bool]:
    """File something of a unit: it stands as filed at once, and nobody approves it. The same again changes nothing.

    Returns it and whether it is new. Raises NotFound for an unknown register, Invalid for an unknown unit or person, Forbidden
    beyond the caller's posts.
    """
    register = registers_in(await queries.setup_of(tx.session, scope.school)).get(code)
    if register is None:
        raise NotFound(f"the school has no register {code}")
    unit = await queries.find_unit(tx.session, scope.school, filing.unit)
    if unit is None:
        raise Invalid("nothing is filed of a unit that is not there", [Fault(pointer="/unit", detail="there is no such unit")])
    people = {"/head": filing.head, **{f"/members/{n}": each for n, each in enumerate(filing.members)}}
    if faults := await people_faults(tx, scope.school, people):
        raise Invalid("nothing is filed of people who are not there", faults)
    places = await queries.places_of_unit(tx.session, scope.school, filing.unit)
    if not scope.covers(places):
        raise Forbidden("your posts do not reach this unit")
    await queries.lock_school(tx.session, scope.school)
    content = filing.model_dump(mode="json", exclude_defaults=True)
    there = await queries.find_filing(tx.session, scope.school, code, filing.unit)
    if there is not None:
        if there.content == content:
            return there, False
        there.status = "replaced"
    row = FilingRow(
        id=uuid4(),
        school=scope.school,
        register=code,
        unit=filing.unit,
        content=content,
        status="filed",
        filed_at=tx.now,
        filed_by=by,
    )
    tx.session.add(row)
    tx.session.add_all(PaperPlaceRow(paper=row.id, place=place) for place in sorted(places))
    await tx.session.flush()
    await keep_evidence(tx, "filing", [row.id], by, listed(filing.documents, "/documents"))
    today = await queries.today_in(tx.session, scope.school, tx.now)
    keepers = await queries.holders_of(tx.session, scope.school, register.keeper, places, today)
    link = f"/api/v1/planning/registers/{code}/filings"
    words = f"{unit.name}已报备「{filing.name}」（{register.name}）"
    await tell(tx, [Notice(keeper, f"filing:{row.id}", "filed", words, link) for keeper in keepers], school=scope.school)
    return row, True
