"""What an improvement has changed, beside peers that were as low before: what was planted is found, and nothing where nothing was."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from math import sqrt
from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from services.monitoring.domain.effect import (
    EFFECT,
    LEAST_PEERS,
    MOST_PEERS,
    NONE,
    TOO_FEW,
    WORSE,
    Change,
    Finding,
    Span,
    compare,
    match,
    pool,
    span_after,
    span_before,
    windows_after,
)
from services.monitoring.domain.episodes import Sum
from services.monitoring.domain.windows import Calendar, Term, Window

TIMES = 1_000
LINE = 0.75


def value(number: float) -> Decimal:
    return Decimal(str(round(number, 6)))


def changes(*pairs: tuple[float, float]) -> list[Change]:
    return [Change(value(before), value(after)) for before, after in pairs]


def within(count: int, share: float, of: int = TIMES) -> bool:
    """Whether a count may come of so many trials of that chance; of 10,000 such questions one is answered wrongly."""
    low, high = stats.binom.interval(0.9999, of, share)
    return bool(low <= count <= high)


# --- a school in which the truth is known -----------------------------------------------------------------------------------


def school(random: Random, trend: float, subjects: int = 300) -> tuple[Change, list[Change]]:
    """One class of a school that was chosen because it was below the line, and its peers; nothing was done about it.

    Each class has its own level, and each value is that and chance; the whole school moves by the trend.
    """
    levels = [random.gauss(0.8, 0.04) for _ in range(subjects)]
    before = [level + random.gauss(0, 0.04) for level in levels]
    after = [level + trend + random.gauss(0, 0.04) for level in levels]
    chosen = random.choice([n for n, each in enumerate(before) if each < LINE])
    others = {n: value(each) for n, each in enumerate(before) if n != chosen}
    peers = [Change(others[n], value(after[n])) for n in match(value(before[chosen]), others)][:MOST_PEERS]
    return Change(value(before[chosen]), value(after[chosen])), peers


@cache
def schools(trend: float) -> list[tuple[Change, list[Change]]]:
    random = Random(20260302)
    return [school(random, trend) for _ in range(TIMES)]


def told(planted: float, trend: float = 0.02) -> Iterator[tuple[Change, Finding]]:
    """What is found in those of the schools that have peers enough, once so much was planted after in the class that was chosen."""
    for subject, peers in schools(trend):
        if (finding := compare(Change(subject.before, subject.after + value(planted)), peers, 1)).verdict != TOO_FEW:
            yield subject, finding


@pytest.mark.parametrize("planted", [0.0, 0.05, 0.15, -0.1])
def test_a_planted_effect_is_recovered_without_bias_and_its_interval_holds_it_as_often_as_it_says(planted: float) -> None:
    findings = [finding for _, finding in told(planted)]
    assert len(findings) > 0.8 * TIMES
    differences = [float(f.difference or 0) for f in findings]
    error = stats.sem(differences)
    assert abs(fmean(differences) - planted) < 4 * error < 0.01
    held = sum((f.low or 0) <= Decimal(str(planted)) <= (f.high or 0) for f in findings)
    assert within(held, 0.95, len(findings))


def test_nothing_is_found_beyond_chance_where_subjects_were_only_chosen_because_they_were_low() -> None:
    """Regression to the mean: before and after alone would show a gain in most of them."""
    found = list(told(planted=0.0, trend=0.0))
    naive = fmean(subject.change for subject, _ in found)
    assert naive > 0.025
    verdicts = [finding.verdict for _, finding in found]
    assert within(verdicts.count(EFFECT), 0.025, len(found))
    assert within(verdicts.count(WORSE), 0.025, len(found))


def test_a_large_planted_effect_is_an_effect_and_a_large_harm_is_worse() -> None:
    assert {f.verdict for _, f in told(0.5)} == {EFFECT}
    assert {f.verdict for _, f in told(-0.5)} == {WORSE}


def test_the_mean_over_improvements_holds_the_planted_one_at_least_as_often_as_it_says_also_where_they_share_their_peers() -> None:
    random, planted, held, times = Random(7), 0.04, 0, 150
    for _ in range(times):
        levels = [random.gauss(0.8, 0.04) for _ in range(300)]
        before = {n: value(level + random.gauss(0, 0.04)) for n, level in enumerate(levels)}
        after = {n: value(level + random.gauss(0, 0.04)) for n, level in enumerate(levels)}
        low = [n for n in before if before[n] < Decimal("0.78")]
        chosen = random.sample(low, 20)
        others = {n: each for n, each in before.items() if n not in chosen}
        findings = []
        for n in chosen:
            peers = [Change(before[key], after[key]) for key in match(before[n], others)][:MOST_PEERS]
            findings.append((1, compare(Change(before[n], after[n] + value(planted)), peers, 1)))
        pooled = pool(findings)
        assert pooled.low is not None
        assert pooled.high is not None
        held += pooled.low <= value(planted) <= pooled.high
    assert held >= stats.binom.interval(0.9999, times, 0.95)[0]


# --- rules --------------------------------------------------------------------------------------------------------------------


def peers(many: int) -> list[Change]:
    return changes(*((0.7, 0.7 + 0.01 * (n % 3)) for n in range(many)))


def test_fewer_than_eight_peers_are_not_judged() -> None:
    subject = Change(value(0.7), value(0.99))
    finding = compare(subject, peers(LEAST_PEERS - 1), 1)
    assert (finding.verdict, finding.peers, finding.difference, finding.low) == (TOO_FEW, 7, None, None)
    assert finding.before == value(0.7)
    assert compare(subject, peers(LEAST_PEERS), 1).verdict == EFFECT
    assert compare(subject, [], 1) == Finding(TOO_FEW, 0)


def test_without_a_value_or_without_chance_nothing_is_judged() -> None:
    assert compare(None, peers(20), 1).verdict == TOO_FEW
    assert compare(Change(value(0.5), value(0.9)), changes(*[(0.5, 0.6)] * 20), 1).verdict == TOO_FEW
    noise = [Change(value(0.1 * n), value(0.1 * n + 0.1)) for n in range(8)]  # all the same, however floats see it
    assert compare(Change(value(0.5), value(0.9)), noise, 1).verdict == TOO_FEW


def test_where_a_lower_value_is_better_a_rise_is_worse() -> None:
    up, down = Change(value(0.7), value(0.99)), Change(value(0.7), value(0.4))
    verdicts = [compare(each, peers(8), better).verdict for each in (up, down) for better in (1, -1)]
    assert verdicts == [EFFECT, WORSE, WORSE, EFFECT]


@pytest.mark.parametrize(("many", "as_far", "verdict"), [(38, 0, EFFECT), (38, 1, NONE), (79, 1, EFFECT), (79, 2, NONE)])
def test_a_change_as_far_as_that_of_peers_who_are_not_rare_is_no_effect(many: int, as_far: int, verdict: str) -> None:
    """However clear it looks by t: of values that are 0 or 1 some peers always go from one to the other."""
    group = changes(*[(0.0, 1.0)] * as_far, *((0.0, 0.001 * (n % 3)) for n in range(many - as_far)))
    for better, expected in ((1, verdict), (-1, WORSE if verdict == EFFECT else verdict)):
        finding = compare(Change(value(0.0), value(1.0)), group, better)
        assert (finding.verdict, (finding.low or 0) > 0) == (expected, True)


def test_the_nearest_come_first_and_those_beyond_the_caliper_not_at_all() -> None:
    others = {n: value(n / 100) for n in range(101)}  # a caliper of 0.2 · 0.293 = 0.0586
    matched = match(value(0.5), others)
    assert matched[:3] == [50, 49, 51]
    assert sorted(matched) == list(range(45, 56))
    assert match(value(0.5), {1: value(0.5)}) == []
    assert match(value(0.5), {1: value(0.5), 2: value(0.5)}) == [1, 2]
    assert match(value(0.4), {1: value(0.5), 2: value(0.5)}) == []


@given(
    st.lists(st.tuples(st.integers(0, 1_000_000), st.integers(0, 1_000_000)), min_size=8, max_size=40),
    st.tuples(st.integers(0, 1_000_000), st.integers(0, 1_000_000)),
)
def test_the_interval_is_the_t_test_of_one_against_many(others: list[tuple[int, int]], one: tuple[int, int]) -> None:
    subject = Change(Decimal(one[0]), Decimal(one[1]))
    group = [Change(Decimal(before), Decimal(after)) for before, after in others]
    finding = compare(subject, group, 1)
    if finding.verdict == TOO_FEW:
        assert len({each.change for each in group}) == 1
        return
    expected = stats.ttest_ind([subject.change], [each.change for each in group])
    interval = expected.confidence_interval(0.95)
    assert float(finding.low or 0) == pytest.approx(interval.low, rel=1e-6, abs=1e-3)
    assert float(finding.high or 0) == pytest.approx(interval.high, rel=1e-6, abs=1e-3)
    judged = NONE if interval.low <= 0 <= interval.high else EFFECT if interval.low > 0 else WORSE
    rare = all((each.change < subject.change) == (interval.low > 0) for each in group)
    assert finding.verdict == (judged if rare else NONE) or abs(min(interval, key=abs)) < 1e-3


def test_a_mean_needs_eight_judged_improvements_and_takes_each_in_its_own_good_direction() -> None:
    def found(difference: float) -> Finding:
        return Finding(NONE, 10, difference=value(difference), spread=value(0.01))

    unjudged = [(1, Finding(TOO_FEW, 3))] * 5
    assert pool([(1, found(0.1))] * 7 + unjudged).verdict == TOO_FEW
    some = [(1, found(0.1 + n / 1000)) for n in range(4)] + [(-1, found(-0.1 + n / 1000)) for n in range(4)]
    pooled = pool(some + unjudged)
    assert (pooled.verdict, pooled.gain) == (EFFECT, value(0.1))
    gains = [better * float(f.difference or 0) for better, f in some]
    margin = stats.t.ppf(0.975, 7) * sqrt(stats.sem(gains) ** 2 + 0.01**2 / 10)
    assert float(pooled.high or 0) == pytest.approx(0.1 + margin, abs=1e-6)


# --- days -----------------------------------------------------------------------------------------------------------------------

CALENDAR = Calendar("Asia/Shanghai", (9, 1), (Term(0, 100), Term(120, 200)))
MONDAY = 4  # 1970-01-05


@pytest.mark.parametrize(
    ("started", "windows", "whole", "span"),
    [
        (MONDAY, 1, False, Span(MONDAY, MONDAY + 1, 1)),
        (MONDAY + 2, 1, False, Span(MONDAY, MONDAY + 3, 1)),
        (MONDAY + 30, 1, False, Span(MONDAY, MONDAY + 7, 1)),
        (MONDAY + 2, 1, True, Span(MONDAY, MONDAY + 7, 1)),
        (MONDAY + 2, 3, False, Span(MONDAY - 14, MONDAY + 3, 3)),
        (MONDAY - 1, 1, False, Span(MONDAY, MONDAY + 1, 1)),  # observed ahead of the clock
    ],
)
def test_the_span_before_ends_with_the_day_of_the_start(started: int, windows: int, whole: bool, span: Span) -> None:
    assert span_before(CALENDAR, Window.WEEK, MONDAY, started, windows, whole=whole) == span


def test_the_windows_after_start_after_the_day_and_are_over() -> None:
    def after(window: Window, day: int, today: int) -> list[tuple[int, int]]:
        return list(windows_after(CALENDAR, window, day, today))

    assert after(Window.WEEK, MONDAY, MONDAY + 21) == [(MONDAY + 7, MONDAY + 14), (MONDAY + 14, MONDAY + 21)]
    assert after(Window.WEEK, MONDAY - 1, MONDAY + 13) == [(MONDAY, MONDAY + 7)]
    assert after(Window.DAY, 3, 6) == [(4, 5), (5, 6)]
    assert after(Window.TERM, 50, 199) == []
    assert after(Window.TERM, 50, 200) == [(120, 200)]


def test_windows_without_enough_data_are_waited_for() -> None:
    weeks = [(n, n + 7) for n in range(0, 42, 7)]
    days = {1: Sum(1, 5), 8: Sum(1, 4), 15: Sum(1, 3), 16: Sum(1, 2), 36: Sum(0, 9)}
    assert span_after(weeks, days, 5, 1) == Span(0, 7, 1)
    assert span_after(weeks, days, 5, 2) == Span(0, 21, 3)
    assert span_after(weeks, days, 5, 3) == Span(0, 42, 6)
    assert span_after(weeks, days, 5, 4) is None


@pytest.mark.parametrize(
    ("kind", "expected"), [("ratio", "0.75"), ("mean", "0.75"), ("latest", "0.75"), ("sum", "0.000003"), ("count", "0.000003")]
)
def test_what_is_added_up_is_said_per_window(kind: str, expected: str) -> None:
    assert Span(0, 14, 2).value(Sum(6, 8), kind, 8) == Decimal(expected)
    assert Span(0, 14, 2).value(Sum(6, 7), kind, 8) is None
