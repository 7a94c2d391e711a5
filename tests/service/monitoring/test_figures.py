"""How subjects stand by the indicators of their level: newest window, the one before, the line; side by side for a course."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.service.harness import ServiceUnderTest, principal
from tests.service.monitoring.world import EVERYTHING, NOW, indicator, monitoring, own, roster, sent, take

LINES = {"orange": (0.8, 0.85), "yellow": (0.9, 0.95)}


async def filled(sut: ServiceUnderTest) -> None:
    await sut.handle(indicator("week", lines=LINES, level="class"), indicator("mine", level="student"))
    await take(
        sut,
        sent("a", 9, 10, day="2026-03-02", class_="C1", student="S1"),
        sent("b", 7, 10, day="2026-03-09", class_="C1", student="S1"),
        sent("c", 1, 2, day="2026-03-09", class_="C2", student="S2"),
    )


async def figures(sut: ServiceUnderTest, **params: Any) -> list[dict[str, Any]]:
    async with sut.as_(EVERYTHING) as client:
        answer = await client.get("/figures", params=params)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found


async def test_a_class_stands_by_its_newest_window_the_one_before_and_the_mildest_line(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster()) as sut:
        await filled(sut)
        (found,) = await figures(sut, level="class", subject="C1")
    said = ("subject_name", "indicator", "window", "start", "value", "before", "line", "clear", "phase")
    assert [found[name] for name in said] == ["数控编程1班", "week", "week", "2026-03-09", 0.7, 0.9, 0.9, 0.95, "during_class"]


async def test_classes_of_a_course_stand_side_by_side_and_one_without_data_says_so(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster()) as sut:
        await sut.handle(indicator("week", lines=LINES, level="class"))
        found = await figures(sut, level="class", course="K1")
    assert [(each["subject"], each["value"], each["start"]) for each in found] == [("C1", None, None)]


async def test_a_line_of_the_subjects_own_unit_is_the_one_that_is_shown(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster()) as sut:
        await sut.handle(indicator("week", lines=LINES, level="class", overrides=[own("class", "C1", {"red": (0.5, 0.6)})]))
        shown = {each["subject"]: each["line"] for c in ("K1", "K2") for each in await figures(sut, level="class", course=c)}
    assert shown == {"C1": 0.5, "C2": 0.9}


async def test_nobody_sees_the_figures_of_others_and_half_a_question_is_refused(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster()) as sut:
        await filled(sut)
        async with sut.as_(principal("measurement.read", over=["student:S1"], id="S1")) as student:
            mine = await student.get("/figures", params={"level": "student", "subject": "S1"})
            other = await student.get("/figures", params={"level": "student", "subject": "S2"})
        async with sut.as_(EVERYTHING) as client:
            refused = [
                (await client.get("/figures", params=p)).status_code
                for p in ({"level": "class"}, {"level": "student", "course": "K1"})
            ]
    assert [each["indicator"] for each in mine.json()["items"]] == ["mine"]
    assert other.status_code == 404
    assert refused == [422, 422]
