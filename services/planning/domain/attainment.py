"""How far a goal is: from its own numbers, or from its children's by the rule that it declares.

No data is never zero: a goal without data has no attainment, and what a roll-up lacks shows in `covered`. Source: digest §3,
scenario 17; decision 15.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from services.planning.domain.goals import Measure, Operator, RollUp, Target
from services.planning.domain.numbers import rounded

State = Literal["met", "on_track", "behind", "no_data"]
STATES: tuple[State, ...] = ("met", "on_track", "behind", "no_data")
FEBRUARY = 2
ONE, ZERO = Fraction(1), Fraction(0)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a goal is. `target` is this year's, `deviation` value less target, `attainment` the share of the target that is reached.

    `start` is the first day of the window that `value` is of; `covered` the share of what counts that has data.
    """

    state: State
    value: Fraction | None = None
    target: Fraction | None = None
    deviation: Fraction | None = None
    attainment: Fraction | None = None
    covered: Fraction = ZERO
    start: date | None = None


@dataclass(frozen=True, slots=True)
class Child:
    """A goal below one, with the weight it has there."""

    weight: Fraction | None
    standing: Standing


def counts_for(start: date, window: str, period: tuple[date, date], terms: Mapping[date, date]) -> bool:
    """Whether a window that starts on a day reaches into a plan's period (both ends inclusive); an earlier one is history, a later
    one another plan's. `terms`: the first day of each term and the day after its last; one that is not there ends with its first day.
    """
    return start <= period[1] and _end(start, window, terms) > period[0]


def _end(start: date, window: str, terms: Mapping[date, date]) -> date:
    """The day after a window's last."""
    if window == "month":
        return (start.replace(day=28) + timedelta(days=4)).replace(day=1)
    if window == "year":
        return date(start.year + 1, start.month, min(start.day, 28) if start.month == FEBRUARY else start.day)
    if window == "term":
        return terms.get(start, start + timedelta(days=1))
    return start + timedelta(days=7 if window == "week" else 1)


LONGEST = 10**12


def settled(standing: Standing) -> Standing:
    """A standing as it is kept and as goals above count it: exact, but for fractions too long to keep, which are rounded.

    What a goal above comes to does not depend on which of the goals below it changed last.
    """
    return replace(
        standing,
        value=_short(standing.value),
        target=_short(standing.target),
        deviation=_short(standing.deviation),
        attainment=_short(standing.attainment),
        covered=_short(standing.covered) or ZERO,
    )


def _short(value: Fraction | None) -> Fraction | None:
    return value if value is None or value.denominator <= LONGEST else Fraction(rounded(value))


def reached(operator: Operator, value: Fraction, target: Fraction) -> bool:
    """On the target is reached."""
    if operator == "equal":
        return value == target
    return value >= target if operator == "at_least" else value <= target


def worse(operator: Operator, target: Decimal, than: Decimal) -> bool:
    """Whether a target lies on the wrong side of a number; one that is to be equalled has none."""
    return operator != "equal" and not reached(operator, Fraction(target), Fraction(than))


def share(operator: Operator, value: Fraction, target: Fraction) -> Fraction:
    """The share of a target that is reached: of `at_least` value / target, of `at_most` target / value, never below 0.

    More than the target may be over 1 for `at_least`, is 1 otherwise; where there is nothing to divide by, all or nothing.
    """
    if operator == "at_least" and target > 0:
        return max(ZERO, value / target)
    if reached(operator, value, target):
        return ONE
    if operator == "at_most" and target > 0:
        return target / value
    if operator == "equal" and target:
        return max(ZERO, 1 - abs(value - target) / abs(target))
    return ZERO


def target_of(values: Sequence[Target], year: int) -> Target | None:
    """The target in force in a year: its own, or the latest before; None while the first is still to come."""
    past = [each for each in values if each.year <= year]
    return past[-1] if past else None


def measured(measure: Measure, value: Fraction | None, start: date | None, year: int) -> Standing:
    """How far a goal with numbers of its own is: `met` is the last year's target reached, `on_track` this year's."""
    if value is None or not measure.values:
        return Standing("no_data", value, covered=ZERO, start=start)
    last, now = measure.values[-1], target_of(measure.values, year)
    target = None if now is None else Fraction(now.target)
    against = target if target is not None else Fraction(measure.values[0].target)
    state: State = "on_track"
    if reached(measure.operator, value, Fraction(last.target)):
        state = "met"
    elif target is not None and not reached(measure.operator, value, target):
        state = "behind"
    deviation = None if target is None else value - target
    return Standing(state, value, target, deviation, share(measure.operator, value, against), ONE, start)


def delivered(number: int, there: int | None, deadline: date | None, today: date) -> Standing:
    """How far a deliverable is: what nobody has reported is no data; what lacks after the deadline is behind, on the day itself not."""
    target = Fraction(number)
    if there is None:
        return Standing("no_data", None, target)
    late = deadline is not None and deadline < today
    state: State = "met" if there >= number else "behind" if late else "on_track"
    return Standing(state, Fraction(there), target, there - target, there / target, ONE)


def rolled_up(rule: RollUp, measure: Measure | None, children: Sequence[Child], year: int) -> Standing:
    """How far a goal is by its children. More than all of a child does not make up for another. `children` is not empty."""
    if rule == "sum":
        return _summed(measure, children, year)
    weights = [_weight(rule, child, len(children)) for child in children]
    covered = sum((w * c.standing.covered for w, c in zip(weights, children, strict=True)), ZERO)
    counted = [
        (w, c.standing, min(ONE, c.standing.attainment))
        for w, c in zip(weights, children, strict=True)
        if c.standing.attainment is not None and w
    ]
    if not counted:
        return Standing("no_data", covered=ZERO)
    shares = [each for _, _, each in counted]
    if rule == "weighted":
        attainment = sum((w * each for w, _, each in counted), ZERO) / sum((w for w, _, _ in counted), ZERO)
    else:
        attainment = min(shares) if rule == "minimum" else max(shares)
    states = [standing.state for _, standing, _ in counted]
    return Standing(_state(rule, states, whole=covered == 1), attainment=attainment, covered=covered)


def _weight(rule: RollUp, child: Child, many: int) -> Fraction:
    if rule == "weighted":
        return child.weight or ZERO
    return Fraction(1, many)


def _state(rule: RollUp, states: Sequence[State], *, whole: bool) -> State:
    """One goal met is enough for `maximum`; otherwise all, and none may lack data. `states` are of those that have data."""
    if rule == "maximum":
        return next(state for state in STATES if state in states)
    if "behind" in states:
        return "behind"
    return "met" if whole and set(states) == {"met"} else "on_track"


def _summed(measure: Measure | None, children: Sequence[Child], year: int) -> Standing:
    """While anything below has no data the sum is not known: what is there shows as `value`, and nothing is said about the target."""
    known = [(child.standing.value, child.standing.covered) for child in children if child.standing.value is not None]
    covered = sum((part for _, part in known), ZERO) / len(children)
    if not known:
        return Standing("no_data")
    total = sum((value for value, _ in known), ZERO)
    if measure is None or covered < 1:
        return Standing("no_data", total, covered=covered)
    return replace(measured(measure, total, None, year), covered=covered)
