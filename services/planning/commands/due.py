"""What the clock and people do with what is due: make it once, move it with the calendar, give it to who holds the post, tell, end it.

All that the clock does for a school hangs on the day alone, and on what has changed since: so it is done once a day, and again after a
change. Every step is the same however often it is done, so a run that stops half-way, or two of them, do no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import update

from libs.common.auth import Scope
from libs.common.database import Transaction, in_batches
from libs.common.errors import Conflict, Forbidden, Invalid
from libs.common.events.planning import DueItemOverdue
from libs.common.events.routines import Routine
from services.planning import queries
from services.planning.commands.evidence import keep_evidence, listed
from services.planning.commands.inbox import Notice, tell
from services.planning.domain.calendar import Period, SchoolCalendar
from services.planning.domain.due import About, DueStatus, Routines, concerns, handed_in_faults
from services.planning.domain.owners import Subject, climb
from services.planning.domain.routines import Round, due_on, now_is, rounds_of
from services.planning.tables import DueItemRow, DuePlaceRow, RoutinesRow

AT_ONCE = 2000  # rows of a kind that one run of the clock writes; what is left waits for the next
LINK = "/api/v1/planning/due-items"


async def bring_up_to_date(tx: Transaction) -> None:
    """Do what the school's day asks for, where that is not done yet or something has changed; what is left waits for the next run."""
    await queries.lock_school(tx.session, tx.school)
    today = await queries.today_in(tx.session, tx.school, tx.now)
    row = await queries.load_routines(tx.session, tx.school)
    assert row is not None, "routines are replaced, never taken away"
    row.since = {code: min(day, today.isoformat()) for code, day in row.since.items()}  # after a clock that had run ahead
    run = await _run(tx, row, today)
    await move(tx)
    left = [await _make(tx, run), await _call_late(tx, today), await _remind(tx, today)]
    row.stale = any(left)
    if not row.stale:
        row.done_through = today


@dataclass(frozen=True, slots=True)
class _Run:
    """What a run works by in one school."""

    row: RoutinesRow
    routines: Sequence[Routine]
    calendar: SchoolCalendar
    begins: int | None
    today: date


async def _run(tx: Transaction, row: RoutinesRow, today: date) -> _Run:
    period = (await queries.setup_of(tx.session, tx.school)).get("period")
    begins = int(period["first"]) if period else None
    routines = Routines.model_validate({"routines": row.routines}).routines
    return _Run(row, routines, await queries.calendar_of(tx.session, tx.school), begins, today)


# --- making -------------------------------------------------------------------------------------------------------------


async def _make(tx: Transaction, run: _Run) -> bool:
    """Make what must be there today; whether more is left than one run makes."""
    there: dict[str, list[About]] = {}
    rows: list[dict[str, Any]] = []
    places: list[dict[str, Any]] = []
    for routine in run.routines:
        since = date.fromisoformat(run.row.since[routine.code])
        rounds = rounds_of(
            routine, run.calendar, since=since, done_through=run.row.done_through, today=run.today, begins=run.begins
        )
        for each in rounds:
            if routine.per not in there:
                there[routine.per] = await queries.concerned(tx.session, tx.school, routine.per, run.today)
            made = await queries.made_of(tx.session, tx.school, routine.code, each.period.key)
            for about in await _concerned(tx, routine, each, there[routine.per], run.today):
                row = _item(tx, routine, each, about)
                if row["id"] not in made:
                    rows.append(row)
                    places += [{"item": row["id"], "place": place} for place in {*about.places, f"level:{routine.level}"}]
        if len(rows) > AT_ONCE:
            break
    ids = {row["id"] for row in rows[:AT_ONCE]}
    await tx.insert(DueItemRow, rows[:AT_ONCE])
    await tx.insert(DuePlaceRow, [place for place in places if place["item"] in ids])
    await give_to_holders(tx, run.today)
    return len(rows) > AT_ONCE


async def _concerned(tx: Transaction, routine: Routine, each: Round, there: Sequence[About], today: date) -> Sequence[About]:
    """Of all there are those whom a routine concerns: teachers by their kind at the end of the period, or today where it still runs."""
    if routine.per != "teacher" or not (routine.of_kinds or routine.not_of_kinds):
        return there
    kinds = (await queries.teacher_kinds_of(tx.session, tx.school)).on(min(each.period.last, today))
    return [about for about in there if concerns(routine, kinds.get(about.subject, set()))]


def _item(tx: Transaction, routine: Routine, each: Round, about: About) -> dict[str, Any]:
    period = each.period
    return {
        "id": queries.due_id(tx.school, routine.code, period.kind, period.key, routine.per, about.subject),
        "school": tx.school,
        "routine": routine.code,
        "name": routine.name,
        "level": routine.level,
        "per": routine.per,
        "subject": about.subject,
        "subject_name": about.name,
        "kind": period.kind,
        "period": period.key,
        "start": period.start,
        "end": period.end,
        "opened_at": tx.now,
        "due_on": each.due_on,
        "remind_on": each.due_on - timedelta(routine.remind),
        "needs": routine.needs,
        "posts": list(routine.by),
        "owner": None if routine.by else about.subject,
        "owner_post": routine.by[-1] if routine.by else None,
        "status": DueStatus.OPEN,
    }


async def give_to_holders(tx: Transaction, today: date) -> None:
    """Give what is open to whoever holds the nearest post today; a post that is vacant leaves it without an owner until somebody does."""
    rows = await queries.list_by_post(tx.session, tx.school)
    places = await queries.due_places_of(tx.session, [row.id for row in rows])
    abouts = [Subject(row.per, row.subject, tuple(places[row.id]), today) for row in rows]
    directory = await queries.directory_of(tx.session, tx.school, abouts)
    for row, about in zip(rows, abouts, strict=True):
        chosen = climb(row.posts, directory.holders(about, row.posts))
        if row.owner == chosen.person:
            continue
        row.owner, row.owner_post = chosen.person, chosen.post
        row.remind_on = row.remind_on or today  # who gets it late is told, too
    await tx.session.flush()


# --- moving -------------------------------------------------------------------------------------------------------------


async def move(tx: Transaction) -> None:
    """Let what is open and not late fall due by the calendar as it is now; never on a day that is over."""
    today = await queries.today_in(tx.session, tx.school, tx.now)
    row = await queries.load_routines(tx.session, tx.school)
    if row is None:
        return
    run = await _run(tx, row, today)
    routines = {routine.code: routine for routine in run.routines}
    for lot in await queries.list_lots(tx.session, tx.school, today):
        if (routine := routines.get(lot.routine)) is None:
            continue
        period = now_is(routine, run.calendar, Period(lot.kind, lot.period, lot.start, lot.end), run.begins)
        due = due_on(routine, run.calendar, period)
        due = due if due >= today else run.calendar.open_day(today)
        new = {"start": period.start, "end": period.end, "due_on": due, "remind_on": due - timedelta(routine.remind)}
        if (period.start, period.end, due) == (lot.start, lot.end, lot.due_on):
            continue
        same = (DueItemRow.routine == lot.routine, DueItemRow.kind == lot.kind, DueItemRow.period == lot.period)
        theirs = (*same, DueItemRow.due_on == lot.due_on, queries.still_to_come(tx.school, today))
        await tx.session.execute(update(DueItemRow).where(*theirs).values(**new))


# --- telling ------------------------------------------------------------------------------------------------------------


async def _call_late(tx: Transaction, today: date) -> bool:
    """Say once of each open item that was due before today that it is late; whether more are left."""
    rows = await queries.list_late(tx.session, tx.school, today, AT_ONCE)
    places = await queries.due_places_of(tx.session, [row.id for row in rows])
    for row in rows:
        fact = DueItemOverdue(
            item=row.id,
            routine=row.routine,
            name=row.name,
            level=row.level,
            per=row.per,
            subject=row.subject,
            owner=row.owner,
            due_on=row.due_on,
            places=sorted({*places[row.id], *([f"teacher:{row.owner}"] if row.owner and row.posts else [])}),
        )
        tx.publish(fact, cause=f"late:{row.id}")
    await _set(tx, rows, overdue_at=tx.now, remind_on=None)
    await tell(tx, [_notice(row, "due_item_overdue", f"{_title(row)} 已逾期,应于 {row.due_on} 完成") for row in rows if row.owner])
    return len(rows) == AT_ONCE


async def _remind(tx: Transaction, today: date) -> bool:
    """Tell owners what is due soon; whether more are left."""
    rows = await queries.list_to_remind(tx.session, tx.school, today, AT_ONCE)
    await tell(tx, [_notice(row, "due_item_soon", f"{_title(row)} 请于 {row.due_on} 前完成") for row in rows])
    await _set(tx, rows, remind_on=None)
    return len(rows) == AT_ONCE


async def _set(tx: Transaction, rows: Sequence[DueItemRow], **values: Any) -> None:
    for some in in_batches([row.id for row in rows], queries.IN_AT_ONCE):
        await tx.session.execute(update(DueItemRow).where(DueItemRow.id.in_(some)).values(**values))


def _title(row: DueItemRow) -> str:
    about = row.subject_name or (row.subject if row.per != "school" else None)
    return row.name if about is None else f"{row.name}({about})"


def _notice(row: DueItemRow, kind: str, text: str) -> Notice:
    return Notice(row.owner or "", f"{kind}:{row.id}:{row.due_on}", kind, text, f"{LINK}/{row.id}")


# --- people -------------------------------------------------------------------------------------------------------------


async def end_item(
    tx: Transaction, scope: Scope, by: str, item: UUID, *, note: str | None, minutes: str | None, evidence: Sequence[str]
) -> DueItemRow:
    """Say that an item is done. Raises NotFound, Forbidden for who does not own it, Conflict for one that is done, Invalid where it lacks
    what it needs.
    """
    row = await queries.get_due_item(tx.session, scope, by, item, lock=True)
    if row.owner != by:
        raise Forbidden("only who owns it says that it is done")
    if row.status == DueStatus.DONE:
        raise Conflict("it is done already")
    if faults := handed_in_faults(row.needs, minutes, evidence):
        raise Invalid(f"it is done with {row.needs}", faults)
    await keep_evidence(tx, "due_item", [row.id], by, listed(evidence))
    row.status, row.done_at, row.done_by = DueStatus.DONE, tx.now, by
    row.note, row.minutes, row.evidence = note, minutes, list(evidence)
    return row
