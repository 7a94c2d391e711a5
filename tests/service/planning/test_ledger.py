"""The ledger of problems: every source in one list, filtered, overdue the morning after, counted by unit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

from httpx import AsyncClient
from sqlalchemy import event

from libs.common.events.planning import ImprovementOverdue, ImprovementPlanOverdue
from services.planning.domain.states import OWNERS_TURN, Status
from services.planning.tables import ImprovementRow
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest, principal
from tests.service.planning.school import NOON, TODAY, one, tell, warning
from tests.service.planning.test_finding import FINDING, HEAD, OFFICE, PLAN, recorded, school


async def tick(sut: ServiceUnderTest) -> list[Any]:
    """Run the clock's job once; returns what it published."""
    await sut.run("overdue")
    return [message.event for message in await sut.published()]


async def kinds(sut: ServiceUnderTest, person: str) -> list[str]:
    async with sut.as_(principal("inbox.read", id=person)) as client:
        return [each["kind"] for each in (await client.get("/inbox")).json()["items"]]


async def ledger(client: AsyncClient, **filters: Any) -> list[dict[str, Any]]:
    answer = await client.get("/ledger", params=filters)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_scenario_14_a_rectification_not_submitted_is_overdue_the_morning_after_with_notice_to_owner_and_tracking_group(
    database_url: str, tmp_path: Path
) -> None:
    clock = SettableClock(NOON)
    async with school(database_url, tmp_path, clock) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head:
        (item,) = await recorded(office, {**FINDING, "due_on": "2026-03-30"})
        assert (await head.post(f"/improvements/{item['id']}/start", json=PLAN)).status_code == 200
        await sut.published()

        clock.now = NOON.replace(day=30, hour=15, minute=59)  # 23:59 in Shanghai
        assert await tick(sut) == []
        before = (await office.get("/ledger/summary?by=unit")).json()["items"][0]
        assert (before["overdue"], before["on_time_rate"]) == (0, None)

        clock.now = NOON.replace(day=30, hour=16)  # the 31st begins
        assert await tick(sut) == [ImprovementOverdue(improvement=item["id"], warning=None, due_on=date(2026, 3, 30))]
        assert await tick(sut) == []
        assert [row["number"] for row in await ledger(office, overdue=True)] == [1]
        assert await kinds(sut, "D1") == ["improvement_overdue", "improvement_opened"]
        assert await kinds(sut, "G1") == ["improvement_overdue"]
        after = (await office.get("/ledger/summary?by=unit")).json()["items"][0]
        assert (after["key"], after["name"], after["overdue"], after["on_time_rate"]) == ("mech", "机电学院", 1, 0.0)


async def test_a_plan_not_started_by_its_date_is_overdue_by_itself(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with school(database_url, tmp_path, clock) as sut, sut.as_(OFFICE) as office:
        (item,) = await recorded(office, FINDING)
        await sut.published()
        clock.now = NOON.replace(day=9, hour=16)  # the plan was due on the 9th
        assert await tick(sut) == [ImprovementPlanOverdue(improvement=item["id"], warning=None, plan_due_on=date(2026, 3, 9))]
        assert await tick(sut) == []
        shown = await one(sut, item["id"], OFFICE)
        assert (shown["overdue"], shown["plan_overdue"]) == (False, True)
        assert await kinds(sut, "G1") == ["improvement_plan_overdue"]
        assert [row["number"] for row in await ledger(office, plan_overdue=True, overdue=False)] == [1]
        assert (await office.post(f"/improvements/{item['id']}/start", json=PLAN)).json()["plan_overdue"] is False


async def test_the_ledger_has_warnings_and_findings_in_one_list_with_filters_and_pages(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head:
        await tell(sut, warning(), warning(severity="red"))
        await recorded(head, {**FINDING, "measures": ["补签"], "goal": "达标", "deadline": "2026-03-20"})
        await recorded(office, {"problem": "制度未修订", "level": "school"}, source="collection")
        rows = await ledger(office)
        assert [(row["number"], row["source"], row["unit"]) for row in rows] == [
            (1, "warning", "cnc"),
            (2, "warning", "cnc"),
            (3, "mid_term_check", "mech"),
            (4, "collection", None),
        ]
        third = rows[2]
        assert (third["problem"], third["unit_name"], third["owner_name"]) == (FINDING["problem"], "机电学院", "D1老师")
        assert (third["measures"], third["goal"], third["deadline"], third["due_on"]) == (
            ["补签"],
            "达标",
            "2026-03-20",
            "2026-03-20",
        )
        assert (third["closed_on"], third["progress"], third["evidence"]) == (None, None, [])
        for filters, expected in (
            ({"source": "warning"}, [1, 2]),
            ({"unit": "mech"}, [3]),
            ({"owner": "D1"}, [3]),
            ({"status": "proposed", "indicator": "class-completion-week"}, [1, 2]),
            ({"from": "2026-03-02", "to": "2026-03-03"}, [1, 2, 3, 4]),
            ({"from": "2026-03-03"}, []),
            ({"to": "2026-03-02"}, []),
        ):
            assert [row["number"] for row in await ledger(office, **filters)] == expected
        first = (await office.get("/ledger?limit=3")).json()
        then = (await office.get("/ledger", params={"limit": 3, "cursor": first["next"]})).json()
        assert ([row["number"] for row in then["items"]], then["next"]) == ([4], None)
        assert [row["number"] for row in await ledger(head)] == [1, 2, 3]  # what the head's posts reach
        for wrong in ({"source": "rumour"}, {"from": "yesterday"}, {"colour": "red"}, {"cursor": "x"}):
            assert (await office.get("/ledger", params=wrong)).status_code == 422


async def test_units_are_counted_with_what_they_did_not_submit(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with school(database_url, tmp_path, clock) as sut, sut.as_(OFFICE) as office, sut.as_(HEAD) as head:
        dates = {"plan_due_on": "2026-03-05", "due_on": "2026-03-10"}
        met, late, *_ = await recorded(
            office,
            *({**FINDING, "problem": f"问题{n}", **dates} for n in range(3)),
            {"problem": "别的", "level": "programme", "subject": "cnc"},
        )
        plan = {**PLAN, "deadline": "2026-03-10"}
        for item in (met, late):
            for step, body in (("start", plan), ("submit", {"done": "完成", "evidence": ["单"]})):
                assert (await head.post(f"/improvements/{item['id']}/{step}", json=body)).status_code == 200
        assert (await office.post(f"/improvements/{met['id']}/verify")).status_code == 200
        clock.now = NOON.replace(day=11)
        assert (await office.post(f"/improvements/{late['id']}/verify")).status_code == 200

        mech, other = (await office.get("/ledger/summary", params={"by": "unit"})).json()["items"]
        assert (mech["key"], other["key"], other["on_time_rate"]) == ("mech", "cnc", None)
        assert (mech["total"], mech["completed"], mech["met"], mech["overdue"], mech["plan_overdue"]) == (3, 2, 1, 1, 1)
        assert (mech["completion_rate"], mech["met_rate"], mech["overdue_rate"]) == (0.666667, 0.333333, 0.333333)
        assert mech["on_time_rate"] == 0.333333
        by_source = (await office.get("/ledger/summary?by=source&unit=mech")).json()["items"]
        assert [(each["key"], each["name"], each["total"]) for each in by_source] == [("mid_term_check", "中期检查", 3)]
        assert (await office.get("/ledger/summary?by=colour")).status_code == 422


async def test_counts_by_unit_are_what_their_words_say_whatever_the_ledger_holds(database_url: str, tmp_path: Path) -> None:
    """A hundred problems in every state at random, counted by the database and one by one."""
    dice = Random(20260302)
    rows = [_some_row(dice, n) for n in range(1, 101)]
    async with school(database_url, tmp_path) as sut:
        async with sut.database.transaction() as tx:
            await tx.insert(ImprovementRow, rows)
        async with sut.as_(OFFICE) as office:
            items = (await office.get("/ledger/summary?by=unit")).json()["items"]
            listed = {row["number"] for row in await ledger(office, overdue=True, limit=500)}

    assert {item["key"] for item in items} == {None, "mech", "cnc"}
    for item in items:
        mine = [row for row in rows if row["unit"] == item["key"] and row["close_reason"] not in {"dismissed", "withdrawn"}]
        done = [row for row in mine if row["verified_on"] is not None]
        assert item["total"] == len(mine)
        assert item["completed"] == len(done)
        assert item["met"] == sum(row["verified_on"] <= row["due_on"] for row in done)
        assert item["overdue"] == sum(map(_late, mine))
        assert item["due"] == len(done) + sum(row["due_on"] < TODAY for row in mine if row["verified_on"] is None)
    assert listed == {row["number"] for row in rows if _late(row)}


def _late(row: dict[str, Any]) -> bool:
    return row["status"] in OWNERS_TURN and row["due_on"] < TODAY


def _some_row(dice: Random, n: int) -> dict[str, Any]:
    row: dict[str, Any] = {column.key: None for column in ImprovementRow.__table__.columns}
    status = dice.choice(list(Status))
    reason = dice.choice(["verified", "dismissed", "withdrawn"]) if status is Status.CLOSED else None
    verified = status is Status.VERIFIED or reason == "verified"
    return row | {
        "id": uuid4(),
        "school": "demo",
        "number": n,
        "source": "self_check",
        "unit": dice.choice([None, "mech", "cnc"]),
        "tracking": "level_group",
        "level": "department",
        "subject": "mech",
        "title": f"问题{n}",
        "status": status,
        "cleared": False,
        "warned": False,
        "owner_post": "department_head",
        "verifier_post": "quality_office",
        "vacant": [],
        "unfilled": False,
        "opened_at": NOON,
        "opened_on": TODAY,
        "plan_due_on": TODAY,
        "due_on": TODAY + timedelta(days=dice.randint(-5, 5)),
        "verified_on": TODAY - timedelta(days=dice.randint(0, 5)) if verified else None,
        "close_reason": reason,
    }


async def test_the_owner_of_a_warnings_task_is_told_once_however_often_the_warning_is_told(
    database_url: str, tmp_path: Path
) -> None:
    async with school(database_url, tmp_path) as sut:
        raised = [warning() for _ in range(3)]
        await tell(sut, *raised)
        await tell(sut, *raised)
        assert await kinds(sut, "T3") == ["improvement_opened"] * 3


async def test_many_problems_are_recorded_in_as_many_statements_as_few(tmp_path: Path) -> None:
    async with school(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as sut, sut.as_(OFFICE) as office:
        counts = []
        for many in (2, 200):
            with statements(sut) as said:
                await recorded(office, *({**FINDING, "problem": f"问题{many}-{n}"} for n in range(many)))
            counts.append(len(said))
        assert counts[1] <= counts[0] + 2


async def test_many_warnings_open_their_tasks_in_as_many_statements_as_few(tmp_path: Path) -> None:
    async with school(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as sut:
        await tell(sut, warning())
        counts = []
        for many in (2, 200):
            with statements(sut) as said:
                await tell(sut, *(warning() for _ in range(many)))
            counts.append(len(said))
        assert counts[1] <= counts[0] + 2


@contextmanager
def statements(sut: ServiceUnderTest) -> Iterator[list[str]]:
    """What the database is told meanwhile."""
    said: list[str] = []

    def hear(*spoken: Any) -> None:
        said.append(spoken[2])

    event.listen(sut.database.engine.sync_engine, "before_cursor_execute", hear)
    yield said
    event.remove(sut.database.engine.sync_engine, "before_cursor_execute", hear)
