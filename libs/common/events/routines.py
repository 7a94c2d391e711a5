"""What a school does again and again (日历): a part of its set-up that planning works by, and may be given otherwise by the school."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from libs.common.errors import Fault
from libs.common.events.setup import Coded, Line, Part

Post = Literal[
    "teacher",
    "class_teacher",
    "course_leader",
    "programme_leader",
    "office_head",
    "department_quality_officer",
    "department_head",
    "level_group",
    "quality_office",
    "school_leader",
]
"""The posts that answer for work."""
Month = Annotated[int, Field(ge=1, le=12)]
Kind = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class Every(Part):
    """How often a routine comes round. `weeks`: so many weeks are one period; `months`: only these months of a year (none: each).

    `mid_term` is a term up to its middle (期中); `year` is what the school means by a year at the routine's level.
    """

    unit: Literal["week", "month", "mid_term", "term", "year", "academic_year"]
    weeks: Annotated[int, Field(ge=1, le=26)] = 1
    months: Annotated[list[Month], Field(max_length=12)] = []


class Moment(Part):
    """A month, in a year counted from the first (1) of the period that the school plans for: a plan of another period moves along."""

    year: Annotated[int, Field(ge=1, le=50)]
    month: Month


class Once(Part):
    """Something that comes once: the months from `first` to `last`, both inclusive. `last` None: it goes on, and only its start is due."""

    first: Moment
    last: Moment | None = None


class Due(Part):
    """When a routine's item is due: `days` after the last day of its period, or on a day of that month (`day`; the last, where it has none).

    `counts` natural or working days. Where that is a vacation or public holiday, the first working day after it, or with `early` the
    last before it.
    """

    days: Annotated[int, Field(ge=0, le=366)] = 0
    counts: Literal["natural", "working"] = "natural"
    day: Annotated[int, Field(ge=1, le=31)] | None = None
    early: bool = False


class Routine(Coded):
    """Something that is done again and again (`every`), or once in the school's period (`once`): one of the two.

    `per`: one for each of these; `by`: the posts that answer for it, the nearest first, none: the person that it is about. `who`: as
    the documents name them. `opens` with its period, or when that is over. `only` where the period has working days, or teaching weeks.
    `of_kinds`, `not_of_kinds`: which teachers, by the kinds that the school keeps. `needs`: what its owner hands in. `remind`: so many
    days before.
    """

    level: Line
    per: Literal["school", "level", "department", "office", "programme", "course", "homeroom", "teacher", "student"]
    by: Annotated[list[Post], Field(max_length=10)] = []
    who: Line | None = None
    every: Every | None = None
    once: Once | None = None
    opens: Literal["start", "end"] = "start"
    due: Due = Due()
    only: Literal["always", "working", "teaching"] = "always"
    of_kinds: Annotated[list[Kind], Field(max_length=20)] = []
    not_of_kinds: Annotated[list[Kind], Field(max_length=20)] = []
    needs: Literal["confirmation", "minutes", "document"] = "confirmation"
    remind: Annotated[int, Field(ge=0, le=60)] = 3


LEVELS = ("school", "department", "programme", "course", "class", "homeroom", "teacher", "student")
"""The levels that every school has; its set-up may have others, by the cycles that it gives them."""


def routine_faults(where: str, routines: Sequence[Routine], *, period: bool, levels: Collection[str]) -> Iterator[Fault]:
    """What does not hang together in routines: a school's set-up and its own list are held to the same.

    `period`: whether the school plans for one, from which the years of `once` are counted; `levels`: those that its cycles name.
    """
    known = {*LEVELS, *levels}
    seen: set[str] = set()
    for n, routine in enumerate(routines):
        at = f"{where}/{n}"
        if routine.code in seen:
            yield Fault(pointer=f"{at}/code", detail=f"the code {routine.code!r} stands twice")
        seen.add(routine.code)
        if routine.level not in known:
            yield Fault(pointer=f"{at}/level", detail=f"no such level; there are {', '.join(sorted(known))}")
        yield from _one_routine(at, routine, period=period)


def _one_routine(at: str, routine: Routine, *, period: bool) -> Iterator[Fault]:
    if (routine.every is None) == (routine.once is None):
        yield Fault(pointer=at, detail="says either every or once")
    if not routine.by and routine.per not in {"teacher", "student"}:
        yield Fault(pointer=f"{at}/by", detail=f"a {routine.per} does nothing itself: name the posts that answer for it")
    if (routine.of_kinds or routine.not_of_kinds) and routine.per != "teacher":
        yield Fault(pointer=f"{at}/per", detail="only teachers are of a kind")
    if both := sorted({*routine.of_kinds} & {*routine.not_of_kinds}):
        yield Fault(pointer=f"{at}/not_of_kinds", detail=f"wanted and not wanted: {', '.join(both)}")
    if (every := routine.every) is not None:
        if every.weeks > 1 and every.unit != "week":
            yield Fault(pointer=f"{at}/every/weeks", detail="only weeks are counted in weeks")
        if every.months and every.unit != "month":
            yield Fault(pointer=f"{at}/every/months", detail="only months are chosen among")
    if (once := routine.once) is not None:
        if not period:
            yield Fault(pointer=f"{at}/once", detail="the set-up names no period from which years are counted")
        if once.last is not None and (once.last.year, once.last.month) < (once.first.year, once.first.month):
            yield Fault(pointer=f"{at}/once/last", detail="lies before the first month")
    if routine.due.day is not None and routine.due.days:
        yield Fault(pointer=f"{at}/due", detail="is due so many days after the period, or on a day of the month")
