"""Warnings that wait for windows in a row, are held, or get worse by repetition; the result does not depend on batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.common.events.monitoring import WarningEscalated, WarningRaised, WarningRevised
from libs.common.events.standards import Repetition
from tests.service.monitoring.test_explaining import explained
from tests.service.monitoring.world import NOW, correction, indicator, monitoring, retraction, roster, sent, take, told, warned

WEEKS = ("2026-02-02", "2026-02-09", "2026-02-16", "2026-02-23", "2026-03-02", "2026-03-09", "2026-03-16")


def weekly(*numerators: int) -> list[bytes]:
    return [sent(f"e{n}", numerator, day=day) for n, (day, numerator) in enumerate(zip(WEEKS, numerators, strict=False))]


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_warning_begins_and_ends_with_windows_in_a_row(database_url: str, tmp_path: Path, at_once: bool) -> None:
    patient = indicator("rate", {"yellow": ("0.8", "0.8")}, raise_after_windows=2, clear_after_windows=2)
    events = weekly(0, 0, 1, 0, 1, 1, 0)
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), patient) as sut:
        for part in [events] if at_once else [[event] for event in events]:
            await take(sut, *part)

        assert await told(sut) == ["rate C1 raised yellow 0/1 of 2026-02-09", "cleared 1/1 of 2026-03-09"]


async def test_a_window_without_enough_data_is_skipped_and_breaks_nothing(tmp_path: Path) -> None:
    patient = indicator("rate", {"yellow": ("0.8", "0.8")}, raise_after_windows=2, min_denominator=2)
    async with monitoring(f"sqlite+aiosqlite:///{tmp_path}/m.db", tmp_path, lambda: NOW, roster(), patient) as sut:
        await take(sut, sent("a", 0, 2, day=WEEKS[0]), sent("b", 1, 1, day=WEEKS[1]), sent("c", 1, 2, day=WEEKS[2]))

        assert await told(sut) == ["rate C1 raised yellow 1/2 of 2026-02-16"]


async def test_late_data_of_an_earlier_window_has_its_say_when_the_deciding_one_is_judged_next(
    database_url: str, tmp_path: Path
) -> None:
    patient = indicator("rate", {"yellow": ("0.8", "0.8")}, raise_after_windows=2)
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), patient) as sut:
        await take(sut, *weekly(1, 0), sent("late", 0, day=WEEKS[0]))
        assert await told(sut) == [], "a change of an older window neither raises nor clears"

        await take(sut, sent("next", 0, day=WEEKS[1]))
        assert await told(sut) == ["rate C1 raised yellow 0/2 of 2026-02-09"]


async def test_a_held_warning_ends_when_its_days_are_over(database_url: str, tmp_path: Path) -> None:
    held = indicator("rate", {"yellow": ("0.8", "0.8")}, hold_days=14)
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), held) as sut:
        for event in weekly(0, 1, 1):
            await take(sut, event)

        assert await told(sut) == ["rate C1 raised yellow 0/1 of 2026-02-02", "cleared 1/1 of 2026-02-16"]


async def test_a_correction_moves_the_window_from_which_a_warning_is_held(database_url: str, tmp_path: Path) -> None:
    held = indicator("rate", {"yellow": ("0.8", "0.8")}, hold_days=14)
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), held) as sut:
        await take(sut, *weekly(0, 0, 0), correction("c", "e0", 1, day=WEEKS[0]))
        assert [w["status"] for w in await warned(sut)] == ["open"]

        await take(sut, sent("good", 9, 9, day=WEEKS[2]))
        assert [w["status"] for w in await warned(sut)] == ["open"], "it began on the 9th now"
        await take(sut, sent("after", day=WEEKS[3]))
        assert [w["status"] for w in await warned(sut)] == ["cleared"]


async def test_a_warning_that_lasts_gets_worse_and_says_by_what(database_url: str, tmp_path: Path) -> None:
    again = indicator("rate", {"yellow": ("0.8", "0.8")}, repetition=Repetition(severity="orange", windows=3))
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), again) as sut:
        for event in weekly(0, 0, 0):
            await take(sut, event)
        assert await told(sut) == ["rate C1 raised yellow 0/1 of 2026-02-02", "escalated orange 0/1 of 2026-02-16"]
        assert "连续 3 个窗口越线至少为 orange" in (await explained(sut))["formula"]["zh"]

        await take(sut, retraction("r", "e1"))
        assert [w["severity"] for w in await warned(sut)] == ["yellow"], "only a mistake had made it so"


async def test_a_band_warns_on_either_side(database_url: str, tmp_path: Path) -> None:
    band = indicator("rate", {"yellow": (("0.4", "0.8"), ("0.5", "0.7"))}, comparison="outside", window="day")
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), band) as sut:
        for event in (sent("a", 0, 2), sent("b", 1, 2, day="2026-03-03"), sent("c", 9, 10, day="2026-03-04")):
            await take(sut, event)

        facts = [message.event for message in await sut.published()]
        said = [(str(e.start), e.comparison, str(e.line), str(e.clear)) for e in facts if isinstance(e, WarningRaised)]
        assert said == [("2026-03-02", "below", "0.4", "0.5"), ("2026-03-04", "above", "0.8", "0.7")]
        low, high = await warned(sut)
        assert (str(low["line"]), str(high["line"])) == ("0.4", "0.8")


async def test_a_warning_that_worsens_on_the_other_side_of_its_band_says_so(database_url: str, tmp_path: Path) -> None:
    lines = {"yellow": (("0.4", "0.8"), ("0.5", "0.7")), "red": (("0.2", "0.9"), ("0.3", "0.7"))}
    band = indicator("rate", lines, comparison="outside", window="day")
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), band) as sut:
        await take(sut, sent("a", 3, 10), sent("b", 10, 10, day="2026-03-03"))
        facts = [message.event for message in await sut.published()]
        said = [(e.severity, e.comparison) for e in facts if isinstance(e, WarningRaised | WarningEscalated)]
        assert said == [("yellow", "below"), ("red", "above")]
        await take(sut, correction("k", "b", 3, 10, day="2026-03-03"))
        revised = [message.event for message in await sut.published()]
        assert [e.comparison for e in revised if isinstance(e, WarningRevised)][-1:] == ["below"]
