"""Registers as they are read: a unit's by who covers the unit, a student's aid by who covers the student."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.database import in_batches
from libs.common.errors import NotFound
from services.planning.domain.entries import WAITING
from services.planning.domain.owners import ids_of
from services.planning.queries.guarantees import units_within
from services.planning.queries.school import IN_AT_ONCE
from services.planning.tables import (
    EnrollmentRow,
    EntryRow,
    HomeroomRow,
    ImprovementRow,
    MetricRow,
    PersonRow,
    PlaceRow,
    StudentRow,
)


async def covered(session: AsyncSession, scope: Scope, today: date) -> ColumnElement[bool]:
    """The condition that an entry is in a scope: of its units, or the aid of its students, by the homerooms of today."""
    units = await units_within(session, scope)
    if units is None:
        return EntryRow.school == scope.school
    own = EntryRow.student.in_(_ids("student", scope))
    stays = exists().where(*_stays(scope, units, today), EnrollmentRow.person == EntryRow.student)
    return and_(EntryRow.school == scope.school, or_(EntryRow.unit.in_(sorted(units)), own, stays))


async def reaches_student(session: AsyncSession, scope: Scope, student: str, today: date) -> bool:
    """Whether a scope covers a student by the homerooms of today."""
    units = await units_within(session, scope)
    if units is None or student in _ids("student", scope):
        return True
    stay = select(HomeroomRow.id).where(*_stays(scope, units, today), EnrollmentRow.person == student)
    return await session.scalar(stay.limit(1)) is not None


def _stays(scope: Scope, units: frozenset[str], today: date) -> list[ColumnElement[bool]]:
    """The conditions that a student is today in a homeroom that is in a scope."""
    return [
        EnrollmentRow.school == scope.school,
        EnrollmentRow.role == "student",
        or_(EnrollmentRow.start.is_(None), EnrollmentRow.start <= today),
        or_(EnrollmentRow.end.is_(None), EnrollmentRow.end > today),
        HomeroomRow.school == EnrollmentRow.school,
        HomeroomRow.id == EnrollmentRow.class_id,
        HomeroomRow.active.is_(True),
        or_(HomeroomRow.id.in_(_ids("class", scope)), HomeroomRow.org.in_(sorted(units))),
    ]


def _ids(kind: str, scope: Scope) -> list[str]:
    return ids_of(kind, sorted(scope.places or ()))


async def knows_student(session: AsyncSession, school: str, student: str) -> bool:
    """Whether the roster has had somebody as a student."""
    sql = select(EnrollmentRow.id).where(
        EnrollmentRow.school == school, EnrollmentRow.person == student, EnrollmentRow.role == "student"
    )
    return await session.scalar(sql.limit(1)) is not None


async def unknown_people(session: AsyncSession, school: str, people: Collection[str]) -> set[str]:
    """Return which of these the school has neither as staff nor as a student."""
    left = set(people)
    for table in (PersonRow, StudentRow):
        for some in in_batches(sorted(left), IN_AT_ONCE):
            left -= set(await session.scalars(select(table.id).where(table.school == school, table.id.in_(some))))
    return left


async def is_staff(session: AsyncSession, school: str, person: str) -> bool:
    """Whether somebody is of the staff now."""
    row = await session.get(PersonRow, (school, person))
    return row is not None and row.active


async def get_entry(session: AsyncSession, scope: Scope, id_: UUID, today: date, *, lock: bool = False) -> EntryRow:
    """Return an entry. Raises NotFound, also for what the scope does not cover."""
    sql = select(EntryRow).where(await covered(session, scope, today), EntryRow.id == id_)
    row: EntryRow | None = await session.scalar(sql.with_for_update() if lock else sql)
    if row is None:
        raise NotFound("there is no such entry")
    return row


async def list_entries(
    session: AsyncSession,
    scope: Scope,
    today: date,
    *,
    filters: Mapping[str, str | None],
    overdue: bool | None,
    after: tuple[date, UUID] | None,
    limit: int,
) -> Sequence[EntryRow]:
    """Return entries, the latest day first, one more than `limit`. `filters` are columns and the value wanted, None: any."""
    sql = select(EntryRow).where(await covered(session, scope, today))
    for name, value in filters.items():
        if value is not None:
            sql = sql.where(getattr(EntryRow, name) == value)
    if overdue is not None:
        late = and_(EntryRow.status.in_(WAITING), func.coalesce(EntryRow.due_on < today, False))
        sql = sql.where(late if overdue else ~late)
    if after is not None:
        sql = sql.where(or_(EntryRow.on < after[0], and_(EntryRow.on == after[0], EntryRow.id < after[1])))
    return (await session.scalars(sql.order_by(EntryRow.on.desc(), EntryRow.id.desc()).limit(limit + 1))).all()


async def list_late_entries(session: AsyncSession, school: str, today: date, limit: int) -> Sequence[EntryRow]:
    """Return what is past its day and was not told so yet, locked."""
    sql = (
        select(EntryRow)
        .where(
            EntryRow.school == school,
            EntryRow.status.in_(WAITING),
            EntryRow.due_on < today,
            EntryRow.overdue_at.is_(None),
        )
        .order_by(EntryRow.id)
        .limit(limit)
        .with_for_update()
    )
    return (await session.scalars(sql)).all()


# --- student aid ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AidSum:
    """The aid of a kind that was due: how many grants, how many paid in full and how many in time as well; fen due and paid."""

    category: str | None
    grants: int
    in_full: int
    in_time: int
    due: int
    paid: int


async def sum_aid(session: AsyncSession, scope: Scope, year: int, today: date) -> list[AidSum]:
    """Add up the aid of a civil year whose day has come, as far as the caller covers the students."""
    full = EntryRow.status == "paid"
    sql = (
        select(
            EntryRow.category,
            func.count(),
            func.sum(case((full, 1), else_=0)),
            func.sum(case((and_(full, EntryRow.paid_on <= EntryRow.due_on), 1), else_=0)),
            func.sum(EntryRow.due),
            func.sum(EntryRow.paid),
        )
        .where(await covered(session, scope, today), EntryRow.kind == "aid", EntryRow.status.in_(("due", "paid")))
        .where(EntryRow.due_on >= date(year, 1, 1), EntryRow.due_on <= min(date(year, 12, 31), today))
        .group_by(EntryRow.category)
    )
    found = [AidSum(category, *map(int, numbers)) for category, *numbers in await session.execute(sql)]
    return sorted(found, key=lambda each: each.category or "")


# --- contingency plans ------------------------------------------------------------------------------------------------------


async def find_warned(session: AsyncSession, scope: Scope, warning: UUID) -> ImprovementRow | None:
    """Return the improvement of a warning that the caller may see, None where there is none."""
    mine = scope.where(PlaceRow.place, PlaceRow.improvement == ImprovementRow.id)
    sql = select(ImprovementRow).where(ImprovementRow.school == scope.school, ImprovementRow.warning == warning, mine)
    row: ImprovementRow | None = await session.scalar(sql)
    return row


async def contingencies_in_force(session: AsyncSession, school: str) -> Sequence[EntryRow]:
    """Return the school's contingency plans in force, whoever wrote them: who has to act sees them."""
    sql = select(EntryRow).where(EntryRow.school == school, EntryRow.kind == "contingency", EntryRow.status == "in_force")
    return (await session.scalars(sql.order_by(EntryRow.on.desc(), EntryRow.id))).all()


async def names_of_metric(session: AsyncSession, school: str, code: str) -> set[str]:
    """Return the codes that a metric is known by."""
    row = await session.get(MetricRow, (school, code))
    return {code, *([row.alias] if row is not None and row.alias else [])}
