"""Keep how far each live goal is: from measurements, from what is delivered, and upwards by the rule that each parent declares."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from graphlib import TopologicalSorter
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, or_, update

from libs.common.database import Transaction, in_batches
from libs.common.events.monitoring import Measured
from libs.common.events.planning import MeasureWanted
from services.planning import queries
from services.planning.commands.evidence import keep_evidence, listed
from services.planning.commands.spiral import note_facts
from services.planning.domain.attainment import Child, Standing, State, counts_for, delivered, measured, rolled_up, settled
from services.planning.domain.goals import Goal, kept
from services.planning.domain.objects import place_of
from services.planning.queries import Key
from services.planning.tables import DeliveryRow, FollowedRow, GoalRow, LinkRow, MeasuredRow, StandingRow

AT_ONCE = 5000  # standings that one run of the clock renews in a school
KEYS = ("metric", "level", "window", "subject")


async def follow(tx: Transaction, goals: Sequence[GoalRow]) -> None:
    """Ask monitoring for what measures these goals, each once for the whole school."""
    wanted = queries.keys_of(goals)
    for key in sorted(wanted - await queries.followed_among(tx.session, tx.school, wanted)):
        said = dict(zip(KEYS, key, strict=True))
        tx.session.add(FollowedRow(school=tx.school, **said))
        tx.publish(MeasureWanted(**said))


async def take_measured(tx: Transaction, told: Sequence[Measured]) -> None:
    """Keep what was measured of what is followed (of two tellings of a window the later stands) and see how far its goals are."""
    rows = {(*_key(each, m.subject), m.start): m for each in told for m in each.measurements}
    followed = await queries.followed_among(tx.session, tx.school, {key[:4] for key in rows})
    mine = {key: m for key, m in rows.items() if key[:4] in followed}
    if not mine:
        return
    await queries.lock_school(tx.session, tx.school)
    columns = [getattr(MeasuredRow, name) for name in (*KEYS, "start")]
    for some in in_batches(sorted(mine), 100):
        there = or_(*(and_(*(column == value for column, value in zip(columns, key, strict=True))) for key in some))
        await tx.session.execute(delete(MeasuredRow).where(MeasuredRow.school == tx.school, there))
    await tx.insert(
        MeasuredRow,
        [
            {
                "school": tx.school,
                **dict(zip((*KEYS, "start"), key, strict=True)),
                "numerator": f"{m.numerator:f}",
                "denominator": f"{m.denominator:f}",
                "value": None if m.value is None else f"{m.value:f}",
            }
            for key, m in mine.items()
        ],
    )
    await reassess(tx, await queries.measured_by(tx.session, tx.school, {key[:4] for key in mine}))
    await note_facts(tx, {place_of(level, subject) for _, level, _, subject, _ in mine}, "measured")


def _key(told: Measured, subject: str) -> Key:
    return told.metric, told.level, told.window, subject


async def renew(tx: Transaction) -> None:
    """By the clock: a new year has another target, and what lacks after its deadline is behind."""
    today = await queries.today_in(tx.session, tx.school, tx.now)
    if due := await queries.list_due_standings(tx.session, tx.school, today, AT_ONCE):
        await reassess(tx, due)


async def report_delivery(tx: Transaction, goal: GoalRow, by: str, number: int, evidence: Sequence[str]) -> None:
    """Say how many of a goal's deliverables there are by now."""
    await keep_evidence(tx, "goal", [goal.goal], by, listed(evidence))
    tx.session.add(DeliveryRow(goal=goal.goal, number=number, evidence=list(evidence), at=tx.now, by=by))
    await tx.session.flush()
    await reassess(tx, [goal.goal])


async def reassess(tx: Transaction, goals: Collection[UUID]) -> None:
    """Write anew how far these live goals are, and all that they serve: children before parents. Goals of closed plans stay as they came."""
    if not goals:
        return
    await queries.lock_school(tx.session, tx.school)
    affected = await queries.live_above(tx.session, goals)
    found = await queries.live_of(tx.session, affected)
    closed = await queries.closed_among(tx.session, {row.plan for row in found.values()})
    found = {goal: row for goal, row in found.items() if row.plan not in closed}
    links = await queries.live_links_to(tx.session, list(found))
    standings = await _known(tx, {link.goal for link in links} - set(found))
    today = await queries.today_in(tx.session, tx.school, tx.now)
    own = await _own(tx, list(found.values()), today)
    below: dict[UUID, list[LinkRow]] = {}
    for link in links:
        below.setdefault(link.parent, []).append(link)
    order = TopologicalSorter({goal: [link.goal for link in below.get(goal, ())] for goal in found}).static_order()
    for goal in order:
        if goal in found:
            standings[goal] = settled(_one(own[goal], below.get(goal, ()), standings, today.year))
    await _write(tx, {goal: (standings[goal], own[goal][0]) for goal in found}, today)


Own = tuple[Goal, Standing]


def _one(own: Own, links: Sequence[LinkRow], standings: Mapping[UUID, Standing], year: int) -> Standing:
    goal, mine = own
    children = [
        Child(None if link.weight is None else Fraction(link.weight), standings[link.goal])
        for link in links
        if link.goal in standings
    ]
    return mine if goal.roll_up == "none" or not children else rolled_up(goal.roll_up, goal.measure, children, year)


async def _own(tx: Transaction, rows: Sequence[GoalRow], today: date) -> dict[UUID, Own]:
    """Each goal with how far it is by its own numbers alone."""
    readings = await queries.newest_readings(tx.session, [row.goal for row in rows if row.metric is not None])
    deliveries = await queries.newest_deliveries(tx.session, [row.goal for row in rows if "deliverable" in row.content])
    periods = await queries.periods_of_plans(tx.session, {row.plan for row in rows})
    terms = {term.start: term.end for term in (await queries.calendar_of(tx.session, tx.school)).terms}
    found: dict[UUID, Own] = {}
    for row in rows:
        goal, standing = kept(row.content), Standing("no_data")
        if goal.measure is not None and row.window is not None:
            reading = readings.get(row.goal)
            if reading is not None and not counts_for(reading.start, row.window, periods[row.plan], terms):
                reading = None
            value, start = (None, None) if reading is None else (reading.value, reading.start)
            standing = measured(goal.measure, value, start, today.year)
        elif goal.deliverable is not None:
            there = deliveries.get(row.goal)
            standing = delivered(goal.deliverable.number, there.number if there else None, goal.deadline, today)
        found[row.goal] = goal, standing
    return found


async def _known(tx: Transaction, goals: Collection[UUID]) -> dict[UUID, Standing]:
    """What is written of goals that do not change now."""
    rows = await queries.standings_of(tx.session, goals)
    return {goal: standing_of(row) for goal, row in rows.items()}


def standing_of(row: StandingRow) -> Standing:
    state: State = row.state  # type: ignore[assignment]  # written by `_write`
    value, target, deviation, attainment = (
        None if text is None else Fraction(text) for text in (row.value, row.target, row.deviation, row.attainment)
    )
    return Standing(state, value, target, deviation, attainment, Fraction(row.covered), row.start)


async def _write(tx: Transaction, standings: Mapping[UUID, tuple[Standing, Goal]], today: date) -> None:
    await forget_standings(tx, standings)
    await tx.insert(StandingRow, [_row(tx.school, goal, today, *each) for goal, each in standings.items()])


def _row(school: str, goal: UUID, today: date, standing: Standing, said: Goal) -> dict[str, Any]:
    turns = date(today.year + 1, 1, 1)
    if said.deliverable is not None and said.deadline is not None and today <= said.deadline < turns:
        turns = said.deadline + timedelta(days=1)
    return {
        "goal": goal,
        "school": school,
        "holds_until": turns,
        "state": standing.state,
        "value": _kept(standing.value),
        "target": _kept(standing.target),
        "deviation": _kept(standing.deviation),
        "attainment": _kept(standing.attainment),
        "covered": str(standing.covered),
        "start": standing.start,
    }


def _kept(value: Fraction | None) -> str | None:
    return None if value is None else str(value)


async def freeze(tx: Transaction, plan: UUID) -> None:
    """Let how far a closed plan's goals came stand for ever."""
    goals = [row.goal for row in await queries.goals_of(tx.session, plan)]
    for some in in_batches(goals, 500):
        await tx.session.execute(update(StandingRow).where(StandingRow.goal.in_(some)).values(holds_until=date.max))


async def forget_standings(tx: Transaction, goals: Collection[UUID]) -> None:
    """Drop what is written of goals: it is written anew, or a new version of their plan no longer has them."""
    for some in in_batches(list(goals), 500):
        await tx.session.execute(delete(StandingRow).where(StandingRow.goal.in_(some)))
