"""Who answers: the first held post of a ladder."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.planning.domain.owners import Holder, climb, objects_of
from services.planning.domain.settings import OWNERS, VERIFIERS

POSTS = ("teacher", "course_leader", "department_head", "quality_office")
holdings = st.dictionaries(
    st.sampled_from(POSTS),
    st.lists(st.builds(Holder, st.sampled_from("abc"), st.just(""), st.integers(0, 2), st.booleans()), max_size=4),
)


@given(holdings)
def test_the_first_held_post_answers_and_exactly_the_empty_ones_below_are_vacant(held: dict[str, list[Holder]]) -> None:
    chosen = climb(POSTS, held)

    first = next((post for post in POSTS if held.get(post)), None)
    assert (chosen.person is None) == (first is None)
    assert chosen.post == (first or POSTS[-1])
    assert list(chosen.vacant) == list(POSTS[: POSTS.index(chosen.post) + (first is None)])


@given(holdings, st.sampled_from("abc"))
def test_who_is_never_meant_is_never_chosen_and_somebody_else_is_where_there_is_one(
    held: dict[str, list[Holder]], never: str
) -> None:
    chosen = climb(POSTS, held, never=never)

    assert chosen.person != never
    others = {holder.person for holders in held.values() for holder in holders} - {never}
    assert (chosen.person is None) == (not others)


def test_of_several_holders_the_nearest_then_the_primary_then_the_smallest_id_is_chosen() -> None:
    far, primary, small, plain = (
        Holder("a", "p", nearness=1, primary=True),
        Holder("d", "p", primary=True),
        Holder("b", "p"),
        Holder("c", "p"),
    )

    assert climb(["p"], {"p": [far, plain, small, primary]}).person == "d"
    assert climb(["p"], {"p": [far, plain, small]}).person == "b"
    assert climb(["p"], {"p": [far]}).person == "a"


def test_a_post_answers_over_the_places_of_its_own_kind() -> None:
    places = ["unit:mech", "unit:cnc", "course:C:1", "class:A", "class:H", "level:class"]

    assert objects_of("department_head", places, ["H"]) == ["mech", "cnc"]
    assert objects_of("course_leader", places, ["H"]) == ["C:1"]  # an id may hold a colon
    assert objects_of("class_teacher", places, ["H"]) == ["H"]
    assert objects_of("quality_office", places, ["H"]) == []


def test_every_default_ladder_ends_with_the_quality_office_or_above() -> None:
    assert {ladder[-1] for ladder in OWNERS.values()} == {"quality_office"}
    assert all("quality_office" in ladder[-2:] for ladder in VERIFIERS.values())
