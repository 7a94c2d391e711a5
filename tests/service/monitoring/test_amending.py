"""P7: corrections and retractions restore what would have been, had the error never been sent (contract, "Posting events")."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from libs.common.events.monitoring import WarningRevised, WarningWithdrawn
from tests.service.harness import ServiceUnderTest
from tests.service.monitoring.world import (
    EVERYTHING,
    NOW,
    array,
    correction,
    detail,
    every,
    indicator,
    measured,
    monitoring,
    post,
    retraction,
    roster,
    sent,
    take,
    told,
    warned,
)

LINES = {"yellow": ("0.8", "0.85"), "red": ("0.5", "0.6")}
CLASS_WEEK = indicator("rate", LINES)


async def states(sut: ServiceUnderTest) -> list[tuple[str, str]]:
    return [(warning["severity"], warning["status"]) for warning in await warned(sut)]


async def test_a_correction_counts_in_the_place_of_the_original_at_every_level(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), CLASS_WEEK) as sut:
        await take(sut, sent("a", 9, 10), sent("b", 1, 10, student="S2", class_="C2"))
        await take(sut, correction("c", "b", 9, 10, student="S3", class_="C1", day="2026-03-04"))
        assert await measured(sut, "class") == [
            ("C1", "2026-03-02", 9, 10),
            ("C1", "2026-03-04", 9, 10),
            ("C2", "2026-03-02", 0, 0),  # it lost all its observations and stays listed
        ]
        assert await measured(sut, "class", "week") == [("C1", "2026-03-02", 18, 20), ("C2", "2026-03-02", 0, 0)]
        assert await measured(sut, "homeroom", "week") == [("H1", "2026-03-02", 18, 20), ("H2", "2026-03-02", 0, 0)]
        async with sut.as_(EVERYTHING) as client:
            lost = await every(client, "/measurements", metric="attendance", level="class", window="day", subject="C2")
        assert [(each["value"], each["revision"]) for each in lost] == [(None, 2)]


async def test_a_warning_that_only_a_mistake_caused_is_withdrawn_with_its_reason(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), CLASS_WEEK) as sut:
        await take(sut, sent("a", 9, 10), sent("wrong", 0, 10))
        assert await states(sut) == [("red", "open")]
        await sut.published()
        await take(sut, retraction("r", "wrong", reason="刷卡机故障"))

        (warning,) = await warned(sut)
        assert warning["status"] == "withdrawn"
        (fact,) = [m.event for m in await sut.published() if isinstance(m.event, WarningWithdrawn)]
        assert (str(fact.warning), fact.because, fact.reason) == (warning["id"], "retracted", "刷卡机故障")
        history = (await detail(sut, warning["id"]))["history"]
        assert [step["step"] for step in history] == ["raised", "withdrawn"]
        assert history[-1]["detail"]["reason"] == "刷卡机故障"


async def test_what_would_have_been_raised_all_the_same_stands(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), CLASS_WEEK) as sut:
        await take(sut, sent("a", 7, 10), sent("wrong", 0, 10))
        assert await states(sut) == [("red", "open")]
        await take(sut, retraction("r", "wrong"))

        (warning,) = await warned(sut)
        assert (warning["severity"], warning["status"]) == ("yellow", "open"), "the severity, too, is as if it had never been wrong"
        assert (warning["numerator"], warning["denominator"], warning["line"]) == (7, 10, Decimal("0.8"))
        (fact,) = [m.event for m in await sut.published() if isinstance(m.event, WarningRevised)]
        assert (fact.severity, fact.status, fact.because) == ("yellow", "open", "retracted")


async def test_a_warning_that_the_corrected_data_clears_is_cleared(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), CLASS_WEEK) as sut:
        await take(sut, sent("a", 7, 10), sent("wrong", 0, 10))
        assert await told(sut) == ["rate C1 raised yellow 7/10 of 2026-03-02", "escalated red 7/20 of 2026-03-02"]
        await take(sut, correction("c", "wrong", 10, 10))
        assert await told(sut) == ["cleared 17/20 of 2026-03-02"]
        (warning,) = await warned(sut)
        assert (warning["status"], warning["numerator"]) == ("cleared", 17)


async def test_of_two_warnings_the_one_that_only_a_mistake_caused_is_withdrawn(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), CLASS_WEEK) as sut:
        await take(sut, sent("a", 1, 2), sent("b", 10, 10), sent("wrong", 0, 10))
        await take(sut, correction("c", "wrong", 10, 10))
        assert await states(sut) == [("yellow", "cleared"), ("yellow", "withdrawn")]


async def test_a_warning_that_only_a_mistake_cleared_stands_again(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), CLASS_WEEK) as sut:
        await take(sut, sent("a", 7, 10))
        (before,) = await warned(sut)
        assert (await post(sut, f"/warnings/{before['id']}/acknowledge"))[0] == 200
        await take(sut, sent("wrong", 100, 100))
        assert await states(sut) == [("yellow", "cleared")]
        await take(sut, retraction("r", "wrong"))

        (after,) = await warned(sut)
        assert (after["id"], after["status"], after["severity"]) == (before["id"], "acknowledged", "yellow")
        assert [step["step"] for step in (await detail(sut, after["id"]))["history"]][-2:] == ["cleared", "revised"]


async def test_episodes_that_a_correction_made_one_have_one_uncleared_warning(sqlite_url: str, tmp_path: Path) -> None:
    watching = [indicator(f"i{n}", {"yellow": ("0.8", "0.85")}) for n in range(6)]  # which id is first is left to chance
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), *watching) as sut:
        await take(sut, array(sent("x", 10, 10), sent("a", 0, 10), sent("b", 100, 100), sent("c", 0, 60)))
        for mistake in (correction("x2", "x", 0, 30), correction("a2", "a", 0, 11)):
            await take(sut, mistake)
            found = await warned(sut)
            assert sorted(w["indicator"] for w in found if w["status"] == "open") == [v.code for v in watching]
            assert {w["status"] for w in found} == {"open", "cleared"}


async def test_what_a_mistake_hid_is_raised(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), CLASS_WEEK) as sut:
        await take(sut, sent("wrong", 100, 100), sent("a", 2, 10))
        assert await warned(sut) == []
        await take(sut, correction("c", "wrong", 5, 10))
        (warning,) = await warned(sut)
        assert (warning["severity"], warning["status"], warning["numerator"]) == ("red", "open", 7)


async def test_the_deciding_window_moves_back_when_the_newest_one_is_emptied(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), CLASS_WEEK) as sut:
        await take(sut, sent("a", 7, 10), sent("wrong", 10, 10, day="2026-03-09"))
        assert await states(sut) == [("yellow", "cleared")]
        await take(sut, correction("c", "wrong", 10, 10, day="2026-03-03"))  # it was of the week before
        (warning,) = await warned(sut)
        assert (warning["status"], warning["start"], warning["numerator"]) == ("cleared", "2026-03-02", 17)


async def test_a_retraction_ends_the_original_with_all_its_corrections_also_later_ones(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        await take(sut, sent("a"), correction("c1", "a", 2, 4), retraction("r", "a"), correction("c2", "a", 3, 4))
        assert await measured(sut, "class") == [("C1", "2026-03-02", 0, 0)]


async def test_the_last_correction_counted_stands(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        await take(sut, sent("a"), correction("c1", "a", 2, 4, day="2026-03-05"), correction("c2", "a", 3, 4))
        assert await measured(sut, "class", "week") == [("C1", "2026-03-02", 3, 4)]


async def test_a_correction_is_taken_back_by_itself(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        await take(sut, sent("a", 1, 2), correction("c1", "a", 2, 4), correction("c2", "c1", 3, 4), retraction("r", "c2"))
        assert await measured(sut, "class") == [("C1", "2026-03-02", 2, 4)]
        await take(sut, retraction("r2", "c1"))
        assert await measured(sut, "class") == [("C1", "2026-03-02", 1, 2)]


@pytest.mark.parametrize("together", [True, False])
async def test_what_comes_before_its_target_waits_for_it(database_url: str, tmp_path: Path, together: bool) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), CLASS_WEEK) as sut:
        events = [correction("c", "a", 9, 10), retraction("r", "b"), sent("a", 0, 10), sent("b", 0, 10)]
        for part in [events] if together else [[event] for event in events]:
            await take(sut, *part)
        assert await measured(sut, "class", "week") == [("C1", "2026-03-02", 9, 10)]
        assert await warned(sut) == []


async def test_amendments_of_another_source_do_not_touch_it(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        await take(sut, sent("a"), retraction("r", "a", source="urn:campus:demo:other"))
        assert await measured(sut, "class") == [("C1", "2026-03-02", 1, 1)]


async def test_an_amendment_counts_once_and_other_content_of_its_id_is_a_conflict(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        first = correction("c", "a", 2, 4)
        await take(sut, sent("a"), first, first, correction("c", "a", 3, 4), retraction("c", "a"), sent("c"))
        assert await measured(sut, "class") == [("C1", "2026-03-02", 2, 4)]
        async with sut.as_(EVERYTHING) as client:
            conflicts = await every(client, "/conflicts")
        assert [conflict["id"] for conflict in conflicts] == ["c", "c", "c"]
        assert {str(conflict["counted"]["numerator"]) for conflict in conflicts} == {"2"}


async def test_evidence_shows_what_stands(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), CLASS_WEEK) as sut:
        await take(sut, sent("a", 0, 10), sent("b", 0, 10), sent("c", 0, 10), correction("b2", "b", 1, 10), retraction("r", "c"))
        (warning,) = await warned(sut)
        async with sut.as_(EVERYTHING) as client:
            evidence = await every(client, f"/warnings/{warning['id']}/evidence")
        assert [(each["id"], each["numerator"]) for each in evidence] == [("a", 0), ("b2", 1)]


async def test_a_mistake_sent_and_taken_back_leaves_everything_as_it_was(tmp_path: Path) -> None:
    log = [
        sent(f"e{n}", n % 3, 3, day=f"2026-03-{2 + n % 9:02}", student=f"S{1 + n % 3}", class_=f"C{1 + n % 2}") for n in range(24)
    ]
    mistake, back = sent("wrong", 40, 40, day="2026-03-05"), retraction("r", "wrong")

    async def end(name: str, *records: bytes) -> tuple[Any, ...]:
        folder = tmp_path / name
        folder.mkdir()
        watching = [indicator(level, LINES, level=level) for level in ("class", "student", "department", "school")]
        async with monitoring(f"sqlite+aiosqlite:///{folder}/s.db", folder, lambda: NOW, roster(), *watching) as sut:
            await take(sut, *records)
            sums = [await measured(sut, level, "week") for level in ("student", "class", "department", "school")]
            standing = [w for w in await warned(sut) if w["status"] == "open"]
            return sums, sorted((w["indicator"], w["subject"], w["severity"], w["numerator"]) for w in standing)

    wanted = await end("never", *log)
    for place in (0, 5, 11, 24):
        assert await end(f"at {place}", array(*log[:place], mistake, *log[place:]), back) == wanted
        assert await end(f"both at {place}", array(*log[:place], mistake, back, *log[place:])) == wanted
