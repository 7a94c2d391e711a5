"""What improvements have changed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from libs.common.http import Exact, View
from services.monitoring.domain.effect import CONFIDENCE, Finding, pool

Verdict = Literal["effect", "no_detectable_effect", "worse", "too_few"]


class EffectsView(View):
    """What the improvements of an indicator that were measured have changed, taken together.

    `verdicts` counts them by verdict. `gain` is the mean difference beside their peers in the metric's unit, positive is better, within
    `low` and `high` at the level `confidence`; null, and the verdict `too_few`, below 8 judged improvements.
    """

    indicator: str
    improvements: int
    verdicts: dict[Verdict, int]
    verdict: Verdict
    gain: Exact | None
    low: Exact | None
    high: Exact | None
    confidence: Exact

    @classmethod
    def of(cls, indicator: str, found: Sequence[tuple[int, dict[str, Any]]]) -> "EffectsView":
        verdicts = Counter(each["verdict"] for _, each in found)
        findings = [(better, Finding.of(each)) for better, each in found]
        said = {"indicator": indicator, "improvements": len(found), "verdicts": verdicts, "confidence": CONFIDENCE}
        return EffectsView(**said, **asdict(pool(findings)))
