"""Duplicates, conflicts, unknown ids, late and refused events are counted per source and day, and listed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.conftest import SettableClock
from tests.service.monitoring.world import EVERYTHING, correction, every, monitoring, retraction, sent, take


async def test_what_a_source_brought_is_told_day_by_day(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(datetime(2026, 3, 3, 4, 0, tzinfo=UTC))
    other = {"source": "urn:campus:demo:other"}
    async with monitoring(database_url, tmp_path, clock) as sut:
        await take(sut, sent("a", day="2026-03-03"), sent("b", day="2026-03-01"), sent("a", day="2026-03-03"), sent("a", 0))
        await take(sut, sent("c", day="2026-03-03", class_="C9"), sent("d", metric="none"), sent("e", day="2026-03-03", **other))
        clock.advance(hours=20)  # past midnight in Shanghai
        await take(sut, correction("f", "a", day="2026-03-04"), retraction("g", "b"), sent("b", day="2026-03-01"))

        async with sut.as_(EVERYTHING) as client:
            found = await every(client, "/intake", limit=1)
            mine = await every(client, "/intake", source="urn:campus:demo:other")
    nothing = dict.fromkeys(
        ("counted", "corrected", "retracted", "duplicate", "conflict", "late", "unknown_id", "refused"), 0
    )  # fmt: skip
    lms = nothing | {"source": "urn:campus:demo:lms"}
    assert found == [
        lms | {"day": "2026-03-04", "corrected": 1, "retracted": 1, "duplicate": 1},
        lms | {"day": "2026-03-03", "counted": 3, "duplicate": 1, "conflict": 1, "late": 1, "unknown_id": 1, "refused": 1},
        nothing | {"source": "urn:campus:demo:other", "day": "2026-03-03", "counted": 1},
    ]
    assert mine == found[2:]
