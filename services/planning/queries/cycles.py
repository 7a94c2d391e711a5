"""Cycles of the spiral as they are read. What belongs to one school takes its scope or its code first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, Text, and_, case, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from libs.common.auth import Scope
from libs.common.database import in_batches
from libs.common.errors import NotFound
from libs.common.event import NAMESPACE
from libs.common.events.setup import Cycle, Fact, Spiral
from services.planning.domain.objects import Going, levels_of, plan_places
from services.planning.domain.states import Status
from services.planning.queries.improvements import covered as improvement_covered
from services.planning.queries.school import IN_AT_ONCE, once, setup_of
from services.planning.tables import (
    CyclePlaceRow,
    CycleRow,
    GoalRow,
    ImprovementRow,
    MeasuredRow,
    PlaceRow,
    PlanRow,
    RoundRow,
    StandardRow,
    StandingRow,
)


def cycle_id(school: str, level: str, subject: str, length: str, starts_on: date) -> UUID:
    """The id of an object's one cycle of a length that begins on a day."""
    return uuid5(NAMESPACE, f"{school}|cycle|{level}|{subject}|{length}|{starts_on.isoformat()}")


async def going_of(session: AsyncSession, school: str) -> dict[str, Going]:
    """Return by level how its objects go, as the school is set up; a level that no spiral names has no cycles."""

    async def load() -> dict[str, Going]:
        content = await setup_of(session, school)
        spans = {each["level"]: Cycle.model_validate(each).periods for each in content.get("cycles", ())}
        spirals = [Spiral.model_validate(each) for each in content.get("spirals", ())]
        return {
            each.level: Going(each.level, spiral, spans.get(each.cycle or each.level, []))
            for spiral in spirals
            for each in spiral.objects
        }

    return await once(session, ("going", school), load)


async def first_year_of(session: AsyncSession, school: str) -> int:
    """Return the first year of the school's plans, from which periods of several years count."""
    period: dict[str, Any] = (await setup_of(session, school)).get("period") or {}
    return int(period.get("first", 2000))


# --- reading --------------------------------------------------------------------------------------------------------------


def covered(scope: Scope) -> ColumnElement[bool]:
    return and_(CycleRow.school == scope.school, scope.where(CyclePlaceRow.place, CyclePlaceRow.cycle == CycleRow.id))


async def get_cycle(session: AsyncSession, scope: Scope, cycle: UUID, *, lock: bool = False) -> CycleRow:
    """Raises NotFound, also for what the scope does not cover."""
    sql = select(CycleRow).where(covered(scope), CycleRow.id == cycle)
    if (row := await session.scalar(sql.with_for_update() if lock else sql)) is None:
        raise NotFound("there is no such cycle")
    return row


async def list_cycles(
    session: AsyncSession, scope: Scope, *, filters: dict[str, str | None], after: tuple[date, UUID] | None, limit: int
) -> Sequence[CycleRow]:
    """Return cycles, those that began last first; one more than `limit`. `filters` are columns and the value wanted, None: any."""
    sql = select(CycleRow).where(covered(scope))
    for name, value in filters.items():
        if value is not None:
            sql = sql.where(getattr(CycleRow, name) == value)
    if after is not None:
        day, id_ = after
        sql = sql.where(or_(CycleRow.starts_on < day, and_(CycleRow.starts_on == day, CycleRow.id < id_)))
    return (await session.scalars(sql.order_by(CycleRow.starts_on.desc(), CycleRow.id.desc()).limit(limit + 1))).all()


_Lies = aliased(PlaceRow)


def _inside(scope: Scope) -> ColumnElement[bool]:
    """An improvement that the caller may see is a loop of each cycle at one of its places while which it was under way."""
    under_way = or_(ImprovementRow.closed_at.is_(None), ImprovementRow.closed_at >= CycleRow.begins_at)
    same = and_(_Lies.place == CycleRow.place, ImprovementRow.school == CycleRow.school)
    return and_(same, ImprovementRow.opened_at < CycleRow.ends_at, under_way, improvement_covered(scope))


async def count_loops(session: AsyncSession, scope: Scope, cycles: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    """Return how many dynamic loops that the caller may see each cycle has, and how many of them are open."""
    still = func.sum(case((ImprovementRow.status != Status.CLOSED, 1), else_=0))
    sql = (
        select(CycleRow.id, func.count(), still)
        .join(_Lies, _Lies.place == CycleRow.place)
        .join(ImprovementRow, ImprovementRow.id == _Lies.improvement)
        .where(_inside(scope), CycleRow.id.in_(cycles))
        .group_by(CycleRow.id)
    )
    return {id_: (many, int(some)) for id_, many, some in await session.execute(sql)}


async def loops_of(session: AsyncSession, scope: Scope, cycle: UUID, limit: int) -> Sequence[ImprovementRow]:
    """Return a cycle's dynamic loops that the caller may see, newest first."""
    sql = (
        select(ImprovementRow)
        .join(_Lies, _Lies.improvement == ImprovementRow.id)
        .join(CycleRow, CycleRow.place == _Lies.place)
        .where(_inside(scope), CycleRow.id == cycle)
        .order_by(ImprovementRow.opened_at.desc(), ImprovementRow.id.desc())
        .limit(limit)
    )
    return (await session.scalars(sql)).all()


# --- what opens and moves them ----------------------------------------------------------------------------------------------


async def round_done(session: AsyncSession, key: tuple[str, str, str, date]) -> bool:
    return await session.get(RoundRow, key) is not None


async def cycles_there(session: AsyncSession, school: str, level: str, length: str, starts_on: date) -> set[str]:
    """Return the subjects whose cycle of this length and beginning is open already."""
    mine = (CycleRow.school == school, CycleRow.level == level, CycleRow.length == length, CycleRow.starts_on == starts_on)
    return set(await session.scalars(select(CycleRow.subject).where(*mine)))


async def following(session: AsyncSession, row: CycleRow) -> CycleRow | None:
    """Return the cycle of the same object and length that follows this one, locked."""
    same = (
        CycleRow.school == row.school,
        CycleRow.level == row.level,
        CycleRow.subject == row.subject,
        CycleRow.length == row.length,
    )
    sql = select(CycleRow).where(*same, CycleRow.starts_on > row.ends_on).order_by(CycleRow.starts_on).limit(1)
    found: CycleRow | None = await session.scalar(sql.with_for_update())
    return found


async def results_before(session: AsyncSession, school: str, level: str, length: str, starts_on: date) -> dict[str, Any]:
    """Return by subject what its last closed cycle of this length before a day came to."""
    mine = (CycleRow.school == school, CycleRow.level == level, CycleRow.length == length, CycleRow.ends_on < starts_on)
    sql = select(CycleRow.subject, CycleRow.result).where(*mine, CycleRow.status == "closed").order_by(CycleRow.starts_on)
    return dict((await session.execute(sql)).all())


async def verified_values(session: AsyncSession, school: str, before: date) -> dict[str, Decimal]:
    """Return by goal what it had come to in the last closed cycle of a year or longer that it was in and that began before a day: a second
    person has approved that cycle's diagnosis. A goal without data in it is not there, whatever older cycles say.
    """
    closed = (CycleRow.school == school, CycleRow.status == "closed", CycleRow.asks_lesson, CycleRow.starts_on < before)
    results = await session.scalars(select(CycleRow.result).where(*closed).order_by(CycleRow.ends_on, CycleRow.starts_on.desc()))
    last = {each["goal"]: each["value"] for result in results for each in result or ()}
    return {goal: Decimal(value) for goal, value in last.items() if value is not None}


async def cycles_at(session: AsyncSession, school: str, places: Collection[str], fact: Fact, day: date) -> Sequence[CycleRow]:
    """Return the cycles at these places whose period lasts on a day and which a fact has not come to yet, locked.

    Most facts come to most cycles many times over, from everybody at work in the school: nobody waits for, or reads, what stays.
    """
    found: list[CycleRow] = []
    for some in in_batches(sorted(places), IN_AT_ONCE):
        lasting = (CycleRow.status == "open", CycleRow.starts_on <= day, CycleRow.ends_on >= day)
        sql = select(CycleRow).where(CycleRow.school == school, CycleRow.place.in_(some), *lasting)
        sql = sql.where(~cast(CycleRow.facts, Text).contains(f'["{fact}"', autoescape=True))
        found += await session.scalars(sql.order_by(CycleRow.id).with_for_update())
    return found


async def cycles_of_level(session: AsyncSession, school: str, level: str, day: date) -> Sequence[CycleRow]:
    """Return the cycles of a level whose period lasts on a day, locked."""
    lasting = (CycleRow.status == "open", CycleRow.starts_on <= day, CycleRow.ends_on >= day)
    sql = select(CycleRow).where(CycleRow.school == school, CycleRow.level == level, *lasting)
    return (await session.scalars(sql.order_by(CycleRow.id).with_for_update())).all()


async def open_at(session: AsyncSession, school: str, places: Collection[str]) -> Sequence[CycleRow]:
    """Return the cycles at these places that are not closed."""
    sql = select(CycleRow).where(CycleRow.school == school, CycleRow.place.in_(places), CycleRow.status != "closed")
    return (await session.scalars(sql)).all()


async def list_over(session: AsyncSession, school: str, today: date, limit: int) -> Sequence[CycleRow]:
    """Return open cycles whose period is over, locked."""
    sql = select(CycleRow).where(CycleRow.school == school, CycleRow.status == "open", CycleRow.ends_on < today)
    return (await session.scalars(sql.order_by(CycleRow.id).limit(limit).with_for_update())).all()


# --- what has happened already when one is opened -----------------------------------------------------------------------------


async def planned_places(session: AsyncSession, school: str, first: date, last: date) -> set[str]:
    """Return the places of the objects that a plan in force is about, whose period holds a day of these."""
    columns = (PlanRow.level, PlanRow.subject, PlanRow.unit)
    sql = select(*columns).where(PlanRow.school == school, PlanRow.live, PlanRow.period_from <= last, PlanRow.period_to >= first)
    return {place for row in await session.execute(sql) for place in plan_places(row.level, row.subject, row.unit, school)}


async def levels_with_standards(session: AsyncSession, school: str, last: date) -> set[str]:
    """Return the levels that a standard in force is about."""
    sql = select(StandardRow.kind, StandardRow.levels).where(StandardRow.school == school, StandardRow.effective_from <= last)
    return {level for kind, levels in await session.execute(sql) for level in levels_of(kind, levels)}


async def warned_places(session: AsyncSession, school: str, since: datetime) -> set[str]:
    """Return the places where something was warned of since then."""
    sql = select(PlaceRow.place).distinct().join(ImprovementRow, ImprovementRow.id == PlaceRow.improvement)
    return set(await session.scalars(sql.where(ImprovementRow.school == school, ImprovementRow.opened_at >= since)))


# --- what they come to --------------------------------------------------------------------------------------------------------


async def goals_about(session: AsyncSession, row: CycleRow) -> Sequence[GoalRow]:
    """Return the live goals about a cycle's object: of plans about it, and those measured by its own figures; by code."""
    measured = and_(GoalRow.level == row.level, GoalRow.subject == row.subject)
    subject = and_(PlanRow.level == row.level, PlanRow.subject == row.subject)
    whole = and_(PlanRow.level == "school", PlanRow.subject.is_(None)) if row.level == "school" else subject
    unit = PlanRow.unit == row.subject if row.level in {"department", "programme"} else subject
    sql = select(GoalRow).join(PlanRow, PlanRow.id == GoalRow.plan).where(GoalRow.school == row.school, GoalRow.live)
    return (await session.scalars(sql.where(or_(measured, subject, whole, unit)).order_by(GoalRow.plan_code, GoalRow.code))).all()


async def standings_then(session: AsyncSession, goals: Sequence[GoalRow], last: date) -> dict[UUID, tuple[StandingRow, str | None]]:
    """Return how far these goals are, and of those with figures of their own the newest one of a window begun by a day."""
    found: dict[UUID, tuple[StandingRow, str | None]] = {}
    for goal in goals:
        if (standing := await session.get(StandingRow, goal.goal)) is None:
            continue
        value = standing.value
        if goal.metric is not None:
            named = {name: getattr(goal, name) for name in ("school", "metric", "level", "window", "subject")}
            sql = select(MeasuredRow.value).filter_by(**named).where(MeasuredRow.value.is_not(None), MeasuredRow.start <= last)
            value = await session.scalar(sql.order_by(MeasuredRow.start.desc()).limit(1))
        found[goal.goal] = standing, value
    return found
