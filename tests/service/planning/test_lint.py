"""The chain lint: each finding is there when it should be, says what and how to mend it, and is said to nobody who may not see it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from libs.common.events.standards import UNSTATED, Element, StandardActivated
from services.planning.queries import goal_id
from tests.service.harness import SCHOOL, ServiceUnderTest
from tests.service.planning.chain import (
    FLOOR,
    OFFICE,
    ORDERED,
    TEACHER,
    drafted,
    goal,
    made,
    measured,
    plan,
    published,
    seen,
    set_up,
)
from tests.service.planning.school import planning, tell


def link(code: str, weight: float | None = None) -> list[dict[str, Any]]:
    return [{"goal": str(goal_id(SCHOOL, "M", code)), **({} if weight is None else {"weight": weight})}]


async def codes(sut: ServiceUnderTest, object_: str) -> list[str]:
    """The codes of all findings about one object."""
    found = (await seen(sut, "/lint?limit=500"))["items"]
    return sorted(each["code"] for each in found if each["object"] == object_)


async def test_a_chain_that_holds_together_has_no_finding_about_its_goals(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        (id_,) = await drafted(sut, plan("M"), goal("G1", standard="ST-2C"))
        await published(sut, "M")
        assert await codes(sut, id_) == ["indicator-without-data"]
        await tell(sut, measured("dual_qualified", SCHOOL, "2", of="3", level="school"))

        assert await seen(sut, "/lint") == {"counts": {}, "errors": 0, "items": [], "more": False}


async def test_what_a_goal_lacks_is_found(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        await drafted(sut, plan("M"), goal("TOP"))
        late = goal("G2", parents=link("TOP"), deadline="2030-12-31")
        said = ({"code": "BARE"}, goal("G1", standard="NONE", parents=link("TOP"), deadline="2029-12-31"), late)
        bare, wrong, outside = await drafted(sut, plan("S", parent="M"), *said)
        shorter = {name: value for name, value in plan("S", parent="M", period_to="2030-06-30").items() if name != "code"}
        async with sut.as_(OFFICE) as office:
            assert (await office.put("/plans/S", json=shorter)).status_code == 200

        assert await codes(sut, bare) == [
            "goal-without-deadline",
            "goal-without-measure",
            "goal-without-owner",
            "goal-without-standard",
            "orphan-goal",
        ]
        assert await codes(sut, wrong) == ["unknown-standard"]
        assert await codes(sut, outside) == ["deadline-outside-period", "goal-without-standard"]
        assert await codes(sut, "S") == ["plan-without-review"]
        assert await codes(sut, "student-standard") == ["standard-unused"]
        shown = await seen(sut, "/lint?code=orphan-goal&limit=1")
        (finding,) = shown["items"]
        assert (finding["kind"], finding["sentence"], shown["more"]) == ("goal", "S/BARE: it serves no goal of a plan above", False)
        assert finding["mend"]
        assert shown["counts"]["plan-without-review"] == 2
        assert (finding["severity"], shown["errors"]) == (
            "error",
            sum(shown["counts"].values()) - 2 - shown["counts"]["standard-unused"],
        )
        async with sut.as_(OFFICE) as office:
            assert (await office.get("/lint?code=orphan")).status_code == 422, (
                "no findings of a kind that does not exist is no good news"
            )


def _raised_floor() -> StandardActivated:
    floor = FLOOR.elements[0].floor
    assert floor is not None
    more = floor.model_copy(update={"value": Decimal(7), "clause": "不少于 7 学分"})
    raised = Element(code="ST-2C", name="第二课堂", met_by="measured", floor=more)
    return FLOOR.model_copy(update={"version": 2, "elements": [raised], "effective_from": date(2026, 3, 2)})


async def test_numbers_that_do_not_fit_are_found(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)

        def of(target: float, **said: Any) -> dict[str, Any]:
            return {"measure": {"indicator": "dual-year", "values": [{"year": 2026, "target": target}], **said}}

        credit = {"metric": "credits", "level": "school", "window": "year", "values": [{"year": 2026, "target": 6}]}
        summed, weighted, _, _, first, other, low, floor = await drafted(
            sut,
            plan("M"),
            goal("SUM", measure={"values": [{"year": 2026, "target": 2}]}, roll_up="sum"),
            goal("WEIGHTED", measure=None, roll_up="weighted"),
            goal("W1", parents=link("WEIGHTED", 0.5), **of(0.6)),
            goal("W2", parents=link("WEIGHTED", 0.4), **of(0.6)),
            goal("S1", parents=link("SUM"), **of(0.6)),
            goal("S2", parents=link("SUM"), **of(0.7)),
            goal("X", **of(0.6, baseline=0.65)),
            goal("F", measure=credit),
        )
        await sut.handle(_raised_floor())

        for id_, expected in (
            (summed, "children-do-not-add-up"),
            (weighted, "children-do-not-add-up"),
            (other, "conflicting-targets"),
            (low, "target-under-baseline"),
            (floor, "target-past-floor"),
        ):
            assert expected in await codes(sut, id_), expected
        assert "conflicting-targets" not in await codes(sut, first)
        found = (await seen(sut, "/lint?code=target-past-floor"))["items"]
        assert "不少于 7 学分" in found[0]["sentence"]


async def test_elements_that_do_not_say_how_they_are_met_are_named(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        open_ = [Element(code=f"E{n}", name=f"要素{n}", met_by=UNSTATED) for n in range(7)]
        await sut.handle(StandardActivated(**{**FLOOR.model_dump(), "version": 2, "elements": [*FLOOR.elements, *open_]}))

        (found,) = (await seen(sut, "/lint?code=elements-undetermined"))["items"]

        assert (found["kind"], found["object"]) == ("standard", "student-standard")
        assert found["sentence"].endswith("of 8 elements 7 do not say how they are met (未定): 要素0、要素1、要素2、要素3、要素4…")
        assert "elements-undetermined" not in await codes(sut, "ST-2C")


async def test_a_floor_of_tomorrow_is_none_yet(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        credit = {"metric": "credits", "level": "school", "window": "year", "values": [{"year": 2026, "target": 6}]}
        (id_,) = await drafted(sut, plan("M"), goal("F", measure=credit))
        empty = StandardActivated(**{**FLOOR.model_dump(), "version": 2, "effective_from": date(2026, 3, 3), "elements": []})
        await sut.handle(empty)
        async with sut.as_(OFFICE) as office:
            low = {**credit, "values": [{"year": 2026, "target": 5}]}
            assert (await office.put(f"/goals/{id_}", json={"goal": goal("F", measure=low), "why": "试"})).status_code == 422


async def test_the_lint_says_of_anothers_personal_plan_nothing_and_counts_it_all_the_same(
    database_url: str, tmp_path: Path
) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        await drafted(sut, plan("M"), goal("TOP", measure=None, roll_up="weighted", standard="ST-2C"))
        await published(sut, "M")
        body = plan("T2-2026", kind="personal", level="teacher", subject="T2", parent="M")
        await drafted(sut, body, goal("G", parents=link("TOP", 1)), {"code": "BARE"})

        found = await seen(sut, "/lint", TEACHER)

        assert found == {"counts": {}, "errors": 0, "items": [], "more": False}
        assert (await seen(sut, "/lint"))["counts"]["goal-without-owner"] == 1
        async with sut.as_(OFFICE) as office:
            await made(office, "/plans/M/versions", ORDERED)
