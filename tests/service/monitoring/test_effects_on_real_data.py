"""Improvements that never took place, of real students chosen by lot among those who were warned: no effect beyond chance."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from scipy import stats

from libs.common.database import in_batches
from libs.common.events.monitoring import EffectMeasured
from libs.common.events.planning import ImprovementStarted, ImprovementVerified
from services.monitoring.domain.effect import EFFECT, TOO_FEW, WORSE
from tests.conftest import SettableClock
from tests.flow.oulad import load_tool
from tests.service.harness import ServiceUnderTest
from tests.service.monitoring.test_effects import effects
from tests.service.monitoring.world import array, indicator, monitoring, roster, take, warned

CLASS = "DDD-2013J"
MANY = 60
STARTED, VERIFIED, END = (datetime.fromisoformat(f"{day}T12:00:00+08:00") for day in ("2013-11-10", "2013-11-28", "2014-03-02"))


async def count(sut: ServiceUnderTest, events: Sequence[dict[str, Any]]) -> None:
    for part in in_batches(events, 1_000):
        await take(sut, array(*(json.dumps(event).encode() for event in part)))


async def measured(sut: ServiceUnderTest) -> list[EffectMeasured]:
    told: list[EffectMeasured] = []
    while True:
        await sut.run("measure-effects")
        if not (new := [m.event for m in await sut.published() if isinstance(m.event, EffectMeasured)]):
            return told
        told += new


@pytest.mark.shared
async def test_improvements_that_never_took_place_have_no_effect_beyond_chance(
    shared: Path, sqlite_url: str, tmp_path: Path
) -> None:
    events = [e for e in load_tool(shared).observations() if e["data"]["class"] == CLASS]
    low = {"orange": ("0.6", "0.9")}
    monthly = indicator(
        level="student",
        lines=low,
        window="month",
        metric="assignment_completion",
        effect_windows=2,
        effective_from=date(2013, 9, 1),
    )
    clock = SettableClock(STARTED)
    async with monitoring(sqlite_url, tmp_path, clock, roster(today=date(2013, 9, 1)), monthly) as sut:
        before, after = ([e for e in events if (datetime.fromisoformat(e["time"]) < STARTED) == early] for early in (True, False))
        await count(sut, before)
        warnings = [w["id"] for w in await warned(sut) if w["status"] == "open"]
        for warning in Random(20131110).sample(sorted(warnings), MANY):
            plan = {"by": "T1", "measures": ["谈话"], "goal": "≥80%", "deadline": date(2013, 11, 30)}
            improvement = uuid4()
            await sut.handle(ImprovementStarted(improvement=improvement, warning=UUID(warning), **plan), at=STARTED)
            await sut.handle(ImprovementVerified(improvement=improvement, warning=UUID(warning), by="L1"), at=VERIFIED)
        clock.now = END
        await count(sut, [e for e in after if datetime.fromisoformat(e["time"]) < END])
        found = await measured(sut)
        verdicts = Counter(each.verdict for each in found)
        judged = len(found) - verdicts[TOO_FEW]
        assert judged > MANY // 2
        most = stats.binom.ppf(0.999, judged, 0.025)
        assert verdicts[EFFECT] <= most
        assert verdicts[WORSE] <= most
        whole = await effects(sut)
        assert whole["low"] < 0 < whole["high"]
        assert whole["high"] - whole["low"] < Decimal("0.5")
