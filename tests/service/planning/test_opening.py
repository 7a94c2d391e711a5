"""A warning opens one improvement: with the right title, people and dates, however often it is told."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.common.event import Message, encode
from libs.common.events.gateway import Post, PostsImported, SchoolAdded
from libs.common.events.monitoring import WarningCleared, WarningDismissed, WarningEscalated, WarningRaised
from libs.common.events.planning import ImprovementClosed, ImprovementDueChanged, ImprovementOpened
from services.planning.service import service
from tests.conftest import SettableClock
from tests.service.harness import SCHOOL, ServiceUnderTest, principal, running
from tests.service.planning.school import (
    CLASS_PLACES,
    ENROLLMENTS,
    NOON,
    PEOPLE,
    STUDENT_PLACES,
    one,
    planning,
    roster,
    student_warning,
    tell,
    warning,
    without,
)

READER = principal("improvement.read")
TITLE_RED = "班级「数控2301班」周作业完成率 50% 低于红色警戒线 60%"


def escalated(of: WarningRaised, severity: str) -> WarningEscalated:
    return WarningEscalated(
        warning=of.warning,
        severity=severity,
        window="week",
        start=of.start,
        value=Decimal("0.5"),
        numerator=Decimal(1),
        denominator=Decimal(2),
        line=Decimal("0.6"),
    )


def cleared(of: WarningRaised) -> WarningCleared:
    return WarningCleared(warning=of.warning, start=of.start, value=Decimal(1), numerator=Decimal(9), denominator=Decimal(9))


async def opened(sut: ServiceUnderTest, of: WarningRaised) -> ImprovementOpened:
    """Handle a warning and return what planning says of it."""
    await tell(sut, of)
    (message,) = await sut.published()
    assert isinstance(message.event, ImprovementOpened)
    return message.event


async def test_a_warning_opens_one_improvement_and_says_so(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        raised = warning()
        told = await opened(sut, raised)

        assert told.title == "班级「数控2301班」周作业完成率 75.31% 低于橙色警戒线 80%"
        assert (told.owner, told.owner_post, told.verifier, told.verifier_post) == ("T3", "teacher", "L1", "course_leader")
        assert (told.plan_due_on, told.due_on) == (date(2026, 3, 5), date(2026, 3, 16))
        assert (told.vacant, told.places) == ([], CLASS_PLACES)
        shown = await one(sut, told.improvement, READER)
        assert (shown["status"], shown["warning"], shown["owner_name"]) == ("proposed", str(raised.warning), "T3老师")
        assert shown["proposed_plan"] == {
            "measures": ["谈话", "补交", "听课帮扶"],
            "goal": "周作业完成率不低于 85%",
            "deadline": "2026-03-16",
        }
        assert [entry["step"] for entry in shown["history"]] == ["opened"]


async def test_a_warning_told_again_opens_nothing_whether_by_the_same_event_or_another(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        raised = warning()
        message = Message(uuid4(), NOON, SCHOOL, raised)
        await sut.take("monitoring", encode(message), encode(message))
        await sut.take("monitoring", encode(message))
        await tell(sut, raised, raised)
        await tell(sut, raised)

        assert len(await sut.published()) == 1
        async with sut.as_(READER) as client:
            assert len((await client.get("/improvements", params={"warning": str(raised.warning)})).json()["items"]) == 1


async def test_an_improvement_has_the_same_id_wherever_its_warning_is_handled(tmp_path: Path) -> None:
    raised, ids = warning(), set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        async with planning(f"sqlite+aiosqlite:///{tmp_path}/{name}.db", tmp_path / name) as sut:
            ids.add((await opened(sut, raised)).improvement)

    assert len(ids) == 1


PLACES = {
    "course": ["school:demo", "unit:mech", "unit:cnc", "course:CNC101", "level:course"],
    "programme": ["school:demo", "unit:mech", "unit:cnc", "level:programme"],
    "department": ["school:demo", "unit:mech", "level:department"],
    "teacher": ["school:demo", "unit:mech", "teacher:T1", "level:teacher"],
    "lesson": ["school:demo", "unit:mech", "course:CNC101", "class:CNC101-A", "level:lesson"],
    "homeroom": ["school:demo", "unit:mech", "unit:cnc", "class:CNC2301", "level:homeroom"],
    "school": ["school:demo", "level:school"],
    "class": CLASS_PLACES,
    "student": STUDENT_PLACES,
}
SUBJECTS = {
    "course": "CNC101",
    "programme": "cnc",
    "department": "mech",
    "teacher": "T1",
    "lesson": "CNC101-A-03-1",
    "homeroom": "CNC2301",
    "school": "demo",
    "class": "CNC101-A",
    "student": "S1",
}


@pytest.mark.parametrize(
    ("level", "gone", "owner", "post", "vacant", "verifier"),
    [
        ("student", (), "H1", "class_teacher", [], "D1"),
        ("homeroom", (), "H1", "class_teacher", [], "D1"),
        ("class", (), "T3", "teacher", [], "L1"),
        ("lesson", (), "T3", "teacher", [], "L1"),
        ("teacher", (), "T1", "teacher", [], "D1"),
        ("course", (), "L1", "course_leader", [], "D1"),
        ("programme", (), "P1", "programme_leader", [], "D1"),
        ("department", (), "D1", "department_head", [], "Q1"),
        ("school", (), "Q1", "quality_office", [], "B1"),
        ("course", ("course_leader",), "P1", "programme_leader", ["course_leader"], "D1"),
        ("course", ("course_leader", "programme_leader"), "D1", "department_head", ["course_leader", "programme_leader"], "Q1"),
        (
            "programme",
            ("programme_leader", "department_head"),
            "Q1",
            "quality_office",
            ["programme_leader", "department_head"],
            "Q2",
        ),
        ("department", ("department_head",), "Q1", "quality_office", ["department_head"], "Q2"),
        ("school", ("school_leader",), "Q1", "quality_office", [], "Q2"),
        ("school", ("quality_office",), None, "quality_office", ["quality_office"], "B1"),
        ("class", ("course_leader",), "T3", "teacher", [], "D1"),
    ],
)
async def test_the_owner_is_the_first_held_post_upwards_and_the_verifier_somebody_else(
    tmp_path: Path, level: str, gone: tuple[str, ...], owner: str | None, post: str, vacant: list[str], verifier: str
) -> None:
    async with planning(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path, without(*gone)) as sut:
        told = await opened(sut, warning(level=level, subject=SUBJECTS[level], places=PLACES[level]))

        assert (told.owner, told.owner_post, told.vacant, told.verifier) == (owner, post, vacant, verifier)


async def test_a_class_whose_teachers_left_climbs_to_the_course_leader_and_says_who_is_missing(
    database_url: str, tmp_path: Path
) -> None:
    async with planning(database_url, tmp_path) as sut:
        ended = ENROLLMENTS[1].model_copy(update={"end": date(2026, 3, 2)})
        left = PEOPLE[1].model_copy(update={"active": False})
        await tell(sut, roster(part="i2/1", people=[left], enrollments=[ended]))

        told = await opened(sut, warning())

        assert (told.owner, told.owner_post, told.vacant, told.verifier) == ("L1", "course_leader", ["teacher"], "D1")


async def test_who_held_the_post_on_the_day_of_the_warning_counts(database_url: str, tmp_path: Path) -> None:
    def course_leaders(*posts: tuple[str, date | None, date | None]) -> PostsImported:
        return PostsImported(
            part="p2/1",
            posts=[Post(person=p, post="course_leader", object="CNC101", start=s, end=e) for p, s, e in posts],
        )

    async with planning(database_url, tmp_path) as sut:
        await tell(
            sut, course_leaders(("L1", None, date(2026, 3, 2)), ("T1", date(2026, 3, 2), None), ("T2", date(2026, 3, 3), None))
        )

        told = await opened(sut, warning(level="course", subject="CNC101", places=PLACES["course"]))

        assert told.owner == "T1"


async def test_of_several_heads_the_nearest_unit_answers(database_url: str, tmp_path: Path) -> None:
    head_of_programme = PostsImported(part="p2/1", posts=[Post(person="T9", post="department_head", object="cnc")])
    async with planning(database_url, tmp_path, without("programme_leader"), head_of_programme) as sut:
        told = await opened(sut, warning(level="programme", subject="cnc", places=PLACES["programme"]))

        assert (told.owner, told.vacant) == ("T9", ["programme_leader"])


async def test_without_any_holder_the_task_is_opened_all_the_same(database_url: str, tmp_path: Path) -> None:
    async with running(service, database_url, tmp_path, SettableClock(NOON)) as sut:
        told = await opened(sut, student_warning())

        assert (told.owner, told.owner_post, told.verifier) == (None, "quality_office", None)
        assert told.vacant == ["class_teacher", "department_head", "quality_office"]
        assert told.title == "学生「学生一」班级周作业完成率 0.7531 低于橙色警戒线 0.8"


async def test_due_dates_count_from_the_day_in_the_schools_own_zone(database_url: str, tmp_path: Path) -> None:
    late = NOON.replace(hour=17)  # 1:00 of the next day in Shanghai, 9:00 of this day in Los Angeles
    async with planning(database_url, tmp_path) as sut:
        assert (await opened(sut, warning(severity="red", raised_at=late))).due_on == date(2026, 3, 10)
        await tell(sut, SchoolAdded(code=SCHOOL, name="x", timezone="America/Los_Angeles"))
        assert (await opened(sut, warning(severity="red", raised_at=late))).due_on == date(2026, 3, 9)


@pytest.mark.parametrize(("severity", "plan", "due"), [("blue", 7, 30), ("yellow", 5, 21), ("orange", 3, 14), ("red", 1, 7)])
async def test_the_worse_the_severity_the_sooner_it_is_due(tmp_path: Path, severity: str, plan: int, due: int) -> None:
    async with planning(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as sut:
        told = await opened(sut, warning(severity=severity))

        assert (told.plan_due_on, told.due_on) == (date(2026, 3, 2) + timedelta(plan), date(2026, 3, 2) + timedelta(due))


async def test_a_warning_that_worsens_on_the_other_side_gives_its_task_another_title(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        raised = warning(severity="yellow")
        told = await opened(sut, raised)
        await tell(sut, escalated(raised, "red").model_copy(update={"comparison": "above"}))
        assert (await one(sut, told.improvement, READER))["title"] == TITLE_RED.replace("低于", "高于")


async def test_a_rising_severity_takes_the_earlier_due_date_and_says_so(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        raised = warning(severity="yellow")
        told = await opened(sut, raised)
        clock.advance(days=2)

        await tell(sut, escalated(raised, "red"))

        (message,) = await sut.published()
        assert message.event == ImprovementDueChanged(
            improvement=told.improvement,
            warning=raised.warning,
            severity="red",
            due_on=date(2026, 3, 11),
            plan_due_on=date(2026, 3, 5),
            title=TITLE_RED,
        )
        shown = await one(sut, told.improvement, READER)
        assert (shown["severity"], shown["due_on"], shown["plan_due_on"]) == ("red", "2026-03-11", "2026-03-05")


async def test_a_rising_severity_names_the_worst_line_passed_in_the_title(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        raised = warning(severity="yellow")
        told = await opened(sut, raised)
        await tell(sut, escalated(raised, "red"), escalated(raised, "orange"))

        assert told.title == "班级「数控2301班」周作业完成率 75.31% 低于黄色警戒线 80%"
        assert (await one(sut, told.improvement, READER))["title"] == TITLE_RED


async def test_a_rising_severity_never_moves_a_date_back(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock(NOON)
    async with planning(database_url, tmp_path, clock=clock) as sut:
        raised = warning(severity="yellow")
        told = await opened(sut, raised)
        clock.advance(days=18)

        await tell(sut, escalated(raised, "red"))

        (message,) = await sut.published()
        assert isinstance(message.event, ImprovementDueChanged)
        assert (message.event.due_on, message.event.plan_due_on) == (date(2026, 3, 23), date(2026, 3, 7))
        shown = await one(sut, told.improvement, READER)
        assert (shown["severity"], shown["due_on"], shown["plan_due_on"]) == ("red", "2026-03-23", "2026-03-07")


async def test_a_cleared_warning_leaves_its_open_task_to_people(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        raised = warning()
        told = await opened(sut, raised)

        await tell(sut, cleared(raised), cleared(raised))

        shown = await one(sut, told.improvement, READER)
        assert (shown["status"], shown["cleared"]) == ("proposed", True)
        assert [entry["step"] for entry in shown["history"]] == ["opened", "warning_cleared"]
        assert await sut.published() == []


async def test_a_dismissed_warning_closes_its_task_once_with_that_reason(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        raised = warning()
        told = await opened(sut, raised)
        dismissed = WarningDismissed(warning=raised.warning, by="Q1", reason="误报")

        await tell(sut, dismissed, dismissed, cleared(raised), escalated(raised, "red"))

        (message,) = await sut.published()
        assert message.event == ImprovementClosed(improvement=told.improvement, warning=raised.warning, reason="dismissed")
        shown = await one(sut, told.improvement, READER)
        assert (shown["status"], shown["close_reason"], shown["severity"]) == ("closed", "dismissed", "orange")
        assert shown["history"][-1] | {"at": ""} == {
            "step": "closed",
            "at": "",
            "by": "Q1",
            "what": {"reason": "dismissed", "why": "误报"},
        }


async def test_what_is_told_of_an_unknown_warning_changes_nothing(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        stranger = warning()
        await tell(
            sut, escalated(stranger, "red"), cleared(stranger), WarningDismissed(warning=stranger.warning, by="Q1", reason="误报")
        )

        assert await sut.published() == []


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        (
            {"numerator": Decimal(79999), "denominator": Decimal(100000)},
            "班级「数控2301班」周作业完成率 79.999% 低于橙色警戒线 80%",
        ),
        (
            {
                "comparison": "above",
                "severity": "red",
                "numerator": Decimal(1),
                "denominator": Decimal(3),
                "line": Decimal("0.125"),
            },
            "班级「数控2301班」周作业完成率 33.33% 高于红色警戒线 12.5%",
        ),
        (
            {
                "metric": "absences",
                "indicator_name": "缺课",
                "numerator": Decimal("3.5"),
                "denominator": Decimal(1),
                "line": Decimal(4),
            },
            "班级「数控2301班」缺课 3.5 低于橙色警戒线 4",
        ),
        (
            {"subject_name": None, "indicator_name": "班级", "severity": "blue"},
            "班级「CNC101-A」班级 75.31% 低于蓝色警戒线 80%",
        ),
    ],
)
async def test_a_title_says_in_plain_words_what_crossed_which_line(tmp_path: Path, changes: dict[str, Any], title: str) -> None:
    async with planning(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as sut:
        assert (await opened(sut, warning(**changes))).title == title
