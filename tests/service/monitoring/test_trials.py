"""Warning lines in trial: what they would have warned of is counted exactly, and nobody is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from libs.common.events.standards import IndicatorActivated, IndicatorTried, TrialAbandoned
from tests.service.harness import ServiceUnderTest, principal
from tests.service.monitoring.test_rebuilding import rebuilt
from tests.service.monitoring.world import (
    correction,
    every,
    indicator,
    monitoring,
    retraction,
    sent,
    take,
    told,
    warned,
)

OFFICE = principal("indicator.tune")
LINES = {"yellow": ("0.8", "0.8"), "red": ("0.4", "0.5")}


def tried(code: str = "rate", lines: Any = None, **changes: Any) -> IndicatorTried:
    return IndicatorTried(**indicator(code, lines or LINES, **changes).model_dump())


def released(of: IndicatorTried) -> IndicatorActivated:
    return IndicatorActivated(**of.model_dump())


async def trials(sut: ServiceUnderTest, **params: Any) -> list[dict[str, Any]]:
    async with sut.as_(OFFICE) as client:
        return await every(client, "/trials", **params)


async def counted(sut: ServiceUnderTest, code: str = "rate", version: int = 1, limit: int = 500) -> list[tuple[Any, ...]]:
    async with sut.as_(OFFICE) as client:
        items = await every(client, f"/trials/{code}/versions/{version}/breaches", limit)
    return [(b["subject"], b["severity"], b["episodes"], b["running"]) for b in items]


async def test_a_trial_counts_what_it_would_warn_of_and_nobody_is_told(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await take(sut, sent("a", 1, 2))
        await sut.handle(tried())
        await take(sut, sent("b", 0, 4), sent("c", 0, 1, class_="C2", student="S2"))

        assert await sut.published() == []
        assert await warned(sut) == []
        assert await counted(sut, limit=1) == [("C1", "red", 1, True), ("C2", "red", 1, True)]
        (trial,) = await trials(sut)
        assert (trial["indicator"], trial["version"], trial["ended_at"]) == ("rate", 1, None)
        assert trial["breaches"] == [{"severity": "red", "episodes": 2, "subjects": 2, "running": 2}]


async def test_a_trial_beside_lines_in_force_leaves_their_warnings_alone(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(indicator("rate", {"orange": ("0.8", "0.8")}))
        await sut.handle(tried(version=2, lines={"red": ("0.9", "0.9")}))
        await take(sut, sent("a", 17, 20))
        assert (await warned(sut), await counted(sut, version=2)) == ([], [("C1", "red", 1, True)])

        await take(sut, sent("b", 0, 10), sent("c", 100, 100))

        (warning,) = await warned(sut)
        assert (warning["version"], warning["severity"], warning["status"]) == (1, "orange", "cleared")
        assert await told(sut) == ["rate C1 raised orange 17/30 of 2026-03-02", "cleared 117/130 of 2026-03-02"]
        assert await counted(sut, version=2) == [("C1", "red", 1, False)]


async def test_released_the_lines_judge_what_is_there_at_once_and_the_trial_is_over(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(tried())
        await take(sut, sent("a", 0, 4))
        assert await told(sut) == []

        await sut.handle(released(tried()))

        assert await told(sut) == ["rate C1 raised red 0/4 of 2026-03-02"]
        (trial,) = await trials(sut, indicator="rate")
        assert (trial["ended_at"] is not None, trial["breaches"][0]["episodes"], trial["breaches"][0]["running"]) == (True, 1, 0)
        await take(sut, sent("b", 0, 4, class_="C2"))
        assert await counted(sut) == [("C1", "red", 1, False)]  # what it had counted, and no more
        assert len(await warned(sut)) == 2


async def test_abandoned_a_trial_is_over_and_its_lines_never_warn(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(indicator("rate", {"orange": ("0.3", "0.3")}))
        await sut.handle(tried(version=2))
        await take(sut, sent("a", 5, 10))
        await sut.handle(TrialAbandoned(code="rate", version=2))
        await take(sut, sent("b", 5, 10, class_="C2"), sent("c", 0, 10, class_="C3"))

        (trial,) = await trials(sut)
        assert (trial["ended_at"] is not None, await counted(sut, version=2)) == (True, [("C1", "yellow", 1, False)])
        assert [(w["subject"], w["version"]) for w in await warned(sut)] == [("C3", 1)]
        await sut.handle(tried(version=2))  # told again
        assert [(t["version"], t["ended_at"] is not None) for t in await trials(sut)] == [(2, True)]


async def test_tuned_in_trial_the_new_lines_are_counted_apart(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(tried())
        await take(sut, sent("a", 6, 10))
        await sut.handle(tried(version=2, lines={"blue": ("0.7", "0.7")}))
        await take(sut, sent("b", 100, 100), sent("c", 0, 200))

        assert [(t["version"], t["ended_at"] is None) for t in await trials(sut)] == [(2, True), (1, False)]
        assert await counted(sut, version=1) == [("C1", "yellow", 1, False)]
        assert await counted(sut, version=2) == [("C1", "blue", 2, True)]


async def test_a_mistake_taken_back_is_counted_nowhere(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(tried())
        await take(sut, sent("a", 0, 4), sent("b", 0, 1, class_="C2"))
        await take(sut, retraction("r", "a"), correction("k", "b", 1, 1, class_="C2"))
        assert (await counted(sut), await trials(sut, indicator="other"), await sut.published()) == ([], [], [])


@pytest.mark.parametrize("over", [None, "released", "abandoned"])
async def test_a_rebuild_finds_the_same_whether_the_trial_runs_or_is_over(
    over: str | None, database_url: str, tmp_path: Path
) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(tried(window="month"))
        await take(sut, sent("a", 0, 4), sent("b", 0, 1, class_="C2", day="2026-02-27"))
        if over:
            by = {"released": released(tried(version=2, window="week")), "abandoned": TrialAbandoned(code="rate", version=1)}
            await sut.handle(by[over])
            await take(sut, retraction("r", "a"))
        before = await counted(sut)
        state = await rebuilt(sut)
        assert (state["before"], state["mended"], await counted(sut)) == (state["after"], 0, before)


async def test_a_trial_is_shown_to_who_tunes_lines_alone(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await sut.handle(tried())
        async with sut.as_(principal("warning.read", "indicator.read", "indicator.write")) as client:
            assert (await client.get("/trials")).status_code == 403
        async with sut.as_(OFFICE) as client:
            assert (await client.get("/trials/rate/versions/2/breaches")).status_code == 404
