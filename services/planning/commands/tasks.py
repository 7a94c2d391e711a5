"""Write annual tasks, give them to units and people, and take them away again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid
from libs.common.events.planning import TaskAssigned
from libs.common.events.setup import TaskClass
from services.planning import queries
from services.planning.commands.agreements import outdate_agreements
from services.planning.commands.inbox import Notice, tell
from services.planning.domain.owners import upwards
from services.planning.domain.tasks import (
    LINKS,
    People,
    Task,
    TaskStatus,
    TaskStep,
    document_of,
    kept_task,
    missing_link,
    next_status,
)
from services.planning.queries import projects as find
from services.planning.queries import tasks as find_tasks
from services.planning.tables import TaskPlaceRow, TaskRow, TaskStepRow, TaskVersionRow


def note_task(tx: Transaction, task: UUID, step: str, by: str | None, **what: Any) -> None:
    """Write a line of a task's history."""
    tx.session.add(TaskStepRow(task=task, step=step, at=tx.now, by=by, what=what))


def link_of(task: UUID) -> str:
    """Where a task is read."""
    return f"/api/v1/planning/tasks/{task}"


async def define_task(tx: Transaction, scope: Scope, by: str, task: Task, people: People, parent: UUID | None) -> TaskRow:
    """Write a task as a draft. Below a `parent` it serves the same goal, resolution, duty or project where it names none.

    Raises Invalid for what it names and is not there, and where it lacks the link that its class asks for (digest §12, scenario 2),
    Forbidden where the caller's posts do not reach whom it is for.
    """
    await queries.lock_school(tx.session, scope.school)
    above = None if parent is None else await _parent(tx, scope, parent)
    if above is not None:
        task = _inherited(task, kept_task(above.content))
    await _check(tx, scope, task, people, above)
    row = new_task(tx, scope.school, by, task, people, id_=uuid4(), parent=parent)
    places = await places_of(tx, row)
    if not scope.covers(places):
        raise Forbidden("your posts do not reach whom this task is for")
    await save_tasks(tx, [row])
    return row


def new_task(
    tx: Transaction, school: str, by: str, task: Task, people: People, *, id_: UUID, parent: UUID | None = None
) -> TaskRow:
    """A draft of a task, not yet in the database."""
    row = TaskRow(
        id=id_,
        school=school,
        parent=parent,
        unit=people.unit,
        owner=people.owner,
        helpers=list(people.helpers),
        version=1,
        status=TaskStatus.DRAFT,
        percent=0,
        created_at=tx.now,
        created_by=by,
    )
    _say(row, task)
    return row


async def save_tasks(tx: Transaction, rows: Sequence[TaskRow], why: str | None = None) -> None:
    """Put new tasks into the database, each with its first version and its places."""
    tx.session.add_all(rows)
    await tx.session.flush()
    for row in rows:
        tx.session.add(TaskVersionRow(task=row.id, version=1, content=row.content, at=tx.now, by=row.created_by, why=why))
        note_task(tx, row.id, "written", row.created_by)
        await place_task(tx, row)
    await tx.session.flush()


def _say(row: TaskRow, task: Task) -> None:
    row.content = document_of(task)
    row.task_class, row.year, row.goal, row.due = task.task_class, task.year, task.goal, task.due


async def change_task(tx: Transaction, scope: Scope, by: str, id_: UUID, task: Task, why: str | None) -> TaskRow:
    """Let a task say something else from now on: its next version. What it says already stays as it is.

    Raises Forbidden for who has the task or leads the unit that was given it (nobody moves the line that they are judged by), Conflict
    once it is submitted, Invalid without a reason once it is assigned, and as `define_task`.
    """
    await queries.lock_school(tx.session, scope.school)  # no agreement is issued meanwhile that freezes what it said before
    (row,) = await find_tasks.lock_tasks(tx.session, scope, [id_])
    if document_of(task) == row.content:
        return row
    if row.status != TaskStatus.DRAFT:
        await _not_whose_it_is(tx, row, by)
        if why is None:
            raise Invalid("say why", [Fault(pointer="/why", detail="a change of an assigned task has a reason")])
    if row.status in {TaskStatus.SUBMITTED, TaskStatus.VERIFIED, TaskStatus.CLOSED}:
        raise Conflict(f"the task is {row.status}: what it says is judged by now")
    above = None if row.parent is None else await _parent(tx, Scope(scope.school, None), row.parent)
    await _check(tx, scope, task, People(row.unit), above)
    row.countdown = row.countdown if task.due == row.due else None
    _say(row, task)
    row.version += 1
    if row.due >= await queries.today_in(tx.session, scope.school, tx.now):
        row.overdue_at = None
    tx.session.add(TaskVersionRow(task=row.id, version=row.version, content=row.content, at=tx.now, by=by, why=why))
    note_task(tx, row.id, "changed", by, version=row.version, **({} if why is None else {"why": why}))
    await outdate_agreements(tx, [row.id])
    return row


async def assign_tasks(
    tx: Transaction, scope: Scope, by: str, ids: Sequence[UUID], changed: Mapping[str, Any] | None = None
) -> Sequence[TaskRow]:
    """Give drafts to whom they name, but for the people of `changed`: to a unit, by its head, or to a person.

    Whoever assigns a task gave it; but who hands on inside their own units what somebody from outside wrote or gave them did not.
    Raises Invalid where a task lacks the link that its class asks for, or is for nobody.
    """
    rows = await find_tasks.lock_tasks(tx.session, scope, ids)
    givers = {row.id: await _giver(tx, scope, by, row) for row in rows}
    for row in rows if changed else ():
        people = replace(People(row.unit, row.owner, tuple(row.helpers)), **(changed or {}))
        above = None if row.parent is None else await _parent(tx, Scope(scope.school, None), row.parent)
        await _check_people(tx, scope.school, people, above)
        row.unit, row.owner, row.helpers = people.unit, people.owner, list(people.helpers)
        if not scope.covers(await places_of(tx, row)):
            raise Forbidden("your posts do not reach whom this task is for")
    await give(tx, by, rows, givers)
    return rows


async def _giver(tx: Transaction, scope: Scope, by: str, row: TaskRow) -> str:
    before = row.given_by or row.created_by
    if scope.places is None or before == by:
        return by
    units = [] if row.unit is None else upwards(row.unit, await queries.parents_of(tx.session, row.school))
    reached = [unit for n, unit in enumerate(units) if scope.covers([f"unit:{each}" for each in units[n:]])]
    inside = await find.posted_over(tx.session, row.school, reached, await queries.today_in(tx.session, row.school, tx.now))
    return by if before in inside else before


async def give(tx: Transaction, by: str, rows: Sequence[TaskRow], givers: Mapping[UUID, str] | None = None) -> None:
    """As `assign_tasks`, for whoever may. `givers`: who counts as having given which, without them `by`."""
    school = tx.school
    heads = await find.heads_of(
        tx.session, school, {row.unit for row in rows if row.unit}, await queries.today_in(tx.session, school, tx.now)
    )
    for row in rows:
        row.status = after_step(row, rows, TaskStep.ASSIGN)
        await must_be_linked(tx, school, kept_task(row.content))
        if row.unit is None and row.owner is None:
            raise Invalid("the task is for nobody", [Fault(pointer="/owner", detail="name a unit or a person")])
        row.owner = row.owner or next(iter(heads.get(row.unit or "", ())), None)
        row.given_by = by if givers is None else givers[row.id]
        await place_task(tx, row)
        await say_assigned(tx, row, by)


async def say_assigned(tx: Transaction, row: TaskRow, by: str | None) -> None:
    """Tell everybody concerned who has a task."""
    note_task(tx, row.id, "assigned", by, unit=row.unit, owner=row.owner, helpers=row.helpers)
    said = {name: getattr(row, name) for name in ("task_class", "year", "unit", "owner", "goal")}
    title = row.content["title"]
    tx.publish(TaskAssigned(task=row.id, title=title, due_on=row.due, places=sorted(await places_of(tx, row)), **said))
    step = f"task-assigned:{row.id}:{tx.now.isoformat()}"
    words = f"您有新任务「{title}」，{row.due} 到期"
    await tell(tx, [Notice(person, step, "task_assigned", words, link_of(row.id)) for person in _whose(row) if person != by])


async def find_owners(tx: Transaction) -> None:
    """Give the tasks of units that had no head to who leads them by now."""
    rows = await find_tasks.unowned_tasks(tx.session, tx.school)
    today = await queries.today_in(tx.session, tx.school, tx.now)
    heads = await find.heads_of(tx.session, tx.school, {row.unit for row in rows if row.unit}, today)
    for row in rows:
        if row.unit in heads:
            row.owner = heads[row.unit][0]
            await place_task(tx, row)
            await say_assigned(tx, row, None)


async def withdraw_task(tx: Transaction, scope: Scope, by: str, id_: UUID, reason: str, *, confirm: bool) -> TaskRow:
    """Take a task away from who has it: it is a draft again, and so is what was handed on below it; what happened stays in its history.

    Raises Conflict without `confirm`, saying what hangs on it, Forbidden as `change_task`.
    """
    await queries.lock_school(tx.session, scope.school)  # as in `change_task`
    (row,) = await find_tasks.lock_tasks(tx.session, scope, [id_])
    await _not_whose_it_is(tx, row, by)
    after = next_status(TaskStatus(row.status), TaskStep.WITHDRAW)
    below = [each for each in await find_tasks.tasks_below(tx.session, [id_]) if _can_go(each)]
    if not confirm:
        raise Conflict("withdrawing an assignment is confirmed with confirm: true", await _hanging(tx, row, below))
    for each in (row, *below):
        note_task(tx, each.id, "withdrawn", by, unit=each.unit, owner=each.owner, reason=reason)
        words = f"任务「{each.content['title']}」已收回：{reason}"
        key = f"task-withdrawn:{each.id}:{tx.now.isoformat()}"
        await tell(tx, [Notice(person, key, "task_withdrawn", words, link_of(each.id)) for person in _whose(each) if person != by])
        each.status, each.owner, each.helpers = after, None, []
        each.overdue_at = each.countdown = None
        each.percent, each.done, each.value, each.submitted_by = 0, None, None, None
        await place_task(tx, each)
    await outdate_agreements(tx, [row.id, *(each.id for each in below)])
    return row


def _can_go(row: TaskRow) -> bool:
    return row.status not in {TaskStatus.DRAFT, TaskStatus.VERIFIED, TaskStatus.CLOSED}


async def _hanging(tx: Transaction, row: TaskRow, below: Sequence[TaskRow]) -> list[Fault]:
    progress = await find_tasks.count_progress(tx.session, row.id)
    found = [
        *([f"{len(below)} tasks were handed on below it"] if below else []),
        *([f"{progress} reports of progress"] if progress else []),
        *(["it is submitted and waits to be verified"] if row.status == TaskStatus.SUBMITTED else []),
    ]
    return [Fault(pointer="/confirm", detail=each) for each in found or ["nothing hangs on it"]]


async def place_task(tx: Transaction, row: TaskRow) -> None:
    """Write where a task lies."""
    await tx.session.execute(delete(TaskPlaceRow).where(TaskPlaceRow.task == row.id))
    tx.session.add_all(TaskPlaceRow(task=row.id, place=place) for place in sorted(await places_of(tx, row)))
    await tx.session.flush()


async def place_tasks_again(tx: Transaction) -> None:
    """After a roster: a unit that lies elsewhere takes its tasks along."""
    there = await find_tasks.places_of_tasks(tx.session, tx.school)
    for row in await find_tasks.placed_tasks(tx.session, tx.school):
        if await places_of(tx, row) != there.get(row.id, set()):
            await place_task(tx, row)


async def must_be_linked(tx: Transaction, school: str, task: Task) -> None:
    """Raises Invalid where a task lacks the link that its class asks for."""
    each = await _class(tx, school, task)
    if faults := missing_link(each.link, task):
        raise Invalid(f"a task of the class {each.name} is not without its link", faults)


def after_step(row: TaskRow, rows: Sequence[TaskRow], step: TaskStep) -> TaskStatus:
    """The status after a step, of one of several: then the refusal names it."""
    try:
        return next_status(TaskStatus(row.status), step)
    except Conflict as error:
        raise Conflict(error.detail if len(rows) == 1 else f"{row.id}: {error.detail}; nothing was changed") from error


def _whose(row: TaskRow) -> list[str]:
    return [*([row.owner] if row.owner else []), *row.helpers]


async def _not_whose_it_is(tx: Transaction, row: TaskRow, by: str) -> None:
    """A unit has its task whoever in it does the work: who leads it moves only the lines that they drew themselves."""
    today = await queries.today_in(tx.session, row.school, tx.now)
    heads = await find.heads_of(tx.session, row.school, [row.unit] if row.unit else [], today)
    if by in _whose(row) or (row.given_by != by and by in heads.get(row.unit or "", ())):
        raise Forbidden("who has a task neither changes nor withdraws it: nobody moves the line that they are judged by")


async def places_of(tx: Transaction, row: TaskRow) -> set[str]:
    """Where a task lies, by whom it is for now."""
    return await find_tasks.places_of_task(tx.session, row.school, row.unit, _whose(row))


async def _parent(tx: Transaction, scope: Scope, parent: UUID) -> TaskRow:
    return (await find_tasks.lock_tasks(tx.session, scope, [parent]))[0]


def _inherited(task: Task, above: Task) -> Task:
    if any(getattr(task, name) is not None for name in LINKS) or task.task_class != above.task_class:
        return task
    return task.model_copy(update={name: getattr(above, name) for name in LINKS})


async def _class(tx: Transaction, school: str, task: Task) -> TaskClass:
    classes = await find_tasks.task_classes(tx.session, school)
    if task.task_class not in classes:
        known = ", ".join(classes) or "none: the set-up names them"
        detail = f"no class of tasks {task.task_class!r} is there; there are {known}"
        raise Invalid("no such class of tasks", [Fault(pointer="/task/task_class", detail=detail)])
    return classes[task.task_class]


async def _check(tx: Transaction, scope: Scope, task: Task, people: People, above: TaskRow | None) -> None:
    each = await _class(tx, scope.school, task)
    faults = [Fault(pointer=f"/task{fault['pointer']}", detail=fault["detail"]) for fault in missing_link(each.link, task)]
    faults += await _unknown_links(tx, scope, task)
    if above is not None and task.due > above.due:
        faults.append(Fault(pointer="/task/due", detail=f"the task above it is due on {above.due}"))
    if faults:
        raise Invalid("the task cannot stand like this", faults)
    await _check_people(tx, scope.school, people, above)


async def _unknown_links(tx: Transaction, scope: Scope, task: Task) -> list[Fault]:
    school, session = scope.school, tx.session
    missing: Collection[str] = [
        *(["goal"] if task.goal and not await queries.which_visible(session, scope, [task.goal]) else []),
        *(["resolution"] if task.resolution and not await find.find_resolution(session, school, task.resolution) else []),
        *(["duty"] if task.duty and not await find.find_duty(session, school, task.duty) else []),
        *(["project"] if task.project and not await find.find_project(session, school, task.project) else []),
        *(["plan"] if task.plan and not await queries.find_plan(session, scope, task.plan) else []),
        *(["finding"] if task.finding and not await find_tasks.sees_finding(session, scope, task.finding) else []),
    ]
    return [Fault(pointer=f"/task/{name}", detail=f"there is no such {name}") for name in missing]


async def _check_people(tx: Transaction, school: str, people: People, above: TaskRow | None) -> None:
    faults = []
    if people.unit is not None:
        if await find.find_org(tx.session, school, people.unit) is None:
            faults.append(Fault(pointer="/unit", detail="the roster has no such unit"))
        elif above is not None and above.unit is not None:
            inside = await find_tasks.places_of_task(tx.session, school, people.unit, ())
            if f"unit:{above.unit}" not in inside:
                faults.append(Fault(pointer="/unit", detail="a task is handed on inside the unit that has it"))
    if people.owner is not None and await find.find_person(tx.session, school, people.owner) is None:
        faults.append(Fault(pointer="/owner", detail="no such member of staff"))
    for n, helper in enumerate(people.helpers):
        if await find.find_person(tx.session, school, helper) is None:
            faults.append(Fault(pointer=f"/helpers/{n}", detail="no such member of staff"))
    if faults:
        raise Invalid("the task cannot be given to them", faults)
