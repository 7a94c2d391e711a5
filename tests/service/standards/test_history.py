"""One view of an indicator over the years: what it said, who decided, and what standards asked meanwhile."""

from __future__ import annotations

from pathlib import Path

from tests.service.harness import principal
from tests.service.standards.school import AUTHOR, measured, school, standard
from tests.service.standards.test_indicators import with_

READER = principal("indicator.read", id="T1")
OFFICE = principal("indicator.read", "indicator.write", "indicator.tune", id="Q1")
CODE = "class-completion-week"


async def test_the_years_of_an_indicator_are_one_view(database_url: str, tmp_path: Path) -> None:
    floor = {"metric": "workload", "comparison": "at_least", "value": 0.5, "clause": "第3条"}
    element = {"code": "e1", "name": "工作量", **measured("T-WRK", 0.6), "floor": floor}
    async with school(database_url, tmp_path) as at:
        groups = [{"code": "g", "name": "g", "elements": [element, {"code": "e2", "name": "师德"}]}]
        await at.in_force(groups=groups, ladders=[])
        for target, since in ((0.9, "2025-02-24"), (0.92, "2025-09-01"), (0.93, "2025-09-01"), (0.99, "2026-09-01")):
            said = with_(metric="workload", target=target, effective_from=since, trial=target == 0.99)
            _, made = await at.ask(OFFICE, "POST", "/indicators", said)
            await at.ask(OFFICE, "POST", f"/indicators/{CODE}/versions/{made['version']}/activate")
        lines = [{"severity": "orange", "enter": 0.7, "clear": 0.75}]
        status, _ = await at.ask(OFFICE, "POST", f"/indicators/{CODE}/tune", {"warning_lines": lines, "reason": "过严"})
        assert status == 200
        at.clock.advance(days=30)
        groups[0]["elements"] = [{**element, **measured("T-WRK", 0.7)}]
        _, shown = await at.ask(AUTHOR, "POST", "/standards", standard(groups=groups, ladders=[], effective_from="2026-04-01"))
        await at.review(shown["version"])
        status, history = await at.ask(READER, "GET", f"/indicators/{CODE}/history")
        missing, _ = await at.ask(READER, "GET", "/indicators/other/history")

    assert (status, missing) == (200, 404)
    versions = [(v["version"], v["status"], v["target"], v["effective_from"], v["effective_to"]) for v in history["versions"]]
    assert versions == [
        (5, "trial", 0.99, "2026-09-01", None),
        (4, "superseded", 0.99, "2026-09-01", None),
        (3, "active", 0.93, "2025-09-01", None),
        (2, "superseded", 0.92, "2025-09-01", "2025-09-01"),
        (1, "superseded", 0.9, "2025-02-24", "2025-09-01"),
    ]
    assert (history["versions"][0]["reason"], history["versions"][0]["activated_by"]) == ("过严", "Q1")
    asked = [(a["version"], a["element"], a["criterion"]["value"], a["floor"]["clause"]) for a in history["standards"]]
    assert asked == [(1, "e1", 0.6, "第3条"), (2, "e1", 0.7, "第3条")]
    assert [(a["effective_from"], a["effective_to"]) for a in history["standards"]] == [
        ("2026-03-01", "2026-04-01"),
        ("2026-04-01", None),
    ]
