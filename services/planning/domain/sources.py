"""Where a problem comes from: a warning, or one of the ways in which people find it."""

from __future__ import annotations

from typing import Literal, get_args

from services.planning.domain.settings import FoundBy

WARNING: Literal["warning"] = "warning"
Source = Literal["warning", FoundBy]
WORDS: dict[str, str] = {
    "warning": "预警",
    "self_check": "自查",
    "mid_term_check": "中期检查",
    "spot_check": "抽查",
    "patrol": "巡查",
    "complaint": "投诉",
    "incident": "质量事故",
    "diagnosis_item": "诊断项目",
    "review_element": "复核要素",
    "collection": "年度收集",
}
FOUND_BY: dict[str, FoundBy] = {WORDS[source]: source for source in get_args(FoundBy)}
"""The ways in which people find problems, by their words in a ledger's column 来源."""
