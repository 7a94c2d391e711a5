"""Endpoints of annual tasks: write, generate, give, work on, verify."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from libs.common.auth import Scope
from libs.common.errors import Fault, Invalid
from libs.common.http import Caller, Cursor, Limit, Now, Page, Read, Tx, exact, from_cursor, needs, page
from services.planning import queries
from services.planning.commands import tasks, tasks_generating, tasks_working
from services.planning.domain.tasks import TaskStatus
from services.planning.queries import projects as find
from services.planning.queries import tasks as find_tasks
from services.planning.schemas.tasks import (
    ChangeTaskBody,
    GeneratedView,
    Names,
    PeopleBody,
    ProgressBody,
    ReturnTaskBody,
    ReturnTasksBody,
    SubmitTaskBody,
    TaskBody,
    TaskIdsBody,
    TaskItem,
    TasksChanged,
    TaskView,
    VerifyTaskBody,
    VerifyTasksBody,
    WithdrawBody,
    YearBody,
    task_item,
    task_view,
)
from services.planning.tables import TaskRow

router = APIRouter(prefix="/tasks", tags=["tasks"])
MayRead = Annotated[Scope, needs("task.read")]
MayWork = Annotated[Scope, needs("task.work")]
MayAssign = Annotated[Scope, needs("task.assign")]
MayVerify = Annotated[Scope, needs("task.verify")]
Word = Annotated[str | None, Query(min_length=1, max_length=128)]
Year = Annotated[int | None, Query(ge=2000, le=2200)]


# --- reading ------------------------------------------------------------------------------------------------------------


@router.get("", response_model=Page[TaskItem])
async def list_tasks(
    session: Read,
    scope: MayRead,
    now: Now,
    task_class: Word = None,
    unit: Word = None,
    owner: Word = None,
    year: Year = None,
    status: TaskStatus | None = None,
    overdue: bool | None = None,
    parent: UUID | None = None,
    goal: UUID | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """List tasks by due date."""
    today = await queries.today_in(session, scope.school, now)
    said = {"task_class": task_class, "unit": unit, "owner": owner, "year": year, "status": status, "parent": parent, "goal": goal}
    after = _after(from_cursor(cursor, str, str))
    rows = await find_tasks.list_tasks(session, scope, filters=said, overdue=overdue, today=today, after=after, limit=limit)
    names = await _names(session, scope.school, rows, now)
    return exact(page(rows, limit, lambda row: task_item(row, names), lambda row: (row.due.isoformat(), str(row.id))))


@router.get("/{task}", response_model=TaskView)
async def read_task(task: UUID, session: Read, scope: MayRead, now: Now) -> Response:
    """Read a task with its versions and history. 404 where there is none that the caller may see."""
    return await _whole(session, scope, await find_tasks.get_task(session, scope, task), now)


# --- writing and giving ---------------------------------------------------------------------------------------------------


@router.post("", status_code=201, response_model=TaskView)
async def define_task(body: TaskBody, tx: Tx, caller: Caller, scope: MayAssign) -> Response:
    """Write a task as a draft, on its own or as part of another; what it names must be there."""
    row = await tasks.define_task(tx, scope, caller.id, body.task, body.people(), body.parent)
    return await _whole(tx.session, scope, row, tx.now, 201)


@router.post("/generate", response_model=GeneratedView)
async def generate_tasks(body: YearBody, tx: Tx, caller: Caller, scope: MayAssign) -> Response:
    """Make the tasks of a year from all goals in force, and those that each unit has every year, and give them; each once."""
    rows, there = await tasks_generating.generate_tasks(tx, scope, caller.id, body.year)
    names = await _names(tx.session, scope.school, rows, tx.now)
    return exact(GeneratedView(made=len(rows), there=there, items=[task_item(row, names) for row in rows]))


@router.post("/assign", response_model=TasksChanged)
async def assign_tasks(body: TaskIdsBody, tx: Tx, caller: Caller, scope: MayAssign) -> Response:
    """Give many drafts to whom they name: all or none."""
    return await _changed(tx.session, scope, await tasks.assign_tasks(tx, scope, caller.id, body.ids), tx.now)


@router.post("/verify", response_model=TasksChanged)
async def verify_tasks(body: VerifyTasksBody, tx: Tx, caller: Caller, scope: MayVerify) -> Response:
    """Confirm many: all or none."""
    rows = await tasks_working.verify_tasks(tx, scope, caller.id, body.ids, met=body.met, score=body.score, comment=body.comment)
    return await _changed(tx.session, scope, rows, tx.now)


@router.post("/return", response_model=TasksChanged)
async def return_tasks(body: ReturnTasksBody, tx: Tx, caller: Caller, scope: MayVerify) -> Response:
    """Send many back: all or none."""
    rows = await tasks_working.return_tasks(tx, scope, caller.id, body.ids, reason=body.reason)
    return await _changed(tx.session, scope, rows, tx.now)


@router.post("/close", response_model=TasksChanged)
async def close_tasks(body: TaskIdsBody, tx: Tx, caller: Caller, scope: MayVerify) -> Response:
    """End many that are verified: all or none."""
    return await _changed(tx.session, scope, await tasks_working.close_tasks(tx, scope, caller.id, body.ids), tx.now)


@router.put("/{task}", response_model=TaskView)
async def change_task(task: UUID, body: ChangeTaskBody, tx: Tx, caller: Caller, scope: MayAssign) -> Response:
    """Let a task say something else: its next version. 403 for who has it; 409 once it is submitted."""
    row = await tasks.change_task(tx, scope, caller.id, task, body.task, body.why)
    return await _whole(tx.session, scope, row, tx.now)


@router.post("/{task}/assign", response_model=TaskView)
async def assign_task(task: UUID, tx: Tx, caller: Caller, scope: MayAssign, body: PeopleBody | None = None) -> Response:
    """Give a draft to whom it names; what the body says of people stands from now on. 422 names the link that its class asks for and it lacks."""
    (row,) = await tasks.assign_tasks(tx, scope, caller.id, [task], body.changed() if body else None)
    return await _whole(tx.session, scope, row, tx.now)


@router.post("/{task}/withdraw", response_model=TaskView)
async def withdraw_task(task: UUID, body: WithdrawBody, tx: Tx, caller: Caller, scope: MayAssign) -> Response:
    """Take a task away from who has it, with all handed on below it: drafts again. 409 without `confirm` says what hangs on it."""
    row = await tasks.withdraw_task(tx, scope, caller.id, task, body.reason, confirm=body.confirm)
    return await _whole(tx.session, scope, row, tx.now)


# --- working and judging --------------------------------------------------------------------------------------------------


@router.post("/{task}/accept", response_model=TaskView)
async def accept_task(task: UUID, tx: Tx, caller: Caller, scope: MayWork) -> Response:
    """Take a task that was given."""
    (row,) = await tasks_working.accept_tasks(tx, scope, caller.id, [task])
    return await _whole(tx.session, scope, row, tx.now)


@router.post("/{task}/progress", response_model=TaskView)
async def report_progress(task: UUID, body: ProgressBody, tx: Tx, caller: Caller, scope: MayWork) -> Response:
    """Say how far it is, with evidence."""
    row = await tasks_working.report_progress(
        tx, scope, caller.id, task, text=body.text, percent=body.percent, evidence=body.evidence
    )
    return await _whole(tx.session, scope, row, tx.now)


@router.post("/{task}/submit", response_model=TaskView)
async def submit_task(task: UUID, body: SubmitTaskBody, tx: Tx, caller: Caller, scope: MayWork) -> Response:
    """Say that it is done. 409 while a task below it is not verified."""
    row = await tasks_working.submit_task(tx, scope, caller.id, task, done=body.done, value=body.value, evidence=body.evidence)
    return await _whole(tx.session, scope, row, tx.now)


@router.post("/{task}/verify", response_model=TaskView)
async def verify_task(task: UUID, tx: Tx, caller: Caller, scope: MayVerify, body: VerifyTaskBody | None = None) -> Response:
    """Confirm what was submitted. 403 for who has the task or submitted it, and for a head whose unit was given it by others."""
    body = body or VerifyTaskBody()
    (row,) = await tasks_working.verify_tasks(tx, scope, caller.id, [task], met=body.met, score=body.score, comment=body.comment)
    return await _whole(tx.session, scope, row, tx.now)


@router.post("/{task}/return", response_model=TaskView)
async def return_task(task: UUID, body: ReturnTaskBody, tx: Tx, caller: Caller, scope: MayVerify) -> Response:
    """Send it back with a reason. 403 as for `verify`."""
    (row,) = await tasks_working.return_tasks(tx, scope, caller.id, [task], reason=body.reason)
    return await _whole(tx.session, scope, row, tx.now)


# --- what answers are made of -------------------------------------------------------------------------------------------


def _after(cursor: tuple[str, str] | None) -> tuple[date, UUID] | None:
    if cursor is None:
        return None
    try:
        return date.fromisoformat(cursor[0]), UUID(cursor[1])
    except ValueError as error:
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")]) from error


async def _names(session: AsyncSession, school: str, rows: Sequence[TaskRow], now: datetime) -> Names:
    return Names(
        people=await queries.names_of(session, school, [row.owner for row in rows]),
        units=await find.org_names(session, school, {row.unit for row in rows}),
        classes={each.code: each.name for each in (await find_tasks.task_classes(session, school)).values()},
        today=await queries.today_in(session, school, now),
    )


async def _whole(session: AsyncSession, scope: Scope, row: TaskRow, now: datetime, status: int = 200) -> Response:
    await session.flush()
    children = await find_tasks.children_of_task(session, scope, row.id)
    names = await _names(session, scope.school, [row, *children], now)
    versions, history = await find_tasks.task_versions(session, row.id), await find_tasks.task_steps(session, row.id)
    return exact(task_view(row, names, children, versions, history), status)


async def _changed(session: AsyncSession, scope: Scope, rows: Sequence[TaskRow], now: datetime) -> Response:
    names = await _names(session, scope.school, rows, now)
    return exact(TasksChanged(items=[task_item(row, names) for row in rows]))
