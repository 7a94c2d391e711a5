"""Every step of every table is reached, in its order whatever the order of facts, and dynamic loops go their own ways."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from libs.common.events.setup import AFTER_THE_PERIOD, OF_A_LOOP, Fact, Spiral
from services.cli.template.reading import find, names, read_template
from services.planning.domain.spiral import WORDS, Happened, State, behind, over, replay, step, trail, waits_for

TABLES = {spiral.code: spiral for name in names() for spiral in read_template(find(name)).setup.spirals}
ALL: tuple[Fact, ...] = tuple(WORDS)
happened = st.builds(Happened, st.sampled_from(ALL))
of_loops = st.builds(Happened, st.sampled_from(sorted(OF_A_LOOP)), st.sampled_from("abc"))
table = st.sampled_from(sorted(TABLES.values(), key=lambda each: each.code))


def printed(spiral: Spiral) -> list[str]:
    """The whole as the documents print it: the dynamic loop after the step that it lies inside."""
    at = spiral.inside or 0
    return [each.name for each in (*spiral.steps[:at], *spiral.dynamic, *spiral.steps[at:])]


def test_the_templates_have_the_steps_of_the_documents() -> None:
    assert {code: len(printed(spiral)) for code, spiral in TABLES.items()} == {
        "hb-spiral": 16,
        "hn-spiral": 16,
        "yb-flow": 15,
        "yb-spiral": 16,
        "nm-steps": 4,
        "nm-spiral": 5,
    }
    static = "目标 标准 设计 组织 实施 监测 预警 改进 设计 组织 实施 诊断 学习 创新 存储 改进"
    assert printed(TABLES["hn-spiral"]) == static.split()
    assert len(TABLES["yb-flow"].steps) == 9


@pytest.mark.parametrize("code", sorted(TABLES))
def test_every_step_of_a_table_is_reached_and_the_cycle_comes_to_its_end(code: str) -> None:
    spiral, state, reached = TABLES[code], State(), {0}
    for each in spiral.steps:
        state = step(spiral, state, Happened(each.by[0]))
        reached.add(state.at)
    assert over(spiral, state)
    assert state.missed == frozenset()
    assert max(reached) == len(spiral.steps)
    loop = State()
    for n, each in enumerate(spiral.dynamic):
        assert loop.loops.get("a") is None or loop.loops["a"].at >= n
        loop = step(spiral, loop, Happened(each.by[0], "a"))
    assert not spiral.dynamic or loop.loops["a"].at == len(spiral.dynamic)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(table, st.lists(happened | of_loops, max_size=30))
def test_no_static_step_is_taken_before_the_one_that_stands_before_it(spiral: Spiral, facts: Sequence[Happened]) -> None:
    state = State()
    for each in facts:
        before, state = state, step(spiral, state, each)
        assert before.at <= state.at <= len(spiral.steps)
        for n, passed in enumerate(spiral.steps[: state.at]):
            done = not state.facts.isdisjoint(passed.by)
            assert done or (n in state.missed and "period_ended" in state.facts and not AFTER_THE_PERIOD.issuperset(passed.by))
        if not over(spiral, state):
            assert state.facts.isdisjoint(spiral.steps[state.at].by)
        assert step(spiral, state, each) == state, "the same fact again changes nothing"
    if over(spiral, state):
        assert "diagnosis_approved" in state.facts


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(table, st.lists(happened | of_loops, max_size=40))
def test_a_loop_goes_its_own_way_whatever_happens_between_its_facts(spiral: Spiral, facts: Sequence[Happened]) -> None:
    state = State()
    for each in facts:
        before, state = state, step(spiral, state, each)
        others = {name: loop for name, loop in state.loops.items() if name != each.loop}
        assert others == {name: loop for name, loop in before.loops.items() if name != each.loop}
    for name, loop in state.loops.items():
        mine = [each.fact for each in facts if each.loop == name]
        alone = State()
        for fact in mine:
            alone = step(spiral, alone, Happened(fact, name))
        assert loop == alone.loops[name]
        assert loop.at == behind(spiral.dynamic, frozenset(mine))
    assert replace(state, loops={}) == replay(spiral, [each.fact for each in facts]), "loops move the whole by what happened alone"


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(table, st.permutations(ALL))
def test_all_facts_in_any_order_end_the_cycle_and_its_trail_is_in_order(spiral: Spiral, facts: list[Fact]) -> None:
    assert over(spiral, replay(spiral, facts))
    days = [f"2026-01-{n + 1:02}" for n in range(len(facts))]
    passed = trail(spiral, list(zip(facts, days, strict=True)))
    assert [each.on for each in passed] == sorted(each.on for each in passed)
    assert len(passed) == len(spiral.steps)


def test_a_cycle_without_a_warning_skips_the_dynamic_loop_and_without_work_misses_steps() -> None:
    spiral = TABLES["hn-spiral"]
    quiet = replay(spiral, ["plan_published", "standard_active", "work_started", "period_ended", "diagnosis_approved"])
    assert (quiet.at, quiet.missed, quiet.loops) == (6, frozenset(), {})
    idle = replay(spiral, ["plan_published", "period_ended"])
    assert (idle.at, idle.missed) == (5, frozenset({1, 3, 4}))
    assert waits_for(spiral.steps, idle.at) == "诊断获批准"
    at_first: list[Fact] = ["plan_published", "standard_active", "measured"]
    early = [replay(spiral, order) for order in permutations(at_first)]
    assert {each.at for each in early} == {5}
    assert replay(spiral, ["diagnosis_approved", "lesson_stored", "proposals_decided"]).at == 0


WHOLE = TABLES["hn-spiral"].model_dump(mode="json")


@pytest.mark.parametrize(
    "change",
    [
        {"inside": None},
        {"inside": 11},
        {"dynamic": []},
        {"dynamic": [{"name": "x", "by": ["diagnosis_approved"]}]},
        {"steps": [{"name": "x", "by": ["plan_published"]}]},
        {"steps": [{"name": "x", "by": ["diagnosis_approved"]}, {"name": "y", "by": ["measured"]}]},
        {"steps": [{"name": "x", "by": ["measured", "diagnosis_approved"]}]},
        {"steps": [{"name": "x", "by": ["wished_for"]}]},
        {"steps": [{"name": "x", "by": []}]},
        {"objects": [{"level": "planet"}]},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_a_table_that_cannot_be_gone_through_is_refused(change: dict[str, object]) -> None:
    assert Spiral.model_validate(WHOLE) == TABLES["hn-spiral"]
    with pytest.raises(ValidationError):
        Spiral.model_validate({**WHOLE, **change})
