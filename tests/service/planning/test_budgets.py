"""Budget lines: what is spent adds up to the fen, too much of it is a warning and true, and a second person confirms what it was worth."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.conftest import SettableClock
from tests.service.harness import principal
from tests.service.planning.chain import made
from tests.service.planning.test_guarantees import HEAD, LEADER, OFFICE, WRITE, goals, guaranteed, measure, unserved

JULY = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)  # 182 of 365 days are over


def line(**said: Any) -> dict[str, Any]:
    return {"name": "骨干教师培养", "year": 2026, "unit": "mech", "mechanism": "funds", "approved": 100_000, **said}


def spending(amount: float, **said: Any) -> dict[str, Any]:
    return {"on": "2026-03-01", "amount": amount, "what": "培训费", "document": "财〔2026〕12号", **said}


async def spent(client: httpx.AsyncClient, id_: str, amount: float) -> Any:
    return await made(client, f"/budgets/{id_}/spending", spending(amount))


async def test_spending_adds_up_to_the_fen_and_can_come_back(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path) as sut, sut.as_(HEAD) as client:
        id_ = (await made(client, "/budgets", line(approved=0.3)))["id"]
        await spent(client, id_, 0.1)
        found = await spent(client, id_, 0.2)
        assert (found["spent"], found["rate"], found["budget"]["approved"]) == (0.3, 1.0, 0.3)
        assert (await spent(client, id_, -0.1))["spent"] == 0.2
        problem = await made(client, f"/budgets/{id_}/spending", spending(-0.21), 422)
        assert problem["errors"] == [{"pointer": "/amount", "detail": "0.20 yuan are spent"}]
        entries = (await client.get(f"/budgets/{id_}/spending?limit=2")).json()
        assert [each["amount"] for each in entries["items"]] == [-0.1, 0.2]
        rest = (await client.get(f"/budgets/{id_}/spending", params={"cursor": entries["next"]})).json()
        assert [each["amount"] for each in rest["items"]] == [0.1]


async def test_more_spent_than_approved_is_taken_and_warned_of_in_red(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path, clock=SettableClock(JULY)) as sut, sut.as_(HEAD) as client:
        id_ = (await made(client, "/budgets", line()))["id"]
        assert (await client.get(f"/budgets/{id_}")).json()["warning"] == {"severity": "orange", "why": "behind"}
        assert (await spent(client, id_, 50_000))["warning"] is None
        assert (await spent(client, id_, 30_000))["warning"] == {"severity": "yellow", "why": "ahead"}
        assert (await spent(client, id_, 20_000.01))["warning"] == {"severity": "red", "why": "overspent"}


async def test_the_school_sets_the_lines_of_the_financial_warning(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path, clock=SettableClock(JULY)) as sut, sut.as_(OFFICE) as client:
        id_ = (await made(client, "/budgets", line()))["id"]
        lines = {"budget_behind": {"yellow": 60, "orange": 70}}
        assert (await client.put("/settings", json=lines)).status_code == 200
        assert (await client.get(f"/budgets/{id_}")).json()["warning"] is None
        assert (await client.put("/settings", json={"budget_behind": {"yellow": 0}})).status_code == 422


async def test_a_line_protects_goals_pays_for_a_measure_and_is_added_up(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path) as sut, sut.as_(HEAD) as client:
        one, two = await goals(sut, "g1", "g2")
        paid = await made(client, "/guarantees", measure(goals=[one]))
        id_ = (await made(client, "/budgets", line(measure=paid["id"], goals=[two])))["id"]
        await spent(client, id_, 12.5)
        assert await unserved(sut) == []
        read = (await client.get(f"/guarantees/{paid['id']}")).json()
        assert read["budget"] == {"lines": 1, "approved": 100000.0, "spent": 12.5}
        changed = (await client.put(f"/budgets/{id_}", json=line(approved=1000.0, goals=[]))).json()
        assert changed["history"][-1]["what"]["before"] == {"approved": "100000", "goals": [two], "measure": paid["id"]}
        assert await unserved(sut) == ["g2"]
        sums = (await client.get("/budgets/summary?year=2026&by=unit")).json()
        assert sums["items"] == [{"key": "mech", "lines": 1, "approved": 1000.0, "spent": 12.5, "rate": 0.0125}]


async def test_budgets_are_seen_and_written_by_who_covers_the_unit(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path) as sut, sut.as_(HEAD) as head, sut.as_(OFFICE) as office:
        own = (await made(office, "/budgets", line(unit="cnc")))["id"]
        schools = (await made(office, "/budgets", line(unit=None)))["id"]
        assert [each["id"] for each in (await head.get("/budgets")).json()["items"]] == [own]
        assert (await head.get(f"/budgets/{schools}")).status_code == 404
        assert (await head.get("/budgets/summary?year=2026")).json()["items"][0]["lines"] == 1
        assert (await office.get("/budgets/summary?year=2026")).json()["items"][0]["lines"] == 2
        await made(head, "/budgets", line(unit=None), 403)
        await made(head, f"/budgets/{schools}/spending", spending(1), 404)
        async with sut.as_(principal(*WRITE, id="C1", over=["unit:art"])) as other:
            await made(other, "/budgets", line(), 403)
            assert (await other.get("/budgets")).json()["items"] == []


async def test_who_appraised_the_spending_does_not_confirm_it(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path) as sut, sut.as_(OFFICE) as office, sut.as_(LEADER) as leader:
        id_ = (await made(office, "/budgets", line()))["id"]
        await made(leader, f"/budgets/{id_}/appraise/confirm", None, 409)
        await spent(office, id_, 10)
        body = {"score": 85.5, "text": "按计划使用"}
        await made(office, f"/budgets/{id_}/appraise", {**body, "score": 101}, 422)
        await made(office, f"/budgets/{id_}/appraise", body)
        await made(office, f"/budgets/{id_}/appraise/confirm", None, 403)
        found = await made(leader, f"/budgets/{id_}/appraise/confirm")
        said = {"score": 85.5, "text": "按计划使用", "spent": 10.0, "by": "Q1", "confirmed_by": "B1"}
        assert found["appraisal"] == said
        await made(office, f"/budgets/{id_}/appraise", body, 409)
        await made(leader, f"/budgets/{id_}/appraise/confirm", None, 409)


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"approved": 0.001}, "/approved"),
        ({"approved": -1}, "/approved"),
        ({"approved": "1"}, "/approved"),
        ({"year": 1999}, "/year"),
        ({"mechanism": "luck"}, "/mechanism"),
        ({"unit": "nowhere"}, "/unit"),
        ({"measure": str(uuid4())}, "/measure"),
        ({"goals": [str(uuid4())]}, "/goals/0"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_a_line_that_cannot_stand_is_refused_and_nothing_is_kept(
    database_url: str, tmp_path: Path, said: dict[str, Any], pointer: str
) -> None:
    async with guaranteed(database_url, tmp_path) as sut, sut.as_(OFFICE) as client:
        problem = await made(client, "/budgets", line(**said), 422)
        assert [each["pointer"] for each in problem["errors"]] == [pointer]
        assert (await client.get("/budgets")).json()["items"] == []


async def test_spending_that_cannot_be_is_refused_and_a_line_keeps_its_year(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path) as sut, sut.as_(OFFICE) as client:
        id_ = (await made(client, "/budgets", line()))["id"]
        for said, pointer in (
            (spending(0), "/amount"),
            (spending(0.005), "/amount"),
            (spending(1, on="2026-03-03"), "/on"),
            (spending(1, on="2026-3-1"), "/on"),
            (spending(1, document=""), "/document"),
        ):
            problem = await made(client, f"/budgets/{id_}/spending", said, 422)
            assert [each["pointer"] for each in problem["errors"]] == [pointer]
        answer = await client.put(f"/budgets/{id_}", json=line(year=2027, unit=None))
        assert [each["pointer"] for each in answer.json()["errors"]] == ["/year", "/unit"]
        found = (await client.get(f"/budgets/{id_}")).json()
        assert (found["spent"], found["budget"]["year"], len(found["history"])) == (0.0, 2026, 1)
