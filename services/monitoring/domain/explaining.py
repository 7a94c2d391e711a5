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
    mildest, at, least = indicator.lines[0], decimal(line), decimal(indicator.min_denominator)
    clear = f"{decimal(mildest.clear):f}"
    if mildest.upper is not None:
        clear = f"[{clear}, {decimal(mildest.upper.clear):f}]"
    under = indicator.is_under(line)
    zh_side, zh_back = ("低于", "不低于") if under else ("高于", "不高于")
    en_side, en_back = ("below", "not below") if under else ("above", "not above")
    if indicator.outside:
        zh_back, en_back = "处于", "within"
    zh, en = _patience(indicator)
    return (
        f"{_ZH[indicator.kind]}；{zh_side} {at:f} 预警，{zh_back} {clear} 解除；分母不少于 {least:f} 才判定{zh}",
        f"{_EN[indicator.kind]}; warned {en_side} {at:f}, cleared {en_back} {clear}; judged from a denominator of {least:f} on{en}",
    )


def _patience(indicator: Indicator) -> tuple[str, str]:
    """What keeps a warning from flapping, or makes it worse with time, where the indicator asks for it."""
    zh, en, again = "", "", indicator.repetition
    if indicator.raise_after > 1:
        zh += f"；连续 {indicator.raise_after} 个窗口越线才预警"
        en += f"; warned after {indicator.raise_after} windows in a row"
    if indicator.clear_after > 1:
        zh += f"；连续 {indicator.clear_after} 个窗口恢复才解除"
        en += f"; cleared after {indicator.clear_after} windows in a row"
    if indicator.hold_days:
        zh += f"；预警后至少保持 {indicator.hold_days} 天"
        en += f"; held for {indicator.hold_days} days"
    if again is not None:
        zh += f"；连续 {again.windows} 个窗口越线至少为 {again.severity}"
        en += f"; at least {again.severity} after {again.windows} windows in a row"
    return zh, en


def contributions(
    indicator: Indicator, line: int, parts: Iterable[tuple[Mapping[str, str], int, int]], most: int
) -> Sequence[Contribution]:
    """The subjects below the warned one that pull the value past the line most, worst first.

    `parts` are observations: the subjects that each counts for, numerator, denominator (millionths). A subject's weight is the
    numerator that it lacks to be on the line (passed downwards), or has too much (upwards); of sums and counts its numerator.
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
    under = indicator.is_under(line)
    if indicator.kind in ADDITIVE:
        return Fraction(-total.numerator if under else total.numerator, MILLION)
    lacks = Fraction(line * total.denominator, MILLION * MILLION) - Fraction(total.numerator, MILLION)
    return lacks if under else -lacks
