"""What is said of the effect of an improvement."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from libs.common.events.monitoring import EffectMeasured
from libs.common.http import Exact, View
from services.planning.domain.effects import VERDICTS, words_of
from services.planning.domain.wording import Number

Verdict = Literal["effect", "no_detectable_effect", "worse", "too_few"]


class EffectBrief(View):
    """What an improvement has changed, shortly."""

    verdict: Verdict
    words: str = Field(description="The whole of it in Chinese.")


class EffectView(EffectBrief):
    """What an improvement has changed beside peers that were as low before and were not being improved; numbers in the metric's unit.

    `difference` is the subject's change less the mean one of its peers, within `low` and `high` at the level `confidence`; null where
    nothing is judged (`too_few`: fewer than 8 peers, or no value of the subject). Days are inclusive, in the school's zone.
    """

    verdict_name: str = Field(examples=["有效"])
    before: Exact | None
    after: Exact | None
    peers: int
    peers_before: Exact | None = Field(description="The mean of the peers.")
    peers_after: Exact | None
    difference: Exact | None
    low: Exact | None
    high: Exact | None
    confidence: Exact
    better: Literal[1, -1] = Field(description="1 where a higher value is better, else -1.")
    method: str
    window: str
    windows: int = Field(description="How many windows were measured afterwards.")
    before_from: date
    before_to: date
    after_from: date
    after_to: date
    revision: int = Field(description="Late data and corrections make further ones.")
    measured_at: datetime

    @classmethod
    def of(cls, fact: EffectMeasured, number: Number) -> EffectView:
        said = {name: getattr(fact, name) for name in cls.model_fields if name not in {"words", "verdict_name"}}
        return cls(**said, words=words_of(fact, number), verdict_name=VERDICTS[fact.verdict])
