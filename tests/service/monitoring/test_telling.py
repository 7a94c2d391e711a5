"""Whoever follows measurements is told each change of what is followed: once, whole, and nothing else."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from libs.common.events import planning, standards
from libs.common.events.deadletters import DeadLettered
from libs.common.events.gateway import Class, SchoolAdded, Session
from libs.common.events.monitoring import Measured
from services.monitoring.commands import rebuilding, telling
from services.monitoring.domain.windows import Window, to_day
from services.monitoring.queries.telling import list_waiting
from services.monitoring.tables import TotalRow
from tests.service.harness import SCHOOL, ServiceUnderTest, principal
from tests.service.monitoring.world import (
    CLASSES,
    EVERYTHING,
    NOW,
    TERMS,
    array,
    correction,
    every,
    monitoring,
    retraction,
    roster,
    sent,
    take,
    terms,
)

Wanted = standards.MeasureWanted | planning.MeasureWanted


def wanted(level: str = "class", window: str = "week", subject: str | None = None, **said: Any) -> Wanted:
    kind = planning.MeasureWanted if said.pop("by", "planning") == "planning" else standards.MeasureWanted
    asked: Wanted = kind(**{"metric": "attendance", "level": level, "window": window, "subject": subject, **said})
    return asked


async def run(sut: ServiceUnderTest) -> list[Measured]:
    await sut.run("tell-measurements")
    return [message.event for message in await sut.published() if isinstance(message.event, Measured)]


async def test_a_metric_that_the_school_never_had_keeps_no_school_waiting_and_is_told_once_it_has(
    database_url: str, tmp_path: Path
) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(wanted(metric="later", level="school"))
        async with sut.database.reading() as session:
            assert await list_waiting(session, NOW) == []
        async with sut.as_(EVERYTHING) as client:
            said = {"code": "later", "name": "后来", "grain": ["class"], "kind": "ratio", "direction": "higher"}
            assert (await client.post("/metrics", json=said)).status_code == 201
        await take(sut, sent("a", 1, 2, metric="later", student=None))
        (told,) = await run(sut)
        assert [(m.subject, m.value) for m in told.measurements] == [("demo", Decimal("0.5"))]


async def fails(sut: ServiceUnderTest) -> None:
    """A run of the job that comes to its end, and is not committed."""
    async with sut.database.transaction() as tx:
        tx.school = SCHOOL
        await telling.tell(tx)
        raise ZeroDivisionError


async def told(sut: ServiceUnderTest) -> list[tuple[Any, ...]]:
    """What one run of the job tells, shortly."""
    return [
        (e.level, e.window, m.subject, str(m.start)[5:], f"{m.numerator}/{m.denominator}", m.revision)
        for e in await run(sut)
        for m in e.measurements
    ]


async def test_a_new_follower_is_told_everything_and_then_what_changes(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await take(sut, sent("a"), sent("b", 0, 1, day="2026-03-03"), sent("c", class_="C2", student="S2", day="2026-03-10"))
        assert await told(sut) == [], "nobody asked"
        await sut.handle(wanted())
        assert await told(sut) == [("class", "week", "C1", "03-02", "1/2", 2), ("class", "week", "C2", "03-09", "1/1", 1)]
        assert await told(sut) == []

        await take(sut, sent("d", day="2026-03-04"), sent("a"))
        assert await told(sut) == [("class", "week", "C1", "03-02", "2/3", 3)]
        await take(sut, sent("e", metric="classroom_score"), sent("a"))
        assert await told(sut) == [], "another metric, and an id that came again"


async def test_it_is_told_what_the_list_of_measurements_says(database_url: str, tmp_path: Path) -> None:
    windows = ("day", "week", "month", "term", "year")
    events = [sent(f"e{n}", 0.1 * (n % 7), 0.7, day=f"2026-03-{1 + n % 28:02}", student=f"S{1 + n % 3}") for n in range(60)]
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), terms()) as sut:
        await sut.handle(*[wanted("student", window) for window in windows])
        said: dict[tuple[str, ...], Any] = {}
        for n in range(0, 60, 20):
            await take(sut, array(*events[n : n + 20]))
            for e in await run(sut):
                said |= {(e.window, m.subject, str(m.start)): m for m in e.measurements}
        async with sut.as_(EVERYTHING) as client:
            listed = {
                (window, m["subject"], m["start"]): m
                for window in windows
                for m in await every(client, "/measurements", metric="attendance", level="student", window=window)
            }
    fields = ("numerator", "denominator", "value", "revision")
    assert {key: [getattr(m, name) for name in fields] for key, m in said.items()} == {
        key: [m[name] for name in fields] for key, m in listed.items()
    }


async def test_corrections_retractions_and_late_data_are_told_again(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(wanted(window="day"))
        await take(sut, sent("a"), sent("b", day="2026-03-03"))
        await told(sut)
        await take(sut, correction("c", "a", 0, 1))
        assert await told(sut) == [("class", "day", "C1", "03-02", "0/1", 2)]
        await take(sut, retraction("r", "a"))
        assert await told(sut) == [("class", "day", "C1", "03-02", "0/0", 3)]
        await take(sut, sent("late", day="2025-11-03"))
        assert await told(sut) == [("class", "day", "C1", "11-03", "1/1", 1)]
        assert await told(sut) == []


async def test_a_window_without_data_has_no_value(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        await sut.handle(wanted())
        await take(sut, sent("a"), retraction("r", "a"))
        ((event,), again) = await run(sut), await run(sut)
    assert [(m.numerator, m.denominator, m.value) for m in event.measurements] == [(Decimal(0), Decimal(0), None)]
    assert again == []


async def test_one_subject_alone_is_followed(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(wanted(subject="C1"), wanted(subject="not-yet"))
        await take(sut, sent("a"), sent("b", class_="C2", student="S2"), sent("c", class_="not-yet"))
        assert {row[2] for row in await told(sut)} == {"C1", "not-yet"}
        await take(sut, sent("d", class_="C2", student="S2"))
        assert await told(sut) == []


async def test_who_asks_later_is_told_what_others_know_and_nobody_is_told_twice_by_one_telling(
    database_url: str, tmp_path: Path
) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(wanted())
        await take(sut, sent("a"))
        first = await told(sut)
        await sut.handle(wanted(), wanted(subject="C1"))
        assert await told(sut) == [], "planning follows them already"
        await sut.handle(wanted(by="standards"), wanted(by="standards", subject="C1"))
        assert await told(sut) == first
        await take(sut, sent("b"))
        assert len(await told(sut)) == 1


async def test_a_change_while_a_follower_is_still_told_the_beginning_is_told_once(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two followers, one half-way: each change reaches both, in the beginning or after it, never twice."""
    monkeypatch.setattr(telling, "SERIES", 2)
    monkeypatch.setattr(telling, "AT_ONCE", 1)  # one step a run
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(wanted("student", "day"))
        await take(sut, *[sent(f"a{n}", student=f"N{n}") for n in range(7)])
        for _ in range(12):
            await told(sut)
        await sut.handle(wanted("student", "week", by="standards"))
        said = await told(sut)
        await take(sut, *[sent(f"b{n}", student=f"N{n}") for n in range(7)])
        for _ in range(20):
            said += await told(sut)
        assert await told(sut) == []

    assert max(Counter(said).values()) == 1
    newest = {(row[1], row[2]): row[5] for row in sorted(said, key=lambda row: row[5])}
    assert newest == {(window, f"N{n}"): 2 for window in ("day", "week") for n in range(7)}


async def test_much_is_told_in_parts_and_over_several_runs(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "SERIES", 5)
    monkeypatch.setattr(telling, "PART", 4)
    monkeypatch.setattr(telling, "AT_ONCE", 2 * telling.STEP)
    async with monitoring(database_url, tmp_path) as sut:
        await take(sut, array(*[sent(f"a{n}-{d}", student=f"N{n}", day=f"2026-03-0{d}") for n in range(23) for d in (2, 3)]))
        await sut.handle(wanted("student", "day"))
        runs = []
        while events := await run(sut):
            runs.append(events)
    sizes = [len(e.measurements) for events in runs for e in events]
    assert (len(runs), max(sizes), sum(sizes)) == (3, 4, 46)


async def test_what_is_not_committed_is_told_later(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(wanted(), wanted("school", "day"))
        await take(sut, sent("a"))
        with pytest.raises(ZeroDivisionError):
            await fails(sut)
        assert await sut.published() == []
        assert len(await told(sut)) == 2


async def test_a_roster_that_moves_a_class_tells_both_its_departments(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(wanted("department"))
        await take(sut, sent("a", day="2026-03-04"))
        assert [row[2:5] for row in await told(sut)] == [("mech", "03-02", "1/1")]
        moved = [c if c.id != "C1" else Class(id="C1", title=c.title, kind=c.kind, course="K1", org="arts") for c in CLASSES]
        await sut.handle(roster(part="i2/1", today=date(2026, 3, 3), classes=moved))
        assert [row[2:5] for row in await told(sut)] == [("arts", "03-02", "1/1"), ("mech", "03-02", "0/0")]


async def test_terms_that_move_are_told_anew_and_the_former_one_is_empty(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster()) as sut:
        await sut.handle(wanted(window="term"), wanted(window="month"))
        await take(sut, sent("a"))
        assert [row[1:5] for row in await told(sut)] == [("month", "C1", "03-01", "1/1")]
        await sut.handle(terms())
        assert [row[1:5] for row in await told(sut)] == [("term", "C1", "02-24", "1/1")]
        spring = Session(id="t2", title="2026春", kind="semester", start=date(2026, 3, 1), end=date(2026, 7, 11))
        await sut.handle(terms("terms/2", [*TERMS[:1], spring]))
        now = await told(sut)
        assert [row[1:5] for row in now if not row[3].startswith("09")] == [
            ("term", "C1", "02-24", "0/0"),
            ("term", "C1", "03-01", "1/1"),
        ]
        assert await told(sut) == []


async def test_a_rebuild_tells_what_it_mended_and_only_that(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "PART", 5)
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(wanted(window="day"))
        await take(sut, *[sent(f"e{n}", day=f"2026-03-0{2 + n % 4}") for n in range(12)])
        await told(sut)
        for damaged in (False, True):
            if damaged:
                async with sut.database.transaction() as tx:
                    here = (TotalRow.window == Window.DAY, TotalRow.start == to_day(date(2026, 3, 3)))
                    await tx.session.execute(update(TotalRow).where(*here).values(numerator=0))
            async with sut.as_(principal("rebuild")) as client:
                assert (await client.post("/rebuild")).is_success
            for _ in range(8):
                await sut.run("rebuild")
            assert [row[2:5] for row in await told(sut)] == ([("C1", "03-03", "3/3")] if damaged else [])


async def test_the_newest_of_a_metric_is_told(database_url: str, tmp_path: Path) -> None:
    books = {"code": "books", "name": "藏书", "grain": [], "kind": "latest", "direction": "higher"}
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(wanted("school", "year", metric="books"))
        assert await told(sut) == [], "the school has no such metric yet"
        async with sut.as_(EVERYTHING) as client:
            assert (await client.post("/metrics", json=books)).status_code == 201
        said: dict[str, Any] = {"metric": "books", "student": None, "class_": None}
        await take(sut, sent("a", 500, 1, **said), sent("b", 700, 1, day="2026-03-09", **said))
        assert [row[2:5] for row in await told(sut)] == [("demo", "09-01", "700/1")]
        await take(sut, retraction("r", "b", **said))
        assert [row[2:5] for row in await told(sut)] == [("demo", "09-01", "500/1")]


async def test_another_school_hears_nothing_of_it(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(SchoolAdded(code="west", name="西"), school="west")
        await sut.handle(wanted("school", "day"), school="west")
        await take(sut, sent("a"))
        await sut.take("observations", sent("a", 1, 4), school="west")
        await sut.run("tell-measurements")
        messages = [m for m in await sut.published() if isinstance(m.event, Measured)]
    assert [(m.school, m.event.measurements[0].value) for m in messages if isinstance(m.event, Measured)] == [
        ("west", Decimal("0.25"))
    ]
    assert SCHOOL not in {m.school for m in messages}


async def test_what_cannot_be_measured_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        await sut.handle(wanted(level="galaxy"))
        await sut.handle(wanted(window="decade"))
        events = [message.event for message in await sut.published()]
        assert [type(event) for event in events] == [DeadLettered, DeadLettered]
        await take(sut, sent("a"))
        assert await told(sut) == []
