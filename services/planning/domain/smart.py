"""SMART at publication: what a goal lacks is named by its letter, and what looks out of reach is said, never forbidden.

Source: digest §3.6 (precise 准确, measurable 可测, attainable 可达, relevant 相关, time-bound 时限).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from services.planning.domain.attainment import reached, worse
from services.planning.domain.goals import Goal, Measure

Letter = Literal["S", "M", "A", "R", "T"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A letter that a goal fails (or, of A, may fail), the field, and why."""

    goal: str
    letter: Letter
    field: str
    detail: str

    @property
    def pointer(self) -> str:
        return f"/goals/{self.goal}/{self.field}"


def failing(goal: Goal, period: tuple[date, date], *, root: bool) -> Iterator[Finding]:
    """What keeps a goal from being published. `root`: its plan has no parent, so the goal needs none."""
    if goal.statement is None:
        yield Finding(goal.code, "S", "statement", "it does not say what is to be reached")
    if not goal.answers:
        yield Finding(goal.code, "S", "owner", "nobody answers for it: name one person or one post")
    if not goal.measurable:
        yield Finding(
            goal.code, "M", "measure", "nothing says how one will see that it is reached: an indicator, a metric or a deliverable"
        )
    if goal.measure is not None and not goal.measure.values:
        yield Finding(goal.code, "M", "measure/values", "it has no target for any year")
    if not goal.parents and not root:
        yield Finding(goal.code, "R", "parents", "it serves no goal of a plan above")
    yield from _in_time(goal, period)


def _in_time(goal: Goal, period: tuple[date, date]) -> Iterator[Finding]:
    if goal.deadline is None:
        yield Finding(goal.code, "T", "deadline", "it has no deadline")
    for field, detail in outside(goal, period):
        yield Finding(goal.code, "T", field, detail)


def outside(goal: Goal, period: tuple[date, date]) -> Iterator[tuple[str, str]]:
    """Give each field of a goal that lies outside its plan's period, both days inclusive, and a sentence."""
    start, end = period
    said = f"the plan's period from {start} to {end}"
    if goal.deadline is not None and not start <= goal.deadline <= end:
        yield "deadline", f"{goal.deadline} lies outside {said}"
    if goal.measure is not None:
        for n, each in enumerate(goal.measure.values):
            if not start.year <= each.year <= end.year:
                yield f"measure/values/{n}/year", f"{each.year} lies outside {said}"


def doubtful(goal: Goal, history: Sequence[tuple[date, Fraction]]) -> Iterator[Finding]:
    """What makes a goal look out of reach, or too easy: its targets beside the baseline and the measured history, oldest first."""
    measure = goal.measure
    if measure is None or not measure.values or not measure.of_data:
        return
    where = "measure/values/0/target"
    if measure.baseline is None and not history:
        yield Finding(goal.code, "A", "measure/baseline", "without a baseline or data nobody can say whether it can be reached")
    if measure.baseline is not None and worse(measure.operator, measure.values[0].target, measure.baseline):
        yield Finding(
            goal.code, "A", where, f"the first target {measure.values[0].target:f} is worse than the baseline {measure.baseline:f}"
        )
    if history and measure.operator != "equal" and reached(measure.operator, history[-1][1], Fraction(measure.values[-1].target)):
        yield Finding(goal.code, "A", where, "the last target is reached already")
    if (steep := _steep(measure, history)) is not None:
        yield Finding(goal.code, "A", where, steep)


def _steep(measure: Measure, history: Sequence[tuple[date, Fraction]]) -> str | None:
    """The largest yearly step that the targets ask for, where the data never made one as large from window to window."""
    if len(history) < 3 or measure.operator == "equal":  # two steps at least, or there is nothing to compare with
        return None
    sign = 1 if measure.operator == "at_least" else -1
    done = max(sign * (later - earlier) for (_, earlier), (_, later) in pairwise(history))
    points = [(each.year, Fraction(each.target)) for each in measure.values]
    if measure.baseline is not None:
        points.insert(0, (points[0][0] - 1, Fraction(measure.baseline)))
    asked = [sign * (b - a) / (after - before) for (before, a), (after, b) in pairwise(points)]
    if not asked or max(asked) <= max(done, Fraction(0)):
        return None
    return f"it asks for steps of {float(max(asked)):g} a year; the data never moved by more than {float(done):g} from window to window"
