"""The matrix counts goals, standards, tasks, measures and warnings in the cells of their systems and levels, as far as the caller sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from libs.common.events.gateway import SetupChanged
from tests.service.harness import SCHOOL, ServiceUnderTest, principal
from tests.service.planning.chain import FLOOR, drafted, goal, made, plan, published, seen
from tests.service.planning.school import planning, tell, warning
from tests.service.planning.test_guarantees import OFFICE, guaranteed, measure

Cells = dict[tuple[str | None, str | None], dict[str, Any]]


async def cells(sut: ServiceUnderTest, who: Any = OFFICE, query: str = "") -> Cells:
    found = await seen(sut, f"/matrix{query}", who)
    return {(row["system"], cell["layer"]): cell for row in found["rows"] for cell in row["cells"]}


async def test_cells_say_what_there_is_and_what_is_lacking(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path) as sut:
        before = await cells(sut)
        assert before["support", "teacher"]["lacks"] == ["goals", "standards", "tasks", "measures"]
        await drafted(sut, plan("p0"), goal("g1", system="support"), goal("g2"))
        assert (await cells(sut))["support", "school"]["goals"] == 0, "a draft is no goal in force"
        await published(sut, "p0")
        await sut.handle(FLOOR.model_copy(update={"version": 2, "levels": ["student"]}))
        await tell(sut, warning(metric="assignment_completion"), warning(metric="attendance", subject="CNC102-A"))
        async with sut.as_(OFFICE) as client:
            safety = measure(mechanism="safety", level="student")
            await made(client, "/guarantees", safety)
            await made(client, "/guarantees", {**safety, "status": "done"})
            await made(client, "/guarantees", {**safety, "system": "generation"})
        found = await cells(sut)
        assert (found["support", "school"]["goals"], found["support", "school"]["lacks"]) == (1, ["standards", "tasks", "measures"])
        assert (found["generation", "student"]["standards"], found["generation", "student"]["measures"]) == (1, 1)
        assert found["support", "student"]["measures"] == 1, "the set-up says of which system a mechanism is"
        assert (found["support", "course"]["warnings"], found[None, "course"]["warnings"]) == (1, 1)
        assert (found[None, "school"]["goals"], found[None, "school"]["lacks"]) == (1, []), (
            "untagged is not guessed, and lacks nothing"
        )
        other = await cells(sut, principal("guarantee.read", over=["class:X"]))
        assert (other["support", "school"]["goals"], other["support", "course"]["warnings"]) == (1, 0)


async def test_a_standard_without_a_level_is_of_none_and_one_that_is_gone_is_not_counted(database_url: str, tmp_path: Path) -> None:
    async with guaranteed(database_url, tmp_path) as sut:
        assert (await cells(sut))["generation", None]["standards"] == 1
        later = FLOOR.model_copy(update={"version": 3, "levels": ["teacher", "student"], "effective_from": FLOOR.effective_from})
        await sut.handle(later)
        found = await cells(sut)
        assert [found["generation", layer]["standards"] for layer in ("teacher", "student")] == [1, 1]
        assert ("generation", None) not in found


async def test_each_axis_of_systems_has_a_matrix_of_its_own(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        axes = [("systems", "goals", "目标系统"), ("verticals", "decision", "决策指挥")]
        framework = [{"code": axis, "name": axis, "tags": [{"code": code, "name": name}]} for axis, code, name in axes]
        await tell(sut, SetupChanged(code=SCHOOL, content={"framework": framework}))
        first = await seen(sut, "/matrix", OFFICE)
        assert (first["axis"], first["axes"], [row["system"] for row in first["rows"]]) == (
            "systems",
            ["systems", "verticals"],
            ["goals"],
        )
        other = await seen(sut, "/matrix?axis=verticals", OFFICE)
        assert [row["name"] for row in other["rows"]] == ["决策指挥"]
        async with sut.as_(OFFICE) as client:
            assert (await client.get("/matrix?axis=x")).json()["errors"][0]["pointer"] == "/axis"


async def test_a_school_that_names_no_systems_has_what_there_is_untagged(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await tell(sut, warning())
        assert list(await cells(sut)) == [(None, "course")]
