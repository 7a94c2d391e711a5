"""Chain lint: what of a school's plans and goals does not hang together. Each finding has a code, an object, a sentence, a way to mend it.

Source: digest §3.5 (no orphan goal but at the root), §3.6, §4; issue: the chain lint of plans, goals, standards and indicators.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from libs.common.events.standards import UNSTATED
from services.planning.domain.attainment import target_of, worse
from services.planning.domain.floors import Bottom, InForce, past
from services.planning.domain.goals import Goal
from services.planning.domain.plans import PERSONAL, weight_fault

SHOWN = 5
MENDING = {
    "orphan-goal": "link it to a goal of a plan above, in a new version of its plan",
    "lost-parent": "link it to a goal that is in force, in a new version of its plan",
    "goal-without-measure": "name an indicator, a metric or a deliverable, or let it roll up from the goals below it",
    "measure-lost": "say whom its indicator is about at the level that it has by now, in a new version of its plan",
    "goal-without-standard": "name the element of a standard that it fulfils",
    "goal-without-owner": "name one person or one post that answers for it",
    "goal-without-deadline": "give it a deadline inside its plan's period",
    "deadline-outside-period": "give it a deadline inside its plan's period",
    "unknown-standard": "name an element of a standard in force, or put the standard in force",
    "children-do-not-add-up": "change the weights or targets of the goals below it until they come to its own",
    "target-past-floor": "set the target on or beyond the floor; a floor is changed in its standard alone",
    "target-under-baseline": "set the target beyond the baseline, or correct the baseline",
    "conflicting-targets": "agree on one target for the year",
    "indicator-without-data": "see whether its metric is sent, and about this subject; or measure the goal by another",
    "plan-without-review": "submit it and have it approved",
    "elements-undetermined": "say in its next version how they are met: measured, judged or by a document",
    "standard-unused": "let a goal or an indicator fulfil one of its elements, or retire it",
}

TO_DO = frozenset({"plan-without-review", "standard-unused", "elements-undetermined", "indicator-without-data"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not hold. `kind` is `goal`, `plan` or `standard`; `object` the goal's id or the code."""

    code: str
    kind: str
    object: str
    sentence: str

    @property
    def severity(self) -> str:
        """`error` where what is written does not hang together; `todo` where it does, and somebody has yet to do something."""
        return "todo" if self.code in TO_DO else "error"

    @property
    def mend(self) -> str:
        return MENDING[self.code]


@dataclass(frozen=True, slots=True)
class LintedPlan:
    """A plan in the version that stands; `seen`: whoever asks may see it, and so what is said of it."""

    code: str
    kind: str
    parent: str | None
    period_from: date
    period_to: date
    approved: bool
    seen: bool = True


@dataclass(frozen=True, slots=True)
class LintedGoal:
    """A goal in the version that stands; `key` is what measures it: metric, level, window, subject."""

    id: UUID
    plan: LintedPlan
    goal: Goal
    live: bool
    key: tuple[str, str, str, str] | None
    state: str | None

    @property
    def name(self) -> str:
        return f"{self.plan.code}/{self.goal.code}"


@dataclass(frozen=True, slots=True)
class Chain:
    """All that stands of a school."""

    today: date
    plans: Sequence[LintedPlan]
    goals: Sequence[LintedGoal]
    standards: Sequence[InForce]
    floors: Mapping[str, Sequence[Bottom]]
    children: Mapping[UUID, list[tuple[LintedGoal, Fraction | None]]] = field(default_factory=dict)


def children_of(goals: Iterable[LintedGoal]) -> dict[UUID, list[tuple[LintedGoal, Fraction | None]]]:
    """Return the goals right below each goal, with their weights there."""
    found: dict[UUID, list[tuple[LintedGoal, Fraction | None]]] = {}
    for each in goals:
        for parent in each.goal.parents:
            found.setdefault(parent.goal, []).append((each, None if parent.weight is None else Fraction(parent.weight)))
    return found


def lint(chain: Chain) -> Iterator[Finding]:
    """Give every finding about what may be seen: goals in the given order, then plans, then standards. All of the chain counts."""
    known = {each.id for each in chain.goals}
    elements = {name for s in chain.standards for e in s.elements for name in (e.code, f"{s.code}/{e.code}")}
    for each in (goal for goal in chain.goals if goal.plan.seen):
        yield from _alone(each, known, elements)
        yield from _targets(each, chain)
        yield from _below(each, chain.children.get(each.id, ()))
    yield from _conflicts([each for each in chain.goals if each.plan.seen])
    yield from _plans(chain)
    yield from _standards(chain)


def _of(code: str, each: LintedGoal, sentence: str) -> Finding:
    return Finding(code, "goal", str(each.id), f"{each.name}: {sentence}")


def _alone(each: LintedGoal, known: set[UUID], elements: set[str]) -> Iterator[Finding]:
    goal = each.goal
    if not goal.parents and each.plan.parent is not None:
        yield _of("orphan-goal", each, "it serves no goal of a plan above")
    for parent in goal.parents:
        if parent.goal not in known:
            yield _of("lost-parent", each, "a goal that it serves is no longer in its plan")
    if not goal.measurable:
        yield _of("goal-without-measure", each, "nothing says how one will see that it is reached")
    if each.live and each.key is None and goal.measure is not None and goal.measure.of_data:
        yield _of(
            "measure-lost", each, "its indicator is about another level by now, and its plan does not say whom it is about there"
        )
    if goal.standard is None:
        yield _of("goal-without-standard", each, "it names no element of a standard")
    elif goal.standard not in elements:
        yield _of("unknown-standard", each, f"no standard in force has the element {goal.standard}")
    if not goal.answers:
        yield _of("goal-without-owner", each, "nobody answers for it")
    if goal.deadline is None:
        yield _of("goal-without-deadline", each, "it has no deadline")
    elif not each.plan.period_from <= goal.deadline <= each.plan.period_to:
        period = f"from {each.plan.period_from} to {each.plan.period_to}"
        yield _of("deadline-outside-period", each, f"{goal.deadline} lies outside its plan's period {period}")
    if each.live and each.key is not None and each.state == "no_data" and goal.roll_up == "none":
        yield _of(
            "indicator-without-data", each, f"what measures it ({' '.join(each.key)}) has never had data in its plan's period"
        )


def _targets(each: LintedGoal, chain: Chain) -> Iterator[Finding]:
    measure = each.goal.measure
    if measure is None:
        return
    if each.key is not None:
        for _, sentence in past(measure, chain.floors.get(each.key[0], ())):
            yield _of("target-past-floor", each, sentence)
    if measure.baseline is not None:
        for target in measure.values:
            if worse(measure.operator, target.target, measure.baseline):
                said = f"the target {target.target:f} of {target.year} is worse than the baseline {measure.baseline:f}"
                yield _of("target-under-baseline", each, said)


def _below(each: LintedGoal, children: Sequence[tuple[LintedGoal, Fraction | None]]) -> Iterator[Finding]:
    """Weights that are not 1 together, or a sum of children's targets that cannot come to the parent's."""
    if not children:
        return
    if each.goal.roll_up == "weighted":
        wrong = weight_fault([weight for _, weight in children], whole=True)
        if wrong is not None:
            yield _of("children-do-not-add-up", each, wrong)
    if each.goal.roll_up == "sum" and each.goal.measure is not None and each.goal.measure.operator == "at_least":
        for target in each.goal.measure.values:
            parts = [_planned(child.goal, target.year) for child, _ in children]
            if None not in parts and (total := sum(part for part in parts if part is not None)) < target.target:
                said = f"the goals below it come to {total:f} in {target.year}, its own target is {target.target:f}"
                yield _of("children-do-not-add-up", each, said)


def _planned(goal: Goal, year: int) -> Decimal | None:
    """What a goal is to come to by a year; None where it does not say."""
    if goal.deliverable is not None:
        return Decimal(goal.deliverable.number)
    found = target_of(goal.measure.values, year) if goal.measure is not None else None
    return None if found is None else found.target


def _conflicts(goals: Sequence[LintedGoal]) -> Iterator[Finding]:
    """Two goals that want something different of one measure and year; said of the later in the order given."""
    first: dict[tuple[tuple[str, str, str, str], str, int], tuple[LintedGoal, Decimal]] = {}
    for each in goals:
        if each.key is None or each.goal.measure is None:
            continue
        for target in each.goal.measure.values:
            other, wanted = first.setdefault((each.key, each.goal.measure.operator, target.year), (each, target.target))
            if wanted != target.target:
                yield _of(
                    "conflicting-targets", each, f"it wants {target.target:f} in {target.year}, {other.name} wants {wanted:f}"
                )


def _plans(chain: Chain) -> Iterator[Finding]:
    for plan in chain.plans:
        if plan.seen and not plan.approved and plan.period_from <= chain.today:
            kind = "personal plan" if plan.kind == PERSONAL else "plan"
            sentence = f"{plan.code}: the {kind} began on {plan.period_from} and nobody has approved it"
            yield Finding("plan-without-review", "plan", plan.code, sentence)


def _standards(chain: Chain) -> Iterator[Finding]:
    """Standards in force that serve nothing, and those whose elements nobody can be found to meet: 未定, which is never not met."""
    used = {each.goal.standard for each in chain.goals}
    for standard in chain.standards:
        by_goal = any(e.code in used or f"{standard.code}/{e.code}" in used for e in standard.elements)
        if not by_goal and not any(element.indicators for element in standard.elements):
            yield Finding(
                "standard-unused", "standard", standard.code, f"{standard.code}: no goal and no indicator fulfils any of it"
            )
        if open_ := [element.name for element in standard.elements if element.met_by == UNSTATED]:
            named = "、".join(open_[:SHOWN]) + ("…" if len(open_) > SHOWN else "")
            said = f"of {len(standard.elements)} elements {len(open_)} do not say how they are met (未定): {named}"
            yield Finding("elements-undetermined", "standard", standard.code, f"{standard.code}: {said}")
