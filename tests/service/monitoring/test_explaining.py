"""A warning says why it stands: formula, line, version, who contributed most, the trend, and where the observations came from."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from libs.common.events.gateway import SourceAdded
from tests.service.harness import ServiceUnderTest, principal
from tests.service.monitoring.world import EVERYTHING, NOW, correction, indicator, monitoring, roster, sent, take, warned


async def explained(sut: ServiceUnderTest) -> dict[str, Any]:
    (warning,) = await warned(sut)
    async with sut.as_(EVERYTHING) as client:
        answer = await client.get(f"/warnings/{warning['id']}/explanation")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = json.loads(answer.text, parse_float=Decimal)
    return shown


async def test_a_warning_names_who_pulled_the_value_past_its_line(database_url: str, tmp_path: Path) -> None:
    watching = indicator("dept", {"orange": ("0.8", "0.85")}, level="department", min_denominator=Decimal(20))
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), watching) as sut:
        await sut.handle(SourceAdded(name="other", uris=["urn:campus:demo:other"], label="by_hand"))
        await take(
            sut,
            sent("a", 9, 10, day="2026-02-23"),
            sent("b", 2, 10, student="S1"),
            sent("c", 10, 10, student="S3", source="urn:campus:demo:other"),
            sent("d", 0, 2, student="S3"),
            sent("e", 9, 10, student="S1"),
            correction("f", "e", 1, 10, student="S1"),
        )
        why = await explained(sut)
        assert (why["value"], why["line"], why["version"], why["window"], why["start"]) == (
            Decimal("0.40625"), Decimal("0.8"), 1, "week", "2026-03-02",
        )  # fmt: skip
        assert "低于 0.8 预警" in why["formula"]["zh"]
        assert "cleared not below 0.85" in why["formula"]["en"]
        worst = [(c["level"], c["subject"], c["numerator"], c["denominator"], c["lacks"]) for c in why["contributors"]]
        assert worst[0] == ("student", "S1", 3, 20, 13)
        assert ("class", "C1", 13, 32, Decimal("12.6")) in worst
        assert ("school", "demo") not in [(level, subject) for level, subject, *_ in worst], "what is above is no part of it"
        assert "S3" not in [subject for _, subject, *_ in worst], "who is above the line contributes nothing to the warning"
        assert [(t["start"], t["numerator"]) for t in why["trend"]] == [("2026-02-23", 9), ("2026-03-02", 13)]
        assert (why["sources"], why["observations"], why["whole"]) == (
            {"urn:campus:demo:lms": 3, "urn:campus:demo:other": 1}, 4, True,
        )  # fmt: skip
        assert why["labels"] == {"measured": 3, "by_hand": 1}
        async with sut.as_(EVERYTHING) as client:
            evidence = (await client.get(f"/warnings/{why['warning']}/evidence")).json()["items"]
        assert {o["id"]: o["label"] for o in evidence} == {"b": "measured", "c": "by_hand", "d": "measured", "f": "measured"}
        assert why["revision"] == (await warned(sut))[0]["revision"] == 5


async def test_who_may_not_see_a_warning_is_not_told_why(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), indicator()) as sut:
        await take(sut, sent("a", 0))
        (warning,) = await warned(sut)
        async with sut.as_(principal("warning.read", over=["unit:arts"])) as client:
            assert (await client.get(f"/warnings/{warning['id']}/explanation")).status_code == 404
