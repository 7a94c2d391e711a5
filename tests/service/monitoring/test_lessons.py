"""`lesson_end_plus_minutes`: a lesson is judged once, some minutes after its newest observation; what comes later judges at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from libs.common.database import Database
from services.monitoring.service import service
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest
from tests.service.monitoring.test_rebuilding import rebuilt
from tests.service.monitoring.world import (
    close_windows,
    correction,
    indicator,
    monitoring,
    retraction,
    roster,
    sent,
    take,
    told,
    warned,
)

LESSON = indicator("lesson", {"yellow": ("0.8", "0.8")}, level="lesson", window="day", evaluate={"lesson_end_plus_minutes": 15})
TEN = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # ten o'clock in Shanghai


def at(minute: int) -> str:
    return f"2026-03-02T10:{minute:02}:00+08:00"


async def test_a_lesson_is_judged_once_so_many_minutes_after_its_end(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(TEN)
    async with monitoring(database_url, tmp_path, clock, roster(), LESSON) as sut:
        await take(sut, sent("a", 0, lesson="L1", time=at(0)), sent("b", 0, lesson="L1", time=at(5), student="S2"))
        clock.advance(minutes=19, seconds=59)
        await close_windows(sut)
        assert await told(sut) == [], "a second too early"

        clock.advance(seconds=1)
        await close_windows(sut)
        await close_windows(sut)
        assert await told(sut) == ["lesson L1 raised yellow 0/2 of 2026-03-02"]


async def test_an_observation_before_that_moves_the_end_of_the_lesson(tmp_path: Path) -> None:
    clock = SettableClock(TEN)
    async with monitoring(f"sqlite+aiosqlite:///{tmp_path}/m.db", tmp_path, clock, roster(), LESSON) as sut:
        await take(sut, sent("a", 0, lesson="L1", time=at(0)), sent("other", 0, lesson="L2", time=at(0)))
        clock.advance(minutes=14)
        await take(sut, sent("b", 0, lesson="L1", time=at(14)))
        clock.advance(minutes=1)
        await close_windows(sut)
        assert await told(sut) == ["lesson L2 raised yellow 0/1 of 2026-03-02"]

        clock.advance(minutes=14)
        await close_windows(sut)
        assert await told(sut) == ["lesson L1 raised yellow 0/2 of 2026-03-02"]


async def test_what_comes_after_a_lesson_was_judged_judges_it_again_at_once(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(TEN)
    async with monitoring(database_url, tmp_path, clock, roster(), LESSON) as sut:
        await take(sut, sent("a", 0, lesson="L1", time=at(0)))
        clock.advance(hours=1)
        await close_windows(sut)
        await told(sut)

        await take(sut, sent("b", 9, 9, lesson="L1", time=at(1)), sent("c", 0, 9, lesson="L1", time=at(59)))
        assert await told(sut) == ["cleared 9/10 of 2026-03-02", "lesson L1 raised yellow 9/19 of 2026-03-02"]

        await take(sut, correction("d", "a", 1, lesson="L1", time=at(0)), retraction("e", "c"))
        assert {w["status"] for w in await warned(sut)} == {"withdrawn"}
        state = await rebuilt(sut)
        assert (state["before"], state["mended"]) == (state["after"], 0)


async def test_lessons_that_ended_while_stopped_or_came_late_or_before_the_indicator_are_judged(tmp_path: Path) -> None:
    clock = SettableClock(TEN)
    async with monitoring(f"sqlite+aiosqlite:///{tmp_path}/m.db", tmp_path, clock, roster()) as sut:
        await take(sut, sent("early", 0, lesson="L0", time=at(0)))
        await sut.handle(LESSON)
        await take(sut, sent("a", 0, lesson="L1", time=at(0)))
        clock.advance(days=9)
        await close_windows(sut)
        await take(sut, sent("late", 0, lesson="L2", time=at(0)))
        await close_windows(sut)

        assert [line.split(" of ")[0] for line in await told(sut)] == [f"lesson L{n} raised yellow 0/1" for n in (0, 1, 2)]


async def test_two_replicas_judge_a_lesson_once(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(TEN)
    async with monitoring(database_url, tmp_path, clock, roster(), LESSON) as sut:
        await take(sut, sent("a", 0, lesson="L1", time=at(0)))
        clock.advance(minutes=15)
        other = ServiceUnderTest(service, Database(database_url, clock), tmp_path)
        await close_windows(other)
        await close_windows(sut)
        await take(sut, sent("b", 1, lesson="L1", time=at(0)))

        assert len(await warned(sut)) == 1
        assert await told(sut) == ["lesson L1 raised yellow 0/1 of 2026-03-02"]
        await other.database.close()


async def test_a_lesson_still_waiting_keeps_nothing_else_back(tmp_path: Path) -> None:
    clock = SettableClock(TEN)
    async with monitoring(f"sqlite+aiosqlite:///{tmp_path}/m.db", tmp_path, clock, roster(), LESSON) as sut:
        await take(sut, sent("ahead", 0, lesson="L9", time=str((TEN + timedelta(hours=20)).isoformat())))
        for n in range(3):
            await take(sut, sent(f"a{n}", 0, lesson=f"L{n}", time=at(0)))
            clock.advance(minutes=15)
            await close_windows(sut)
            assert await told(sut) == [f"lesson L{n} raised yellow 0/1 of 2026-03-02"]
        clock.advance(hours=21)
        await close_windows(sut)
        assert await told(sut) == ["lesson L9 raised yellow 0/1 of 2026-03-03"]
