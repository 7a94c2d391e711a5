"""The order of arrival does not matter: observations before their roster, indicator or terms end as after them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from libs.common.events.gateway import Class, Enrollment, Org, Person, RosterImported, Session
from tests.service.harness import ServiceUnderTest
from tests.service.monitoring.world import (
    CLASSES,
    COURSES,
    ENROLLMENTS,
    EVERYTHING,
    NOW,
    ORGS,
    PEOPLE,
    TERMS,
    Digest,
    detail,
    digest,
    every,
    forget,
    indicator,
    measured,
    monitoring,
    roster,
    sent,
    take,
    terms,
    told,
    warned,
)

EVENTS = [
    sent(f"e{n}", n * 7 % 4, 4, day=str(date(2026, 2, 20) + timedelta(n % 30)), student=f"S{1 + n % 3}", class_=("C1", "C2")[n % 2])
    for n in range(40)
]
INDICATORS = [
    indicator("class-week", {"red": ("0.5", "0.5")}),
    indicator("student-term", {"red": ("0.4", "0.4")}, level="student", window="term"),
    indicator("programme-month", {"red": ("0.45", "0.45")}, level="programme", window="month"),
    indicator("department-term", {"blue": ("0.4", "0.4")}, level="department", window="term", comparison="above"),
    indicator("homeroom-close", {"blue": ("0.5", "0.5")}, level="homeroom", evaluate="window_close"),
]
SCHOOL: dict[str, list[Any]] = {
    "roster": [roster()],
    "terms": [terms()],
    "indicators": INDICATORS,
    "parts": [
        roster(part="p/1", last=False, people=[], enrollments=[], classes=[]),
        roster(part="p/2", last=False, orgs=[], courses=[], people=[], enrollments=[], sessions=TERMS),
        roster(part="p/3", orgs=[], courses=[], classes=[]),
    ],
}


async def arrive(sut: ServiceUnderTest, order: Sequence[str]) -> tuple[Any, set[tuple[str, str]]]:
    """Sums, and which (indicator, subject) are in warning, when things come in this order."""
    await forget(sut, everything=True)
    for what in order:
        if what == "observations":
            for n in range(0, len(EVENTS), 9):
                await take(sut, *EVENTS[n : n + 9])
        for fact in SCHOOL.get(what, ()):
            await sut.handle(fact)
    sums: Digest = await digest(sut)
    return sums[0], {(w["indicator"], w["subject"]) for w in await warned(sut, status="open")}


async def test_whatever_comes_first_the_sums_and_open_warnings_are_the_same(database_url: str, tmp_path: Path) -> None:
    orders = [
        ("roster", "terms", "indicators", "observations"),
        ("observations", "roster", "terms", "indicators"),
        ("observations", "indicators", "terms", "roster"),
        ("indicators", "observations", "roster", "terms"),
        ("terms", "observations", "indicators", "parts"),
        ("observations", "indicators", "parts"),
    ]
    async with monitoring(database_url, tmp_path) as sut:
        found = [await arrive(sut, order) for order in orders]

    assert len({code for code, _ in found[0][1]}) == len(INDICATORS), "each indicator warns of somebody"
    for order, each in zip(orders, found, strict=True):
        assert each == found[0], order


async def test_a_roster_in_parts_takes_hold_as_a_whole_or_not_at_all(sqlite_url: str, tmp_path: Path) -> None:
    first, second, last = SCHOOL["parts"]
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, indicator("other")) as sut:
        await take(sut, sent("a", day="2026-03-02"))
        for part in (first, second):
            await sut.handle(part)
            assert await measured(sut, "course") == []
            assert await measured(sut, "school", "term") == []
        await sut.handle(last)

        assert await measured(sut, "course") == [("K1", "2026-03-02", 1, 1)]
        assert await measured(sut, "homeroom") == [("H1", "2026-03-02", 1, 1)]
        assert await measured(sut, "school", "term") == [("demo", "2026-02-24", 1, 1)]


async def test_more_than_ten_parts_are_applied_in_their_order(sqlite_url: str, tmp_path: Path) -> None:
    """What an earlier part says of a row, a later one may say otherwise: the tenth comes after the ninth."""
    moves = [
        RosterImported(
            part=f"i/{n}", last=n == 12, today=date(2026, 3, 1), classes=[Class(id="C1", title="x", kind="scheduled", org=org)]
        )
        for n, org in enumerate(["arts"] * 11 + ["mech"], start=1)
    ]
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(classes=[])) as sut:
        for move in moves:
            await sut.handle(move)
        await take(sut, sent("a"))

        assert await measured(sut, "department") == [("mech", "2026-03-02", 1, 1)]


async def test_an_unfinished_import_is_forgotten_when_the_next_one_ends(sqlite_url: str, tmp_path: Path) -> None:
    stray = roster(part="broken/1", last=False, orgs=[], courses=[], people=[], enrollments=[], classes=[CLASSES[0]])
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(classes=[])) as sut:
        await sut.handle(stray)
        await sut.handle(roster(part="next/1", classes=[]))
        await sut.handle(roster(part="broken/2", classes=[]))
        await take(sut, sent("a"))

        assert await measured(sut, "course") == []


async def test_an_observation_counts_at_a_level_when_the_roster_brings_its_ids_one_after_the_other(
    database_url: str, tmp_path: Path
) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(classes=CLASSES[2:], people=[], enrollments=[])) as sut:
        await take(sut, sent("a"), sent("b", 0, student="S9", class_="C9"))
        levels = ("student", "class", "homeroom", "course", "programme", "department", "school")

        async def counted() -> set[tuple[str, str]]:
            return {(level, subject) for level in levels for subject, *_ in await measured(sut, level)}

        named = {("student", "S1"), ("student", "S9"), ("class", "C1"), ("class", "C9"), ("school", "demo")}
        assert await counted() == named
        await sut.handle(roster(part="i2/1", orgs=[], courses=[], people=[], enrollments=[]))
        placed = named | {("course", "K1"), ("programme", "cnc"), ("department", "mech")}
        assert await counted() == placed
        await sut.handle(roster(part="i3/1", orgs=[], courses=[], classes=[]))
        assert await counted() == placed | {("homeroom", "H1")}
        before = await digest(sut)
        await sut.handle(roster(part="i4/1"))
        assert await digest(sut) == before


async def test_an_observation_never_counts_twice_at_a_level_also_when_an_import_moves_its_class(
    database_url: str, tmp_path: Path
) -> None:
    """Moves are not followed back in time yet; but one import that brings the student and moves the class is no second count."""
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(people=[], enrollments=[])) as sut:
        await take(sut, sent("a"))
        moved = Class(id="C1", title="x", kind="scheduled", course="K2", org="arts")
        await sut.handle(roster(part="i2/1", classes=[moved, *CLASSES[1:]]))

        for level in ("course", "department", "homeroom", "school"):
            assert sum(d for *_, d in await measured(sut, level)) == 1, level


async def test_a_class_named_as_homeroom_is_placed_when_it_becomes_known(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(classes=[], people=[], enrollments=[])) as sut:
        async with sut.as_(EVERYTHING) as client:
            body = {"code": "tidy", "name": "整洁", "grain": ["homeroom"], "kind": "ratio", "direction": "higher"}
            assert (await client.post("/metrics", json=body)).status_code == 201
        await take(sut, sent("a", metric="tidy", student=None, class_=None, homeroom="H1"))
        assert await measured(sut, "department", metric="tidy") == []
        await sut.handle(roster(part="i2/1"))

        assert await measured(sut, "department", metric="tidy") == [("mech", "2026-03-02", 1, 1)]


async def test_what_the_roster_makes_known_ends_in_the_warning_of_whoever_knew_it_from_the_start(
    sqlite_url: str, tmp_path: Path
) -> None:
    watching = indicator("dept", {"orange": ("0.8", "0.8")}, level="department")
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(classes=[]), watching) as sut:
        await take(sut, sent("a", 0), sent("b", 4, 4), sent("c", 0, 9))
        assert await told(sut) == []
        await sut.handle(roster(part="i2/1"))

        # It went up and down meanwhile; who comes late is told how it ends.
        assert await told(sut) == ["dept mech raised orange 4/14 of 2026-03-02"]


async def test_many_observations_are_placed_in_order_over_several_reads(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.monitoring.commands.roster._PART", 3)
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(classes=[], people=[], enrollments=[])) as sut:
        await take(sut, *[sent(f"e{n}", n % 2, student=f"S{1 + n % 3}", class_=("C1", "C2")[n % 2]) for n in range(20)])
        await sut.handle(roster(part="i2/1"))

        assert [(subject, n, d) for subject, _, n, d in await measured(sut, "course")] == [("K1", 0, 10), ("K2", 10, 10)]


# --- terms -----------------------------------------------------------------------------------------------------------

SEMESTER = Session(id="s", title="学期", kind="semester", start=date(2026, 2, 24), end=date(2026, 7, 11))
HALF = Session(id="h", title="后半学期", kind="term", start=date(2026, 3, 16), end=date(2026, 3, 23))


async def test_terms_that_arrive_later_re_attribute_what_is_there_and_judge_it(database_url: str, tmp_path: Path) -> None:
    watching = indicator("term", {"orange": ("0.8", "0.8")}, window="term")
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), watching) as sut:
        await take(sut, sent("a", 0, day="2026-03-10"), sent("b", 4, 4, day="2026-03-17"), sent("c", 0, day="2026-02-23"))
        assert await measured(sut, "class", "term") == []
        await sut.handle(terms("t/1", [SEMESTER]))
        assert await measured(sut, "class", "term") == [("C1", "2026-02-24", 4, 5)]
        assert await told(sut) == [], "4/5 is on the line"
        await sut.handle(terms("t/2", [SEMESTER, HALF]))

        assert await measured(sut, "class", "term") == [("C1", "2026-02-24", 0, 1), ("C1", "2026-03-16", 4, 4)]
        assert await told(sut) == []
        await take(sut, sent("d", 0, 2, day="2026-03-18"))
        await sut.handle(terms("t/3", [SEMESTER, HALF.model_copy(update={"active": False})]))
        assert await measured(sut, "class", "term") == [("C1", "2026-02-24", 4, 7)]
        assert await told(sut) == ["term C1 raised orange 4/6 of 2026-03-16"]


async def test_only_terms_and_semesters_make_term_windows(sqlite_url: str, tmp_path: Path) -> None:
    other = [
        Session(id=kind, title=kind, kind=kind, start=SEMESTER.start, end=SEMESTER.end) for kind in ("schoolYear", "gradingPeriod")
    ]
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, terms("t/1", other)) as sut:
        await take(sut, sent("a"))

        assert await measured(sut, "student", "term") == []


async def test_the_evidence_of_a_term_is_what_its_window_holds(sqlite_url: str, tmp_path: Path) -> None:
    """Days of the second half belong to the later-starting term, though the semester lasts longer."""
    watching = [indicator(level, level=level, window="term", min_denominator=Decimal(2)) for level in ("course", "class")]
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), terms("t/1", [SEMESTER, HALF]), *watching) as sut:
        await take(sut, sent("a", 0, day="2026-03-10"), sent("b", 0, day="2026-03-25"), sent("c", 0, day="2026-03-17"))
        found = {}
        for each in await warned(sut):
            async with sut.as_(EVERYTHING) as client:
                evidence = await every(client, f"/warnings/{each['id']}/evidence")
            found[each["indicator"]] = (each["start"], [e["id"] for e in evidence])

    assert found == {"course": ("2026-02-24", ["a", "b"]), "class": ("2026-02-24", ["a", "b"])}


# --- who it is about -------------------------------------------------------------------------------------------------


async def test_a_warning_says_the_name_of_its_subject_where_the_roster_has_one(sqlite_url: str, tmp_path: Path) -> None:
    watching = [indicator(level, level=level, window="day") for level in ("student", "class", "course", "department", "school")]
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), *watching) as sut:
        await take(sut, sent("a", 0), sent("b", 0, student="S9", class_="C9"))
        names = {(w["level"], w["subject"]): w["subject_name"] for w in await warned(sut)}

    assert names == {
        ("student", "S1"): "学生1",
        ("class", "C1"): "数控编程1班",
        ("course", "K1"): "数控编程",
        ("department", "mech"): "机电学院",
        ("school", "demo"): "示范学院",
        ("student", "S9"): None,
        ("class", "C9"): None,
    }


async def test_enrollments_that_change_move_the_homeroom_from_their_day_on(sqlite_url: str, tmp_path: Path) -> None:
    moved = [
        Enrollment(id="e1", class_id="H1", person="S1", role="student", end=date(2026, 3, 10)),
        Enrollment(id="e1/2", class_id="H2", person="S1", role="student", start=date(2026, 3, 10)),
    ]
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster()) as sut:
        await sut.handle(roster(part="i2/1", orgs=[], courses=[], classes=[], people=[], enrollments=moved))
        await take(sut, sent("a", day="2026-03-09"), sent("b", day="2026-03-10"))

        assert await measured(sut, "homeroom") == [("H1", "2026-03-09", 1, 1), ("H2", "2026-03-10", 1, 1)]


async def test_what_became_inactive_still_places_what_happened(sqlite_url: str, tmp_path: Path) -> None:
    """A bulk import makes absent rows inactive and deletes nothing."""
    gone = RosterImported(
        part="i2/1",
        last=True,
        today=date(2026, 3, 1),
        orgs=[Org(**{**ORGS[1].model_dump(), "active": False})],
        courses=[COURSES[0].model_copy(update={"active": False})],
        classes=[CLASSES[0].model_copy(update={"active": False})],
        people=[Person(**{**PEOPLE[0].model_dump(), "active": False})],
        enrollments=[e.model_copy(update={"end": date(2026, 3, 1)}) for e in ENROLLMENTS[:2]],
    )
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), indicator()) as sut:
        await sut.handle(gone)
        await take(sut, sent("a", 0, day="2026-02-27"))

        assert await measured(sut, "department") == [("mech", "2026-02-27", 0, 1)]
        assert await measured(sut, "homeroom") == [("H1", "2026-02-27", 0, 1)]
        (warning,) = await warned(sut)
        assert (await detail(sut, warning["id"]))["subject_name"] == "数控编程1班"
