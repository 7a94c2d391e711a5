"""The ledger of problems as it is read, and what of a school a new problem may name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from libs.common.auth import Scope
from libs.common.database import in_batches
from services.planning.domain.ledger import Tally
from services.planning.domain.states import DONE, OWNERS_TURN, Status
from services.planning.queries.improvements import visible
from services.planning.queries.school import IN_AT_ONCE
from services.planning.tables import (
    ClassRow,
    CourseRow,
    HistoryRow,
    ImprovementRow,
    IndicatorRow,
    OrgRow,
    PersonRow,
    StudentRow,
    Table,
)

NO_PROBLEM = ("dismissed", "withdrawn")
"""Why an improvement was closed that there was no need for."""


class Naming(Protocol):
    """What names people and indicators."""

    @property
    def owner(self) -> str | None: ...
    @property
    def verifier(self) -> str | None: ...
    @property
    def indicator(self) -> str | None: ...
    @property
    def level(self) -> str: ...
    @property
    def subject(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Known:
    """What of a school new problems name and is there: units, staff, indicators in force, courses with their unit; and what the
    courses, classes and students that they are about are called.
    """

    units: Mapping[str, str]
    parents: Mapping[str, str | None]
    staff: Mapping[str, str]
    indicators: Mapping[str, IndicatorRow]
    courses: Mapping[str, str | None]
    called: Mapping[str, Mapping[str, str]]

    def name(self, level: str, subject: str | None) -> str | None:
        """What a subject of a level is called; None where nobody knows."""
        if subject is None:
            return None
        by_level = {"teacher": self.staff, "department": self.units, "programme": self.units, **self.called}
        return by_level.get(level, {}).get(subject)


async def known_to(session: AsyncSession, school: str, found: Iterable[Naming]) -> Known:
    """Return what there is of all that these name."""
    found = list(found)
    units = {
        id_: (name, parent)
        for id_, name, parent in await session.execute(select(OrgRow.id, OrgRow.name, OrgRow.parent).where(OrgRow.school == school))
    }
    people = {each.owner for each in found} | {each.verifier for each in found}
    people |= {each.subject for each in found if each.level == "teacher"}
    staff: dict[str, str] = {}
    for some in in_batches(sorted(person for person in people if person is not None), IN_AT_ONCE):
        sql = select(PersonRow.id, PersonRow.name).where(PersonRow.school == school, PersonRow.id.in_(some), PersonRow.active)
        staff.update((await session.execute(sql)).all())
    codes = sorted({each.indicator for each in found if each.indicator is not None})
    indicators: dict[str, IndicatorRow] = {}
    for some in in_batches(codes, IN_AT_ONCE):
        for row in await session.scalars(select(IndicatorRow).where(IndicatorRow.school == school, IndicatorRow.code.in_(some))):
            indicators[row.code] = row
    wanted = sorted({each.subject for each in found if each.level == "course" and each.subject is not None})
    courses: dict[str, str | None] = {}
    for some in in_batches(wanted, IN_AT_ONCE):
        of_courses = select(CourseRow.id, CourseRow.org).where(CourseRow.school == school, CourseRow.id.in_(some))
        courses.update((await session.execute(of_courses)).all())
    parents = {id_: parent for id_, (_, parent) in units.items()}
    called = {level: await _called(session, school, level, found) for level in CALLED}
    return Known({id_: name for id_, (name, _) in units.items()}, parents, staff, indicators, courses, called)


CALLED: Mapping[str, tuple[type[Table], InstrumentedAttribute[str]]] = {
    "course": (CourseRow, CourseRow.title),
    "class": (ClassRow, ClassRow.title),
    "homeroom": (ClassRow, ClassRow.title),
    "student": (StudentRow, StudentRow.name),
}
"""Where it stands what the subjects of a level are called."""


async def _called(session: AsyncSession, school: str, level: str, found: Sequence[Naming]) -> dict[str, str]:
    table, name = CALLED[level]
    columns = table.__table__.c
    called: dict[str, str] = {}
    for some in in_batches(
        sorted({each.subject for each in found if each.level == level and each.subject is not None}), IN_AT_ONCE
    ):
        sql = select(columns.id, name).where(columns.school == school, columns.id.in_(some))
        called.update((await session.execute(sql)).all())
    return called


# --- the ledger ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of the ledger; None: all. `since` is inclusive, `until` exclusive, both of the day of opening."""

    source: str | None = None
    unit: str | None = None
    owner: str | None = None
    status: str | None = None
    indicator: str | None = None
    overdue: bool | None = None
    plan_overdue: bool | None = None
    since: date | None = None
    until: date | None = None

    def where(self, today: date) -> list[ColumnElement[bool]]:
        same = ("source", "unit", "owner", "status", "indicator")
        found = [getattr(ImprovementRow, name) == value for name in same if (value := getattr(self, name)) is not None]
        for flag, late in ((self.overdue, overdue(today)), (self.plan_overdue, plan_overdue(today))):
            if flag is not None:
                found.append(late if flag else ~late)
        if self.since is not None:
            found.append(ImprovementRow.opened_on >= self.since)
        if self.until is not None:
            found.append(ImprovementRow.opened_on < self.until)
        return found


def overdue(today: date) -> ColumnElement[bool]:
    return and_(ImprovementRow.status.in_(OWNERS_TURN), ImprovementRow.due_on < today)


def plan_overdue(today: date) -> ColumnElement[bool]:
    return and_(ImprovementRow.status == Status.PROPOSED, ImprovementRow.plan_due_on < today)


async def list_ledger(
    session: AsyncSession, scope: Scope, wanted: Wanted, today: date, *, after: int | None, limit: int
) -> Sequence[ImprovementRow]:
    """Return rows of the ledger by their number, one more than `limit`, starting past the number `after`."""
    sql = select(ImprovementRow).where(visible(scope), *wanted.where(today))
    if after is not None:
        sql = sql.where(ImprovementRow.number > after)
    return (await session.scalars(sql.order_by(ImprovementRow.number).limit(limit + 1))).all()


async def progress_of(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """Return what was written down of these improvements' progress, oldest first: `text` and `evidence`."""
    found: dict[UUID, list[dict[str, Any]]] = {}
    for some in in_batches(ids, IN_AT_ONCE):
        sql = (
            select(HistoryRow.improvement, HistoryRow.what)
            .where(HistoryRow.improvement.in_(some), HistoryRow.step == "progress")
            .order_by(HistoryRow.position)
        )
        for id_, what in await session.execute(sql):
            found.setdefault(id_, []).append(what)
    return found


async def list_alike(session: AsyncSession, school: str) -> Sequence[tuple[str, str, str | None, date, date | None]]:
    """Return source, title, unit, due date and deadline of all that the school's ledger has, whoever may see it: what comes in a
    sheet may be there already.
    """
    columns = (ImprovementRow.source, ImprovementRow.title, ImprovementRow.unit, ImprovementRow.due_on, ImprovementRow.deadline)
    rows = await session.execute(select(*columns).where(ImprovementRow.school == school))
    return [(source, title, unit, due_on, deadline) for source, title, unit, due_on, deadline in rows]


async def units_of(session: AsyncSession, school: str) -> Sequence[tuple[str, str, str]]:
    """Return id, name and kind of the school's units."""
    rows = await session.execute(select(OrgRow.id, OrgRow.name, OrgRow.kind).where(OrgRow.school == school))
    return [(id_, name, kind) for id_, name, kind in rows]


async def staff_by_name(session: AsyncSession, school: str, names: Collection[str]) -> dict[str, list[str]]:
    """Return the ids of the staff that these words name, by id or by name."""
    found: dict[str, list[str]] = {}
    for some in in_batches(sorted(set(names)), IN_AT_ONCE):
        named = or_(PersonRow.id.in_(some), PersonRow.name.in_(some))
        for id_, name in await session.execute(
            select(PersonRow.id, PersonRow.name).where(PersonRow.school == school, PersonRow.active, named)
        ):
            for word in {id_, name}:
                found.setdefault(word, []).append(id_)
    return found


async def numbers_of(session: AsyncSession, ids: Collection[UUID | None]) -> dict[UUID, int]:
    """Return the numbers of these rows, that the caller has been told of already."""
    wanted = [id_ for id_ in set(ids) if id_ is not None]
    found: dict[UUID, int] = {}
    for some in in_batches(wanted, IN_AT_ONCE):
        sql = select(ImprovementRow.id, ImprovementRow.number).where(ImprovementRow.id.in_(some))
        found.update((await session.execute(sql)).all())
    return found


async def tally(session: AsyncSession, scope: Scope, wanted: Wanted, today: date, by: str) -> list[tuple[str | None, Tally]]:
    """Count the ledger's rows by one of its columns: per value what came of them; None where there is none."""
    key = getattr(ImprovementRow, by)
    done = ImprovementRow.verified_on.is_not(None) & ImprovementRow.status.in_(DONE)
    met = done & (ImprovementRow.verified_on <= ImprovementRow.due_on)
    cases = {
        "completed": done,
        "met": met,
        "submitted": ImprovementRow.status == Status.SUBMITTED,
        "overdue": overdue(today),
        "plan_overdue": plan_overdue(today),
        "due": done | (ImprovementRow.due_on < today),
    }
    counts = [func.coalesce(func.sum(case((when, 1), else_=0)), 0) for when in cases.values()]
    is_problem = ImprovementRow.close_reason.is_(None) | ImprovementRow.close_reason.not_in(NO_PROBLEM)
    sql = select(key, func.count(), *counts).where(visible(scope), is_problem, *wanted.where(today)).group_by(key)
    rows = await session.execute(sql)
    return [(value, Tally(total, **dict(zip(cases, map(int, each), strict=True)))) for value, total, *each in rows]
