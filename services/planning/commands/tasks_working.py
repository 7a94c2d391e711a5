"""What people do with a task that they have: accept it, report progress, submit; and others: verify, return, close. And the clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Invalid
from libs.common.events.planning import TaskOverdue, TaskVerified
from services.planning import queries
from services.planning.commands.evidence import keep_evidence, listed
from services.planning.commands.inbox import Notice, tell
from services.planning.commands.judges import judges_of, must_judge
from services.planning.commands.spiral import note_facts
from services.planning.commands.tasks import after_step, link_of, note_task, places_of
from services.planning.domain.objects import unit_places
from services.planning.domain.tasks import DONE, TaskStatus, TaskStep, days_left, kept_task
from services.planning.queries import tasks as find_tasks
from services.planning.tables import TaskRow

AT_ONCE = 1000


async def accept_tasks(tx: Transaction, scope: Scope, by: str, ids: Sequence[UUID]) -> Sequence[TaskRow]:
    """Say that one has a task and takes it; of a unit's task that nobody has the caller becomes the owner."""
    rows = await find_tasks.lock_tasks(tx.session, scope, ids)
    for row in rows:
        row.status = after_step(row, rows, TaskStep.ACCEPT)
        row.owner = row.owner or by
        note_task(tx, row.id, "accepted", by)
        await note_facts(tx, unit_places(row.school, row.unit, row.owner), "work_started")
    return rows


async def report_progress(
    tx: Transaction, scope: Scope, by: str, id_: UUID, *, text: str, percent: int, evidence: Sequence[str]
) -> TaskRow:
    """Say how far a task is; percent may fall: then the text says why."""
    (row,) = await find_tasks.lock_tasks(tx.session, scope, [id_])
    after = after_step(row, [row], TaskStep.PROGRESS)
    row.status = TaskStatus.RETURNED if row.status == TaskStatus.RETURNED else after
    row.percent = percent
    await keep_evidence(tx, "task", [row.id], by, listed(evidence))
    note_task(tx, row.id, "progressed", by, text=text, percent=percent, evidence=list(evidence))
    return row


async def submit_task(
    tx: Transaction, scope: Scope, by: str, id_: UUID, *, done: str, value: Decimal | None, evidence: Sequence[str]
) -> TaskRow:
    """Say that a task is done. Raises Conflict while a task below it is not, Invalid where its aim is a number and none is given."""
    (row,) = await find_tasks.lock_tasks(tx.session, scope, [id_])
    after = after_step(row, [row], TaskStep.SUBMIT)
    task = kept_task(row.content)
    if task.aim is not None and value is None:
        raise Invalid(
            "the task has a number to reach", [Fault(pointer="/value", detail=f"say what was reached: {task.aim.text()}")]
        )
    handed_on = await find_tasks.children_of_task(tx.session, Scope(scope.school, None), row.id)
    if left := [each for each in handed_on if each.status not in {*DONE, TaskStatus.DRAFT}]:
        raise Conflict(f"{len(left)} tasks below it are not verified, first {left[0].id}: {left[0].content['title']}")
    row.status, row.done, row.submitted_by, row.percent = after, done, by, 100
    row.value = None if value is None else f"{value:f}"
    await keep_evidence(tx, "task", [row.id], by, listed(evidence))
    note_task(tx, row.id, "submitted", by, done=done, value=row.value, evidence=list(evidence))
    key = f"task-submitted:{row.id}:{tx.now.isoformat()}"
    words = f"任务「{task.title}」已提交，请核验"
    judges = await judges_of(tx, row)
    await tell(tx, [Notice(person, key, "task_submitted", words, link_of(row.id)) for person in judges])
    return row


async def verify_tasks(
    tx: Transaction, scope: Scope, by: str, ids: Sequence[UUID], *, met: bool | None, score: Decimal | None, comment: str | None
) -> Sequence[TaskRow]:
    """Confirm what was submitted. `met` None: by the number submitted, against the aim; without an aim it is met.

    Raises Forbidden as `must_judge`.
    """
    rows = await find_tasks.lock_tasks(tx.session, scope, ids)
    await must_judge(tx, scope, by, rows)
    for row in rows:
        row.status = after_step(row, rows, TaskStep.VERIFY)
        aim = kept_task(row.content).aim
        reached = aim is None or (row.value is not None and aim.met(Decimal(row.value)))
        row.met, row.verified_by = reached if met is None else met, by
        row.score = None if score is None else f"{score:f}"
        note_task(tx, row.id, "verified", by, met=row.met, score=row.score, comment=comment)
        said = {name: getattr(row, name) for name in ("task_class", "year", "unit", "owner", "goal", "met")}
        said |= {"title": row.content["title"], "places": sorted(await places_of(tx, row))}
        tx.publish(TaskVerified(task=row.id, by=by, score=score, due_on=row.due, **said))
    return rows


async def return_tasks(tx: Transaction, scope: Scope, by: str, ids: Sequence[UUID], *, reason: str) -> Sequence[TaskRow]:
    """Send back what was submitted, with a reason. Raises Forbidden as `must_judge`."""
    rows = await find_tasks.lock_tasks(tx.session, scope, ids)
    await must_judge(tx, scope, by, rows)
    for row in rows:
        row.status = after_step(row, rows, TaskStep.RETURN)
        note_task(tx, row.id, "returned", by, reason=reason)
        key = f"task-returned:{row.id}:{tx.now.isoformat()}"
        words = f"任务「{row.content['title']}」被退回：{reason}"
        whose = dict.fromkeys(person for person in (row.owner, row.submitted_by) if person is not None)
        await tell(tx, [Notice(person, key, "task_returned", words, link_of(row.id)) for person in whose])
    return rows


async def close_tasks(tx: Transaction, scope: Scope, by: str, ids: Sequence[UUID]) -> Sequence[TaskRow]:
    """End what is verified: nothing of it changes any more. Raises Forbidden as `must_judge`."""
    rows = await find_tasks.lock_tasks(tx.session, scope, ids)
    await must_judge(tx, scope, by, rows)
    for row in rows:
        row.status = after_step(row, rows, TaskStep.CLOSE)
        note_task(tx, row.id, "closed", by)
    return rows


async def call_overdue_tasks(tx: Transaction) -> None:
    """Say once of each task whose due date has passed in the school's zone, and which is still its owner's turn, that it is overdue."""
    today = await queries.today_in(tx.session, tx.school, tx.now)
    late = await find_tasks.list_late_tasks(tx.session, tx.school, today, AT_ONCE)
    for row in late:
        row.overdue_at = tx.now
        note_task(tx, row.id, "overdue", None, due_on=row.due.isoformat())
        said = {name: getattr(row, name) for name in ("task_class", "year", "unit", "owner")}
        fact = TaskOverdue(task=row.id, title=row.content["title"], due_on=row.due, places=sorted(await places_of(tx, row)), **said)
        tx.publish(fact, cause=f"overdue:{row.id}:{row.due}")
    await tell(tx, [notice for row in late for notice in _overdue(row)])


async def count_down(tx: Transaction) -> bool:
    """Tell once who has a task, and who helps, that it falls due in so many days: for each number of days that the school has set.

    Returns whether more is left than one transaction takes.
    """
    today = await queries.today_in(tx.session, tx.school, tx.now)
    settings = await queries.settings_of(tx.session, tx.school)
    left = False
    for days in sorted(settings.countdown_days):
        soon = await find_tasks.list_soon_tasks(tx.session, tx.school, today, days, AT_ONCE)
        for row in soon:
            row.countdown = days
        await tell(tx, [notice for row in soon for notice in _soon(row, days, today)])
        await tx.session.flush()
        left |= len(soon) == AT_ONCE
    return left


def _soon(row: TaskRow, days: int, today: date) -> list[Notice]:
    left = days_left(row.due, today)
    words = f"任务「{row.content['title']}」" + (f"还有 {left} 天到期（{row.due}）" if left else f"今天到期（{row.due}）")
    key = f"task-soon:{row.id}:{row.due}:{days}"
    people = dict.fromkeys(person for person in (row.owner, *row.helpers) if person is not None)
    return [Notice(person, key, "task_due_soon", words, link_of(row.id)) for person in people]


def _overdue(row: TaskRow) -> list[Notice]:
    """What is told to who has an overdue task, and to who gave it."""
    words = f"任务「{row.content['title']}」已逾期，应于 {row.due} 前完成"
    people = dict.fromkeys(person for person in (row.owner, row.given_by) if person is not None)
    return [Notice(person, f"task-overdue:{row.id}:{row.due}", "task_overdue", words, link_of(row.id)) for person in people]
