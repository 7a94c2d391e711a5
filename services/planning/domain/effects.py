"""What an improvement has changed, in plain Chinese for whoever answers for it."""

from __future__ import annotations

from decimal import Decimal

from libs.common.events.monitoring import EffectMeasured
from services.planning.domain.wording import LEVELS, Number

VERDICTS = {
    "effect": "有效",
    "no_detectable_effect": "未检出效果",
    "worse": "变差",
    "too_few": "样本不足，不作判断",
}


def words_of(fact: EffectMeasured, number: Number) -> str:
    """Return for example 整改前 70%，整改后 95%；同期情况相近、未在整改的 12 个班级由 71% 变为 76.5%；相差 +19.5 个百分点（95% 区间 +14.2 至 +24.8），有效。"""
    said = [f"整改前 {_value(fact.before, number)}，整改后 {_value(fact.after, number)}"]
    if fact.peers:
        before, after = (_value(each, number) for each in (fact.peers_before, fact.peers_after))
        said.append(f"同期情况相近、未在整改的 {fact.peers} 个{LEVELS[fact.level]}由 {before} 变为 {after}")
    verdict = VERDICTS[fact.verdict]
    if fact.difference is None or fact.low is None or fact.high is None:
        return "；".join([*said, f"{verdict}。"])
    difference, low, high = (_change(each, number) for each in (fact.difference, fact.low, fact.high))
    unit = " 个百分点" if number.percent else ""
    level = Number(percent=True).exact(fact.confidence)
    return "；".join([*said, f"相差 {difference}{unit}（{level} 区间 {low} 至 {high}），{verdict}。"])


def _value(value: Decimal | None, number: Number) -> str:
    return "无数据" if value is None else number.text(value, value - 1)


def _change(value: Decimal, number: Number) -> str:
    written = number.text(value, Decimal(0)).removesuffix("%")
    return f"+{written}" if value > 0 else written
