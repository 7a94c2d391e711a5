"""Whether an improvement has had an effect: its subject's change beside that of peers who were as low before.

A subject is improved because it was low, and part of being low is chance: the next value is higher on average whatever is done
(regression to the mean). So a value after is never compared with the value before alone. The method is matched
difference-in-differences for one treated subject:

- Peers are subjects of the same indicator and level, measured in the same span before, on whom no improvement was under way from
  the span before through the span after. They are matched on the value before, the nearest first, within a caliper of 0.2 standard
  deviations of that value among all of them (Cochran and Rubin, Controlling bias in observational studies, Sankhyā A 35, 1973).
  Equally low by the same chance, they go back to the mean as far as the subject would have.
- The difference is the subject's change less the mean change of the peers. Its interval is that of one new observation against a
  sample, t with n - 1 degrees of freedom times s √(1 + 1/n): a prediction interval (Hahn and Meeker, Statistical Intervals, 1991,
  chapter 4), which is the comparison of one case with a sample of Crawford and Howell (The Clinical Neuropsychologist 12, 1998); that
  with one treated unit the controls' changes are what tells chance is Conley and Taber's argument (Review of Economics and Statistics
  93, 2011).
- Of values at the end of their scale, or with few observations behind them, t finds too much. So the subject's rank among its peers must
  be as rare, too, which asks nothing of how changes are spread (a placebo test: Abadie, Diamond and Hainmueller, Journal of the American
  Statistical Association 105, 2010): at most 2.5 % have changed as far that way, the subject counted; below 39 peers none has.

What it cannot do: who is improved is not drawn by lot, so whatever else happened to the subject alone counts as the improvement's;
the interval takes changes to be about normal, and interval and rank take the subject to be as spread as its peers; peers who learn from the subject hide an effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from statistics import fmean, stdev, variance
from typing import Any

from services.monitoring.domain.episodes import ADDITIVE, MILLION, Sum, decimal, value_of
from services.monitoring.domain.windows import Calendar, Window

METHOD = "matched_difference_in_differences"
CONFIDENCE = Decimal("0.95")
LEAST_PEERS = 8  # with fewer, nothing is judged (样本不足)
MOST_PEERS = 100  # the nearest
CALIPER = 0.2  # standard deviations of the value before
WINDOWS_AFTER = {Window.DAY: 10, Window.WEEK: 4, Window.MONTH: 2, Window.TERM: 1, Window.YEAR: 1}

EFFECT, NONE, WORSE, TOO_FEW = "effect", "no_detectable_effect", "worse", "too_few"


@dataclass(frozen=True, slots=True)
class Change:
    """The value in the span before and in the span after."""

    before: Decimal
    after: Decimal

    @property
    def change(self) -> float:
        return float(self.after - self.before)


@dataclass(frozen=True, slots=True)
class Finding:
    """What comparing came to. `before` and `after` are the peers' means; None where there was nothing to compare with.

    `low` and `high` bound `difference` at `CONFIDENCE`; `spread` is the standard deviation of the peers' changes. All are None
    unless it was judged.
    """

    verdict: str
    peers: int
    before: Decimal | None = None
    after: Decimal | None = None
    difference: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    spread: Decimal | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Finding:
        """Read it as it was published."""
        difference, spread = (None if said[name] is None else Decimal(said[name]) for name in ("difference", "spread"))
        return cls(said["verdict"], said["peers"], difference=difference, spread=spread)


@dataclass(frozen=True, slots=True)
class Pooled:
    """The mean gain of many improvements, positive is better, and its bounds; None unless it was judged."""

    verdict: str
    gain: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None


def match(value: Decimal, others: Mapping[int, Decimal]) -> list[int]:
    """The peers, the nearest first, that were within the caliper of the value before; of equally near ones the lower key.

    Two others at least are needed to know how values are spread; where all are equal, only equal ones match.
    """
    if len(others) < 2:
        return []
    caliper = CALIPER * stdev(map(float, others.values()))
    distances = sorted((abs(float(other - value)), key) for key, other in others.items())
    return [key for distance, key in distances if distance <= caliper]


def compare(subject: Change | None, peers: Sequence[Change], better: int) -> Finding:
    """Compare a subject's change with its peers'. `better` is 1 where a higher value is better, -1 where a lower one is.

    Not judged (`too_few`): fewer than `LEAST_PEERS`, no value of the subject, or peers whose changes are all the same, which say
    nothing of chance. An interval that holds zero, also on its bound, is no detectable effect, and neither is a change as far as that of
    peers who are not rare.
    """
    if not peers:
        return Finding(TOO_FEW, 0)
    means = tuple(_rounded(fmean(map(float, values))) for values in zip(*((p.before, p.after) for p in peers), strict=True))
    changes = [round(peer.change, 6) for peer in peers]  # values have 6 decimals: equal changes are equal
    if subject is None or len(peers) < LEAST_PEERS or min(changes) == max(changes):
        return Finding(TOO_FEW, len(peers), *means)
    spread = stdev(changes)
    difference = subject.change - fmean(changes)
    margin = _t(len(changes) - 1) * spread * sqrt(1 + 1 / len(changes))
    numbers = tuple(_rounded(each) for each in (difference, difference - margin, difference + margin, spread))
    verdict = _verdict(better * difference, margin) if _rare(round(subject.change, 6), changes, up=difference > 0) else NONE
    return Finding(verdict, len(peers), *means, *numbers)


def _rare(change: float, changes: Sequence[float], *, up: bool) -> bool:
    """Whether hardly a peer has changed as far that way."""
    as_far = sum(each >= change if up else each <= change for each in changes)
    return as_far <= max(0, int((1 - float(CONFIDENCE)) / 2 * (len(changes) + 1) + 1e-9) - 1)


def pool(findings: Sequence[tuple[int, Finding]]) -> Pooled:
    """The mean gain over judged improvements, each with its `better` (as `compare`); fewer than `LEAST_PEERS` are not judged.

    Improvements of one time share peers, so their differences err together: the variance of the peers' means is added to that of the
    mean as if all shared all of them. The interval is too wide rather than too narrow.
    """
    judged = [
        (better, f.peers, f.difference, f.spread) for better, f in findings if f.difference is not None and f.spread is not None
    ]
    if len(judged) < LEAST_PEERS:
        return Pooled(TOO_FEW)
    gains = [better * float(difference) for better, _, difference, _ in judged]
    shared = fmean(float(spread) ** 2 / peers for _, peers, _, spread in judged)
    gain = fmean(gains)
    margin = _t(len(gains) - 1) * sqrt(variance(gains) / len(gains) + shared)
    return Pooled(_verdict(gain, margin), *(_rounded(each) for each in (gain, gain - margin, gain + margin)))


def _verdict(gain: float, margin: float) -> str:
    if gain - margin > 0:
        return EFFECT
    return WORSE if gain + margin < 0 else NONE


def _t(degrees: int) -> float:
    """The factor of a two-sided interval at `CONFIDENCE`."""
    from scipy import stats  # noqa: PLC0415 - takes half a second to import, and most processes never measure an effect

    return float(stats.t.ppf(1 - (1 - float(CONFIDENCE)) / 2, degrees))


def _rounded(number: float) -> Decimal:
    return decimal(round(number * MILLION))


# --- which days are compared ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `since` (inclusive) to `before` (exclusive): so many windows."""

    since: int
    before: int
    windows: int

    def value(self, total: Sum, kind: str, least: int) -> Decimal | None:
        """What was measured in the span, of `sum` and `count` per window; None below the least denominator that is judged."""
        if total.denominator < least or (value := value_of(total, kind)) is None:
            return None
        return _rounded(float(value) / self.windows) if kind in ADDITIVE else value


def span_before(calendar: Calendar, window: Window, began: int, started_on: int, windows: int, *, whole: bool) -> Span | None:
    """The windows in which the subject was found low: the one that raised the warning and the `windows` - 1 before it.

    It ends with the day on which the improvement was started, where that lies in it, unless it is to be `whole`. None where no
    window holds the day.
    """
    if (span := calendar.span(window, began)) is None:
        return None
    since, before = span
    for _ in range(windows - 1):
        earlier = calendar.span(window, since - 1)
        since = since if earlier is None else earlier[0]
    return Span(since, before if whole else max(span[0] + 1, min(before, started_on + 1)), windows)


def windows_after(calendar: Calendar, window: Window, day: int, today: int) -> Iterator[tuple[int, int]]:
    """The windows that start after a day and are over by today, as first day and the day after the last, in order."""
    at = day + 1
    while at < today:
        span = calendar.span(window, at)
        if span is not None and span[0] > day and span[1] <= today:
            yield span
        at = at + 1 if span is None else max(span[1], at + 1)


def span_after(windows: Sequence[tuple[int, int]], days: Mapping[int, Sum], least: int, wanted: int) -> Span | None:
    """From the first through the `wanted`-th of the windows in which there is enough data; None while there are not so many."""
    enough = []
    for n, window in enumerate(windows):
        if sum(days[day].denominator for day in range(*window) if day in days) >= max(least, 1):
            enough.append(n)
        if len(enough) == wanted:
            return Span(windows[enough[0]][0], window[1], n - enough[0] + 1)
    return None
