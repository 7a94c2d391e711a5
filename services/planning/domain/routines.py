"""When routines come round: the periods of a routine, when an item of one opens, and when it is due."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from libs.common.events.routines import Due, Moment, Once, Routine
from services.planning.domain.calendar import DAY, Period, SchoolCalendar

WEEKS_FROM = date(2000, 1, 3)  # the Monday from which periods of several weeks are counted
BACK = timedelta(days=800)  # no period that is over for longer has an item that is still to come
AHEAD = timedelta(days=800)  # what is due before a vacation opens before its period: never by more than a vacation


@dataclass(frozen=True, slots=True)
class Round:
    """One coming round of a routine: its period, the day on which it opens and the one on which it is due."""

    period: Period
    opens_on: date
    due_on: date


def rounds_of(
    routine: Routine, calendar: SchoolCalendar, *, since: date, done_through: date | None, today: date, begins: int | None
) -> list[Round]:
    """The rounds of which items must be there today, those of `done_through` and before excepted where they are due already.

    `since`: the day from which the school has the routine, what was over before it is none of its rounds. A round that opened while nothing
    ran (the day after `done_through` up to today) is there, too, also where it fell due meanwhile. `begins`: the first year of the period
    that the school plans for.
    """
    base = since if done_through is None else max(since, min(done_through + DAY, today))
    found = []
    for period in _periods(routine, calendar, base - BACK, today + AHEAD, begins):
        if period.end <= since or not _comes(routine, calendar, period):
            continue
        opens, due = opens_on(routine, calendar, period), due_on(routine, calendar, period)
        if opens <= today and due >= base:
            found.append(Round(period, opens, due))
    return found


def opens_on(routine: Routine, calendar: SchoolCalendar, period: Period) -> date:
    """The day on which an item of a period is there: its first, or the first after it; never after the item is due."""
    return min(period.end if routine.opens == "end" else period.start, due_on(routine, calendar, period))


def due_on(routine: Routine, calendar: SchoolCalendar, period: Period) -> date:
    """The day on which an item of a period is due: never in a vacation nor on a public holiday. The item is late from the next day on."""
    return calendar.open_day(_due(routine.due, calendar, period.last), before=routine.due.early)


def _due(due: Due, calendar: SchoolCalendar, last: date) -> date:
    if due.day is None:
        return calendar.add_days(last, due.days, working=due.counts == "working")
    return last.replace(day=min(due.day, monthrange(last.year, last.month)[1]))


def _comes(routine: Routine, calendar: SchoolCalendar, period: Period) -> bool:
    """Whether a round of that period comes at all: months without teaching weeks open no cycle of a course."""
    match routine.only:
        case "teaching":
            return calendar.has_teaching_week(period)
        case "working":
            return calendar.has_working_day(period)
        case "always":
            return True


def now_is(routine: Routine, calendar: SchoolCalendar, period: Period, begins: int | None) -> Period:
    """The same period as the calendar has it now: a term's dates may have moved. One that is no more stays what it was."""
    found = _periods(routine, calendar, period.start - BACK, period.end + BACK, begins)
    return next((each for each in found if (each.kind, each.key) == (period.kind, period.key)), period)


def _periods(routine: Routine, calendar: SchoolCalendar, first: date, last: date, begins: int | None) -> Iterator[Period]:
    """The periods of a routine that hold a day from `first` to `last`, both inclusive."""
    if routine.once is not None:
        if begins is not None:
            yield _once(routine.once, begins)
        return
    assert routine.every is not None, "a routine says either every or once"
    match routine.every.unit:
        case "week":
            yield from _weeks(routine.every.weeks, first, last)
        case "month":
            months = calendar.periods("month", first, last)
            yield from (each for each in months if not routine.every.months or each.start.month in routine.every.months)
        case "mid_term":
            for term in calendar.periods("term", first, last):
                yield Period("mid_term", term.key, term.start, calendar.mid_term_day(term) + DAY)
        case "year":
            yield from calendar.periods(calendar.year_of(routine.level), first, last)
        case "term" | "academic_year" as unit:
            yield from calendar.periods(unit, first, last)


def _weeks(weeks: int, first: date, last: date) -> Iterator[Period]:
    length = 7 * weeks
    start = WEEKS_FROM + timedelta((first - WEEKS_FROM).days // length * length)
    while start <= last:
        yield Period("week", start.isoformat(), start, start + timedelta(length))
        start += timedelta(length)


def _once(once: Once, begins: int) -> Period:
    last = _first_day(once.last or once.first, begins)
    return Period("once", "once", _first_day(once.first, begins), last + timedelta(monthrange(last.year, last.month)[1]))


def _first_day(moment: Moment, begins: int) -> date:
    return date(begins + moment.year - 1, moment.month, 1)
