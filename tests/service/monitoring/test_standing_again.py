"""Warnings whose story changes more than once: dismissed, withdrawn, stale and improving ones, on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest
from tests.service.monitoring.test_kinds import define
from tests.service.monitoring.test_rebuilding import rebuilt
from tests.service.monitoring.world import (
    EVERYTHING,
    NOW,
    close_windows,
    correction,
    every,
    indicator,
    measured,
    monitoring,
    post,
    retraction,
    roster,
    sent,
    started,
    take,
    warned,
)

LINES = {"yellow": ("0.8", "0.85"), "red": ("0.5", "0.6")}
MORNING = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)


async def states(sut: ServiceUnderTest) -> list[tuple[str, str]]:
    return [(w["severity"], w["status"]) for w in await warned(sut)]


async def same_when_rebuilt(sut: ServiceUnderTest) -> bool:
    state = await rebuilt(sut)
    return bool(state["before"] == state["after"])


async def dismissed(sut: ServiceUnderTest) -> None:
    await take(sut, sent("a", 7, 10))
    (warning,) = await warned(sut)
    assert (await post(sut, f"/warnings/{warning['id']}/dismiss", reason="误报"))[0] == 200
    await take(sut, sent("b", 20, 20))


@pytest.mark.parametrize("n", range(6))  # which of two ids comes first is left to chance
async def test_one_warning_ends_where_another_stands_again(database_url: str, tmp_path: Path, n: int) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), indicator("rate", LINES)) as sut:
        await dismissed(sut)
        await take(sut, sent(f"x{n}", 0, 8))
        for event in (correction("m", f"x{n}", 0, 8, class_="C2"), correction("b2", "b", 0, 1), retraction("r", "m")):
            await take(sut, event)
        await take(sut, retraction("r2", "b2"))
        assert sorted(status for _, status in await states(sut)) in (["dismissed", "open"], ["dismissed", "open", "withdrawn"])
        assert await same_when_rebuilt(sut)


async def test_an_episode_that_was_dismissed_stays_quiet_when_a_correction_makes_it_longer(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), indicator("rate", LINES)) as sut:
        await dismissed(sut)
        await take(sut, sent("x", 0, 6))
        await take(sut, correction("b2", "b", 0, 1))
        assert sorted(status for _, status in await states(sut)) == ["dismissed", "withdrawn"]
        await take(sut, sent("y", 0, 20))
        assert sorted(status for _, status in await states(sut)) == ["dismissed", "withdrawn"]
        assert await same_when_rebuilt(sut)


async def test_a_conflict_with_a_retraction_is_listed(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await take(sut, sent("a"), retraction("r", "a"), retraction("r", "a", reason="另一个理由"))
        async with sut.as_(EVERYTHING) as client:
            (conflict,) = await every(client, "/conflicts")
        assert (conflict["id"], conflict["counted"], conflict["refused"]["data"]["reason"]) == ("r", None, "另一个理由")


async def test_a_stale_warning_whose_improvement_starts_is_improving_when_data_come(sqlite_url: str, tmp_path: Path) -> None:
    clock = SettableClock(MORNING)
    async with monitoring(sqlite_url, tmp_path, clock, roster(), indicator(stale_after_days=1)) as sut:
        await take(sut, sent("a", 0, 10, day="2026-03-03"))
        clock.advance(days=5)
        await close_windows(sut)
        (warning,) = await warned(sut)
        await sut.handle(started(warning["id"]))
        await take(sut, sent("b", 0, 10, day="2026-03-08"))
        await close_windows(sut)
        assert [status for _, status in await states(sut)] == ["improving"]


async def test_what_was_acknowledged_before_it_was_stale_is_so_when_it_stands_again(sqlite_url: str, tmp_path: Path) -> None:
    clock = SettableClock(MORNING)
    async with monitoring(sqlite_url, tmp_path, clock, roster(), indicator(stale_after_days=1)) as sut:
        await take(sut, sent("a", 0, 10, day="2026-03-03"))
        (warning,) = await warned(sut)
        await post(sut, f"/warnings/{warning['id']}/acknowledge")
        clock.advance(days=5)
        await close_windows(sut)
        await take(sut, sent("b", 100, 100, day="2026-03-08"))
        await take(sut, retraction("r", "b"))
        assert [status for _, status in await states(sut)] == ["acknowledged"]


async def test_a_version_of_another_metric_shows_values_of_its_kind(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW) as sut:
        await define(sut, incidents="count")
        await sut.handle(indicator("x", LINES))
        await take(sut, sent("a", 1, 2))
        later = {"metric": "incidents", "comparison": "above", "version": 2, "effective_from": date(2026, 3, 3)}
        await sut.handle(indicator("x", {"yellow": ("9", "0")}, **later))
        await take(sut, *[sent(f"i{n}", 1, 1, metric="incidents", student=None, day="2026-03-10") for n in range(4)])
        assert [w["value"] for w in await warned(sut)] == [4]


async def test_a_story_of_several_kinds_is_told_anew_from_the_right_sums(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW) as sut:
        await define(sut, level="latest")
        await sut.handle(indicator("x", LINES))
        later = {"metric": "level", "version": 2, "effective_from": date(2026, 3, 3)}
        await sut.handle(indicator("x", {"yellow": ("0.5", "0.6")}, **later))
        await take(sut, sent("l1", 3, 10, metric="level", student=None, day="2026-03-09"))
        older = sent("l2", 2, 10, metric="level", student=None, time="2026-03-09T08:00:00+08:00")
        await take(sut, sent("a", 1, 2, day="2026-03-02"), older)
        await take(sut, correction("a2", "a", 2, 2, day="2026-03-02"))
        assert [w["value"] for w in await warned(sut) if w["status"] == "open"] == [Decimal("0.3")]
        assert await same_when_rebuilt(sut)


async def test_an_enrollment_that_comes_before_its_person_counts_once_both_are_there(sqlite_url: str, tmp_path: Path) -> None:
    nobody = roster(people=[], enrollments=[])
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, nobody, indicator("rate", LINES, level="homeroom")) as sut:
        await take(sut, sent("a", 1, 10))
        await sut.handle(roster(part="i2/1", people=[]))
        await sut.handle(roster(part="i3/1"))
        assert await measured(sut, "homeroom") == [("H1", "2026-03-02", 1, 10)]
        assert await same_when_rebuilt(sut)
