"""The demo school is a whole school that the product's own rules take in without a fault."""

import io
import zipfile
from datetime import date

import pytest

from services.gateway import demo_school
from services.gateway.domain.policy import POSTS
from services.gateway.domain.posts import Ground, parse_posts
from services.gateway.domain.roster.model import Roster
from services.gateway.domain.roster.parse import parse_roster

TODAY = date(2026, 3, 2)


def roster(today: date = TODAY) -> Roster:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, text in demo_school.roster_files(today).items():
            archive.writestr(name, text)
    return parse_roster(body.getvalue())


def test_the_roster_is_taken_in_whole() -> None:
    found = roster()

    kinds = [org.kind for org in found.orgs.values()]
    assert (kinds.count("department"), kinds.count("programme"), kinds.count("office")) == (3, 6, 3)
    assert len(found.courses) == 24
    assert [each.kind for each in found.classes.values()].count("homeroom") == 20
    roles = [role.role for role in found.roles.values()]
    assert (roles.count("student"), roles.count("teacher"), roles.count("parent")) == (600, 60, 12)
    assert len(found.parents) == 12


def test_every_student_has_one_homeroom_and_four_or_five_classes_with_a_teacher_each() -> None:
    found = roster()
    taken: dict[str, list[str]] = {}
    for row in found.enrollments.values():
        if row.role == "student":
            taken.setdefault(row.person, []).append(found.classes[row.class_id].kind)
    taught = {row.class_id for row in found.enrollments.values() if row.role == "teacher"}

    assert len(taken) == 600
    assert all(kinds.count("homeroom") == 1 and kinds.count("scheduled") in {4, 5} for kinds in taken.values())
    assert taught == set(found.classes)


def test_everybody_is_plainly_invented() -> None:
    assert all(person.name.startswith("演示") for person in roster().people.values())


@pytest.mark.parametrize("today", [date(2026, 1, 1), date(2026, 2, 20), date(2026, 2, 21), date(2026, 8, 31), date(2026, 9, 1)])
def test_every_day_lies_in_one_of_two_terms(today: date) -> None:
    terms = [session for session in roster(today).sessions.values() if session.start <= today < session.end]

    assert [session.start for session in terms] == [demo_school.term_start(today)]


def test_the_posts_are_taken_in_and_every_unit_and_course_has_its_head() -> None:
    found = roster()
    people: dict[str, list[str]] = {}
    for role in found.roles.values():
        people.setdefault(role.person, []).append(role.role)
    ground = Ground(
        demo_school.CODE,
        units={org.id: org.kind for org in found.orgs.values()},
        courses=found.courses,
        classes={each.id: each.kind for each in found.classes.values()},
        people=people,
    )

    held = parse_posts(demo_school.posts_csv(TODAY).encode(), ground).values()

    assert {h.object for h in held if h.post == "course_leader"} == set(found.courses)
    units = {org.id for org in found.orgs.values() if org.kind != "school"}
    assert {h.object for h in held if h.post in {"department_head", "programme_leader", "office_head"}} == units


def test_there_is_one_account_for_each_role_of_the_policy() -> None:
    accounts = demo_school.accounts()

    assert sorted(account.role for account in accounts) == sorted(POSTS)
    assert {account.person for account in accounts} <= set(roster().people)
    assert len({account.username for account in accounts}) == len(accounts)


def test_the_accounts_of_teacher_and_class_teacher_hold_what_they_show() -> None:
    found = roster()
    who = {account.role: account.person for account in demo_school.accounts()}
    led = {
        role: [found.classes[row.class_id].kind for row in found.enrollments.values() if row.person == who[role]]
        for role in ("teacher", "class_teacher")
    }

    assert led["teacher"] == ["scheduled"]
    assert "homeroom" in led["class_teacher"]


def test_the_indicators_cover_every_metric_that_a_school_starts_with() -> None:
    from services.monitoring.templates import STARTING

    assert {each["metric"] for each in demo_school.indicators(TODAY)} == {metric.code for metric in STARTING}
