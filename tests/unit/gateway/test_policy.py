"""What each post may do, and over what."""

from datetime import date

import pytest

from libs.common.auth import Grant, Principal
from services.gateway.domain.policy import EVERYTHING, POSTS, grants, posts_today
from services.gateway.domain.relations import Post, Relations

TODAY = date(2026, 3, 2)


def holding(*posts: Post, **roster: tuple[str, ...]) -> Principal:
    return Principal("person", "P1", "demo", grants(Relations(posts, **roster), "P1", TODAY))


def over(principal: Principal, permission: str) -> set[str] | None:
    """The places of a permission, None for the whole school, empty where it is not given at all."""
    if not principal.may(permission):
        return set()
    places = principal.scope(permission).places
    return None if places is None else set(places)


@pytest.mark.parametrize(
    ("post", "places"),
    [
        (Post("school_leader"), None),
        (Post("quality_office"), None),
        (Post("level_group", "course"), {"level:course"}),
        (Post("department_head", "D1"), {"unit:D1"}),
        (Post("department_quality_officer", "D1"), {"unit:D1"}),
        (Post("office_head", "O1"), {"unit:O1"}),
        (Post("programme_leader", "G1"), {"unit:G1"}),
        (Post("course_leader", "C1"), {"course:C1"}),
        (Post("class_teacher", "H1"), {"class:H1"}),
        (Post("outside_expert", "unit:D1"), {"unit:D1"}),
        (Post("student"), {"student:P1"}),
        (Post("staff"), {"teacher:P1"}),
    ],
)
def test_a_post_covers_its_object_and_no_more(post: Post, places: set[str] | None) -> None:
    assert over(holding(post), "warning.read") == places


@pytest.mark.parametrize("name", [name for name in POSTS if name not in {"school_leader", "quality_office"}])
def test_a_post_without_an_object_covers_nothing_of_the_school(name: str) -> None:
    covered = over(holding(Post(name)), "warning.read")

    assert covered is not None
    assert covered <= {"student:P1", "teacher:P1"}


def test_a_teacher_covers_the_classes_taught_and_themselves() -> None:
    assert over(holding(teaches=("K1", "K2"), roles=("teacher",)), "warning.handle") == {"class:K1", "class:K2", "teacher:P1"}


def test_who_leads_a_homeroom_is_its_class_teacher() -> None:
    assert over(holding(homerooms_led=("H1",)), "improvement.work") == {"class:H1"}


def test_a_parent_covers_each_bound_child_and_nobody_without_one() -> None:
    assert over(holding(children=("S1", "S2"), roles=("parent",)), "warning.read") == {"student:S1", "student:S2"}
    assert over(holding(roles=("parent",)), "warning.read") == set()


@pytest.mark.parametrize(
    ("name", "writes"),
    [
        ("student", {"plan.write", "file.write", "due.work", "diagnosis.write", "judgement.write", "desk.student"}),
        ("staff", {"plan.write", "improvement.work", "task.work", "file.write", "process.work", "due.work", "diagnosis.write"}),
        ("parent", set()),
        ("outside_expert", set()),
    ],
)
def test_who_only_looks_changes_nothing_but_what_is_their_own(name: str, writes: set[str]) -> None:
    changes = {permission for permission in EVERYTHING if not permission.endswith(".read")}

    assert POSTS[name].may & changes == writes


@pytest.mark.parametrize(
    "permission",
    ["indicator.write", "metric.write", "post.write", "settings.write", "conflict.read", "deadletter.read", "deadletter.replay"],
)
def test_only_the_leader_and_the_quality_office_govern(permission: str) -> None:
    assert {name for name, rule in POSTS.items() if permission in rule.may} == {"school_leader", "quality_office"}


@pytest.mark.parametrize("permission", ["school.write", "source.write", "user.write", "roster.write"])
def test_no_person_installs(permission: str) -> None:
    assert not [name for name, rule in POSTS.items() if permission in rule.may]


def test_a_quality_officer_fills_in_and_the_head_verifies() -> None:
    officer, head = holding(Post("department_quality_officer", "D1")), holding(Post("department_head", "D1"))

    assert over(officer, "improvement.work") == {"unit:D1"}
    assert over(officer, "improvement.verify") == set()
    assert over(head, "improvement.verify") == {"unit:D1"}


@pytest.mark.parametrize(
    ("start", "end", "holds"),
    [
        (None, None, True),
        (TODAY, None, True),
        (date(2026, 3, 3), None, False),
        (None, date(2026, 3, 3), True),
        (None, TODAY, False),  # the end is exclusive
    ],
)
def test_a_post_gives_rights_from_its_first_day_to_before_its_end(start: date | None, end: date | None, holds: bool) -> None:
    assert holding(Post("department_head", "D1", start, end)).may("warning.read") is holds


def test_rights_of_several_posts_stand_beside_one_another_each_over_its_own_places() -> None:
    both = holding(Post("department_head", "D1"), Post("department_quality_officer", "D2"))

    assert over(both, "improvement.work") == {"unit:D1", "unit:D2"}
    assert over(both, "improvement.verify") == {"unit:D1"}


def test_a_post_that_the_table_lacks_gives_nothing() -> None:
    assert grants(Relations((Post("emperor"),)), "P1", TODAY) == ()


def test_the_order_of_relations_does_not_change_the_grants() -> None:
    posts = (Post("department_head", "D1"), Post("course_leader", "C1"), Post("quality_office"))

    assert grants(Relations(posts), "P1", TODAY) == grants(Relations(posts[::-1]), "P1", TODAY)


def test_the_same_post_from_posts_and_roster_is_held_once() -> None:
    relations = Relations((Post("class_teacher", "H1"),), homerooms_led=("H1",))

    assert posts_today(relations, TODAY) == (Post("class_teacher", "H1"),)
    assert grants(relations, "P1", TODAY) == (Grant(POSTS["class_teacher"].may, frozenset({"class:H1"})),)
