"""How a school is set up is kept whole: strict, by whoever governs it, read by everybody of the school."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.gateway.domain.setup import Setup, faults
from tests.conftest import SettableClock
from tests.service.gateway.door import door

SETUP = "/api/v1/setup"
DEMO = {"school": "demo"}
CONTENT: dict[str, Any] = {
    "template": "own",
    "period": {"first": 2026, "last": 2030},
    "bodies": [{"code": "lg", "name": "领导小组"}, {"code": "qo", "name": "质量办", "parent": "lg", "several": True}],
    "departments": [{"name": "教务处", "aliases": ["教务部"]}, {"name": "质量办公室", "body": "qo"}],
    "roles": [{"name": "班主任", "name_en": "class teacher"}],
    "plan_kinds": [
        {"code": "p0", "name": "发展规划", "kind": "master", "level": "school", "years": 5},
        {"code": "p1", "name": "专业规划", "kind": "special", "level": "programme", "parents": ["p0"], "lead": "教务处"},
    ],
    "cycles": [{"level": "course", "periods": [{"value": 1, "unit": "month"}, {"value": 1, "unit": "term"}], "report": "r1"}],
    "reports": [{"code": "r1", "name": "课程报告", "level": "course", "frequency": "termly", "public": "on_review"}],
    "guarantees": [{"code": "g1", "name": "安全保障", "leads": ["保卫处"]}],
    "entry_words": {"safety_categories": [{"name": "防火"}]},
}


async def test_a_set_up_is_written_whole_and_read_the_same(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        empty = (await here.operate("GET", SETUP, params=DEMO)).json()
        assert (empty["changed_at"], empty["content"]["bodies"]) == (None, [])
        first = (await here.operate("PUT", SETUP, params=DEMO, json=CONTENT)).json()
        clock.advance(hours=1)
        again = (await here.operate("PUT", SETUP, params=DEMO, json=CONTENT)).json()
        assert first == again == (await here.operate("GET", SETUP, params=DEMO)).json()
        assert {name: first["content"][name] for name in ("template", "period")} == {n: CONTENT[n] for n in ("template", "period")}
        less = (await here.operate("PUT", SETUP, params=DEMO, json={"roles": CONTENT["roles"]})).json()
        assert (less["content"]["bodies"], less["changed_at"] > first["changed_at"]) == ([], True)


AXIS = {"code": "axis", "name": "轴", "tags": [{"code": c, "name": c} for c in "ab"]}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"colour": "red"}, "/colour"),
    ({"bodies": [{"code": "a", "name": "x"}, {"code": "a", "name": "y"}]}, "/bodies/1/code"),
    ({"bodies": [{"code": "a", "name": "x", "parent": "b"}]}, "/bodies/0/parent"),
    ({"bodies": [{"code": "a", "name": "x", "parent": "b"}, {"code": "b", "name": "y", "parent": "a"}]}, "/bodies/0/parent"),
    ({"bodies": [{"code": "A", "name": "x"}]}, "/bodies/0/code"),
    ({"bodies": [{"code": "a", "name": ""}]}, "/bodies/0/name"),
    ({"bodies": [{"code": "a", "name": "x", "duty": "y"}]}, "/bodies/0/duty"),
    ({"bodies": [{"code": "a", "name": "\u0000"}]}, "/bodies/0/name"),
    ({"period": {"first": 2030, "last": 2026}}, "/period/last"),
    ({"period": {"first": "2026", "last": 2030}}, "/period/first"),
    ({"cycles": [{"level": "course", "periods": []}]}, "/cycles/0/periods"),
    ({"cycles": [{"level": "course", "periods": [{"value": 1, "unit": "moon"}]}]}, "/cycles/0/periods/0/unit"),
    ({"cycles": [{"level": "course", "periods": [{"value": 1, "unit": "month"}], "report": "r9"}]}, "/cycles/0/report"),
    ({"departments": [{"name": "教务处", "body": "nobody"}]}, "/departments/0/body"),
    ({"plan_kinds": [{"code": "p", "name": "x", "kind": "k", "level": "school", "parents": ["q"]}]}, "/plan_kinds/0/parents"),
    ({"plan_kinds": [{"code": "p", "name": "x", "kind": "k", "level": "school", "parents": ["p"]}]}, "/plan_kinds/0/parents"),
    ({"reports": [{"code": "r", "name": "x", "level": "l", "frequency": "f", "public": True}]}, "/reports/0/public"),
    ({"belongings": [{"system": "s"}]}, "/belongings/0/system"),
    ({"framework": [AXIS], "belongings": [{"system": "a", "mechanisms": ["none"]}]}, "/belongings/0/mechanisms/0"),
    ({"framework": [AXIS], "belongings": [{"system": c, "metrics": ["C-SAT"]} for c in "ab"]}, "/belongings/1/metrics/0"),
    ({"guarantees": [{"code": "g", "name": "x"}] * 2}, "/guarantees/1/code"),
    ({"entry_words": {"culture": ["x"]}}, "/entry_words/culture/0"),
    ({"breakdown": {"name": "t", "columns": [{"name": "x", "field": "colour"}]}}, "/breakdown/columns/0/field"),
    ({"workflows": [{"code": "w", "name": "x", "steps": []}]}, "/workflows/0/steps"),
    ({"workflows": [{"code": "w", "name": "x", "steps": [{"name": "a", "post": "cook"}]}]}, "/workflows/0/steps/0/post"),
    ({"workflows": [{"code": "w", "name": "x", "steps": [{"name": "a", "days": 0}]}]}, "/workflows/0/steps/0/days"),
    ({"workflows": [{"code": "w", "name": "x", "steps": [{"name": "a"}], "tags": ["t"]}]}, "/workflows/0/tags/0"),
    ({"workflows": [{"code": "w", "name": "x", "steps": [{"name": "a"}]}] * 2}, "/workflows/1/code"),
    ({"registers": [{"code": "r", "name": "x"}] * 2}, "/registers/1/code"),
    ({"rule_sets": [{"level": "course", "names": ["a"]}] * 2}, "/rule_sets/1/level"),
    ({"framework": [{"code": "f", "name": "x", "tags": [{"code": "t", "name": "y"}] * 2}]}, "/framework/0/tags/1/code"),
    ({"breakdown": {"name": "t", "columns": [{"name": "x", "field": "unit"}]}}, "/breakdown/columns"),
    ({"breakdown": {"name": "t", "columns": [{"name": "x", "field": "code"}] * 2}}, "/breakdown/columns/1/name"),
]


async def test_what_does_not_hang_together_is_refused_with_a_pointer_and_changes_nothing(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        before = (await here.operate("PUT", SETUP, params=DEMO, json=CONTENT)).json()
        for wrong, pointer in WRONG:
            answer = await here.operate("PUT", SETUP, params=DEMO, json=wrong)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), wrong
        assert (await here.operate("GET", SETUP, params=DEMO)).json() == before


def test_a_code_that_stands_twice_does_not_move_the_pointers_of_what_follows() -> None:
    bodies = [{"code": "a", "name": "x"}, {"code": "a", "name": "y"}, {"code": "b", "name": "z", "parent": "none"}]
    assert [fault["pointer"] for fault in faults(Setup.model_validate({"bodies": bodies}))] == [
        "/bodies/1/code",
        "/bodies/2/parent",
    ]


@pytest.mark.parametrize(
    ("post", "may"), [("quality_office", True), ("school_leader", True), ("department_head", False), ("staff", False)]
)
async def test_the_quality_office_sets_its_school_up_and_everybody_there_reads_it(
    database_url: str, tmp_path: Path, clock: SettableClock, post: str, may: bool
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        await here.operate("POST", "/api/v1/schools", json={"code": "west", "name": "西"})
        await here.operate("PUT", SETUP, params={"school": "west"}, json={"roles": [{"name": "别处"}]})
        await here.appoint("T1", post, None if may or post == "staff" else "mech")
        await here.person("wang", "T1")
        async with here.client(await here.sign_in("wang")) as client:
            assert (await client.put(SETUP, json=CONTENT)).status_code == (200 if may else 403)
            read = await client.get(SETUP)
            assert (read.status_code, len(read.json()["content"]["bodies"])) == (200, 2 if may else 0)


async def test_a_set_up_is_of_a_school_that_is_there(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        for method in ("GET", "PUT"):
            answers = [await here.operate(method, SETUP, params=params, json={}) for params in ({}, {"school": "nowhere"})]
            assert [answer.status_code for answer in answers] == [422, 404]
