"""`window_close`: each window is judged once, after its end, in order; and what an activation does over data already there."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from libs.common.database import Database
from libs.common.event import Message
from libs.common.events.gateway import SchoolAdded, Session
from libs.common.events.monitoring import WarningEscalated, WarningRaised
from services.monitoring.service import service
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest
from tests.service.monitoring.world import (
    EVERYTHING,
    NOW,
    close_windows,
    digest,
    every,
    indicator,
    monitoring,
    roster,
    sent,
    take,
    terms,
    told,
    warned,
)

SUNDAY = datetime(2026, 3, 8, 15, 59, 59, tzinfo=UTC)  # a second before midnight in Shanghai
LATE = indicator("late", evaluate="window_close")


async def test_a_window_with_grace_is_judged_so_many_days_after_its_end(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(SUNDAY)
    waits = indicator("late", evaluate="window_close", grace_days=2)
    async with monitoring(database_url, tmp_path, clock, roster(), waits) as sut:
        await take(sut, sent("a", 0), sent("b", 0, day="2026-03-08"))
        clock.advance(days=2)
        await close_windows(sut)
        assert await told(sut) == [], "a second before the end of the grace"
        await take(sut, sent("c", 1, 1))
        assert await told(sut) == [], "late data in its grace waits, too"

        clock.advance(seconds=1)
        await close_windows(sut)
        await close_windows(sut)
        assert await told(sut) == ["late C1 raised orange 1/3 of 2026-03-02"]

        await take(sut, sent("d", 97, 97))
        assert await told(sut) == ["cleared 98/100 of 2026-03-02"], "afterwards it judges at once"


async def test_a_window_is_judged_once_when_it_has_ended_in_the_schools_zone(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(SUNDAY)
    async with monitoring(database_url, tmp_path, clock, roster(), LATE) as sut:
        await take(sut, sent("a", 0), sent("b", 0, day="2026-03-08"))
        await close_windows(sut)
        assert await told(sut) == []
        clock.advance(seconds=1)
        await close_windows(sut)
        assert await told(sut) == ["late C1 raised orange 0/2 of 2026-03-02"]
        before = await digest(sut)
        for _ in range(2):
            clock.advance(days=1)
            await close_windows(sut)

        assert (await told(sut), await digest(sut)) == ([], before)


async def test_after_a_stop_over_several_closings_each_window_is_judged_in_order(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(SUNDAY)
    async with monitoring(database_url, tmp_path, clock, roster(), LATE) as sut:
        await close_windows(sut)
        clock.now = datetime(2026, 3, 29, 12, tzinfo=UTC)
        await take(sut, sent("d", 0, day="2026-03-23"))
        await take(
            sut,
            *[sent(id_, n, 1, day=day) for id_, n, day in (("c", 0, "2026-03-17"), ("b", 1, "2026-03-11"), ("a", 0, "2026-03-04"))],
        )
        await take(sut, sent("x", 0, day="2026-03-03", class_="C2", student="S2"))
        await close_windows(sut)

        assert await told(sut) == [
            "late C1 raised orange 0/1 of 2026-03-02",
            "late C2 raised orange 0/1 of 2026-03-02",
            "cleared 1/1 of 2026-03-09",
            "late C1 raised orange 0/1 of 2026-03-16",
        ]
        assert len({w["id"] for w in await warned(sut)}) == 3


async def test_a_window_with_too_little_is_not_judged_at_its_close(sqlite_url: str, tmp_path: Path) -> None:
    clock = SettableClock(SUNDAY)
    async with monitoring(
        sqlite_url, tmp_path, clock, roster(), indicator("late", evaluate="window_close", min_denominator=Decimal(3))
    ) as sut:
        await take(sut, sent("a", 0, 2))
        clock.advance(days=1)
        await close_windows(sut)
        assert await told(sut) == []
        await take(sut, sent("b", 0, 1))

        assert await told(sut) == ["late C1 raised orange 0/3 of 2026-03-02"]


async def test_late_data_judges_a_closed_window_at_once_unless_a_newer_one_decides(sqlite_url: str, tmp_path: Path) -> None:
    clock = SettableClock(SUNDAY)
    async with monitoring(sqlite_url, tmp_path, clock, roster(), LATE) as sut:
        await take(sut, sent("a", 1))
        clock.advance(days=1)
        await close_windows(sut)
        await take(sut, sent("b", 0, 9, day="2026-03-03"))
        assert await told(sut) == ["late C1 raised orange 1/10 of 2026-03-02"]
        await take(sut, sent("c", 0, 9, day="2026-03-09"))
        clock.advance(days=7)
        await close_windows(sut)
        await take(sut, sent("d", 90, 90, day="2026-03-03"))

        assert await told(sut) == []
        (warning,) = await warned(sut)
        assert (warning["status"], warning["start"], warning["denominator"]) == ("open", "2026-03-09", 9)


async def test_what_one_worker_closes_another_knows_to_be_closed(database_url: str, tmp_path: Path) -> None:
    """The job runs on one worker, and any worker may count the late data: its picture of the school must not be older."""
    clock = SettableClock(SUNDAY)
    async with monitoring(database_url, tmp_path, clock, roster(), LATE) as counting:
        await take(counting, sent("a", 1), sent("other", 1, class_="C2"))
        closing = ServiceUnderTest(service, Database(database_url, clock), tmp_path)
        try:
            clock.advance(days=1)
            await close_windows(closing)
        finally:
            await closing.bus.close()
            await closing.database.close()
        await take(counting, sent("b", 0, 9))

        assert await told(counting) == ["late C1 raised orange 1/10 of 2026-03-02"]


async def test_a_lesson_is_judged_at_its_days_close_and_lies_where_its_class_does(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(datetime(2026, 3, 2, 12, tzinfo=UTC))
    watching = indicator("lesson", level="lesson", metric="lesson_attendance", window="day", evaluate="window_close")
    async with monitoring(database_url, tmp_path, clock, roster(), watching) as sut:
        for n, lesson in enumerate(("L1", "L2", "L3")):
            class_ = ("C1", "C2")[n % 2]
            await take(sut, sent(f"e{n}", n * 15, 30, metric="lesson_attendance", student=None, class_=class_, lesson=lesson))
        clock.advance(days=1)
        await close_windows(sut)

        assert [(m.event.subject, set(m.event.places)) for m in await sut.published() if isinstance(m.event, WarningRaised)] == [
            ("L1", {"class:C1", "course:K1", "unit:cnc", "unit:mech", "level:lesson", "school:demo"}),
            ("L2", {"class:C2", "course:K2", "unit:arts", "level:lesson", "school:demo"}),
        ]


async def test_a_term_that_ended_before_the_holidays_is_closed_also_when_the_next_has_begun(
    sqlite_url: str, tmp_path: Path
) -> None:
    autumn = Session(id="a", title="秋", kind="term", start=date(2025, 9, 1), end=date(2026, 1, 17))
    spring = Session(id="s", title="春", kind="term", start=date(2026, 2, 24), end=date(2026, 7, 11))
    clock = SettableClock(datetime(2026, 1, 10, tzinfo=UTC))
    watching = indicator("term", window="term", evaluate="window_close")
    async with monitoring(sqlite_url, tmp_path, clock, roster(), terms("t/1", [autumn, spring]), watching) as sut:
        await take(sut, sent("a", 0, day="2025-12-01"))
        clock.now = datetime(2026, 3, 10, tzinfo=UTC)  # stopped over the holidays
        await take(sut, sent("b", 1, day="2026-03-02"))
        await close_windows(sut)

        assert await told(sut) == ["term C1 raised orange 0/1 of 2025-09-01"]


async def test_two_schools_close_each_by_its_own_clock(sqlite_url: str, tmp_path: Path) -> None:
    clock = SettableClock(SUNDAY)
    async with monitoring(sqlite_url, tmp_path, clock, roster(), LATE) as sut:
        await sut.handle(SchoolAdded(code="west", name="西", timezone="America/New_York"), school="west")
        await sut.handle(LATE, school="west")
        await sut.take("observations", sent("a", 0, day="2026-03-04"), school="west")
        await take(sut, sent("a", 0, day="2026-03-04"))
        await sut.published()
        found = []
        for hours in (1, 12, 1):
            clock.advance(hours=hours)
            await close_windows(sut)
            found.append([(m.school, m.event.event_type) for m in await sut.published()])

    assert found == [[("demo", "monitoring.warning_raised")], [("west", "monitoring.warning_raised")], []]


# --- activation ------------------------------------------------------------------------------------------------------


async def test_an_activation_judges_each_subjects_deciding_window_once(database_url: str, tmp_path: Path) -> None:
    events = [
        sent("a", 0, 9, day="2026-03-03"),  # an older window of C1 does not decide
        sent("b", 9, 9, day="2026-03-10"),
        sent("c", 9, 9, day="2026-03-03", class_="C2"),
        sent("d", 0, 5, day="2026-03-10", class_="C2"),
        sent("e", 0, 4, day="2026-03-17", class_="C2"),  # too little to decide
        sent("f", 0, 4, day="2026-03-17", class_="C3"),
        sent("g", 7, 9, day="2026-03-17", class_="C0"),
    ]
    watching = indicator(lines={"yellow": ("0.8", "0.8"), "red": ("0.5", "0.5")}, min_denominator=Decimal(5))
    async with monitoring(database_url, tmp_path) as sut:
        await take(sut, *events)
        await sut.handle(watching)
        assert await told(sut) == ["rate C0 raised yellow 7/9 of 2026-03-16", "rate C2 raised red 0/5 of 2026-03-09"]
        before = await digest(sut)
        await sut.handle(watching)

        assert (await told(sut), await digest(sut)) == ([], before)


async def test_an_activation_with_window_close_judges_the_newest_closed_window(sqlite_url: str, tmp_path: Path) -> None:
    clock = SettableClock(datetime(2026, 3, 18, 4, tzinfo=UTC))
    async with monitoring(sqlite_url, tmp_path, clock) as sut:
        await take(sut, sent("a", 1, day="2026-03-03"), sent("b", 0, day="2026-03-10"), sent("c", 1, day="2026-03-17"))
        await sut.handle(LATE)
        assert await told(sut) == ["late C1 raised orange 0/1 of 2026-03-09"]
        clock.now = datetime(2026, 3, 23, 4, tzinfo=UTC)
        await close_windows(sut)

        assert await told(sut) == ["cleared 1/1 of 2026-03-16"]


async def test_a_version_decides_from_midnight_of_its_day_in_the_schools_zone(database_url: str, tmp_path: Path) -> None:
    watching = indicator(level="student", window="day", effective_from=date(2026, 3, 10))
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), watching) as sut:
        await take(sut, sent("a", 0, time="2026-03-09T15:59:59.999999Z"))
        assert await told(sut) == []
        await take(sut, sent("b", 0, time="2026-03-09T16:00:00Z", student="S2"))

        assert await told(sut) == ["rate S2 raised orange 0/1 of 2026-03-10"]


async def test_each_version_judges_its_own_time_whenever_the_observation_comes(sqlite_url: str, tmp_path: Path) -> None:
    versions = [
        indicator(lines={"orange": ("0.8", "0.8")}, level="student", window="day"),
        indicator(lines={"red": ("0.5", "0.5")}, level="student", window="day", version=2, effective_from=date(2026, 3, 10)),
    ]
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), *versions) as sut:
        await take(sut, sent("a", 0.6, day="2026-03-10", student="S1"))
        await take(sut, sent("b", 0.6, day="2026-03-09", student="S2"))
        await take(sut, sent("c", 0.4, day="2026-03-11", student="S3"))

        assert await told(sut) == ["rate S2 raised orange 0.6/1 of 2026-03-09", "rate S3 raised red 0.4/1 of 2026-03-11"]
        assert {w["subject"]: w["version"] for w in await warned(sut)} == {"S2": 1, "S3": 2}


async def test_an_older_version_judges_no_more_where_the_new_one_watches_another_metric(sqlite_url: str, tmp_path: Path) -> None:
    versions = [
        indicator(window="day"),
        indicator(window="day", version=2, metric="assignment_completion", effective_from=date(2026, 3, 10)),
    ]
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), *versions) as sut:
        await take(sut, sent("a", 0, day="2026-03-10"))
        assert await told(sut) == []
        await take(sut, sent("b", 0, day="2026-03-10", metric="assignment_completion"))

        assert await told(sut) == ["rate C1 raised orange 0/1 of 2026-03-10"]


async def test_a_warning_shows_the_window_and_metric_that_its_numbers_are_of(sqlite_url: str, tmp_path: Path) -> None:
    """A new version may watch another window: the episode goes on, and its numbers and evidence are the new window's."""
    versions = [
        indicator(lines={"yellow": ("0.8", "0.8")}),
        indicator(lines={"red": ("0.9", "0.9")}, window="month", version=2, effective_from=date(2026, 3, 16)),
    ]
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), *versions) as sut:
        await take(sut, sent("a", 1, day="2026-03-02"), sent("b", 0, day="2026-03-10"), sent("c", 0, day="2026-03-18"))
        (warning,) = await warned(sut)
        async with sut.as_(EVERYTHING) as client:
            evidence = await every(client, f"/warnings/{warning['id']}/evidence")

        assert (warning["severity"], warning["window"], warning["start"]) == ("red", "month", "2026-03-01")
        assert (warning["numerator"], warning["denominator"]) == (1, 3)
        assert [each["id"] for each in evidence] == ["a", "b", "c"]
        (escalated,) = [m.event for m in await sut.published() if isinstance(m.event, WarningEscalated)]
        assert (escalated.window, str(escalated.start)) == ("month", "2026-03-01")


async def test_facts_come_in_order_of_indicators_by_code_however_they_were_activated(database_url: str, tmp_path: Path) -> None:
    watching = [indicator(code, window="day") for code in ("m", "z", "a")]
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), *watching) as sut:
        await take(sut, sent("a", 0))

        assert [said.split()[0] for said in await told(sut)] == ["a", "m", "z"]


async def test_a_handled_fact_that_comes_again_changes_nothing(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        await take(sut, sent("a", 0))
        messages = [Message(uuid4(), NOW, "demo", fact) for fact in (indicator(), roster(part="i2/1"), terms())]
        await sut.redeliver(*messages)
        before = await digest(sut)
        await sut.published()
        await sut.redeliver(*messages)
        await sut.redeliver(*reversed(messages))

        assert (await digest(sut), await sut.published()) == (before, [])
