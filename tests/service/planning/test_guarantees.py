"""The guarantee chain: measures protect goals, and what nobody protects is listed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.common.events.gateway import SetupChanged
from tests.service.harness import SCHOOL, ServiceUnderTest, principal
from tests.service.planning.chain import drafted, goal, made, plan, published, seen, set_up
from tests.service.planning.school import planning, tell

WRITE = ("guarantee.read", "guarantee.write", "guarantee.verify", "plan.read", "improvement.read", "settings.write")
OFFICE = principal(*WRITE, id="Q1")
LEADER = principal(*WRITE, id="B1")
HEAD = principal(*WRITE, id="D1", over=["unit:mech"])
TEACHER = principal("guarantee.read", id="T1", over=["teacher:T1"])
SETUP = {
    "guarantees": [{"code": "funds", "name": "财务支持保障", "leads": ["财务处"]}, {"code": "safety", "name": "安全保障"}],
    "framework": [
        {
            "code": "verticals",
            "name": "五纵",
            "tags": [{"code": "generation", "name": "质量生成"}, {"code": "support", "name": "支持服务"}],
        }
    ],
    "belongings": [
        {"system": "generation", "standards": ["student-standard"]},
        {"system": "support", "mechanisms": ["safety"], "metrics": ["assignment_completion"]},
    ],
    "entry_words": {
        "safety_categories": [{"name": "防火"}],
        "training_forms": [{"name": "走出去"}],
        "aid_kinds": [{"name": "助学金"}],
    },
}


@asynccontextmanager
async def guaranteed(url: str, folder: Path, **options: Any) -> AsyncIterator[ServiceUnderTest]:
    """A school with its mechanisms, systems and words."""
    async with planning(url, folder, **options) as sut:
        await set_up(sut)
        await tell(sut, SetupChanged(code=SCHOOL, content=SETUP))
        yield sut


def measure(**said: Any) -> dict[str, Any]:
    whole = {
        "mechanism": "funds",
        "name": "双师型教师培养专项经费",
        "unit": "mech",
        "level": "teacher",
        "period_from": "2026-01-01",
        "period_to": "2026-12-31",
    }
    return {**whole, **said}


async def goals(sut: ServiceUnderTest, *codes: str) -> list[str]:
    """A published plan with these goals."""
    ids = await drafted(sut, plan("p0"), *(goal(code) for code in codes))
    await published(sut, "p0")
    return ids


async def unserved(sut: ServiceUnderTest, **params: Any) -> list[str]:
    async with sut.as_(OFFICE) as client:
        answer = await client.get("/guarantees/unserved", params=params)
        assert answer.status_code == 200, answer.text
        return [each["code"] for each in answer.json()["items"]]


async def test_a_goal_in_force_is_unserved_until_a_measure_protects_it_and_again_when_that_is_dropped(
    database_url: str, tmp_path: Path
) -> None:
    async with guaranteed(database_url, tmp_path) as sut:
        one, _ = await goals(sut, "g1", "g2")
        assert await unserved(sut) == ["g1", "g2"]
        async with sut.as_(HEAD) as client:
            written = await made(client, "/guarantees", measure(goals=[one], indicators=["dual-year"]))
            assert await unserved(sut) == ["g2"]
            assert written["budget"] == {"lines": 0, "approved": 0.0, "spent": 0.0}
            path = f"/guarantees/{written['id']}"
            dropped = (await client.put(path, json=measure(goals=[one], indicators=["dual-year"], status="dropped"))).json()
            assert dropped["guarantee"]["status"] == "dropped"
            assert await unserved(sut) == ["g1", "g2"]
            again = await client.put(path, json=measure(goals=[one], indicators=["dual-year"], status="dropped"))
            assert [each["step"] for each in again.json()["history"]] == ["written", "changed"], "the same again is no change"
            await client.put(path, json=measure(goals=[one], status="running"))
            assert await unserved(sut) == ["g2"]
        found = await seen(sut, f"/guarantees?goal={one}", TEACHER)
        assert [each["id"] for each in found["items"]] == [written["id"]], "everybody of the school may read what protects a goal"


async def test_drafts_are_not_listed_as_unserved_and_pages_and_filters_hold(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path) as sut:
        await drafted(sut, plan("draft"), goal("d1"))
        await goals(sut, "g1", "g2", "g3")
        assert await unserved(sut) == ["g1", "g2", "g3"]
        assert await unserved(sut, plan="draft") == []
        assert await unserved(sut, level="course") == []
        async with sut.as_(OFFICE) as client:
            first = (await client.get("/guarantees/unserved?limit=2")).json()
            second = (await client.get("/guarantees/unserved", params={"limit": 2, "cursor": first["next"]})).json()
        assert [each["code"] for each in first["items"] + second["items"]] == ["g1", "g2", "g3"]
        assert second["next"] is None


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"mechanism": "luck"}, "/mechanism"),
        ({"system": "luck"}, "/system"),
        ({"unit": "nowhere"}, "/unit"),
        ({"helpers": ["cnc", "nowhere"]}, "/helpers/1"),
        ({"indicators": ["nothing"]}, "/indicators/0"),
        ({"goals": [str(uuid4())]}, "/goals/0"),
        ({"goals": ["x"]}, "/goals/0"),
        ({"level": "moon"}, "/level"),
        ({"period_to": "2025-12-31"}, "/period_to"),
        ({"helpers": ["mech"]}, "/helpers"),
        ({"name": " "}, "/name"),
        ({"colour": "red"}, "/colour"),
        ({"status": "lost"}, "/status"),
    ],
)
async def test_a_measure_that_names_something_in_vain_is_refused_and_nothing_is_kept(
    database_url: str, tmp_path: Path, said: dict[str, Any], pointer: str
) -> None:
    async with guaranteed(database_url, tmp_path) as sut, sut.as_(OFFICE) as client:
        problem = await made(client, "/guarantees", measure(**said), 422)
        assert [each["pointer"] for each in problem["errors"]] == [pointer]
        assert (await client.get("/guarantees")).json()["items"] == []


async def test_a_measure_is_written_by_who_covers_the_unit_that_leads_it(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path) as sut, sut.as_(HEAD) as head, sut.as_(OFFICE) as office:
        below = await made(head, "/guarantees", measure(unit="cnc"))
        assert below["guarantee"]["unit"] == "cnc", "a unit below one's own is one's own"
        await made(head, "/guarantees", measure(unit=None), 403)
        school = await made(office, "/guarantees", measure(unit=None))
        assert (await head.put(f"/guarantees/{school['id']}", json=measure())).status_code == 403
        async with sut.as_(principal(*WRITE, id="C1", over=["unit:cnc"])) as lower:
            await made(lower, "/guarantees", measure(unit="mech"), 403)
        assert (await office.get(f"/guarantees/{uuid4()}")).status_code == 404
        assert {each["guarantee"]["unit"] for each in (await office.get("/guarantees")).json()["items"]} == {None, "cnc"}


async def test_goals_are_tagged_with_a_system_of_the_school_alone(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path) as sut:
        await drafted(sut, plan("p0"), goal("g1", system="support"))
        async with sut.as_(principal("plan.read", "plan.write", id="Q1")) as client:
            problem = await made(client, "/plans/p0/goals", {"goal": goal("g2", system="luck")}, 422)
            assert [each["pointer"] for each in problem["errors"]] == ["/goal/system"]
