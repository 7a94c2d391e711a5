"""Plans as they are read. What belongs to one school takes its scope or its code first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Protocol
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.database import in_batches
from libs.common.errors import NotFound
from libs.common.event import NAMESPACE
from services.planning.domain.owners import Subject
from services.planning.domain.plans import PERSONAL, PlanStatus
from services.planning.queries.school import IN_AT_ONCE, directory_of, parents_of
from services.planning.tables import (
    GoalHistoryRow,
    GoalRow,
    HomeroomRow,
    PersonRow,
    PlanHistoryRow,
    PlanPlaceRow,
    PlanRow,
    SchoolRow,
    StandingRow,
)


def plan_id(school: str, code: str, version: int) -> UUID:
    return uuid5(NAMESPACE, f"{school}|plan|{code}|{version}")


async def lock_school(session: AsyncSession, school: str) -> None:
    """Let one transaction at a time change how plans and goals of a school hang together."""
    await session.scalar(select(SchoolRow.code).where(SchoolRow.code == school).with_for_update())


def covered(scope: Scope) -> ColumnElement[bool]:
    return and_(PlanRow.school == scope.school, scope.where(PlanPlaceRow.place, PlanPlaceRow.plan == PlanRow.id))


def visible(scope: Scope) -> ColumnElement[bool]:
    """What is published is for the whole school to read, but for plans of persons; the rest is for who has to do with it."""
    published = and_(PlanRow.school == scope.school, PlanRow.live, PlanRow.kind != PERSONAL)
    return or_(published, covered(scope))


async def get_plan(session: AsyncSession, scope: Scope, code: str, version: int | None = None) -> PlanRow:
    """Return a version of a plan, without one the version that stands. Raises NotFound, also for what the caller may not see."""
    sql = select(PlanRow).where(visible(scope), PlanRow.code == code)
    sql = sql.where(PlanRow.current if version is None else PlanRow.version == version)
    if (row := await session.scalar(sql)) is None:
        raise NotFound(f"there is no such plan: {code}" if version is None else f"there is no version {version} of the plan {code}")
    return row


async def find_newest(session: AsyncSession, school: str, code: str) -> PlanRow | None:
    """Return a plan's newest version, as it stands once the school is locked: a row's lock would not show that there is a newer one."""
    await lock_school(session, school)
    sql = select(PlanRow).where(PlanRow.school == school, PlanRow.code == code).order_by(PlanRow.version.desc()).limit(1)
    row: PlanRow | None = await session.scalar(sql.execution_options(populate_existing=True))
    return row


async def lock_newest(session: AsyncSession, scope: Scope, code: str) -> PlanRow:
    """As `find_newest`. Raises NotFound, also for what the scope does not cover."""
    row = await find_newest(session, scope.school, code)
    if row is None or not scope.covers(await plan_places(session, row.id)):
        raise NotFound(f"there is no such plan: {code}")
    return row


async def find_current(session: AsyncSession, school: str, code: str) -> PlanRow | None:
    sql = select(PlanRow).where(PlanRow.school == school, PlanRow.code == code, PlanRow.current)
    row: PlanRow | None = await session.scalar(sql)
    return row


async def find_plan(session: AsyncSession, scope: Scope, code: str) -> PlanRow | None:
    """Return the version that stands, None where there is none that the caller may see."""
    row: PlanRow | None = await session.scalar(select(PlanRow).where(visible(scope), PlanRow.code == code, PlanRow.current))
    return row


async def plan_places(session: AsyncSession, plan: UUID) -> list[str]:
    return list(await session.scalars(select(PlanPlaceRow.place).where(PlanPlaceRow.plan == plan)))


async def list_plans(
    session: AsyncSession, scope: Scope, *, filters: Mapping[str, str | None], after: str | None, limit: int
) -> Sequence[PlanRow]:
    """Return the plans that stand, by code; one more than `limit`. `filters` are columns and the value wanted, None: any."""
    sql = select(PlanRow).where(visible(scope), PlanRow.current).order_by(PlanRow.code).limit(limit + 1)
    for name, value in filters.items():
        if value is not None:
            sql = sql.where(getattr(PlanRow, name) == value)
    if after is not None:
        sql = sql.where(PlanRow.code > after)
    return (await session.scalars(sql)).all()


async def list_plan_versions(session: AsyncSession, scope: Scope, code: str) -> Sequence[PlanRow]:
    """Return what the caller may see of a plan's versions, newest first. Raises NotFound where that is nothing."""
    sql = select(PlanRow).where(visible(scope), PlanRow.code == code).order_by(PlanRow.version.desc())
    if not (rows := (await session.scalars(sql)).all()):
        raise NotFound(f"there is no such plan: {code}")
    return rows


async def plan_history(session: AsyncSession, plan: UUID) -> Sequence[PlanHistoryRow]:
    sql = select(PlanHistoryRow).where(PlanHistoryRow.plan == plan).order_by(PlanHistoryRow.position)
    return (await session.scalars(sql)).all()


async def writers_of(session: AsyncSession, plan: PlanRow) -> set[str]:
    """Return who wrote a version of a plan, or of the goals that it has."""
    said = select(PlanHistoryRow.by).where(PlanHistoryRow.plan == plan.id, PlanHistoryRow.step.in_(("written", "changed")))
    here = select(GoalRow.goal).where(GoalRow.plan == plan.id)
    goals = select(GoalHistoryRow.by).where(GoalHistoryRow.goal.in_(here), GoalHistoryRow.version == plan.version)
    return {by for by in await session.scalars(said.union(goals)) if by is not None}


async def plan_parents(session: AsyncSession, school: str) -> dict[str, str | None]:
    """Return the parent of each plan that stands."""
    sql = select(PlanRow.code, PlanRow.parent).where(PlanRow.school == school, PlanRow.current)
    return dict((await session.execute(sql)).all())


async def periods_below(session: AsyncSession, school: str, code: str) -> list[tuple[str, date, date]]:
    """Return code and period of the plans that stand right below one."""
    sql = select(PlanRow.code, PlanRow.period_from, PlanRow.period_to).where(
        PlanRow.school == school, PlanRow.parent == code, PlanRow.current, PlanRow.status != PlanStatus.CLOSED
    )
    return [(row.code, row.period_from, row.period_to) for row in await session.execute(sql.order_by(PlanRow.code))]


async def periods_of_plans(session: AsyncSession, plans: Collection[UUID]) -> dict[UUID, tuple[date, date]]:
    """Return the first and the last day of each of these versions."""
    found: dict[UUID, tuple[date, date]] = {}
    columns = select(PlanRow.id, PlanRow.period_from, PlanRow.period_to)
    for some in in_batches(list(plans), IN_AT_ONCE):
        rows = await session.execute(columns.where(PlanRow.id.in_(some)))
        found.update({row.id: (row.period_from, row.period_to) for row in rows})
    return found


async def closed_among(session: AsyncSession, plans: Collection[UUID]) -> set[UUID]:
    """Return which of these versions are closed."""
    found: set[UUID] = set()
    for some in in_batches(list(plans), IN_AT_ONCE):
        found.update(await session.scalars(select(PlanRow.id).where(PlanRow.id.in_(some), PlanRow.status == PlanStatus.CLOSED)))
    return found


async def count_goals(session: AsyncSession, plans: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    """Return how many goals each of these versions has, and how many of them are met."""
    met = func.coalesce(func.sum(case((and_(GoalRow.live, StandingRow.state == "met"), 1), else_=0)), 0)
    sql = (
        select(GoalRow.plan, func.count(), met)
        .outerjoin(StandingRow, StandingRow.goal == GoalRow.goal)
        .where(GoalRow.plan.in_(plans))
        .group_by(GoalRow.plan)
    )
    return {plan: (many, reached) for plan, many, reached in await session.execute(sql)}


# --- where plans lie ----------------------------------------------------------------------------------------------------


class Placed(Protocol):
    """What lies somewhere: a plan, or a problem that people found."""

    @property
    def id(self) -> UUID: ...
    @property
    def level(self) -> str: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def unit(self) -> str | None: ...


async def places_for(session: AsyncSession, school: str, plans: Iterable[Placed], today: date) -> dict[UUID, set[str]]:
    """Return where each of them lies by the roster of today: school, level, units upwards, and what it is about."""
    plans = list(plans)
    subjects = {level: sorted({p.subject for p in plans if p.level == level and p.subject}) for level in ("teacher", "student")}
    units = await _units_of_staff(session, school, subjects["teacher"])
    homerooms = await _homerooms_of(session, school, subjects["student"], today)
    homes = await _units_of_homerooms(session, school, sorted(set(homerooms.values())))
    above = await parents_of(session, school)
    found: dict[UUID, set[str]] = {}
    for plan in plans:
        own, leads = _own_places(plan, units, homerooms, homes)
        for unit in leads:
            at: str | None = unit
            while at is not None and f"unit:{at}" not in own:
                own.add(f"unit:{at}")
                at = above.get(at)
        found[plan.id] = own | {f"school:{school}", f"level:{plan.level}"}
    return found


def _own_places(
    plan: Placed, units: Mapping[str, list[str]], homerooms: Mapping[str, str], homes: Mapping[str, str | None]
) -> tuple[set[str], list[str]]:
    """The places of a plan's subject, and the units that it lies in."""
    leads = [plan.unit] if plan.unit is not None else []
    if plan.subject is None:
        return set(), leads
    match plan.level:
        case "teacher":
            return {f"teacher:{plan.subject}"}, leads + units.get(plan.subject, [])
        case "student":
            homeroom = homerooms.get(plan.subject)
            home = homes.get(homeroom) if homeroom is not None else None
            own = {f"student:{plan.subject}", *([f"class:{homeroom}"] if homeroom is not None else [])}
            return own, leads + ([home] if home is not None else [])
        case "course":
            return {f"course:{plan.subject}"}, leads
        case "class" | "homeroom":
            return {f"class:{plan.subject}"}, leads
        case "programme" | "department":
            return set(), [*leads, plan.subject]
    return set(), leads


async def list_unled(session: AsyncSession, school: str, codes: Sequence[str]) -> Sequence[PlanRow]:
    """Return those of these plans that are drafts in their first version and name no unit."""
    draft = (PlanRow.school == school, PlanRow.version == 1, PlanRow.status == PlanStatus.DRAFT, PlanRow.unit.is_(None))
    found: list[PlanRow] = []
    for some in in_batches(codes, IN_AT_ONCE):
        found += await session.scalars(select(PlanRow).where(*draft, PlanRow.code.in_(some)).order_by(PlanRow.code))
    return found


async def list_placed(session: AsyncSession, school: str) -> Sequence[PlanRow]:
    """Return the versions that somebody may have to do with: all but those replaced."""
    return (await session.scalars(select(PlanRow).where(PlanRow.school == school, PlanRow.status != PlanStatus.REPLACED))).all()


async def all_places(session: AsyncSession, school: str) -> dict[UUID, set[str]]:
    sql = select(PlanPlaceRow).join(PlanRow, PlanRow.id == PlanPlaceRow.plan).where(PlanRow.school == school)
    found: dict[UUID, set[str]] = {}
    for row in await session.scalars(sql):
        found.setdefault(row.plan, set()).add(row.place)
    return found


async def _units_of_staff(session: AsyncSession, school: str, people: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for some in in_batches(people, IN_AT_ONCE):
        sql = select(PersonRow.id, PersonRow.orgs).where(PersonRow.school == school, PersonRow.id.in_(some))
        found.update({id_: list(orgs) for id_, orgs in await session.execute(sql)})
    return found


async def _homerooms_of(session: AsyncSession, school: str, students: Sequence[str], today: date) -> dict[str, str]:
    """Return the homeroom that each student is in today."""
    if not students:
        return {}
    about = [Subject("student", student, (), today) for student in students]
    directory = await directory_of(session, school, about)
    return {each.subject: homeroom for each in about for homeroom in directory.homerooms_of(each)}


async def _units_of_homerooms(session: AsyncSession, school: str, homerooms: Sequence[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for some in in_batches(homerooms, IN_AT_ONCE):
        sql = select(HomeroomRow.id, HomeroomRow.org).where(HomeroomRow.school == school, HomeroomRow.id.in_(some))
        found.update(dict((await session.execute(sql)).all()))
    return found
