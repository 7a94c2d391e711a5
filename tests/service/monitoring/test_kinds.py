"""Values of metrics that are no ratio: means, sums, counts, and the newest observation."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.service.harness import ServiceUnderTest
from tests.service.monitoring.test_rebuilding import rebuilt
from tests.service.monitoring.world import (
    EVERYTHING,
    NOW,
    correction,
    every,
    indicator,
    measured,
    monitoring,
    retraction,
    roster,
    sent,
    take,
    warned,
)


async def define(sut: ServiceUnderTest, **kinds: str) -> None:
    async with sut.as_(EVERYTHING) as client:
        for code, kind in kinds.items():
            body = {"code": code, "name": code, "grain": ["class"], "kind": kind, "direction": "lower"}
            assert (await client.post("/metrics", json=body)).status_code == 201


def level(id_: str, numerator: int, day: str, time: str = "10:00", **said: Any) -> bytes:
    return sent(id_, numerator, 10, metric="level", student=None, time=f"{day}T{time}:00+08:00", **said)


async def test_sums_and_counts_are_judged_by_their_numerator_and_means_by_the_quotient(database_url: str, tmp_path: Path) -> None:
    watching = [
        indicator("incidents", {"yellow": ("2", "1")}, metric="incidents", comparison="above"),
        indicator("rating", {"yellow": ("3.5", "4")}, metric="rating"),
    ]
    async with monitoring(database_url, tmp_path, lambda: NOW) as sut:
        await define(sut, incidents="count", rating="mean", fees="sum")
        for each in watching:
            await sut.handle(each)
        said: dict[str, Any] = {"student": None}
        await take(
            sut,
            *[sent(f"i{n}", 1, 1, metric="incidents", **said) for n in range(3)],
            sent("r1", 3, 1, metric="rating", **said),
            sent("r2", 4, 1, metric="rating", **said),
            sent("f", -2.5, 1, metric="fees", **said),
        )
        warnings = {w["indicator"]: (w["value"], w["status"]) for w in await warned(sut)}
        assert warnings == {"incidents": (3, "open"), "rating": (Decimal("3.5"), "open")}
        values = {}
        async with sut.as_(EVERYTHING) as client:
            for metric in ("incidents", "rating", "fees"):
                (found,) = await every(client, "/measurements", metric=metric, level="class", window="week")
                values[metric] = found["value"]
        assert values == {"incidents": 3, "rating": Decimal("3.5"), "fees": Decimal("-2.5")}


async def test_of_the_kind_latest_the_newest_observation_stands_whatever_order_they_come_in(
    database_url: str, tmp_path: Path
) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW) as sut:
        await define(sut, level="latest")
        await sut.handle(indicator("level", {"yellow": ("0.5", "0.6")}, metric="level", window="month", level="course"))
        await take(sut, level("b", 3, "2026-03-04"), level("a", 9, "2026-03-02"))
        await take(sut, level("c", 2, "2026-03-04", "09:00"), level("d", 4, "2026-03-03"))
        assert await measured(sut, "class", "day", "level") == [
            ("C1", "2026-03-02", 9, 10), ("C1", "2026-03-03", 4, 10), ("C1", "2026-03-04", 3, 10),
        ]  # fmt: skip
        for window, start in (("week", "2026-03-02"), ("month", "2026-03-01"), ("year", "2025-09-01")):
            assert await measured(sut, "school", window, "level") == [("demo", start, 3, 10)]
        assert [(w["subject"], w["value"], w["status"]) for w in await warned(sut)] == [("K1", Decimal("0.3"), "open")]
        await take(sut, level("e", 8, "2026-03-05"))
        assert [w["status"] for w in await warned(sut)] == ["cleared"]


@pytest.mark.parametrize("ends", [(), (1,), (2,), (3,), (1, 2, 3)])
async def test_of_the_kind_latest_a_window_whose_newest_observation_is_too_small_decides_no_more_wherever_batches_end(
    database_url: str, tmp_path: Path, ends: tuple[int, ...]
) -> None:
    small = sent("c", 4, 5, metric="level", student=None, time="2026-03-10T12:00:00+08:00")
    events = [level("a", 3, "2026-03-02"), level("b", 3, "2026-03-10"), small, level("d", 9, "2026-03-03")]
    watching = indicator("level", {"yellow": ("0.5", "0.6")}, metric="level", window="week", min_denominator=Decimal(10))
    async with monitoring(database_url, tmp_path, lambda: NOW, roster()) as sut:
        await define(sut, level="latest")
        await sut.handle(watching)
        for first, last in pairwise((0, *ends, len(events))):
            await take(sut, *events[first:last])
        assert [(w["start"], w["value"], w["status"]) for w in await warned(sut)] == [("2026-03-02", Decimal("0.9"), "cleared")]
        state = await rebuilt(sut)
        assert (state["before"], state["mended"]) == (state["after"], 0)


async def test_the_newest_one_taken_back_lets_the_one_before_stand(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster()) as sut:
        await define(sut, level="latest")
        await sut.handle(indicator("level", {"yellow": ("0.5", "0.6")}, metric="level", window="month"))
        await take(sut, level("a", 9, "2026-03-02"), level("b", 3, "2026-03-02", "11:00"), level("c", 2, "2026-03-05"))
        await take(sut, retraction("r", "c"))
        assert await measured(sut, "class", "month", "level") == [("C1", "2026-03-01", 3, 10)]
        said = {"metric": "level", "student": None, "time": "2026-03-02T12:00:00+08:00"}
        await take(sut, correction("x", "b", 9, 10, **said))
        assert await measured(sut, "class", "month", "level") == [("C1", "2026-03-01", 9, 10)]
        assert [w["status"] for w in await warned(sut)] == ["withdrawn"]
        state = await rebuilt(sut)
        assert (state["before"], state["mended"]) == (state["after"], 0)
