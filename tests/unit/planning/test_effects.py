"""What an improvement has changed, in words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from services.planning.domain.effects import words_of
from services.planning.domain.wording import Number
from tests.service.planning.school import effect

PEERS = "同期情况相近、未在整改的 12 个班级由 71% 变为 76.5%；"
OTHERS = "同期情况相近、未在整改的 12 个班级由 0.71 变为 0.765；"
UNJUDGED = {"difference": None, "low": None, "high": None, "spread": None, "verdict": "too_few", "peers": 3}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (UNJUDGED, "整改前 70%，整改后 95.33%；同期情况相近、未在整改的 3 个班级由 71% 变为 76.5%；样本不足，不作判断。"),
        (
            {**UNJUDGED, "peers": 0, "peers_before": None, "peers_after": None, "after": None},
            "整改前 70%，整改后 无数据；样本不足，不作判断。",
        ),
        (
            {"difference": Decimal("-0.1"), "low": Decimal("-0.15"), "high": Decimal("-0.05"), "verdict": "worse"},
            "整改前 70%，整改后 95.33%；" + PEERS + "相差 -10 个百分点（95% 区间 -15 至 -5），变差。",
        ),
        (
            {"metric": "hazards", "before": Decimal(7), "after": Decimal(5), "difference": Decimal("-2.5"), "verdict": "effect"},
            "整改前 7，整改后 5；" + OTHERS + "相差 -2.5（95% 区间 +0.1456 至 +0.2511），有效。",
        ),
    ],
)
def test_every_answer_has_its_words(changes: dict[str, Any], words: str) -> None:
    number = Number(percent="metric" not in changes)
    assert words_of(effect(uuid4(), uuid4(), **changes), number) == words
