"""No sequence of calls moves the line by which the caller is judged; who works inside the dynamic loop moves no line and no standard."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from libs.common.auth import Principal
from libs.common.events.gateway import Enrollment
from services.gateway.domain.policy import POSTS as MAY
from services.standards.tables import IndicatorRow, StandardRow, VersionRow
from tests.service.harness import principal
from tests.service.standards.school import AUTHOR, OFFICE, POSTS, ROSTER, Office, school, standard
from tests.service.standards.test_indicators import with_

EXAMPLES = int(os.environ.get("EXAMPLES", "1")) * 40
TEACHES = Enrollment(id="e9", class_id="CNC101-A", person="Q2", role="teacher")
JUDGED = principal(*MAY["quality_office"].may, *MAY["teacher"].may, id="Q2")  # of the office, and teaches a class
INSIDE = (
    principal(*MAY["teacher"].may, id="T1", over=["teacher:T1", "class:CNC101-A"]),
    principal(*MAY["class_teacher"].may, id="H1", over=["class:CNC2301", "teacher:H1"]),
    principal(*MAY["department_quality_officer"].may, id="D9", over=["unit:mech"]),
    principal(*MAY["student"].may, id="S1", over=["student:S1"]),
)
LINE, TRIAL, WIDE = "line", "trial", "wide"  # of classes, in force and in trial; of the school
FIRST, NEWEST, BEFORE = "{first}", "{newest}", "{before}"  # versions, as they are called at that moment
Call = tuple[Principal, str, Any]
ORIGINS: list[Any] = [
    {},
    {"origin": {"kind": "first"}},
    {"origin": {"kind": "period"}},
    {"origin": {"kind": "cycle", "cycle": str(uuid4())}},
    {"origin": {"kind": "document", "number": "1号", "date": "2026-02-01"}},
    {"origin": {"kind": "exception", "reason": "学生基础薄弱"}},
]


def line(code: str, enter: float = 0.8, **said: Any) -> dict[str, Any]:
    lines = [{"severity": "yellow", "enter": enter, "clear": 0.9}]
    return with_(**{"code": code, "metric": "workload", "warning_lines": lines, **said})


def calls(who: Principal) -> st.SearchStrategy[list[Call]]:
    """All that might move a line or a standard, one call or what is defined and activated at once."""
    codes = st.sampled_from([LINE, TRIAL, WIDE])
    defined = st.builds(
        lambda code, enter, level, trial, origin: line(code, enter, level=level, trial=trial, **origin),
        codes,
        st.sampled_from([0.1, 0.2, 0.7]),
        st.sampled_from(["class", "school", "teacher"]),
        st.booleans(),
        st.sampled_from([{}, *ORIGINS]),
    ).map(lambda body: ("/indicators", body))
    at_once = defined.map(lambda each: [each, (f"/indicators/{each[1]['code']}/versions/{NEWEST}/activate", None)])
    steps = st.sampled_from([("activate", None), ("release", None), ("abandon", {"reason": "过严"})])
    numbers = st.sampled_from([FIRST, FIRST, NEWEST, BEFORE])
    moved = st.tuples(codes, numbers, steps).map(
        lambda each: (f"/indicators/{each[0]}/versions/{each[1]}/{each[2][0]}", each[2][1])
    )
    tuned = {"warning_lines": [{"severity": "yellow", "enter": 0.1, "clear": 0.2}], "reason": "过严"}
    tunes = codes.map(lambda code: (f"/indicators/{code}/tune", tuned))
    written = st.sampled_from([("/standards", standard(name="宽松")), ("/standards", standard(groups=[]))])
    ways = st.sampled_from([("submit", {}), ("approve", {}), ("return", {"reason": "否"}), ("retire", {"reason": "过严"})])
    reviewed = st.tuples(numbers, ways).map(lambda each: (f"/standards/HB-ST-TCH/versions/{each[0]}/{each[1][0]}", each[1][1]))
    inside = () if who is JUDGED else (written, reviewed)  # the office does review standards
    several = st.one_of(at_once, *(each.map(lambda one: [one]) for each in (defined, moved, tunes, *inside)))
    return several.map(lambda each: [(who, *one) for one in each])


async def prepare(at: Office) -> None:
    """Put a line of classes in force and one in trial, and a standard in force; one of the office teaches such a class."""
    await at.sut.handle(ROSTER.model_copy(update={"enrollments": [*ROSTER.enrollments, TEACHES]}), POSTS)
    for code, trial, level in ((LINE, False, "class"), (TRIAL, True, "class"), (WIDE, False, "school")):
        assert (await at.ask(AUTHOR, "POST", "/indicators", line(code, trial=trial, level=level)))[0] == 201
        assert (await at.ask(AUTHOR, "POST", f"/indicators/{code}/versions/1/activate"))[0] == 200
    await at.in_force()


async def in_force(at: Office) -> Any:
    """Which versions of what judges a class are in force and tried, at which level the school's line is, and which standards are there."""
    async with at.sut.database.reading() as session:
        rows = {row.code: row for row in await session.scalars(select(IndicatorRow))}
        lines = {(code, rows[code].active, rows[code].trial) for code in (LINE, TRIAL)}
        levels = set()
        for number in (rows[WIDE].active, rows[WIDE].trial):
            if number is not None and (row := await session.get(VersionRow, ("demo", WIDE, number))) is not None:
                levels.add(row.definition["level"])
        return lines, levels - {"school"}, {(row.code, row.active) for row in await session.scalars(select(StandardRow))}


async def numbered(at: Office, path: str) -> str:
    """The path of a version that is there."""
    async with at.sut.database.reading() as session:
        table: Any = IndicatorRow if path.startswith("/indicators") else StandardRow
        newest = (
            {row.code: row.newest for row in await session.scalars(select(table))}.get(path.split("/")[2], 1) if "{" in path else 1
        )
    return path.format(first=1, newest=newest, before=max(1, newest - 1))


def test_nobody_moves_the_line_that_judges_them_and_nobody_inside_the_loop_moves_any(database_url: str, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        entered = school(database_url, tmp_path)
        at = runner.run(entered.__aenter__())
        try:
            runner.run(prepare(at))
            before = runner.run(in_force(at))

            async def play(made: Sequence[Sequence[Call]]) -> None:
                for who, path, body in chain.from_iterable(made):
                    status, answer = await at.ask(who, "POST", await numbered(at, path), body)
                    assert status < 500, answer
                    assert await in_force(at) == before, (who.id, path, body)

            one_of_them = st.sampled_from([JUDGED] * 6 + [*INSIDE]).flatmap(calls)

            @settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
            @given(st.lists(one_of_them, min_size=8, max_size=30))
            def check(made: Sequence[Sequence[Call]]) -> None:
                runner.run(play(made))

            check()
        finally:
            runner.run(entered.__aexit__(None, None, None))


async def test_a_second_person_moves_it_and_the_exception_is_listed(database_url: str, tmp_path: Path) -> None:
    """What the property above forbids is not forbidden by everything being shut."""
    async with school(database_url, tmp_path) as at:
        await prepare(at)
        why = {"kind": "exception", "reason": "教学改革试点"}
        assert (await at.ask(OFFICE, "POST", "/indicators", line(LINE, 0.7, origin=why)))[0] == 201
        assert (await at.ask(OFFICE, "POST", f"/indicators/{LINE}/versions/2/activate"))[0] == 403
        assert (await at.ask(AUTHOR, "POST", f"/indicators/{LINE}/versions/2/activate"))[0] == 200
        _, found = await at.ask(AUTHOR, "GET", "/exceptions")
        assert [(each["code"], each["version"], each["by"], each["confirmed_by"]) for each in found["items"]] == [
            (LINE, 2, "Q2", "Q1")
        ]
