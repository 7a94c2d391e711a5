"""Which elements a subject meets, and how far up a ladder it is. What nobody has measured or judged is undetermined, never not met."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from services.standards.domain.content import Content, Element, Judged, Ladder, Rater, Rung
from services.standards.domain.indicators import SEVERITIES, Definition
from services.standards.domain.values import months_later

SHARE = Decimal("0.000001")


class Verdict(StrEnum):
    MET = "met"
    NOT_MET = "not_met"
    UNDETERMINED = "undetermined"


class Why(StrEnum):
    """Why an element is undetermined."""

    UNSTATED = "unstated"
    NO_DATA = "no_data"
    TOO_OLD = "too_old"
    NOT_JUDGED = "not_judged"
    EXPIRED = "expired"
    NOT_AGREED = "not_agreed"
    NO_VERSION = "no_version"
    NO_TARGET = "no_target"
    OTHER_LEVEL = "other_level"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a metric has to come to over windows of a kind: from `low` to `high`, both inclusive, None: open."""

    metric: str
    window: str
    low: Decimal | None
    high: Decimal | None
    min_denominator: Decimal | None = None
    valid_months: int | None = None

    def holds(self, value: Decimal) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True, slots=True)
class Sum:
    """What the subject has in one window, as monitoring told it."""

    start: date
    value: Decimal
    denominator: Decimal


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judgement of somebody by a post; `element` is the element as it stood then (None: elements no longer say such things). Good up
    to and including `valid_until`, None: for ever.
    """

    id: str
    met: bool
    on: date
    valid_until: date | None
    element: Element | None
    by: str = ""
    post: str = ""

    def stands(self, today: date) -> bool:
        """Whether it is not over yet."""
        return self.valid_until is None or today <= self.valid_until


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether an element is met, and what says so: the measured values, a judgement, those of several raters, or a document."""

    element: Element
    verdict: Verdict
    why: Why | None = None
    values: list[tuple[Ask, Sum]] = field(default_factory=list)
    judgement: Judgement | None = None
    raters: list[tuple[Rater, Judgement | None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one subject: its windows by (metric, window), and its judgements by element, the newest last."""

    level: str
    today: date
    sums: Mapping[tuple[str, str], Sequence[Sum]]
    judgements: Mapping[str, Sequence[Judgement]]
    indicators: Mapping[str, Definition]


def finding_of(element: Element, known: Known) -> Finding:
    """Decide one element."""
    match element.met_by:
        case "measured":
            return _measured(element, known)
        case "judged":
            return _judged(element, known)
        case "document":
            stands = element.document is not None and element.document.version is not None
            return Finding(element, Verdict.MET) if stands else Finding(element, Verdict.UNDETERMINED, Why.NO_VERSION)
        case None:
            return Finding(element, Verdict.UNDETERMINED, Why.UNSTATED)


def _judged(element: Element, known: Known) -> Finding:
    """The newest judgement decides, while the element says what it said then, and until the judgement is over."""
    made = [each for each in known.judgements.get(element.code, ()) if each.element == element]
    if element.judged is not None and element.judged.raters:
        return _rated(element, element.judged, made, known.today)
    if not made:
        return Finding(element, Verdict.UNDETERMINED, Why.NOT_JUDGED)
    newest = made[-1]
    if not newest.stands(known.today):
        return Finding(element, Verdict.UNDETERMINED, Why.EXPIRED, judgement=newest)
    return Finding(element, Verdict.MET if newest.met else Verdict.NOT_MET, judgement=newest)


def _rated(element: Element, judged: Judged, made: Sequence[Judgement], today: date) -> Finding:
    """The newest judgement of each side counts. It is decided as soon as those that are lacking cannot change it."""
    newest = {each.post: each for each in made}
    raters = [(rater, newest.get(rater.by)) for rater in judged.raters]
    words = {rater.by: each.met for rater, each in raters if each is not None and each.stands(today)}
    weights = {rater.by: rater.weight for rater in judged.raters if rater.weight is not None}
    if judged.passes_at is not None:
        least = sum(weight for post, weight in weights.items() if words.get(post, False))
        most = sum(weight for post, weight in weights.items() if words.get(post, True))
        decided = True if least >= judged.passes_at else False if most < judged.passes_at else None
    else:
        decided = words.popitem()[1] if len(words) == len(raters) and len(set(words.values())) == 1 else None
    if decided is not None:
        return Finding(element, Verdict.MET if decided else Verdict.NOT_MET, raters=raters)
    why = Why.NOT_JUDGED if any(each is None for _, each in raters) else Why.EXPIRED if _stale(raters, today) else Why.NOT_AGREED
    return Finding(element, Verdict.UNDETERMINED, why, raters=raters)


def _stale(raters: Sequence[tuple[Rater, Judgement | None]], today: date) -> bool:
    return any(each is not None and not each.stands(today) for _, each in raters)


def _measured(element: Element, known: Known) -> Finding:
    """One value past its line is enough for not met; otherwise one that is lacking leaves it undetermined."""
    values: list[tuple[Ask, Sum]] = []
    lacking: list[Why] = []
    for ask in asks_of(element, known.level, known.indicators):
        found = ask if isinstance(ask, Why) else _latest(ask, known)
        if isinstance(found, Why):
            lacking.append(found)
        elif isinstance(ask, Ask) and isinstance(found, Sum):
            values.append((ask, found))
    if any(not ask.holds(found.value) for ask, found in values):
        return Finding(element, Verdict.NOT_MET, values=values)
    if lacking:
        return Finding(element, Verdict.UNDETERMINED, lacking[0], values=values)
    return Finding(element, Verdict.MET, values=values)


def _latest(ask: Ask, known: Known) -> Sum | Why:
    """The latest-starting window that has data, and enough of it."""
    least = ask.min_denominator or Decimal(0)
    enough = [
        each for each in known.sums.get((ask.metric, ask.window), ()) if each.start <= known.today and each.denominator >= least
    ]
    if not enough:
        return Why.NO_DATA
    latest = max(enough, key=lambda each: each.start)
    if ask.valid_months is not None and known.today >= months_later(latest.start, ask.valid_months):
        return Why.TOO_OLD
    return latest


def asks_of(element: Element, level: str, indicators: Mapping[str, Definition]) -> list[Ask | Why]:
    """Return what an element that is measured asks of a subject: its criterion alone where it has one, else its indicators' targets."""
    if (said := element.criterion) is not None:
        low, high = (said.value, None) if said.comparison == "at_least" else (None, said.value)
        return [Ask(said.metric, said.window, low, high, said.min_denominator, said.valid_months)]
    return [_ask_of(indicators.get(code), level) for code in element.indicators] or [Why.NO_TARGET]


def _ask_of(indicator: Definition | None, level: str) -> Ask | Why:
    if indicator is None:
        return Why.NO_TARGET
    if indicator.level != level:
        return Why.OTHER_LEVEL
    low, high = indicator.target, indicator.target
    if indicator.comparison == "outside":
        mildest = min(indicator.warning_lines, key=lambda line: SEVERITIES.index(line.severity))
        low, high = mildest.enter if isinstance(mildest.enter, tuple) else (None, None)
    elif indicator.comparison == "below":
        high = None
    else:
        low = None
    if low is None and high is None:
        return Why.NO_TARGET
    return Ask(indicator.metric, indicator.window, low, high, indicator.min_denominator)


def wanted_of(content: Content, indicators: Mapping[str, Definition]) -> list[tuple[str, str, str]]:
    """Return the (metric, level, window) that its measured elements follow, each once, in order."""
    found: set[tuple[str, str, str]] = set()
    for element in content.elements:
        if element.met_by != "measured":
            continue
        if element.criterion is not None:
            found |= {(element.criterion.metric, level, element.criterion.window) for level in content.levels(element.code)}
        else:
            named = (indicators[code] for code in element.indicators if code in indicators)
            found |= {(each.metric, each.level, each.window) for each in named}
    return sorted(found)


@dataclass(frozen=True, slots=True)
class RungResult:
    """How far a subject is on one rung; `share` is met of required, None where the rung asks for nothing."""

    rung: Rung
    required: int
    met: list[Finding]
    missing: list[Finding]
    undetermined: list[Finding]
    share: Decimal | None
    attained: bool


@dataclass(frozen=True, slots=True)
class LadderResult:
    """All rungs from the lowest up, the highest that is attained, and the one after it (None: there is none)."""

    rungs: list[RungResult]
    highest: RungResult | None
    next: RungResult | None


def climb(ladder: Ladder, findings: Iterable[Finding]) -> LadderResult:
    """Judge each rung by itself; a ladder that is cumulative asks on a rung for all that is below it, too."""
    by_code = {finding.element.code: finding for finding in findings}
    rungs = [_on(rung, [by_code[code] for code in ladder.required(rung)]) for rung in ladder.rungs]
    attained = [n for n, each in enumerate(rungs) if each.attained]
    above = attained[-1] + 1 if attained else 0
    return LadderResult(rungs, rungs[attained[-1]] if attained else None, rungs[above] if above < len(rungs) else None)


def _on(rung: Rung, asked: Sequence[Finding]) -> RungResult:
    met, missing, open_ = (
        [each for each in asked if each.verdict is verdict] for verdict in (Verdict.MET, Verdict.NOT_MET, Verdict.UNDETERMINED)
    )
    share = (Decimal(len(met)) / len(asked)).quantize(SHARE) if asked else None
    return RungResult(rung, len(asked), met, missing, open_, share, attained=bool(asked) and len(met) == len(asked))
