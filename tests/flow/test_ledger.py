"""Scenarios of the ledger of problems, by number: a mid-term check's findings, and what becomes of those who do not answer."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from libs.common import sheet
from services.planning.domain.ledger import COLUMNS
from tests.flow.stack import Stack, until
from tests.flow.test_chains import POSTS, Chain

GROUP = "T1,level_group,department,2020-01-01,\n"
PLAN = {"measures": ["补签责任书", "每周通报"], "goal": "任务完成率达到 90%"}


class Findings(Chain):
    """A school whose department level has a group that follows it."""

    def __init__(self, stack: Stack, code: str) -> None:
        super().__init__(stack, code)
        self.school.change("PUT", "posts", content=(POSTS + GROUP).encode(), headers={"Content-Type": "text/csv"})
        self.office, self.head, self.group = (self.person(id_) for id_ in ("Q", "HD", "T1"))

    def record(self, who: httpx.Client, **said: Any) -> dict[str, Any]:
        problem = {"problem": "中期到期任务 18 项，核实 14 项（77.78%）", "level": "department", "subject": "D1", **said}
        body = {"source": "mid_term_check", "problems": [problem]}
        (item,) = self.done(who, "planning/improvements", body)["items"]
        found: dict[str, Any] = item
        return found

    def told(self, who: httpx.Client) -> list[tuple[str, str]]:
        return [(each["kind"], each["link"].rpartition("/")[2]) for each in who.get("planning/inbox").json()["items"]]


@pytest.fixture
def findings(standing: Stack, request: pytest.FixtureRequest) -> Findings:
    return Findings(standing, request.node.originalname.removeprefix("test_")[:40])


def today() -> date:
    return datetime.now(ZoneInfo("Asia/Shanghai")).date()


def test_scenario_13_a_mid_term_finding_needs_a_plan_with_measures_goal_and_deadline_within_7_days(findings: Findings) -> None:
    item = findings.record(findings.group)
    assert (item["unit"], item["owner"], item["tracking"], item["status"]) == ("D1", "HD", "level_group", "proposed")
    assert date.fromisoformat(item["plan_due_on"]) - date.fromisoformat(item["opened_on"]) == timedelta(days=7)
    assert findings.told(findings.head) == [("improvement_opened", item["id"])]

    start = f"planning/improvements/{item['id']}/start"
    plan = {**PLAN, "deadline": str(today() + timedelta(days=14))}
    for lacking in plan:
        refused = findings.head.post(start, json={name: value for name, value in plan.items() if name != lacking})
        assert (refused.status_code, [each["pointer"] for each in refused.json()["errors"]]) == (422, [f"/{lacking}"])
    assert findings.done(findings.head, start, plan)["status"] == "running"

    done = {"done": "18 项全部完成", "evidence": ["核实单"]}
    findings.done(findings.head, f"planning/improvements/{item['id']}/progress", {"text": "还差 2 项"})
    findings.done(findings.head, f"planning/improvements/{item['id']}/submit", done)
    assert findings.head.post(f"planning/improvements/{item['id']}/verify").status_code == 403
    assert findings.done(findings.office, f"planning/improvements/{item['id']}/verify")["status"] == "closed"

    (row,) = findings.school.items("planning/ledger")
    assert (row["measures"], row["closed_on"], row["progress"]) == (PLAN["measures"], str(today()), "还差 2 项")
    texts = [line["text"] for line in findings.school.items("reporting/timeline")]
    assert len(texts) == 6
    assert "中期检查发现" in texts[-1]
    overview = findings.school.get("reporting/overview")["improvements"]
    assert (overview["open"], overview["by_status"]["closed"]) == (0, 1)


@pytest.mark.servers  # waits for the clock, up to a minute: with the longer tests
def test_scenario_14_an_overdue_rectification_is_told_to_the_responsible_body_and_the_tracking_group(findings: Findings) -> None:
    yesterday = today() - timedelta(days=1)
    item = findings.record(findings.office, due_on=str(yesterday))  # recorded late: overdue at once
    (row,) = findings.school.items("planning/ledger", overdue="true")
    assert (row["improvement"], row["status"], row["overdue"]) == (item["id"], "proposed", True)
    until(lambda: ("improvement_overdue", item["id"]) in findings.told(findings.head), "the head is told", 120)
    assert findings.told(findings.group) == [("improvement_overdue", item["id"])]
    (unit,) = findings.school.get("planning/ledger/summary", by="unit")["items"]
    assert (unit["key"], unit["overdue"], unit["on_time_rate"]) == ("D1", 1, 0)
    until(lambda: findings.school.get("reporting/overview")["improvements"]["overdue"] == 1, "the overview counts it")
    assert any("已逾期" in line["text"] for line in findings.school.items("reporting/timeline"))


def test_a_ledger_kept_in_excel_comes_in_once_and_goes_out_again(findings: Findings) -> None:
    rows = [["9", "教案检查不合格", "巡查", "一系", "HD", None, None, str(today()), None, None, "Q", None]]
    book = sheet.write_sheet("台账", COLUMNS, rows)
    typed = {"Content-Type": sheet.MEDIA_TYPE}
    taken = [findings.office.post("planning/ledger/sheet", content=book, headers=typed) for _ in range(2)]
    assert [each.json() for each in taken] == [{"opened": 1, "same": 0}, {"opened": 0, "same": 1}]
    out = findings.head.get("planning/ledger/sheet")
    (row,) = sheet.read_sheet(out.content, COLUMNS)
    assert (row.said["问题"], row.said["来源"], row.said["责任部门"], row.said["进展"]) == (
        "教案检查不合格",
        "巡查",
        "一系",
        "待开始",
    )
    assert findings.head.get("planning/ledger/document").content.startswith(b"PK")
