"""P9: sums and warnings are rebuilt from the observation log, silently, while intake goes on; the state is the same before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from services.monitoring.commands import rebuilding
from services.monitoring.tables import TotalRow, WarningRow
from tests.service.harness import ServiceUnderTest, principal
from tests.service.monitoring.world import (
    NOW,
    correction,
    digest,
    indicator,
    monitoring,
    post,
    retraction,
    roster,
    sent,
    take,
    terms,
    warned,
)

LINES = {"yellow": ("0.8", "0.85"), "red": ("0.5", "0.6")}
WATCHED = [
    indicator(level, LINES, level=level, window=w) for level, w in (("class", "week"), ("student", "term"), ("school", "day"))
]
LOG = [sent(f"e{n}", n % 3, 3, day=f"2026-03-{2 + n % 9:02}", student=f"S{1 + n % 3}", class_=f"C{1 + n % 2}") for n in range(30)]
OPERATOR = principal("rebuild")


async def asked(sut: ServiceUnderTest, method: str = "GET") -> dict[str, Any]:
    async with sut.as_(OPERATOR) as client:
        answer = await client.request(method, "/rebuild")
    assert answer.is_success, answer.text
    state: dict[str, Any] = answer.json()
    return state


async def one_part(sut: ServiceUnderTest) -> None:
    await sut.run("rebuild")


async def rebuilt(sut: ServiceUnderTest) -> dict[str, Any]:
    await asked(sut, "POST")
    for _ in range(100):
        await one_part(sut)
        if (state := await asked(sut))["status"] == "finished":
            return state
    raise AssertionError("the rebuild does not end")


async def test_a_rebuild_changes_nothing_and_tells_nobody(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "PART", 7)
    monkeypatch.setattr(rebuilding, "AT_ONCE", 10)
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), terms(), *WATCHED) as sut:
        await take(sut, *LOG, correction("c", "e3", 3, 3, day="2026-03-04"), retraction("r", "e4"))
        chosen = next(w for w in await warned(sut) if w["status"] == "open")
        assert (await post(sut, f"/warnings/{chosen['id']}/dismiss", reason="误报"))[0] == 200
        await take(sut, *[sent(f"f{n}", 0, 3, day="2026-03-11", student="S2") for n in range(4)])
        await sut.published()
        before = await digest(sut)

        state = await rebuilt(sut)
        assert (state["before"], state["mended"], state["done"]) == (state["after"], 0, state["of"])
        assert len(state["before"]) == 64
        assert await digest(sut) == before
        assert await sut.published() == []


async def test_what_was_damaged_is_mended_and_said(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), *WATCHED) as sut:
        await take(sut, *LOG)
        right = [(w["id"], w["status"]) for w in await warned(sut)]
        assert right != []
        async with sut.database.transaction() as tx:
            await tx.session.execute(update(TotalRow).values(numerator=TotalRow.denominator))
            await tx.session.execute(update(WarningRow).values(status="cleared", episode_open=False))
            await tx.session.execute(text("DELETE FROM turn"))
        state = await rebuilt(sut)
        assert state["before"] != state["after"]
        assert state["mended"] > 0
        assert {(w["id"], w["status"]) for w in await warned(sut) if w["status"] == "open"} == {w for w in right if w[1] == "open"}
        again = await rebuilt(sut)
        assert (again["before"], again["mended"]) == (state["after"], 0)


async def test_intake_goes_on_and_a_correction_of_what_was_added_up_is_followed(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "PART", 5)
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), *WATCHED) as sut:
        await take(sut, *LOG)
        await asked(sut, "POST")
        for n in range(3):
            await one_part(sut)
            await take(sut, correction(f"c{n}", f"e{n}", 3, 3, class_="C2"), retraction(f"r{n}", f"e{20 + n}"), sent(f"f{n}", 0, 1))
        assert (await asked(sut, "POST"))["status"] == "running", "asked again, it goes on"
        assert (await asked(sut))["done"] >= 15
        state = await rebuilt(sut)
        assert (state["before"], state["mended"]) == (state["after"], 0)


async def test_a_roster_that_changes_meanwhile_begins_it_anew(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "PART", 5)
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(classes=[]), *WATCHED) as sut:
        await take(sut, *LOG)
        await asked(sut, "POST")
        await one_part(sut)
        await sut.handle(roster(part="i2/1"))
        state = await rebuilt(sut)
        assert (state["before"], state["mended"]) == (state["after"], 0)
