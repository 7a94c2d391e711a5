"""The spiral (8字形质量改进螺旋) as a state machine: nobody clicks through it, its steps follow from what happened.

Source: the static loop has an order and holds the dynamic loop inside its implementation; a pass without a warning skips that; the
static loop alone changes goals and standards (digest §1.5, research §10). Which steps there are, and which fact completes each, is
the school's table (`libs/common/events/setup.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from libs.common.events.setup import AFTER_THE_PERIOD, Fact, Spiral, SpiralStep


@dataclass(frozen=True, slots=True)
class Happened:
    """A fact about an object; `loop` names the improvement that it belongs to, None: it belongs to none."""

    fact: Fact
    loop: str | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """A dynamic loop: its facts, and how many of its steps are behind it."""

    at: int = 0
    facts: frozenset[Fact] = frozenset()


@dataclass(frozen=True, slots=True)
class State:
    """Where a cycle stands: `at` steps of the static loop are behind it, `missed` of them (by index) because the period ended first.

    Facts come in any order; one that is early waits in `facts` until its step's turn.
    """

    at: int = 0
    facts: frozenset[Fact] = frozenset()
    missed: frozenset[int] = frozenset()
    loops: Mapping[str, Loop] = field(default_factory=dict)


def step(spiral: Spiral, state: State, happened: Happened) -> State:
    """Return the state after a fact. The same fact again changes nothing; no step is taken before the one that stands before it."""
    after = _forwards(spiral, replace(state, facts=state.facts | {happened.fact}))
    if happened.loop is None:
        return after
    loop = state.loops.get(happened.loop, Loop())
    facts = loop.facts | {happened.fact}
    return replace(after, loops={**state.loops, happened.loop: Loop(behind(spiral.dynamic, facts), facts)})


def behind(steps: Sequence[SpiralStep], facts: frozenset[Fact]) -> int:
    """How many of these steps, from the first on, are completed by facts: one after another, none is passed over."""
    return next((n for n, each in enumerate(steps) if facts.isdisjoint(each.by)), len(steps))


def _forwards(spiral: Spiral, state: State) -> State:
    at, missed = state.at, set(state.missed)
    for n in range(at, len(spiral.steps)):
        by = spiral.steps[n].by
        if state.facts.isdisjoint(by):
            if "period_ended" not in state.facts or AFTER_THE_PERIOD.issuperset(by):
                break
            missed.add(n)
        at = n + 1
    return replace(state, at=at, missed=frozenset(missed))


def over(spiral: Spiral, state: State) -> bool:
    """Whether all steps are behind: the cycle closes."""
    return state.at == len(spiral.steps)


def replay(spiral: Spiral, facts: Sequence[Fact]) -> State:
    """Return where a cycle stands after these facts, in the order in which they came."""
    state = State()
    for fact in facts:
        state = step(spiral, state, Happened(fact))
    return state


@dataclass(frozen=True, slots=True)
class Passed:
    """A step that is behind: since when, and whether because the period ended without it."""

    on: str
    missed: bool


def trail(spiral: Spiral, facts: Sequence[tuple[Fact, str]]) -> list[Passed]:
    """Say of each static step that is behind since which day it is; facts with their days, in the order in which they came."""
    state, found = State(), list[Passed]()
    for fact, day in facts:
        state = step(spiral, state, Happened(fact))
        found += [Passed(day, n in state.missed) for n in range(len(found), state.at)]
    return found


WORDS: Mapping[Fact, str] = {
    "plan_published": "发布规划",
    "standard_active": "标准生效",
    "tasks_signed": "签订责任状",
    "work_started": "开展工作",
    "measured": "产生监测数据",
    "warning_raised": "预警",
    "improvement_started": "启动改进",
    "improvement_verified": "改进通过验收",
    "period_ended": "周期结束",
    "diagnosis_written": "提交自我诊断",
    "diagnosis_approved": "诊断获批准",
    "lesson_stored": "存储经验",
    "proposals_decided": "变更建议全部议定",
}
"""What a step waits for, as people read it."""


def waits_for(steps: Sequence[SpiralStep], at: int) -> str | None:
    """Say what the step at `at` waits for; None where all are behind."""
    return None if at >= len(steps) else "或".join(WORDS[fact] for fact in steps[at].by)
