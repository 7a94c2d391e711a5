"""How far goals are: by what is measured and delivered, upwards by the declared rule, and what lies below a node."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.common.event import Message, encode
from libs.common.events.monitoring import WarningCleared, WarningRevised
from libs.common.events.planning import MeasureWanted
from services.planning.queries import goal_id
from tests.conftest import SettableClock
from tests.service.harness import SCHOOL, ServiceUnderTest, principal
from tests.service.planning.chain import (
    HEAD,
    TEACHER,
    drafted,
    goal,
    made,
    measured,
    plan,
    published,
    seen,
    set_up,
    standing,
)
from tests.service.planning.school import NOON, planning, tell, warning
from tests.service.planning.tasks import HUBEI, task


def personal(code: str = "T1-2026", **said: Any) -> dict[str, Any]:
    return plan(code, **{"kind": "personal", "level": "teacher", "subject": "T1", "period_to": "2026-12-31", **said})


def own(code: str, metric: str, target: float, **said: Any) -> dict[str, Any]:
    """A goal of a teacher's own plan."""
    measure = {"metric": metric, "level": "teacher", "window": "year", "values": [{"year": 2026, "target": target}]}
    return goal(code, **{"measure": measure, "owner": "T1", "owner_post": None, "deadline": "2026-12-31", **said})


async def test_scenario_17_a_teachers_data_list_stands_against_the_plan(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        lessons, hours = await drafted(sut, personal(), own("G1", "open_lessons", 3), own("G2", "training_hours", 60), who=TEACHER)
        await published(sut, "T1-2026", who=TEACHER, approver=HEAD)
        wanted = [m.event for m in await sut.published() if isinstance(m.event, MeasureWanted)]
        assert wanted == [
            MeasureWanted(metric=metric, level="teacher", window="year", subject="T1")
            for metric in ("open_lessons", "training_hours")
        ]
        assert (await standing(sut, lessons, TEACHER))["state"] == "no_data"

        await tell(sut, measured("open_lessons", "T1", "2"), measured("training_hours", "T1", "54"))

        first, second = await standing(sut, lessons, TEACHER), await standing(sut, hours, TEACHER)
        assert (first["value"], first["target"], first["deviation"], first["state"]) == (2, 3, -1, "behind")
        assert [f"{each['attainment']:.2%}" for each in (first, second)] == ["66.67%", "90.00%"]
        shown = await seen(sut, "/plans/T1-2026", TEACHER)
        assert (shown["met"], shown["goals"]) == (0, 2)

        await tell(sut, measured("open_lessons", "T1", "3"), measured("training_hours", "T1", "54.000001"))
        shown = await seen(sut, "/plans/T1-2026", TEACHER)
        assert (shown["met"], shown["goals"]) == (1, 2)
        assert (await standing(sut, hours, TEACHER))["value"] == 54.000001


async def test_the_newest_telling_of_a_window_stands_and_told_again_changes_nothing(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        (id_,) = await drafted(sut, plan("M"), goal("G1"))
        await published(sut, "M")
        first, second = (
            Message(uuid4(), NOON, SCHOOL, measured("dual_qualified", SCHOOL, n, of="3", level="school")) for n in ("1", "2")
        )

        await sut.take("monitoring", encode(first), encode(second))
        await sut.take("monitoring", encode(first))
        await tell(sut, measured("dual_qualified", "other", "3", of="3", level="school"))

        found = await standing(sut, id_)
        assert (found["value"], found["state"], found["as_of"]) == (0.666667, "on_track", "2026-01-01")


async def test_a_window_that_lost_its_data_is_no_data_and_never_zero(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        (id_,) = await drafted(sut, plan("M"), goal("G1"))
        await published(sut, "M")
        told = measured("dual_qualified", SCHOOL, "2", of="3", level="school")
        lost = told.model_copy(update={"measurements": [told.measurements[0].model_copy(update={"value": None})]})
        await tell(sut, told)
        await tell(sut, lost)

        found = await standing(sut, id_)
        assert (found["state"], found["value"], found["attainment"]) == ("no_data", None, None)


async def test_a_ratio_on_its_target_is_met_though_its_rounded_value_is_not(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        measure = {
            "metric": "T-DQ",
            "level": "school",
            "window": "year",
            "operator": "at_most",
            "values": [{"year": 2026, "target": 0.333333}],
        }
        (id_,) = await drafted(sut, plan("M"), goal("G1", measure=measure))
        await published(sut, "M")
        await tell(sut, measured("dual_qualified", SCHOOL, "1", of="3", level="school"))

        found = await standing(sut, id_)
        assert (found["value"], found["state"]) == (0.333333, "behind")  # a third is more than 0.333333


async def test_the_next_year_has_another_target_from_its_first_day_in_the_schools_zone(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        await set_up(sut)
        measure = {"indicator": "dual-year", "values": [{"year": 2026, "target": 0.6}, {"year": 2027, "target": 0.7}]}
        (id_,) = await drafted(sut, plan("M"), goal("G1", measure=measure))
        await published(sut, "M")
        await tell(sut, measured("dual_qualified", SCHOOL, "65", of="100", level="school"))
        assert (await standing(sut, id_))["state"] == "on_track"

        clock.now = NOON.replace(month=12, day=31, hour=15, minute=59)
        await _tick(sut)
        assert (await standing(sut, id_))["target"] == 0.6
        clock.advance(minutes=1)
        await _tick(sut)
        found = await standing(sut, id_)
        assert (found["target"], found["state"], found["deviation"]) == (0.7, "behind", -0.05)


async def _tick(sut: ServiceUnderTest) -> None:
    await sut.run("standings")


async def test_a_deliverable_is_on_track_until_its_deadline_behind_after_it_and_met_when_all_are_there(
    database_url: str, tmp_path: Path
) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        await set_up(sut)
        thing = {"name": "省级精品课程", "level": "provincial", "number": 2, "acceptance": "省厅发文"}
        (id_,) = await drafted(sut, plan("M"), goal("G1", measure=None, deliverable=thing, deadline="2026-06-30"))
        await published(sut, "M")
        assert (await standing(sut, id_))["state"] == "no_data"
        await _deliver(sut, id_, 1)
        assert (await standing(sut, id_))["state"] == "on_track"

        clock.now = NOON.replace(month=6, day=30, hour=16)
        await _tick(sut)
        found = await standing(sut, id_)
        assert (found["state"], found["attainment"]) == ("behind", 0.5)
        assert (await _deliver(sut, id_, 2))["standing"]["state"] == "met"


async def test_a_deliverable_without_an_end_comes_into_force(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        thing = goal("G1", measure=None, deliverable={"name": "课程", "level": "school"}, deadline="9999-12-31")
        (id_,) = await drafted(sut, plan("M", period_to="9999-12-31"), thing)
        await published(sut, "M")

        assert (await _deliver(sut, id_, 1))["standing"]["state"] == "met"


async def _deliver(sut: ServiceUnderTest, id_: str, number: int) -> Any:
    from tests.service.planning.chain import OFFICE, made

    async with sut.as_(OFFICE) as client:
        return await made(client, f"/goals/{id_}/deliver", {"number": number, "evidence": ["鄂教职〔2026〕1号"]})


@pytest.mark.parametrize(
    ("rule", "attainment", "state"), [("weighted", 0.75, "behind"), ("minimum", 0.5, "behind"), ("maximum", 1, "met")]
)
async def test_a_parent_is_as_far_as_its_rule_says(
    database_url: str, tmp_path: Path, rule: str, attainment: float, state: str
) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        top, first, second = await _family(sut, rule)
        await tell(sut, measured("open_lessons", "K1", "4", level="course"))
        half = await standing(sut, top)
        assert (half["attainment"], half["covered"]) == (1, 0.5)
        assert half["state"] == ("met" if rule == "maximum" else "on_track")  # never met while half of it has no data

        await tell(sut, measured("open_lessons", "K2", "1", level="course"))

        found = await standing(sut, top)
        assert (found["attainment"], found["state"], found["covered"]) == (attainment, state, 1)
        below = await seen(sut, f"/goals/{top}/tree")
        assert below["below"] == {"goals": 2, "states": {"met": 1, "behind": 1}, "warned": 0, "overdue": 0}
        assert [(child["id"], child["weight"]) for child in below["children"]] == [
            (id_, 0.5 if rule == "weighted" else None) for id_ in (first, second)
        ]


async def _family(sut: ServiceUnderTest, rule: str, **top: Any) -> list[str]:
    """A goal with two below it: two open lessons each of courses K1 and K2."""
    parent = {"goal": str(goal_id(SCHOOL, "M", "TOP")), **({"weight": 0.5} if rule == "weighted" else {})}
    children = [
        goal(
            f"G-{course}",
            measure={
                "metric": "open_lessons",
                "level": "course",
                "window": "year",
                "subject": course,
                "values": [{"year": 2026, "target": 2}],
            },
            parents=[parent],
        )
        for course in ("K1", "K2")
    ]
    ids = await drafted(sut, plan("M"), goal("TOP", **{"measure": None, "roll_up": rule, **top}), *children)
    await published(sut, "M")
    return ids


async def test_a_sum_is_not_known_while_a_part_of_it_has_no_data(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        await set_up(sut)
        top, *_ = await _family(sut, "sum", measure={"unit": "节", "values": [{"year": 2026, "target": 5}]})
        await tell(sut, measured("open_lessons", "K1", "4", level="course"))
        found = await standing(sut, top)
        assert (found["state"], found["value"], found["attainment"], found["covered"]) == ("no_data", 4, None, 0.5)

        await tell(sut, measured("open_lessons", "K2", "1", level="course"))
        found = await standing(sut, top)
        assert (found["state"], found["value"], found["deviation"]) == ("met", 5, 0)


async def test_a_goal_whose_indicator_is_in_warning_shows_it_until_the_data_clears_it(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        await set_up(sut)
        top, id_ = await drafted(
            sut,
            plan("M"),
            goal("TOP", measure=None, roll_up="minimum"),
            goal("G1", parents=[{"goal": str(goal_id(SCHOOL, "M", "TOP"))}]),
        )
        await published(sut, "M")
        raised = warning(indicator="dual-year", metric="dual_qualified", level="school", subject=SCHOOL, severity="red")
        await tell(sut, raised, warning(indicator="another", level="school", subject=SCHOOL))
        found = await standing(sut, id_)
        assert (found["warned"], found["overdue"]) == (True, 0)

        clock.advance(days=8)
        node = (await seen(sut, f"/goals/{top}/tree"))["below"]
        assert (node["warned"], node["overdue"]) == (1, 1)

        numbers = {"start": date(2026, 3, 2), "value": 1, "numerator": 1, "denominator": 1}
        await tell(sut, WarningCleared(warning=raised.warning, **numbers))
        assert not (await standing(sut, id_))["warned"]
        again = WarningRevised(
            warning=raised.warning,
            status="open",
            severity="red",
            window="year",
            line=0,
            because="corrected",
            reason="错",
            **numbers,
        )
        await tell(sut, again)
        assert (await standing(sut, id_))["warned"]


async def test_a_goals_overdue_annual_tasks_are_counted_in_its_tree(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        await set_up(sut)
        below = goal("G1", parents=[{"goal": str(goal_id(SCHOOL, "M", "TOP"))}])
        top, id_ = await drafted(sut, plan("M"), goal("TOP", measure=None, roll_up="minimum"), below)
        await published(sut, "M")
        await sut.handle(HUBEI)
        async with sut.as_(principal("task.assign", "task.read", id="Q1")) as office:
            await made(office, "/tasks", {"task": task(task_class="a", goal=id_, due="2026-03-09"), "unit": "mech"})
            row = await made(office, "/tasks", {"task": task(task_class="a", goal=id_, due="2026-03-09"), "unit": "mech"})
            await made(office, f"/tasks/{row['id']}/assign")
        assert (await seen(sut, f"/goals/{top}/tree"))["below"]["overdue"] == 0

        clock.advance(days=8)

        assert (await standing(sut, id_))["overdue"] == 1, "of the two the one that somebody has"
        assert (await seen(sut, f"/goals/{top}/tree"))["below"]["overdue"] == 1
