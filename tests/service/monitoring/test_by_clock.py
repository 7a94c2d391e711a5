"""What the clock does: judging once a day, and telling silence from recovery."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from libs.common.events.monitoring import WarningResumed, WarningStale
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest
from tests.service.monitoring.world import (
    close_windows,
    correction,
    detail,
    indicator,
    monitoring,
    post,
    roster,
    sent,
    take,
    told,
    warned,
)

MORNING = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)  # ten o'clock in Shanghai
EVENING: dict[str, Any] = {"evaluate": {"daily_at": "20:00"}}


async def states(sut: ServiceUnderTest) -> list[str]:
    return [warning["status"] for warning in await warned(sut)]


async def test_what_is_judged_daily_is_judged_at_its_time_and_once(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(MORNING)
    async with monitoring(database_url, tmp_path, clock, roster(), indicator(**EVENING)) as sut:
        await take(sut, sent("a", 0, 10))
        await close_windows(sut)
        assert await told(sut) == [], "not before its time"
        await take(sut, sent("b", 1, 10))
        clock.advance(hours=9, minutes=59)
        await close_windows(sut)
        assert await told(sut) == []
        clock.advance(minutes=1)
        for _ in range(3):
            await close_windows(sut)
        assert await told(sut) == ["rate C1 raised orange 1/20 of 2026-03-02"]
        await take(sut, sent("c", 200, 200))
        assert await told(sut) == [], "what comes later is judged the next evening"
        clock.advance(days=1)
        await close_windows(sut)
        assert await told(sut) == ["cleared 201/220 of 2026-03-02"]


async def test_after_a_stop_over_several_evenings_it_is_judged_once(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(MORNING)
    async with monitoring(database_url, tmp_path, clock, roster(), indicator(**EVENING)) as sut:
        await take(sut, sent("a", 0, 10))
        clock.advance(days=5)
        await close_windows(sut)
        await close_windows(sut)
        (warning,) = await warned(sut)
        assert [step["step"] for step in (await detail(sut, warning["id"]))["history"]] == ["raised"]


async def test_a_correction_changes_what_the_evening_had_judged(sqlite_url: str, tmp_path: Path) -> None:
    clock = SettableClock(MORNING)
    async with monitoring(sqlite_url, tmp_path, clock, roster(), indicator(**EVENING)) as sut:
        await take(sut, sent("wrong", 0, 10))
        clock.advance(days=1)
        await close_windows(sut)
        assert await states(sut) == ["open"]
        await take(sut, correction("c", "wrong", 9, 10))
        assert await states(sut) == ["withdrawn"]


async def test_silence_makes_a_warning_stale_and_data_makes_it_what_it_was(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(MORNING)
    async with monitoring(database_url, tmp_path, clock, roster(), indicator(stale_after_days=3)) as sut:
        await take(sut, sent("a", 0, 10, day="2026-03-03"))
        (warning,) = await warned(sut)
        assert (await post(sut, f"/warnings/{warning['id']}/acknowledge"))[0] == 200
        clock.advance(days=3)
        await close_windows(sut)
        assert await states(sut) == ["acknowledged"], "the third day of silence is not over"
        clock.advance(days=1)
        await sut.published()
        await close_windows(sut)
        await close_windows(sut)
        assert await states(sut) == ["stale"]
        assert [m.event.warning for m in await sut.published() if isinstance(m.event, WarningStale)] != []

        await take(sut, sent("b", 0, 10, day="2026-03-06"))
        await close_windows(sut)
        assert await states(sut) == ["acknowledged"]
        (resumed,) = [m.event for m in await sut.published() if isinstance(m.event, WarningResumed)]
        assert resumed.status == "acknowledged"
        assert [s["step"] for s in (await detail(sut, warning["id"]))["history"]] == ["raised", "acknowledged", "stale", "resumed"]


async def test_a_stale_warning_is_cleared_by_good_data_and_never_by_silence(sqlite_url: str, tmp_path: Path) -> None:
    clock = SettableClock(MORNING)
    async with monitoring(sqlite_url, tmp_path, clock, roster(), indicator(stale_after_days=1, window="day")) as sut:
        await take(sut, sent("a", 0, 10, day="2026-03-03"))
        clock.advance(days=30)
        await close_windows(sut)
        assert await states(sut) == ["stale"]
        await take(sut, sent("b", 10, 10, day="2026-04-02"))
        assert await states(sut) == ["cleared"]
