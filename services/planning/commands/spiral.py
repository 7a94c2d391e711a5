"""Cycles of the spiral: the clock opens and ends them, and what happens moves them; nobody clicks through."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import delete

from libs.common.database import Transaction
from libs.common.events.planning import CycleClosed
from libs.common.events.setup import Fact, Span
from libs.common.events.standards import StandardActivated
from services.planning import queries
from services.planning.domain.calendar import Period
from services.planning.domain.objects import Going, Thing, levels_of, place_of, plan_places
from services.planning.domain.periods import asks_for_lesson, length_of, period_of
from services.planning.domain.spiral import over, replay
from services.planning.queries import cycles, objects
from services.planning.tables import CyclePlaceRow, CycleRow, PlanRow, RoundRow

AT_ONCE = 1000  # cycles that one run of the clock opens, or ends, in a school


# --- facts ------------------------------------------------------------------------------------------------------------------


async def note_fact(tx: Transaction, level: str, subject: str, fact: Fact, *, day: date | None = None) -> None:
    """Say that something has happened to an object: the cycles that it is in move, where it was their turn."""
    await note_facts(tx, [place_of(level, subject)], fact, day=day)


async def note_facts(tx: Transaction, places: Collection[str], fact: Fact, *, day: date | None = None) -> None:
    """As `note_fact`, for the objects of these places (`kind:id`) in the transaction's school. `day` None: today there."""
    if not places or not await cycles.going_of(tx.session, tx.school):
        return
    day = day or await queries.today_in(tx.session, tx.school, tx.now)
    for row in await cycles.cycles_at(tx.session, tx.school, places, fact, day):
        await move(tx, row, fact, day)


async def move(tx: Transaction, row: CycleRow, fact: Fact, day: date) -> None:
    """Add a fact to a cycle, and close it where that was the last."""
    if any(there == fact for there, _ in row.facts):
        return
    row.facts = [*row.facts, [fact, day.isoformat()]]
    going = (await cycles.going_of(tx.session, row.school)).get(row.level)
    done = row.approved_by is not None and (not row.asks_lesson or row.lesson_by is not None)
    facts: Sequence[Any] = [there for there, _ in row.facts]
    if done and row.status == "ended" and (going is None or over(going.spiral, replay(going.spiral, facts))):
        await _close(tx, row)


async def note_plan_in_force(tx: Transaction, plan: PlanRow) -> None:
    """A plan has been published: the objects that it is about have it, while its period lasts."""
    today = await queries.today_in(tx.session, plan.school, tx.now)
    if plan.period_from <= today <= plan.period_to:
        await note_facts(tx, plan_places(plan.level, plan.subject, plan.unit, plan.school), "plan_published", day=today)


async def note_standard(tx: Transaction, said: StandardActivated) -> None:
    """A standard is in force: all objects of the levels that it is about have it."""
    today = await queries.today_in(tx.session, tx.school, tx.now)
    going = await cycles.going_of(tx.session, tx.school)
    for level in sorted(levels_of(said.kind, said.levels)):
        if level in going:
            for row in await cycles.cycles_of_level(tx.session, tx.school, level, today):
                await move(tx, row, "standard_active", today)


# --- the clock --------------------------------------------------------------------------------------------------------------


async def keep_cycles(tx: Transaction) -> None:
    """By the clock: end the cycles whose period is over, and open those that begin, each exactly once.

    What is more than one transaction takes waits for the next.
    """
    left = AT_ONCE
    going = await cycles.going_of(tx.session, tx.school)
    today = await queries.today_in(tx.session, tx.school, tx.now)
    for row in await cycles.list_over(tx.session, tx.school, today, AT_ONCE):
        row.status = "ended"
        await move(tx, row, "period_ended", row.ends_on)
    for each in going.values():
        for span in each.spans:
            left -= await _open(tx, each, span, today, left) if left > 0 else 0


async def look_again(tx: Transaction) -> None:
    """There may be new objects, or they may go another way: the clock looks again at what is open."""
    await tx.session.execute(delete(RoundRow).where(RoundRow.school == tx.school))


async def _open(tx: Transaction, going: Going, span: Span, today: date, most: int) -> int:
    """Open the cycles of a level and length that today lies in, at most so many; return how many there were to open."""
    school, level, length = tx.school, going.level, length_of(span)
    calendar = await queries.calendar_of(tx.session, school)
    period = period_of(span, level, today, calendar, await cycles.first_year_of(tx.session, school))
    if period is None or await cycles.round_done(tx.session, (school, level, length, period.start)):
        return 0
    there = await cycles.cycles_there(tx.session, school, level, length, period.start)
    lacking = [each for each in await objects.objects_of(tx.session, school, level, today) if each.subject not in there]
    await _insert(tx, going, span, period, lacking[:most], today)
    if len(lacking) <= most:
        tx.session.add(RoundRow(school=school, level=level, length=length, starts_on=period.start))
    return len(lacking)


async def _insert(tx: Transaction, going: Going, span: Span, period: Period, things: Sequence[Thing], today: date) -> None:
    if not things:
        return
    school, level, length = tx.school, going.level, length_of(span)
    begins, ends = await _instants(tx, period)
    happened = await _happened(tx, period, begins)
    standard = level in await cycles.levels_with_standards(tx.session, school, period.last)
    before = await cycles.results_before(tx.session, school, level, length, period.start)
    rows, lies = [], []
    for each in things:
        facts: list[Fact] = [fact for fact, places in happened.items() if each.place in places]
        facts += ["standard_active"] if standard else []
        row = _row(each, facts, today)
        row |= {"school": school, "level": level, "length": length, "starts_on": period.start, "ends_on": period.last}
        row |= {"begins_at": begins, "ends_at": ends, "spiral": going.spiral.code, "opened_at": tx.now}
        row |= {"id": cycles.cycle_id(school, level, each.subject, length, period.start), "baseline": before.get(each.subject)}
        rows.append({**row, "asks_lesson": asks_for_lesson(level, span)})
        lies += [{"cycle": row["id"], "place": place} for place in sorted(each.places)]
    await tx.insert(CycleRow, rows)
    await tx.insert(CyclePlaceRow, lies)


def _row(thing: Thing, facts: Sequence[Fact], today: date) -> dict[str, Any]:
    said = {"subject": thing.subject, "name": thing.name, "place": thing.place, "status": "open"}
    return {**said, "facts": [[fact, today.isoformat()] for fact in facts]}


async def _instants(tx: Transaction, period: Period) -> tuple[datetime, datetime]:
    zone = await queries.zone_of(tx.session, tx.school)
    begins, ends = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (period.start, period.end))
    return begins, ends


async def _happened(tx: Transaction, period: Period, begins: datetime) -> dict[Fact, set[str]]:
    """What of the facts of a period there is before its cycles are: the places of each."""
    return {
        "plan_published": await cycles.planned_places(tx.session, tx.school, period.start, period.last),
        "warning_raised": await cycles.warned_places(tx.session, tx.school, begins),
    }


# --- the end ----------------------------------------------------------------------------------------------------------------


async def _close(tx: Transaction, row: CycleRow) -> None:
    """Freeze what the object's goals have come to, and begin the next cycle from there."""
    goals = await cycles.goals_about(tx.session, row)
    then = await cycles.standings_then(tx.session, goals, row.ends_on)
    row.result = [
        {
            "goal": str(goal.goal),
            "plan": goal.plan_code,
            "code": goal.code,
            "statement": goal.content.get("statement"),
            "value": value,
            "target": standing.target,
            "state": standing.state,
            "attainment": standing.attainment,
        }
        for goal in goals
        if goal.goal in then
        for standing, value in (then[goal.goal],)
    ]
    row.status, row.closed_at = "closed", tx.now
    if (following := await cycles.following(tx.session, row)) is not None:
        following.baseline = row.result
    said = {name: getattr(row, name) for name in ("level", "subject", "length", "starts_on", "ends_on", "place")}
    tx.publish(CycleClosed(cycle=row.id, approved_by=row.approved_by or "", **said))
