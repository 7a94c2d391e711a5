"""The tools that measure go on working: they fill tables themselves, and nobody runs them for weeks."""

from __future__ import annotations

import pytest

from tests.bench import desks, goals
from tests.bench.page import PAGE


async def test_a_small_school_is_measured_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goals, "LEVELS", (1, 2, 3, 4, 5))
    monkeypatch.setattr(goals, "PLANS", 5)
    assert {"tree", "matrix", "lint"} <= (await goals.run("", 20)).keys()
    assert len(await desks.run("", 40)) == len(desks.ASKED)


@pytest.mark.parametrize("name", ["figures", "school", "peers"])
def test_the_page_has_a_place_for_each_table(name: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert (text.count(f"<!-- {name} -->"), text.count(f"<!-- end of {name} -->")) == (1, 1)
