"""Several sides judge an element (多方评价): weights are the school's, and what is not decided is undetermined, never not met."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from libs.common.auth import Principal
from libs.common.events.gateway import Post, PostsImported
from tests.service.harness import principal
from tests.service.standards.school import AUTHOR, OFFICE, POSTS, STUDENT, Office, element, school

CLASS_TEACHER = principal("judgement.write", "standard.read", over=["class:CNC2301"], id="H1")
ADMINISTRATION = principal("judgement.write", "standard.read", id="X1")
GROUP = PostsImported(part="p/2", posts=[*POSTS.posts, Post(person="X1", post="level_group", object="student")])
SIDES = ("self", "class_teacher", "level_group")
ABOUT: dict[str, Any] = {"level": "student", "subject": "S1"}


def rated(*weights: float, **said: Any) -> dict[str, Any]:
    """Hunan's three sides, with the school's own weights or without."""
    sides = [{"by": by, **({"weight": weights[n]} if weights else {})} for n, by in enumerate(SIDES)]
    return {"met_by": "judged", "judged": {"raters": sides, **({"passes_at": 0.6} if weights else {}), "every_months": 6, **said}}


async def in_force(office: Office, how: dict[str, Any], **said: Any) -> None:
    await office.sut.handle(GROUP)
    groups = [{"code": "G", "name": "管理育人", "elements": [element("E", "行为规范", **how)]}]
    await office.in_force(level="student", ladders=[], groups=groups, **said)


async def found(office: Office) -> dict[str, Any]:
    status, shown = await office.ask(STUDENT, "GET", "/standards/HB-ST-TCH/elements/student/S1")
    assert status == 200, shown
    (only,) = shown["elements"]
    return dict(only)


async def word(office: Office, who: Principal, *, met: bool, **said: Any) -> int:
    status, _ = await office.judge(who, "E", met=met, **ABOUT, **said)
    return status


async def test_weights_decide_as_soon_as_what_is_lacking_cannot_change_it(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        await in_force(office, rated(0.2, 0.5, 0.3))
        assert ((await found(office))["verdict"], (await found(office))["why"]) == ("undetermined", "not_judged")

        assert await word(office, STUDENT, met=True) == 201
        assert ((await found(office))["verdict"], (await found(office))["why"]) == ("undetermined", "not_judged")
        assert await word(office, CLASS_TEACHER, met=True) == 201
        shown = await found(office)

        assert (shown["verdict"], shown["why"], shown["judgement"]) == ("met", None, None)
        assert [(each["by"], each["weight"], each["met"]) for each in shown["raters"]] == [
            ("self", 0.2, True),
            ("class_teacher", 0.5, True),
            ("level_group", 0.3, None),
        ]
        office.clock.advance(minutes=1)
        assert await word(office, CLASS_TEACHER, met=False) == 201
        assert (await found(office))["verdict"] == "not_met", "0.5 at most"
        office.clock.advance(days=200)
        assert ((await found(office))["verdict"], (await found(office))["why"]) == ("undetermined", "not_judged")
        assert await word(office, ADMINISTRATION, met=True) == 201
        assert ((await found(office))["verdict"], (await found(office))["why"]) == ("undetermined", "expired")


async def test_without_weights_only_what_all_say_is_decided(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        await in_force(office, rated())
        for who in (STUDENT, CLASS_TEACHER):
            await word(office, who, met=True)
        assert (await found(office))["why"] == "not_judged"
        await word(office, ADMINISTRATION, met=False)
        assert ((await found(office))["verdict"], (await found(office))["why"]) == ("undetermined", "not_agreed")
        office.clock.advance(minutes=1)
        await word(office, ADMINISTRATION, met=True)
        assert (await found(office))["verdict"] == "met"


async def test_each_side_is_somebody_else_and_says_which_it_is_where_it_might_be_two(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        await in_force(office, rated(0.2, 0.5, 0.3))
        two = PostsImported(part="p/3", posts=[*GROUP.posts, Post(person="H1", post="level_group", object="student")])
        await office.sut.handle(two)

        status, problem = await office.judge(CLASS_TEACHER, "E", **ABOUT)
        assert (status, problem["errors"][0]["pointer"]) == (422, "/post")
        assert "class_teacher, level_group" in problem["errors"][0]["detail"]
        assert await word(office, CLASS_TEACHER, met=True, post="class_teacher") == 201
        assert await word(office, CLASS_TEACHER, met=True, post="level_group") == 409
        assert await word(office, ADMINISTRATION, met=True, post="class_teacher") == 403
        assert await word(office, ADMINISTRATION, met=True, post="parent") == 422
        assert await word(office, OFFICE, met=True) == 403
        assert [each["met"] for each in (await found(office))["raters"]] == [None, True, None]


async def test_a_word_that_is_over_keeps_nobody_from_judging_for_another_side(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        await in_force(office, rated(0.2, 0.5, 0.3))
        two = PostsImported(part="p/3", posts=[*GROUP.posts, Post(person="H1", post="level_group", object="student")])
        await office.sut.handle(two)
        assert await word(office, CLASS_TEACHER, met=True, post="class_teacher", valid_until="2026-03-10") == 201
        office.clock.advance(days=8)
        assert await word(office, CLASS_TEACHER, met=True, post="level_group") == 409, "the last day counts"
        office.clock.advance(days=1)
        assert await word(office, CLASS_TEACHER, met=True, post="level_group") == 201


@pytest.mark.parametrize(
    ("judged", "pointer"),
    [
        ({}, "/by"),
        ({"by": "self", "raters": rated()["judged"]["raters"]}, "/by"),
        ({"raters": [{"by": "self"}]}, "/raters"),
        ({"raters": [{"by": "self"}, {"by": "self"}]}, "/raters/1/by"),
        ({"raters": [{"by": "self", "weight": 1}, {"by": "class_teacher"}], "passes_at": 0.5}, "/raters"),
        ({"raters": [{"by": "self", "weight": 0.5}, {"by": "class_teacher", "weight": 0.4}], "passes_at": 0.5}, "/raters"),
        ({"raters": [{"by": "self", "weight": 0.5}, {"by": "class_teacher", "weight": 0.5}]}, "/passes_at"),
        ({"raters": [{"by": "self"}, {"by": "class_teacher"}], "passes_at": 0.5}, "/passes_at"),
        ({"by": "self", "passes_at": 0.5}, "/passes_at"),
        ({"raters": [{"by": "self", "weight": 0}, {"by": "class_teacher", "weight": 1}], "passes_at": 0.5}, "/raters/0/weight"),
    ],
)
async def test_sides_that_do_not_fit_are_refused(judged: dict[str, Any], pointer: str, database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as office:
        groups = [{"code": "G", "name": "组", "elements": [element("E", "行为规范", met_by="judged", judged=judged)]}]
        body = {"code": "S", "family": "teacher", "name": "学生", "effective_from": "2026-03-01", "groups": groups}
        status, problem = await office.ask(AUTHOR, "POST", "/standards", body)
        assert (status, [each["pointer"] for each in problem["errors"]]) == (422, [f"/groups/0/elements/0/judged{pointer}"])


@pytest.mark.parametrize(
    ("level", "ladder", "judged", "pointers"),
    [
        ("teacher", None, rated()["judged"], []),
        (None, None, {"by": "self"}, []),
        ("department", None, {"by": "quality_office"}, []),
        ("department", None, {"by": "self"}, ["by"]),
        ("course", None, {"raters": [{"by": "class_teacher"}, {"by": "self"}]}, ["raters/1/by"]),
        ("student", "homeroom", rated()["judged"], ["raters/0/by"]),
    ],
)
async def test_only_a_person_judges_itself(
    level: str | None, ladder: str | None, judged: dict[str, Any], pointers: list[str], database_url: str, tmp_path: Path
) -> None:
    async with school(database_url, tmp_path) as office:
        groups = [{"code": "G", "name": "组", "elements": [element("E", "行为规范", met_by="judged", judged=judged)]}]
        ladders = [{"code": "L", "name": "阶梯", "level": ladder, "rungs": [{"code": "R", "name": "一", "elements": ["E"]}]}]
        body = {"code": "S", "family": "teacher", "name": "标准", "effective_from": "2026-03-01", "groups": groups}
        said = {**body, "level": level, "ladders": [] if ladder is None else ladders}
        status, shown = await office.ask(AUTHOR, "POST", "/standards", said)

        assert status == (422 if pointers else 201), shown
        assert [e["pointer"] for e in shown.get("errors", [])] == [f"/groups/0/elements/0/judged/{each}" for each in pointers]
