"""What the timeline says, word for word."""

from datetime import date
from decimal import Decimal

import pytest

from services.reporting import domain
from services.reporting.domain import About, Measure, Reading

ABOUT = About("CNC101", "数控编程1班", "班级周作业完成率")
READING = Reading(Decimal("0.766667"), Decimal(46), Decimal(60))
RATIO = Measure("ratio")


def test_a_raised_warning_names_subject_number_line_and_colour() -> None:
    said = domain.raised(ABOUT, "orange", "below", READING, Decimal("0.80"), RATIO)

    assert said == "数控编程1班“班级周作业完成率”为76.67%（46/60），低于预警线80%：橙色预警"


def test_a_subject_without_a_name_is_called_by_its_id() -> None:
    said = domain.cleared(About("S1", None, "学生出勤率"), Reading(Decimal("0.9"), Decimal("4.5"), Decimal(5)), RATIO)

    assert said == "S1“学生出勤率”回到90%（4.5/5）：预警解除"


@pytest.mark.parametrize(
    ("measure", "value", "shown"),
    [
        (Measure("ratio"), "1", "100%"),
        (Measure("ratio"), "0.000049", "0%"),
        (Measure("ratio"), "0.000051", "0.01%"),
        (Measure("mean", "分"), "76.50", "76.5分"),
        (Measure(None), "1E+3", "1000"),
        (Measure("sum"), "100", "100"),
    ],
)
def test_a_value_is_printed_in_its_metrics_own_way(measure: Measure, value: str, shown: str) -> None:
    assert measure.show(Decimal(value)) == shown


@pytest.mark.parametrize(
    ("owner", "vacant", "expected"),
    [
        ("T1", [], "整改任务“补交作业”已下达：责任人T1，2026-03-09前完成"),
        ("T9", ["class_teacher"], "整改任务“补交作业”已下达：责任人T9（班主任空缺），2026-03-09前完成"),
        (
            None,
            ["class_teacher", "quality_office"],
            "整改任务“补交作业”已下达：责任岗位空缺（班主任、质量办空缺），2026-03-09前完成",
        ),
    ],
)
def test_an_opened_task_says_who_answers_for_it_and_which_posts_are_vacant(
    owner: str | None, vacant: list[str], expected: str
) -> None:
    assert domain.opened("补交作业", owner, vacant, date(2026, 3, 9)) == expected


def test_an_opened_task_says_how_people_found_the_problem_and_that_it_was_there_before() -> None:
    said = domain.opened("记录不全", "T1", [], date(2026, 3, 9), source="patrol", again=True)
    assert said == "整改任务“记录不全”（巡查发现）已下达，同类问题再次出现：责任人T1，2026-03-09前完成"


@pytest.mark.parametrize(
    ("status", "late", "overdue"),
    [
        ("running", True, True),
        ("returned", True, True),
        ("running", False, False),
        ("submitted", True, False),
        ("closed", True, False),
    ],
)
def test_a_late_task_is_overdue_until_it_is_submitted(status: str, late: bool, overdue: bool) -> None:
    assert domain.is_overdue(status, late) is overdue


def test_json_keeps_decimals_exact_and_plain() -> None:
    assert domain.to_json({"a": Decimal("0.000001"), "b": Decimal("123456789.123456")}) == '{"a":0.000001,"b":123456789.123456}'
