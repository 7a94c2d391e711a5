"""Goals, what they are measured by, and how far they are. What belongs to one school takes its scope or its code first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from uuid import UUID, uuid5

from sqlalchemy import ColumnElement, and_, distinct, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from libs.common.auth import Scope
from libs.common.database import in_batches
from libs.common.errors import NotFound
from libs.common.event import NAMESPACE
from libs.common.events.standards import Element
from services.planning.domain.attainment import STATES
from services.planning.domain.floors import Bottom, InForce, floors_of, in_force
from services.planning.domain.states import OWNERS_TURN
from services.planning.domain.tasks import OWNERS_TURN as TASK_OWNERS_TURN
from services.planning.queries.plans import visible
from services.planning.queries.school import IN_AT_ONCE
from services.planning.tables import (
    DeliveryRow,
    FollowedRow,
    GoalHistoryRow,
    GoalRow,
    ImprovementRow,
    IndicatorRow,
    LinkRow,
    MeasuredRow,
    MetricRow,
    PlanRow,
    StandardRow,
    StandingRow,
    TaskRow,
)

Key = tuple[str, str, str, str]
"""Metric, level, window, subject."""
EXACT_KINDS = frozenset({"ratio", "mean"})


def goal_id(school: str, plan: str, code: str) -> UUID:
    """The id of a goal through all versions of its plan."""
    return uuid5(NAMESPACE, f"{school}|goal|{plan}|{code}")


async def get_goal(session: AsyncSession, scope: Scope, goal: UUID, version: int | None = None) -> tuple[GoalRow, PlanRow]:
    """Return a goal with its plan: in the version that stands, else the newest. Raises NotFound, also for what may not be seen."""
    sql = select(GoalRow, PlanRow).join(PlanRow, PlanRow.id == GoalRow.plan).where(visible(scope), GoalRow.goal == goal)
    if version is not None:
        sql = sql.where(GoalRow.version == version)
    found = (await session.execute(sql.order_by(GoalRow.current.desc(), GoalRow.version.desc()).limit(1))).one_or_none()
    if found is None:
        raise NotFound("there is no such goal")
    return found[0], found[1]


async def goals_of(session: AsyncSession, plan: UUID) -> Sequence[GoalRow]:
    """Return all goals of a version of a plan, by code."""
    return (await session.scalars(select(GoalRow).where(GoalRow.plan == plan).order_by(GoalRow.code))).all()


async def page_of_goals(session: AsyncSession, plan: UUID, *, after: str | None, limit: int) -> Sequence[GoalRow]:
    """As `goals_of`, one more than `limit`, past a code. The caller has been given the plan."""
    sql = select(GoalRow).where(GoalRow.plan == plan).order_by(GoalRow.code).limit(limit + 1)
    return (await session.scalars(sql if after is None else sql.where(GoalRow.code > after))).all()


async def goal_history(session: AsyncSession, scope: Scope, goal: GoalRow) -> Sequence[GoalHistoryRow]:
    """Return what led to a goal as it is given here, and its changes in those later versions of the plan that the caller may see."""
    seen = select(PlanRow.version).where(visible(scope), PlanRow.code == goal.plan_code)
    told = or_(GoalHistoryRow.version <= goal.version, GoalHistoryRow.version.in_(seen))
    sql = select(GoalHistoryRow).where(GoalHistoryRow.goal == goal.goal, told).order_by(GoalHistoryRow.position)
    return (await session.scalars(sql)).all()


async def which_visible(session: AsyncSession, scope: Scope, goals: Collection[UUID]) -> set[UUID]:
    """Return which of these goals the caller may see, in any version."""
    sql = select(GoalRow.goal).join(PlanRow, PlanRow.id == GoalRow.plan).where(visible(scope), GoalRow.goal.in_(goals))
    return set(await session.scalars(sql))


async def live_of(session: AsyncSession, goals: Collection[UUID]) -> dict[UUID, GoalRow]:
    """Return the live goals among these."""
    found: dict[UUID, GoalRow] = {}
    for some in in_batches(list(goals), IN_AT_ONCE):
        found.update({row.goal: row for row in await session.scalars(select(GoalRow).where(GoalRow.goal.in_(some), GoalRow.live))})
    return found


# --- how goals hang together --------------------------------------------------------------------------------------------


async def edges_above(session: AsyncSession, seeds: Collection[UUID], plan: PlanRow) -> set[tuple[UUID, UUID]]:
    """Return the links (goal, parent) on all ways up from `seeds`, as they will be once this version of the plan stands."""
    if not seeds:
        return set()
    others = select(PlanRow.id).where(PlanRow.school == plan.school, PlanRow.code == plan.code, PlanRow.id != plan.id)
    counts = or_(LinkRow.plan == plan.id, and_(LinkRow.current, LinkRow.plan.not_in(others)))
    found: set[tuple[UUID, UUID]] = set()
    for some in in_batches(list(seeds), IN_AT_ONCE):
        first = select(LinkRow.goal, LinkRow.parent).where(LinkRow.goal.in_(some), counts).cte("above", recursive=True)
        more = select(LinkRow.goal, LinkRow.parent).join(first, LinkRow.goal == first.c.parent).where(counts)
        found.update((goal, parent) for goal, parent in await session.execute(select(first.union(more))))
    return found


async def live_above(session: AsyncSession, seeds: Collection[UUID]) -> set[UUID]:
    """Return these goals and all that they serve, step by step upwards, over live links."""
    found = set(seeds)
    for some in in_batches(list(seeds), IN_AT_ONCE):
        first = select(LinkRow.parent).where(LinkRow.goal.in_(some), LinkRow.live).cte("above", recursive=True)
        more = select(LinkRow.parent).join(first, LinkRow.goal == first.c.parent).where(LinkRow.live)
        found.update(await session.scalars(select(first.union(more))))
    return found


async def live_links_to(session: AsyncSession, parents: Collection[UUID]) -> Sequence[LinkRow]:
    found: list[LinkRow] = []
    for some in in_batches(list(parents), IN_AT_ONCE):
        found += await session.scalars(select(LinkRow).where(LinkRow.parent.in_(some), LinkRow.live))
    return found


async def links_of(session: AsyncSession, plan: UUID) -> Sequence[LinkRow]:
    return (await session.scalars(select(LinkRow).where(LinkRow.plan == plan))).all()


# --- what measures them ---------------------------------------------------------------------------------------------------


async def goals_by_indicator(session: AsyncSession, school: str, code: str) -> Sequence[GoalRow]:
    """Return the goals that an indicator measures, in every version."""
    return (await session.scalars(select(GoalRow).where(GoalRow.school == school, GoalRow.indicator == code))).all()


async def find_indicator(session: AsyncSession, school: str, code: str) -> IndicatorRow | None:
    return await session.get(IndicatorRow, (school, code))


async def find_metric(session: AsyncSession, school: str, code: str) -> MetricRow | None:
    """Return the metric of that code or alias."""
    sql = select(MetricRow).where(MetricRow.school == school, or_(MetricRow.code == code, MetricRow.alias == code))
    row: MetricRow | None = await session.scalar(sql)
    return row


async def standards_in_force(session: AsyncSession, school: str, today: date) -> list[InForce]:
    rows = await session.scalars(select(StandardRow).where(StandardRow.school == school))
    versions = [
        InForce(row.code, row.version, row.effective_from, tuple(Element.model_validate(each) for each in row.elements))
        for row in rows
    ]
    return in_force(versions, today)


async def floors_in_force(session: AsyncSession, school: str, today: date) -> dict[str, list[Bottom]]:
    """Return the bottom lines of today by metric."""
    return floors_of(await standards_in_force(session, school, today))


async def followed_among(session: AsyncSession, school: str, keys: Collection[Key]) -> set[Key]:
    """Return which of these are followed."""
    found: set[Key] = set()
    columns = (FollowedRow.metric, FollowedRow.level, FollowedRow.window, FollowedRow.subject)
    for some in in_batches(sorted(keys), IN_AT_ONCE // 5):
        sql = select(*columns).where(FollowedRow.school == school, tuple_(*columns).in_(some))
        found.update((row.metric, row.level, row.window, row.subject) for row in await session.execute(sql))
    return found


async def measured_by(session: AsyncSession, school: str, keys: Collection[Key]) -> set[UUID]:
    """Return the live goals that are measured by one of these."""
    found: set[UUID] = set()
    columns = (GoalRow.metric, GoalRow.level, GoalRow.window, GoalRow.subject)
    for some in in_batches(sorted(keys), IN_AT_ONCE // 5):
        found.update(
            await session.scalars(select(GoalRow.goal).where(GoalRow.school == school, GoalRow.live, tuple_(*columns).in_(some)))
        )
    return found


@dataclass(frozen=True, slots=True)
class Reading:
    """What a subject has in a window."""

    start: date
    value: Fraction


def _value(row: MeasuredRow, kind: str | None) -> Fraction:
    """The exact value: a ratio is divided here, as the value told is rounded."""
    if kind in EXACT_KINDS and Fraction(row.denominator):
        return Fraction(row.numerator) / Fraction(row.denominator)
    return Fraction(row.value or 0)


async def newest_readings(session: AsyncSession, goals: Sequence[UUID]) -> dict[UUID, Reading]:
    """Return what the newest window with data says of each of these live goals: of windows that start after its plan, none does."""
    same = [getattr(GoalRow, n) == getattr(MeasuredRow, n) for n in ("school", "metric", "level", "window", "subject")]
    later = aliased(MeasuredRow)
    alike = [getattr(later, n) == getattr(MeasuredRow, n) for n in ("school", "metric", "level", "window", "subject")]
    newest = select(func.max(later.start)).where(*alike, later.value.is_not(None), later.start <= PlanRow.period_to)
    found: dict[UUID, Reading] = {}
    for some in in_batches(goals, IN_AT_ONCE):
        sql = (
            select(GoalRow.goal, MeasuredRow, MetricRow.kind)
            .join(PlanRow, PlanRow.id == GoalRow.plan)
            .join(MeasuredRow, and_(*same))
            .outerjoin(MetricRow, and_(MetricRow.school == GoalRow.school, MetricRow.code == GoalRow.metric))
            .where(
                GoalRow.goal.in_(some), GoalRow.live, MeasuredRow.start == newest.correlate(MeasuredRow, PlanRow).scalar_subquery()
            )
        )
        found.update({goal: Reading(row.start, _value(row, kind)) for goal, row, kind in await session.execute(sql)})
    return found


async def history_of_measure(session: AsyncSession, school: str, key: Key) -> list[Reading]:
    """Return all windows with data, oldest first."""
    metric, level, window, subject = key
    named = {"school": school, "metric": metric, "level": level, "window": window, "subject": subject}
    rows = await session.scalars(
        select(MeasuredRow).filter_by(**named).where(MeasuredRow.value.is_not(None)).order_by(MeasuredRow.start)
    )
    known = await session.get(MetricRow, (school, metric))
    return [Reading(row.start, _value(row, known.kind if known else None)) for row in rows]


async def newest_deliveries(session: AsyncSession, goals: Sequence[UUID]) -> dict[UUID, DeliveryRow]:
    """Return what was reported last of each goal's deliverables."""
    found: dict[UUID, DeliveryRow] = {}
    for some in in_batches(goals, IN_AT_ONCE):
        sql = select(DeliveryRow).where(DeliveryRow.goal.in_(some)).order_by(DeliveryRow.position)
        found.update({row.goal: row for row in await session.scalars(sql)})
    return found


async def standings_of(session: AsyncSession, goals: Collection[UUID]) -> dict[UUID, StandingRow]:
    found: dict[UUID, StandingRow] = {}
    for some in in_batches(list(goals), IN_AT_ONCE):
        found.update({row.goal: row for row in await session.scalars(select(StandingRow).where(StandingRow.goal.in_(some)))})
    return found


async def list_due_standings(session: AsyncSession, school: str, today: date, limit: int) -> Sequence[UUID]:
    """Return goals whose standing does not hold any more today."""
    sql = select(StandingRow.goal).where(StandingRow.school == school, StandingRow.holds_until <= today)
    return (await session.scalars(sql.order_by(StandingRow.goal).limit(limit))).all()


# --- warnings and tasks -----------------------------------------------------------------------------------------------------


ABOUT = and_(
    ImprovementRow.school == GoalRow.school,
    ImprovementRow.indicator == GoalRow.indicator,
    ImprovementRow.subject == GoalRow.subject,
)
"""A task is about what measures a goal."""


def _late(today: date) -> ColumnElement[bool]:
    return and_(ImprovementRow.status.in_(OWNERS_TURN), ImprovementRow.due_on < today)


def _late_task(today: date) -> ColumnElement[bool]:
    return and_(TaskRow.status.in_(TASK_OWNERS_TURN), TaskRow.due < today)


async def troubles_of(session: AsyncSession, goals: Collection[UUID], today: date) -> tuple[set[UUID], dict[UUID, int]]:
    """Return which of these live goals have an uncleared warning of their indicator, and how many overdue tasks each has: improvements
    of what measures it, and annual tasks for it.
    """
    late = _late(today)
    warned: set[UUID] = set()
    overdue: Counter[UUID] = Counter()
    for some in in_batches(list(goals), IN_AT_ONCE):
        mine = and_(GoalRow.goal.in_(some), GoalRow.live)
        warned.update(
            await session.scalars(select(GoalRow.goal).distinct().join(ImprovementRow, ABOUT).where(mine, ImprovementRow.warned))
        )
        counts = select(GoalRow.goal, func.count()).join(ImprovementRow, ABOUT).where(mine, late).group_by(GoalRow.goal)
        overdue.update(dict((await session.execute(counts)).all()))
        annual = select(TaskRow.goal, func.count()).where(TaskRow.goal.in_(some), _late_task(today)).group_by(TaskRow.goal)
        overdue.update({goal: many for goal, many in await session.execute(annual) if goal is not None})
    return warned, dict(overdue)


@dataclass(frozen=True, slots=True)
class Below:
    """What lies below a goal, all the way down, each goal once: how many in each state, how many warned, how many tasks overdue."""

    states: dict[str, int]
    warned: int
    overdue: int


async def below(session: AsyncSession, school: str, goal: UUID, today: date) -> Below:
    """Answer for a node of the tree in one statement that walks down once, however many goals are below it."""
    first = select(LinkRow.goal).where(LinkRow.parent == goal, LinkRow.live).cte("below", recursive=True)
    all_below = first.union(select(LinkRow.goal).join(first, LinkRow.parent == first.c.goal).where(LinkRow.live))
    states = (
        select(StandingRow.state, func.count()).join(all_below, all_below.c.goal == StandingRow.goal).group_by(StandingRow.state)
    )
    late = _late(today)
    troubles = select(GoalRow.goal, ImprovementRow.id, ImprovementRow.warned, late.label("late")).join(GoalRow, ABOUT)
    # First the few warnings and tasks, then the walk: SQLite would look for a warning of each goal of the school.
    wanted = (ImprovementRow.school == school, GoalRow.live, or_(ImprovementRow.warned, late))
    tasks = select(TaskRow.goal, TaskRow.id, literal(False), literal(True))
    tasks = tasks.where(TaskRow.school == school, TaskRow.goal.is_not(None), _late_task(today))
    troubled = troubles.where(*wanted).union_all(tasks).cte("troubled").prefix_with("MATERIALIZED")
    here = troubled.c.goal.in_(select(all_below.c.goal))
    warned = select(literal("warned"), func.count(distinct(troubled.c.goal))).where(troubled.c.warned, here)
    overdue = select(literal("overdue"), func.count(distinct(troubled.c.id))).where(troubled.c.late, here)
    found = (await session.execute(states.union_all(warned, overdue))).all()
    counts = {str(name): int(many) for name, many in found}
    return Below({name: many for name, many in counts.items() if name in STATES}, counts["warned"], counts["overdue"])


async def children_of(
    session: AsyncSession, scope: Scope, goal: UUID, *, after: tuple[str, str] | None, limit: int
) -> Sequence[tuple[GoalRow, PlanRow, str | None]]:
    """Return the live goals right below one that the caller may see, each with its plan and its weight; one more than `limit`."""
    sql = (
        select(GoalRow, PlanRow, LinkRow.weight)
        .join(LinkRow, and_(LinkRow.goal == GoalRow.goal, LinkRow.version == GoalRow.version))
        .join(PlanRow, PlanRow.id == GoalRow.plan)
        .where(LinkRow.parent == goal, LinkRow.live, GoalRow.live, visible(scope))
        .order_by(PlanRow.code, GoalRow.code)
        .limit(limit + 1)
    )
    if after is not None:
        sql = sql.where(or_(PlanRow.code > after[0], and_(PlanRow.code == after[0], GoalRow.code > after[1])))
    return [(row, plan, weight) for row, plan, weight in await session.execute(sql)]


def keys_of(rows: Iterable[GoalRow]) -> set[Key]:
    """What measures these goals."""
    return {
        (row.metric, row.level, row.window, row.subject)
        for row in rows
        if row.metric is not None and row.level is not None and row.window is not None and row.subject is not None
    }
