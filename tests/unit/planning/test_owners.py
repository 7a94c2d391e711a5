"""Who answers: the first held post of a ladder."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain import policy
from services.planning.domain.owners import VERIFY, Directory, Held, Holder, Subject, climb
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


DAY = date(2026, 3, 2)
PLACES = ("unit:mech", "unit:cnc", "course:C:1", "class:A", "class:H", "level:class")


def people(
    directory: Directory, post: str, level: str = "class", subject: str = "A", places: tuple[str, ...] = PLACES
) -> list[str]:
    about = Subject(level, subject, places, DAY)
    return [holder.person for holder in directory.holders(about, [post])[post]]


def test_a_post_answers_over_the_places_of_its_own_kind() -> None:
    directory = Directory(
        posts={
            ("department_head", "mech"): [Held("d", "mech")],
            ("department_head", "A"): [Held("x", "A")],  # nobody heads a class
            ("course_leader", "C:1"): [Held("c", "C:1")],  # an id may hold a colon
            ("course_leader", None): [Held("x", None)],
            ("class_teacher", "H"): [Held("h", "H")],
            ("class_teacher", "A"): [Held("x", "A")],  # no homeroom
            ("level_group", "class"): [Held("g", "class")],
            ("quality_office", None): [Held("q", None)],
        },
        teachers={"A": [Held("t", "A")], "H": [Held("k", "H")]},
        homerooms=frozenset({"H"}),
    )

    assert people(directory, "department_head") == ["d"]
    assert people(directory, "course_leader") == ["c"]
    assert people(directory, "class_teacher") == ["h", "k"]
    assert people(directory, "level_group") == ["g"]
    assert people(directory, "quality_office") == ["q"]
    assert people(directory, "teacher") == ["t"]
    assert people(directory, "teacher", "lesson", "A-1") == ["t"]
    assert people(directory, "teacher", "teacher", "z") == ["z"]
    assert people(Directory(gone=frozenset({"z"})), "teacher", "teacher", "z") == []


@given(st.dates(date(2026, 1, 1), date(2026, 6, 1)), st.dates(date(2026, 1, 1), date(2026, 6, 1)))
def test_who_holds_a_post_holds_it_from_its_first_day_until_before_its_last(start: date, end: date) -> None:
    directory = Directory(posts={("course_leader", "C:1"): [Held("c", "C:1", start, end)]})

    assert bool(people(directory, "course_leader")) == (start <= DAY < end)


def test_a_students_homeroom_is_the_one_joined_last_of_those_they_are_in() -> None:
    stays = [
        Held("s", "old", None, None),
        Held("s", "new", date(2026, 2, 1), None),
        Held("s", "left", date(2026, 2, 20), date(2026, 3, 2)),
        Held("s", "next", date(2026, 3, 3), None),
    ]

    assert Directory(stays={"s": stays}).homerooms_of(Subject("student", "s", PLACES, DAY)) == ["new"]
    assert Directory().homerooms_of(Subject("student", "s", PLACES, DAY)) == []


def test_the_deepest_unit_is_the_nearest_even_where_units_go_in_a_circle() -> None:
    directory = Directory(parents={"cnc": "mech", "mech": "demo", "demo": None, "a": "b", "b": "a"})

    assert directory.nearness(["demo", "cnc", "mech"]) == {"cnc": 0, "mech": 1, "demo": 2}
    assert directory.nearness(["a", "b"]) == {"a": 0, "b": 0}


def test_every_default_ladder_ends_with_the_quality_office_or_above() -> None:
    assert {ladder[-1] for ladder in OWNERS.values()} == {"quality_office"}
    assert all("quality_office" in ladder[-2:] for ladder in VERIFIERS.values())


def test_the_posts_that_verify_are_those_to_which_the_gateway_gives_it() -> None:
    assert set(VERIFY) == {post for post, rule in policy.POSTS.items() if "improvement.verify" in rule.may}
