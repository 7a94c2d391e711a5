"""Why a warning stands, in words and parts: the formula, and who contributed most to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from services.monitoring.domain.episodes import ADDITIVE, MILLION, Indicator, Sum, decimal

BELOW: Mapping[str, Sequence[str]] = {
    "student": ("class", "lesson"),
    "lesson": ("student",),
    "teacher": ("class", "lesson"),
    "homeroom": ("student",),
    "class": ("student", "teacher", "lesson"),
    "course": ("class", "student", "teacher"),
    "programme": ("course", "class", "homeroom", "student"),
    "department": ("programme", "course", "class", "homeroom", "student"),
    "school": ("department", "programme", "course", "class", "homeroom", "student"),
}
"""What a level is made of, as an explanation shows it."""
_ZH = {
    "ratio": "分子合计 ÷ 分母合计",
    "mean": "数值合计 ÷ 次数合计",
    "latest": "最新一次的分子 ÷ 分母",
    "sum": "数值合计",
    "count": "次数合计",
}
_EN = {
    "ratio": "sum of numerators / sum of denominators",
    "mean": "sum of values / sum of weights",
    "latest": "numerator / denominator of the newest observation",
    "sum": "sum of values",
    "count": "sum of counts",
}


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one subject adds to the number, and by how much it pulls it past the line (`weight`, greater is worse)."""

    level: str
    subject: str
    total: Sum
    weight: Fraction


def formula(indicator: Indicator, line: int) -> tuple[str, str]:
    """How the value is made and judged, in Chinese and in English; a value on the line is not past it."""
    clear, least = decimal(indicator.lines[0].clear), decimal(indicator.min_denominator)
    at = decimal(line)
    zh = f"{_ZH[indicator.kind]}；{'低于' if indicator.below else '高于'} {at:f} 预警，{'不低于' if indicator.below else '不高于'} {clear:f} 解除；分母不少于 {least:f} 才判定"
    side, back = ("below", "not below") if indicator.below else ("above", "not above")
    en = f"{_EN[indicator.kind]}; warned {side} {at:f}, cleared {back} {clear:f}; judged from a denominator of {least:f} on"
    return zh, en


def contributions(
    indicator: Indicator, line: int, parts: Iterable[tuple[Mapping[str, str], int, int]], most: int
) -> Sequence[Contribution]:
    """The subjects below the warned one that pull the value past the line most, worst first.

    `parts` are observations: the subjects that each counts for, numerator, denominator (millionths). A subject's weight is the
    numerator that it lacks to be on the line (`below`), or has too much (`above`); of sums and counts its numerator.
    """
    below = BELOW[indicator.level]
    totals: dict[tuple[str, str], Sum] = defaultdict(Sum)
    for subjects, numerator, denominator in parts:
        for level in below:
            if level in subjects:
                totals[level, subjects[level]] += Sum(numerator, denominator, 1)
    found = [Contribution(level, subject, total, _weight(indicator, line, total)) for (level, subject), total in totals.items()]
    pulling = [each for each in found if each.weight > 0]
    return sorted(pulling, key=lambda each: (-each.weight, below.index(each.level), each.subject))[:most]


def _weight(indicator: Indicator, line: int, total: Sum) -> Fraction:
    if indicator.kind in ADDITIVE:
        return Fraction(-total.numerator if indicator.below else total.numerator, MILLION)
    lacks = Fraction(line * total.denominator, MILLION * MILLION) - Fraction(total.numerator, MILLION)
    return lacks if indicator.below else -lacks
