"""P: nothing that is due is made twice and nothing is missed, whatever clocks, restarts and replicas do; and nothing falls due in a vacation."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from libs.common.database import Database
from libs.common.events.gateway import SchoolAdded, Session, SetupChanged
from libs.common.events.routines import Routine
from libs.common.runtime import run_once
from services.planning import queries
from services.planning.domain.calendar import CalendarDocument
from services.planning.domain.routines import rounds_of
from services.planning.service import service
from services.planning.tables import CalendarRow, DueItemRow, RoutinesRow
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest, nobody_else
from tests.service.planning.school import planning, roster, tell, without

START = date(2026, 3, 2)
TERMS = [
    Session(id=f"t{n}", title=f"第{n}学期", kind="semester", start=first, end=end)
    for n, (first, end) in enumerate(
        [
            (date(2025, 9, 1), date(2026, 1, 18)),
            (date(2026, 2, 23), date(2026, 7, 5)),
            (date(2026, 8, 31), date(2027, 1, 18)),
            (date(2027, 2, 22), date(2027, 7, 5)),
        ]
    )
]
ROUTINES: list[dict[str, Any]] = [
    {"code": "month", "per": "department", "by": ["department_head"], "every": {"unit": "month"}, "due": {"days": 5}},
    {"code": "course", "per": "course", "by": ["course_leader"], "every": {"unit": "month"}, "opens": "end", "only": "teaching"},
    {"code": "meeting", "per": "school", "by": ["quality_office"], "every": {"unit": "week", "weeks": 2}, "only": "working"},
    {"code": "july", "per": "school", "by": ["school_leader"], "every": {"unit": "month", "months": [7]}, "due": {"early": True}},
    {"code": "term", "per": "student", "every": {"unit": "term"}, "opens": "end", "due": {"days": 10, "counts": "working"}},
    {"code": "middle", "per": "school", "by": ["quality_office"], "every": {"unit": "mid_term"}, "due": {"days": 7}},
    {"code": "once", "per": "school", "by": ["quality_office"], "once": {"first": {"year": 1, "month": 5}}},
]
SAID = [{"name": each["code"], "level": "school", **each} for each in ROUTINES]
CALENDAR = CalendarDocument.model_validate(
    {
        "vacations": [
            {"name": "寒假", "first": "2026-01-18", "last": "2026-02-22"},
            {"name": "暑假", "first": "2026-07-05", "last": "2026-08-30"},
            {"name": "寒假", "first": "2027-01-18", "last": "2027-02-21"},
        ],
        "holidays": [{"name": "国庆节", "first": "2026-10-01", "last": "2026-10-07"}],
        "make_up_days": ["2026-10-10"],
    }
)
numbers = count()


class Runs:
    """The service on one database, entered by up to three replicas, with a clock that goes anywhere."""

    def __init__(self, runner: asyncio.Runner, sut: ServiceUnderTest, clock: SettableClock) -> None:
        self.runner, self.sut, self.clock = runner, sut, clock
        self.others = [Database(sut.database.url, clock) for _ in range(2)]

    async def restart(self) -> None:
        """End the other replicas and begin them anew: what they remembered is gone."""
        for each in self.others:
            await each.close()
        self.others = [Database(self.sut.database.url, self.clock) for _ in range(2)]

    async def add(self) -> str:
        """A school with all its routines, from the day it is."""
        school = f"s{next(numbers)}"
        self.clock.now = at(START)
        await tell(self.sut, SchoolAdded(code=school, name=school), roster(sessions=TERMS), without(), school=school)
        async with self.sut.database.transaction() as tx:
            await tx.session.execute(delete(RoutinesRow))  # the schools of the examples before
            tx.session.add(
                CalendarRow(school=school, document=CALENDAR.model_dump(mode="json"), changed_at=tx.now, changed_by="Q1")
            )
        content = {"routines": SAID, "period": {"first": 2026, "last": 2030}}
        await tell(self.sut, SetupChanged(code=school, content=content), school=school)
        return school

    async def run(self, school: str, *, where: str) -> None:
        """Run the job here, at another replica, at one that has just been started, or at all at once; `crash`: it stops before its end and
        nothing of it stands.
        """
        if where == "restarted":
            await self.restart()
        here, other = [self.sut.database], self.others[:1]
        databases = {"here": here, "other": other, "restarted": other, "all": [*here, *self.others]}
        job = next(job for job in service.jobs if job.name == "due_items")

        async def crash() -> None:
            async with self.sut.database.transaction() as tx:
                tx.school = school
                await job.run(tx)
                raise InterruptedError

        if where == "crash":
            with pytest.raises(InterruptedError):
                await crash()
        else:
            await asyncio.gather(*(run_once(job, database, nobody_else) for database in databases[where]))

    async def made(self, school: str) -> list[DueItemRow]:
        async with self.sut.database.reading() as session:
            return list(await session.scalars(select(DueItemRow).where(DueItemRow.school == school)))


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 4, 0, tzinfo=UTC)


@pytest.fixture
def runs(database_url: str, tmp_path: Path) -> Iterator[Runs]:
    with asyncio.Runner() as runner:
        stack, clock = AsyncExitStack(), SettableClock()
        sut = runner.run(stack.enter_async_context(planning(database_url, tmp_path, clock=clock)))
        found = Runs(runner, sut, clock)
        yield found
        for each in found.others:
            runner.run(each.close())
        runner.run(stack.aclose())


jumps = st.integers(-90, 150)
steps = st.lists(
    st.tuples(jumps, st.sampled_from(["here", "other", "restarted", "all", "crash"]), st.booleans()), min_size=1, max_size=6
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=steps)
def test_nothing_is_made_twice_or_missed_and_nothing_falls_due_in_a_vacation(
    runs: Runs, steps: list[tuple[int, str, bool]]
) -> None:
    async def play() -> None:
        school = await runs.add()
        day, seen = START, [START]
        for jump, where, changed in steps:
            day += timedelta(jump)
            runs.clock.now = at(day)
            if changed:
                await tell(runs.sut, without(), school=school)
            await runs.run(school, where=where)
            if where != "crash":
                seen.append(day)
        async with runs.sut.database.reading() as session:
            calendar = await queries.calendar_of(session, school)
        made = await runs.made(school)
        twice = [key for key, n in Counter((each.routine, each.period, each.subject) for each in made).items() if n > 1]
        assert twice == []
        for routine in map(Routine.model_validate, SAID):
            periods = {each.period for each in made if each.routine == routine.code}
            wanted = [
                {
                    each.period.key
                    for each in rounds_of(routine, calendar, since=min(seen), done_through=None, today=today, begins=2026)
                }
                for today in (seen[-1], max(seen))
            ]
            if len(seen) > 1:
                assert wanted[0] <= periods <= wanted[1], (routine.code, seen)
        for each in made:
            assert not calendar.is_vacation(each.due_on), each.routine
            assert calendar.open_day(each.due_on) == each.due_on, each.routine

    runs.runner.run(play())
