"""Plain Chinese for what a task is about: titles, goals, numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from urllib.parse import urlencode

LEVELS = {
    "student": "学生",
    "teacher": "教师",
    "class": "班级",
    "homeroom": "行政班",
    "course": "课程",
    "programme": "专业",
    "department": "部门",
    "lesson": "课次",
    "school": "学校",
}
SEVERITIES = {"blue": "蓝色", "yellow": "黄色", "orange": "橙色", "red": "红色"}
MOST_PLACES = 15


@dataclass(frozen=True, slots=True)
class Number:
    """How the numbers of a metric are written: a ratio in percent, everything else as it is.

    `additive`: the value is the numerator alone, of which the denominator only says that there is one.
    """

    percent: bool
    additive: bool = False

    def exact(self, value: Decimal) -> str:
        """Write a value whole, without needless zeros: lines have at most 6 decimals."""
        return self._sign(_plain(value * self._scale))

    def text(self, value: Decimal, line: Decimal) -> str:
        """Write a value rounded to 2 decimals in percent, 4 otherwise; to more where it would not show its side of the line."""
        value, line = value * self._scale, line * self._scale
        places = 2 if self.percent else 4
        written = _rounded(value, places)
        while places < MOST_PLACES and written.compare(line) != value.compare(line):
            places += 1
            written = _rounded(value, places)
        return self._sign(_plain(written))

    @property
    def _scale(self) -> int:
        return 100 if self.percent else 1

    def _sign(self, written: str) -> str:
        return f"{written}%" if self.percent else written


def title(*, level: str, subject: str, indicator: str, comparison: str, severity: str, value: str, line: str) -> str:
    """Return for example 班级「数控2301班」周作业完成率 75.31% 低于橙色警戒线 80%."""
    word = LEVELS[level]
    side = "低于" if comparison == "below" else "高于"
    return f"{word}「{subject}」{_without(indicator, word)} {value} {side}{SEVERITIES[severity]}警戒线 {line}"


def goal(*, level: str, indicator: str, comparison: str, clear: str) -> str:
    """Return the clear line in words: 周作业完成率不低于 85%."""
    side = "不低于" if comparison == "below" else "不高于"
    return f"{_without(indicator, LEVELS[level])}{side} {clear}"


def curve(*, metric: str, level: str, window: str, subject: str) -> str:
    """Return where the indicator's curve of the subject is read: the evidence that the system attaches."""
    return "/api/v1/monitoring/measurements?" + urlencode({"metric": metric, "level": level, "window": window, "subject": subject})


def told_opened(title: str, due_on: date) -> str:
    """What the owner is told of a new task."""
    return f"整改任务“{title}”由您负责，{due_on.isoformat()}前完成"


def told_submitted(title: str) -> str:
    return f"“{title}”已提交，请验收"


def told_returned(title: str, reason: str) -> str:
    return f"“{title}”被退回：{reason}"


def told_verified(title: str) -> str:
    return f"“{title}”已通过验收"


def told_overdue(title: str, due_on: date) -> str:
    return f"“{title}”已逾期：应于{due_on.isoformat()}前提交"


def told_plan_overdue(title: str, plan_due_on: date) -> str:
    return f"“{title}”的整改方案已逾期：应于{plan_due_on.isoformat()}前提出"


def _without(indicator: str, word: str) -> str:
    return indicator.removeprefix(word).strip() or indicator


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
