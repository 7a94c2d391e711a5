"""What reporting says in words, and which states count as open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

import msgspec

SEVERITIES = ("blue", "yellow", "orange", "red")
UNCLEARED = ("open", "acknowledged", "improving", "stale")
IMPROVEMENT_STATES = ("proposed", "running", "submitted", "returned", "verified", "closed")
_UNSUBMITTED = ("proposed", "running", "returned")

_COLOURS = {"blue": "蓝色", "yellow": "黄色", "orange": "橙色", "red": "红色"}
_PAST = {"below": "低于", "above": "高于"}
_CLOSED = {"verified": "验收通过", "dismissed": "预警不成立", "withdrawn": "预警已撤回"}
_SOURCES = {
    "self_check": "自查",
    "mid_term_check": "中期检查",
    "spot_check": "抽查",
    "patrol": "巡查",
    "complaint": "投诉",
    "incident": "质量事故",
    "diagnosis_item": "诊断",
    "review_element": "复核",
    "collection": "年度收集",
}
_VERDICTS = {"effect": "有效", "no_detectable_effect": "未检出效果", "worse": "变差", "too_few": "样本不足，不作判断"}
_POSTS = {
    "teacher": "任课教师",
    "class_teacher": "班主任",
    "course_leader": "课程负责人",
    "programme_leader": "专业负责人",
    "office_head": "教研室主任",
    "department_quality_officer": "部门质量专员",
    "department_head": "部门负责人",
    "level_group": "推进组",
    "quality_office": "质量办",
    "school_leader": "校领导",
}
_JSON = msgspec.json.Encoder(decimal_format="number")


def is_overdue(status: str, late: bool) -> bool:
    """Whether a task whose due date passed (`late`) still waits for its submission."""
    return late and status in _UNSUBMITTED


def to_json(value: Any) -> str:
    """Return compact JSON; decimals as the exact numbers that they are."""
    return _JSON.encode(value).decode()


def plain(value: Decimal) -> str:
    """Print a number without exponent and without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True)
class Measure:
    """How a metric's values are printed: a ratio as a percentage, anything else with its unit."""

    kind: str | None
    unit: str | None = None

    def show(self, value: Decimal) -> str:
        if self.kind != "ratio":
            return plain(value) + (self.unit or "")
        return plain((value * 100).quantize(Decimal("0.01"), ROUND_HALF_UP)) + "%"


@dataclass(frozen=True, slots=True)
class Work:
    """A task, a letter or something due, whose it is (a unit's, else a person's), and where it lies (`kind:id`).

    `level` and `subject`: what it is about, where that is neither.
    """

    kind: str
    id: UUID
    unit: str | None
    person: str | None
    places: list[str]
    level: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class About:
    """Which warning a sentence is about."""

    subject: str
    subject_name: str | None
    indicator_name: str

    def __str__(self) -> str:
        return f"{self.subject_name or self.subject}“{self.indicator_name}”"


@dataclass(frozen=True, slots=True)
class Reading:
    """The number that was judged."""

    value: Decimal
    numerator: Decimal
    denominator: Decimal

    def show(self, measure: Measure) -> str:
        return f"{measure.show(self.value)}（{plain(self.numerator)}/{plain(self.denominator)}）"


def colour(severity: str) -> str:
    return _COLOURS.get(severity, severity)


def raised(about: About, severity: str, comparison: str, reading: Reading, line: Decimal, measure: Measure) -> str:
    past = _PAST.get(comparison, "越过")
    return f"{about}为{reading.show(measure)}，{past}预警线{measure.show(line)}：{colour(severity)}预警"


def escalated(about: About, severity: str, reading: Reading, line: Decimal, measure: Measure) -> str:
    return f"{about}为{reading.show(measure)}，越过{measure.show(line)}：升为{colour(severity)}预警"


def cleared(about: About, reading: Reading, measure: Measure) -> str:
    return f"{about}回到{reading.show(measure)}：预警解除"


def acknowledged(about: About, by: str) -> str:
    return f"{by}已知悉{about}的预警"


def improving(about: About) -> str:
    return f"{about}的整改已开始"


def dismissed(about: About, by: str, reason: str) -> str:
    return f"{by}判定{about}的预警不成立：{reason}"


def stale(about: About) -> str:
    return f"{about}长时间没有数据：预警保持，标为数据中断"


def resumed(about: About) -> str:
    return f"{about}恢复数据"


def withdrawn(about: About, reason: str) -> str:
    return f"{about}的预警撤回，数据已更正：{reason}"


def revised(about: About, severity: str, value: str, reason: str) -> str:
    return f"数据更正后{about}为{value}，{colour(severity)}预警仍然成立：{reason}"


def opened(
    title: str, owner: str | None, vacant: Sequence[str], due_on: date, *, source: str = "warning", again: bool = False
) -> str:
    who = f"责任人{owner}" if owner else "责任岗位空缺"
    passed = f"（{'、'.join(_POSTS.get(post, post) for post in vacant)}空缺）" if vacant else ""
    of = f"（{_SOURCES[source]}发现）" if source in _SOURCES else ""
    repeated = "，同类问题再次出现" if again else ""
    return f"整改任务“{title}”{of}已下达{repeated}：{who}{passed}，{due_on.isoformat()}前完成"


def started(title: str, by: str, measures: Sequence[str], deadline: date) -> str:
    return f"{by}开始“{title}”：{'、'.join(measures) or '未列措施'}，{deadline.isoformat()}前达成"


def submitted(title: str, by: str, done: str) -> str:
    return f"{by}提交“{title}”：{done}"


def returned(title: str, by: str, reason: str) -> str:
    return f"{by}退回“{title}”：{reason}"


def verified(title: str, by: str, reason: str | None) -> str:
    return f"{by}验收“{title}”" + (f"：{reason}" if reason else "")


def reopened(title: str, reason: str) -> str:
    return f"“{title}”重新打开，预警仍然成立：{reason}"


def closed(title: str, reason: str) -> str:
    return f"“{title}”已关闭：{_CLOSED.get(reason, reason)}"


def due_changed(title: str, severity: str, due_on: date, earlier: bool) -> str:
    moved = "提前到" if earlier else "仍为"
    return f"预警现为{colour(severity)}，“{title}”的期限{moved}{due_on.isoformat()}"


def progressed(title: str, by: str, text: str) -> str:
    return f"{by}更新“{title}”的进展：{text}"


def plan_overdue(title: str, plan_due_on: date) -> str:
    return f"“{title}”的整改方案已逾期：应于{plan_due_on.isoformat()}前提出"


def overdue(title: str, due_on: date) -> str:
    return f"“{title}”已逾期：应于{due_on.isoformat()}前提交"


def effect(what: str, before: str, after: str, verdict: str) -> str:
    return f"{what}的整改成效：整改前{before}，整改后{after}，{_VERDICTS.get(verdict, verdict)}"


# --- annual tasks, letters, and what is due ---------------------------------------------------------------------------------


def level_of(kind: str | None) -> str:
    """The level of a unit by its kind in the roster: any other than these is a department."""
    return kind if kind in {"programme", "school"} else "department"


def task_assigned(whose: str, title: str, due_on: date) -> str:
    return f"{whose}的年度任务“{title}”已下达：{due_on.isoformat()}前完成"


def task_verified(whose: str, title: str, by: str, met: bool, score: Decimal | None) -> str:
    reached = "已达成" if met else "未达成"
    return f"{by}核验{whose}的年度任务“{title}”：{reached}" + ("" if score is None else f"，{plain(score)}分")


def task_overdue(whose: str, title: str, due_on: date) -> str:
    return f"{whose}的年度任务“{title}”已逾期：应于{due_on.isoformat()}前完成"


def agreement_signed(whose: str, name: str, year: int, version: int, by: str) -> str:
    return f"{by}签署{whose}的{year}年{name}（第{version}版）"


def due_item_overdue(whose: str, name: str, due_on: date) -> str:
    return f"{whose}的“{name}”已逾期：应于{due_on.isoformat()}前完成"
