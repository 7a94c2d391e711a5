"""What lies on a desk: the first rows of each kind with their number, a statement each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, ColumnExpressionArgument, Text, case, cast, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from libs.common.auth import Scope
from services.planning.domain.agreements import AgreementStatus
from services.planning.domain.desks import MOST, Found, Item
from services.planning.domain.due import DueStatus
from services.planning.domain.owners import ids_of
from services.planning.domain.plans import PlanStatus
from services.planning.domain.settings import SEVERITIES
from services.planning.domain.states import DONE, OWNERS_TURN, Status
from services.planning.domain.tasks import OWNERS_TURN as TASK_OWNERS_TURN
from services.planning.domain.tasks import TaskStatus
from services.planning.queries.improvements import covered
from services.planning.queries.projects import leads
from services.planning.queries.tasks import covered as task_covered
from services.planning.tables import (
    AgreementRow,
    DueItemRow,
    DuePlaceRow,
    HistoryRow,
    HomeroomRow,
    ImprovementRow,
    OrgRow,
    PlanPlaceRow,
    PlanRow,
    StandardRow,
    TaskRow,
)

API = "/api/v1/planning"
STANDING = (
    or_(ImprovementRow.warned, ImprovementRow.warning.is_(None) & ImprovementRow.status.not_in(DONE)),
    ImprovementRow.status != Status.CLOSED,
)
"""Improvements whose warning stands, and what people found and is not verified."""
_TOTAL = func.count().over()
_RANK = case({severity: n for n, severity in enumerate(SEVERITIES)}, value=ImprovementRow.severity, else_=-1)


async def homerooms_of(session: AsyncSession, scope: Scope) -> list[str]:
    """The homerooms that a scope names, in order of id; of a whole school all of them."""
    sql = select(HomeroomRow.id).where(HomeroomRow.school == scope.school, HomeroomRow.active)
    if scope.places is not None:
        sql = sql.where(HomeroomRow.id.in_([place[6:] for place in scope.places if place.startswith("class:")]))
    return sorted(await session.scalars(sql))


# --- rows of each kind ----------------------------------------------------------------------------------------------------


async def improvements(session: AsyncSession, scope: Scope, today: date, *where: ColumnExpressionArgument[bool]) -> Found:
    """Improvements that the scope covers, by the date that is next: the plan's before it is started."""
    due = case((ImprovementRow.status == Status.PROPOSED, ImprovementRow.plan_due_on), else_=ImprovementRow.due_on)
    sql = select(ImprovementRow, due, _TOTAL).where(covered(scope), *where).order_by(due, ImprovementRow.id).limit(MOST)
    rows = (await session.execute(sql)).all()
    items = [
        Item(
            "improvement",
            str(row.id),
            row.title,
            f"{API}/improvements/{row.id}",
            status=row.status,
            subject_name=row.subject_name or row.subject,
            severity=row.severity,
            due_on=next_due,
            overdue=row.status in OWNERS_TURN and next_due < today,
            says=row.goal or row.goal_proposed,
        )
        for row, next_due, _ in rows
    ]
    return Found(items, rows[0][2] if rows else 0)


async def tasks(session: AsyncSession, scope: Scope, today: date, *where: ColumnExpressionArgument[bool]) -> Found:
    """Annual tasks that the scope covers, by due date."""
    sql = select(TaskRow, _TOTAL).where(task_covered(scope), *where).order_by(TaskRow.due, TaskRow.id).limit(MOST)
    rows = (await session.execute(sql)).all()
    items = [
        Item(
            "task",
            str(row.id),
            str(row.content["title"]),
            f"{API}/tasks/{row.id}",
            status=row.status,
            due_on=row.due,
            overdue=row.status in TASK_OWNERS_TURN and row.due < today,
        )
        for row, _ in rows
    ]
    return Found(items, rows[0][1] if rows else 0)


async def due_items(session: AsyncSession, scope: Scope, today: date, *where: ColumnExpressionArgument[bool]) -> Found:
    """What the calendar asks for and is not done, by due date."""
    mine = scope.where(DuePlaceRow.place, DuePlaceRow.item == DueItemRow.id)
    open_ = (DueItemRow.school == scope.school, mine, DueItemRow.status == DueStatus.OPEN, *where)
    sql = select(DueItemRow, _TOTAL).where(*open_).order_by(DueItemRow.due_on, DueItemRow.id).limit(MOST)
    rows = (await session.execute(sql)).all()
    items = [
        Item(
            "due_item",
            str(row.id),
            f"{row.name} {row.period}",
            f"{API}/due-items/{row.id}",
            status=row.status,
            subject_name=row.subject_name or row.subject,
            due_on=row.due_on,
            overdue=row.due_on < today,
        )
        for row, _ in rows
    ]
    return Found(items, rows[0][1] if rows else 0)


async def agreements_to_sign(session: AsyncSession, scope: Scope, person: str) -> Found:
    """Agreements that wait for a person's signature."""
    waiting = (AgreementRow.school == scope.school, AgreementRow.signer == person, AgreementRow.status == AgreementStatus.ISSUED)
    sql = select(AgreementRow, _TOTAL).where(*waiting).order_by(AgreementRow.issued_at, AgreementRow.id).limit(MOST)
    rows = (await session.execute(sql)).all()
    items = [
        Item(
            "agreement",
            str(row.id),
            str(row.content.get("name", row.kind)),
            f"{API}/agreements/{row.id}",
            status=row.status,
            subject_name=str(row.content.get("party", row.party)),
        )
        for row, _ in rows
    ]
    return Found(items, rows[0][1] if rows else 0)


async def plans(session: AsyncSession, scope: Scope, *where: ColumnExpressionArgument[bool]) -> Found:
    """Plans that the scope covers, in order of their codes."""
    mine = scope.where(PlanPlaceRow.place, PlanPlaceRow.plan == PlanRow.id)
    sql = select(PlanRow, _TOTAL).where(PlanRow.school == scope.school, mine, *where).order_by(PlanRow.code).limit(MOST)
    rows = (await session.execute(sql)).all()
    items = [Item("plan", row.code, row.name, f"{API}/plans/{row.code}", status=row.status) for row, _ in rows]
    return Found(items, rows[0][1] if rows else 0)


def to_verify(person: str) -> ColumnElement[bool]:
    """Improvements that wait for this person's word: neither owned nor submitted by them."""
    others = ImprovementRow.owner.is_distinct_from(person) & ImprovementRow.submitted_by.is_distinct_from(person)
    return (ImprovementRow.status == Status.SUBMITTED) & (ImprovementRow.verifier == person) & others


def tasks_to_verify(person: str, scope: Scope, today: date) -> ColumnElement[bool]:
    """Tasks that others have and submitted, given by this person or by a head of the unit that has it, or parts of a task of a unit of
    theirs; for whose posts are over all, any but those of a unit that they lead. The school's table names more, which are not here.
    """
    helps = cast(TaskRow.helpers, Text).contains(json.dumps(person), autoescape=True)
    waits = (TaskRow.status == TaskStatus.SUBMITTED) & (TaskRow.submitted_by != person) & TaskRow.owner.is_distinct_from(person)
    above = aliased(TaskRow)
    of_unit = above.unit.is_not(None) if scope.places is None else above.unit.in_(ids_of("unit", sorted(scope.places)))
    part = select(above.id).where(above.id == TaskRow.parent, of_unit).exists()
    inside = or_(TaskRow.given_by == person, leads(scope.school, TaskRow.unit, TaskRow.given_by, today), part)
    others = ~leads(scope.school, TaskRow.unit, literal(person), today)
    return waits & ~helps & (or_(inside, others) if scope.places is None else inside)


def in_review(person: str) -> ColumnElement[bool]:
    """Plans that somebody else has submitted for review."""
    return (PlanRow.status == PlanStatus.IN_REVIEW) & (PlanRow.submitted_by != person)


async def owed(session: AsyncSession, school: str, person: str, today: date) -> Sequence[Found]:
    """What a person owes until the end of the week that begins today, and what is late, of every kind."""
    until, own = today + timedelta(days=7), Scope(school, None)
    due = case((ImprovementRow.status == Status.PROPOSED, ImprovementRow.plan_due_on), else_=ImprovementRow.due_on)
    return [
        await improvements(
            session, own, today, ImprovementRow.owner == person, ImprovementRow.status.in_(OWNERS_TURN), due < until
        ),
        await tasks(session, own, today, TaskRow.owner == person, TaskRow.status.in_(TASK_OWNERS_TURN), TaskRow.due < until),
        await due_items(session, own, today, DueItemRow.owner == person, DueItemRow.due_on < until),
    ]


async def good_news(session: AsyncSession, scope: Scope, since: datetime, *where: ColumnExpressionArgument[bool]) -> Found:
    """What was verified, or has recovered by its numbers, since a moment; newest first."""
    told = (
        select(HistoryRow.improvement, func.max(HistoryRow.at).label("at"))
        .where(HistoryRow.step.in_(("warning_cleared", "verified")), HistoryRow.at >= since)
        .group_by(HistoryRow.improvement)
        .subquery()
    )
    sql = (
        select(ImprovementRow, _TOTAL)
        .join(told, told.c.improvement == ImprovementRow.id)
        .where(covered(scope), or_(ImprovementRow.cleared, ImprovementRow.verified_by.is_not(None)), *where)
        .order_by(told.c.at.desc(), ImprovementRow.id)
        .limit(MOST)
    )
    rows = (await session.execute(sql)).all()
    items = [
        Item(
            "improvement",
            str(row.id),
            row.title,
            f"{API}/improvements/{row.id}",
            status=row.status,
            subject_name=row.subject_name or row.subject,
            says="已恢复到解除线以上" if row.cleared else "整改已验收",
        )
        for row, _ in rows
    ]
    return Found(items, rows[0][1] if rows else 0)


# --- students ---------------------------------------------------------------------------------------------------------------


async def students(session: AsyncSession, scope: Scope, *having: ColumnExpressionArgument[bool]) -> Found:
    """Students with standing warnings over all courses, whose next date comes first; a row a student."""
    due = func.min(ImprovementRow.due_on)
    mine = (covered(scope), ImprovementRow.level == "student", *STANDING)
    columns = (func.max(ImprovementRow.subject_name), func.count(), func.max(_RANK), due, func.count().over())
    sql = select(ImprovementRow.subject, *columns).where(*mine).group_by(ImprovementRow.subject).having(*having)
    rows = (await session.execute(sql.order_by(due, ImprovementRow.subject).limit(MOST))).all()
    items = [
        _student(id_, name, count=count, severity=SEVERITIES[rank] if rank >= 0 else None, due_on=day)
        for id_, name, count, rank, day, _ in rows
    ]
    return Found(items, rows[0][5] if rows else 0)


def new_since(since: datetime) -> ColumnElement[bool]:
    """Whose oldest standing warning is not older than a moment."""
    return func.min(ImprovementRow.opened_at) >= since


async def better_students(session: AsyncSession, scope: Scope, since: datetime) -> Found:
    """Students of whose warnings one has recovered since a moment, and none stands."""
    mine = (covered(scope), ImprovementRow.level == "student")
    still = select(ImprovementRow.subject).where(*mine, *STANDING)
    told = select(HistoryRow.improvement).where(HistoryRow.step == "warning_cleared", HistoryRow.at >= since)
    sql = (
        select(ImprovementRow.subject, func.max(ImprovementRow.subject_name), func.count().over())
        .where(*mine, ImprovementRow.cleared, ImprovementRow.id.in_(told), ImprovementRow.subject.not_in(still))
        .group_by(ImprovementRow.subject)
        .order_by(ImprovementRow.subject)
        .limit(MOST)
    )
    rows = (await session.execute(sql)).all()
    return Found([_student(id_, name, says="已恢复到解除线以上") for id_, name, _ in rows], rows[0][2] if rows else 0)


def _student(id_: str, name: str | None, **said: Any) -> Item:
    return Item("student", id_, name or id_, f"/api/v1/monitoring/warnings?level=student&subject={id_}", **said)


async def student_standards(session: AsyncSession, scope: Scope, today: date) -> Found:
    """Standards in force that bind students: a plan of one's own is chosen from them, and may not fall below."""
    sql = (
        select(StandardRow)
        .where(StandardRow.school == scope.school, StandardRow.effective_from <= today)
        .order_by(StandardRow.code, StandardRow.version)
    )
    newest = {row.code: row for row in await session.scalars(sql)}
    bound = [row for row in newest.values() if any(each.get("floor") for each in row.elements)]
    items = [Item("standard", row.code, row.name, f"/api/v1/standards/standards/{row.code}") for row in bound]
    return Found(items[:MOST], len(items))


async def standing_of_student(session: AsyncSession, scope: Scope, student: str) -> Sequence[ImprovementRow]:
    """A student's improvements whose warning stands."""
    mine = (covered(scope), ImprovementRow.level == "student", ImprovementRow.subject == student, *STANDING)
    return (await session.scalars(select(ImprovementRow).where(*mine).order_by(ImprovementRow.id))).all()


async def rank_units(session: AsyncSession, scope: Scope, year: int, today: date) -> Sequence[Any]:
    """Units by their tasks of a year: unit, name, all that were handed out, verified, met, late; the best first."""
    done = TaskRow.status.in_((TaskStatus.VERIFIED, TaskStatus.CLOSED))
    late = TaskRow.status.in_(TASK_OWNERS_TURN) & (TaskRow.due < today)

    def number(of: ColumnElement[bool]) -> Any:
        return func.coalesce(func.sum(case((of, 1), else_=0)), 0)

    completed, met, overdue = number(done), number(done & TaskRow.met.is_(True)), number(late)
    sql = (
        select(TaskRow.unit, func.max(OrgRow.name), func.count(), completed, met, overdue)
        .join(OrgRow, (OrgRow.school == TaskRow.school) & (OrgRow.id == TaskRow.unit), isouter=True)
        .where(task_covered(scope), TaskRow.year == year, TaskRow.unit.is_not(None), TaskRow.status != TaskStatus.DRAFT)
        .group_by(TaskRow.unit)
    )
    rows = (await session.execute(sql)).all()
    return sorted(rows, key=lambda row: (-row[3] / row[2], row[5], -row[4] / row[2], row[0]))
