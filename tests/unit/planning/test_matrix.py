"""The matrix of systems and levels: everything counted stands in one cell, and what says of no system that it belongs to it is not guessed."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.planning.domain.matrix import LAYERS, Found, System, What, fold, system_codes, systems_of

SYSTEMS = [
    System("generation", "质量生成", frozenset({("standards", "st-1")})),
    System("support", "支持服务", frozenset({("mechanisms", "safety"), ("metrics", "C-SAT")})),
]
FOUND = st.builds(
    Found,
    what=st.sampled_from(("goals", "standards", "tasks", "measures", "warnings")),
    level=st.sampled_from((*LAYERS, "department", "class", "homeroom", "lesson", None)),
    many=st.integers(1, 1000),
    system=st.sampled_from((None, "generation", "support", "elsewhere")),
    by=st.sampled_from((None, ("standards", "st-1"), ("mechanisms", "safety"), ("metrics", "C-SAT"), ("metrics", "T-DQ"))),
)


@given(st.lists(FOUND, max_size=40))
def test_nothing_is_lost_and_nothing_is_counted_twice(found: list[Found]) -> None:
    wanted: Counter[What] = Counter()
    for each in found:
        wanted[each.what] += each.many
    counted: Counter[What] = Counter()
    for cell in fold(SYSTEMS, found):
        counted.update(cell.has)
    assert +counted == +wanted


def test_a_tag_of_its_own_comes_before_what_the_set_up_says() -> None:
    (cell,) = [
        cell
        for cell in fold(SYSTEMS, [Found("measures", "teacher", 3, "generation", ("mechanisms", "safety"))])
        if cell.has["measures"]
    ]
    assert (cell.system, cell.layer) == ("generation", "teacher")


def test_every_system_has_five_cells_that_say_what_they_lack() -> None:
    cells = fold(SYSTEMS, [Found("goals", "department", 2, "support"), Found("warnings", "class", 1, by=("metrics", "C-SAT"))])
    assert [(cell.system, cell.layer) for cell in cells] == [
        (code, layer) for code in ("generation", "support") for layer in LAYERS
    ]
    school, _, course, *_ = cells[5:]
    assert (school.has["goals"], school.lacks) == (2, ["standards", "tasks", "measures"]), "a department carries the school's work"
    assert (course.has["warnings"], course.lacks) == (1, ["goals", "standards", "tasks", "measures"])


def test_what_belongs_to_no_system_or_level_comes_last() -> None:
    last = fold(SYSTEMS, [Found("standards", None, 1), Found("goals", "course", 4, "elsewhere")])[-2:]
    assert [(cell.system, cell.layer, cell.has["goals"], cell.has["standards"]) for cell in last] == [
        (None, "course", 4, 0),
        (None, None, 0, 1),
    ]


def test_every_axis_but_that_of_the_levels_is_one_of_systems() -> None:
    levels = [{"code": layer, "name": layer} for layer in LAYERS]
    axes = [
        {"code": "levels", "name": "五横", "tags": levels},
        {"code": "six", "name": "六系统", "tags": [{"code": "goals", "name": "目标系统"}]},
        {"code": "verticals", "name": "五纵", "tags": [{"code": "support", "name": "支持服务"}]},
    ]
    belongings = [{"system": "support", "mechanisms": ["safety"], "metrics": ["C-SAT"]}]
    setup = {"framework": axes, "belongings": belongings}
    assert systems_of(setup) == {"six": [System("goals", "目标系统")], "verticals": [SYSTEMS[1]]}
    assert system_codes(setup) == {"goals", "support"}
    assert systems_of({}) == {}
