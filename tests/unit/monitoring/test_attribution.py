"""Which subjects an observation counts for: named ids as named, the rest by the roster as of the day (contract, "Levels")."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from services.monitoring.domain.attribution import Org, Roster, SchoolClass, Stay

ORGS = {
    "demo": Org("school", None),
    "mech": Org("department", "demo"),
    "cnc": Org("programme", "mech"),
    "office": Org("office", "mech"),
    "arts": Org("department", "demo"),
    "design": Org("programme", "arts"),
    "loose": Org("programme", "demo"),
}
COURSES: dict[str, str | None] = {"CNC101": "cnc", "ART1": "arts", "NOWHERE": None, "GONE": "no-such-org", "OFF1": "office"}
CLASSES = {
    "in-programme": SchoolClass("scheduled", "CNC101", "cnc"),
    "in-office": SchoolClass("scheduled", "CNC101", "office"),
    "in-department": SchoolClass("scheduled", "ART1", "mech"),
    "in-school": SchoolClass("scheduled", "CNC101", "demo"),
    "without-unit": SchoolClass("scheduled", "ART1", None),
    "unknown-unit": SchoolClass("scheduled", "OFF1", "no-such-org"),
    "without-course": SchoolClass("scheduled", None, "arts"),
    "unknown-course": SchoolClass("scheduled", "XYZ", None),
    "unit-of-none": SchoolClass("scheduled", "GONE", "demo"),
    "under-no-department": SchoolClass("scheduled", "ART1", "loose"),
    "H1": SchoolClass("homeroom", None, "cnc"),
    "H2": SchoolClass("homeroom", None, "design"),
}
STAYS = {
    "S1": [Stay("H1", None, 100), Stay("H2", 100, None)],
    "S2": [Stay("H1", None, None)],
    "S3": [Stay("H1", 10, 20)],
    "S4": [Stay("H1", 10, None), Stay("H2", 50, None)],
    "S5": [Stay("H9", None, None)],
}
ROSTER = Roster("demo", ORGS, COURSES, CLASSES, frozenset({"S1", "S2", "S3", "S4", "S5", "S6"}), STAYS)


def subjects(day: int = 0, /, **named: str) -> dict[str, str]:
    return ROSTER.subjects({kind.rstrip("_"): id_ for kind, id_ in named.items()}, day)


def without_school(found: Mapping[str, str]) -> dict[str, str]:
    assert found["school"] == "demo", "every observation counts for the school"
    return {level: subject for level, subject in found.items() if level != "school"}


def test_an_observation_that_names_nothing_counts_for_the_school_alone() -> None:
    assert subjects() == {"school": "demo"}


@pytest.mark.parametrize(
    ("class_", "course", "programme", "department"),
    [
        ("in-programme", "CNC101", "cnc", "mech"),
        ("in-office", "CNC101", "cnc", "mech"),
        ("in-department", "ART1", None, "mech"),  # its own unit before its course's
        ("in-school", "CNC101", "cnc", "mech"),  # the school is no department: the course's unit
        ("without-unit", "ART1", None, "arts"),
        ("unknown-unit", "OFF1", None, "mech"),
        ("without-course", None, None, "arts"),
        ("unknown-course", "XYZ", None, None),
        ("unit-of-none", "GONE", None, None),
        ("under-no-department", "ART1", "loose", "arts"),
    ],
)
def test_a_class_gives_its_course_programme_and_department(
    class_: str, course: str | None, programme: str | None, department: str | None
) -> None:
    expected = {"class": class_, "course": course, "programme": programme, "department": department}

    assert without_school(subjects(class_=class_)) == {level: subject for level, subject in expected.items() if subject}


def test_named_ids_count_as_they_are_named_also_against_the_roster() -> None:
    named = {
        "student": "S2",
        "teacher": "T1",
        "class_": "in-programme",
        "homeroom": "H2",
        "course": "ART1",
        "programme": "design",
        "department": "arts",
        "lesson": "L1",
    }

    assert without_school(subjects(**named)) == {kind.rstrip("_"): id_ for kind, id_ in named.items()}


def test_what_is_named_beside_a_class_stands_and_only_the_rest_is_derived() -> None:
    assert without_school(subjects(class_="in-programme", department="arts")) == {
        "class": "in-programme",
        "course": "CNC101",
        "programme": "cnc",
        "department": "arts",
    }


def test_an_activity_is_evidence_and_no_level() -> None:
    assert subjects(activity="A1") == {"school": "demo"}


@pytest.mark.parametrize(("day", "homeroom"), [(99, "H1"), (100, "H2"), (101, "H2")])
def test_the_homeroom_is_the_one_of_the_day(day: int, homeroom: str) -> None:
    programme, department = {"H1": ("cnc", "mech"), "H2": ("design", "arts")}[homeroom]

    assert without_school(subjects(day, student="S1")) == {
        "student": "S1",
        "homeroom": homeroom,
        "programme": programme,
        "department": department,
    }


@pytest.mark.parametrize(("day", "homeroom"), [(9, None), (10, "H1"), (19, "H1"), (20, None)])
def test_a_stay_holds_its_first_day_but_not_its_end(day: int, homeroom: str | None) -> None:
    assert subjects(day, student="S3").get("homeroom") == homeroom


def test_of_two_homerooms_at_once_the_one_joined_last_counts() -> None:
    assert [subjects(day, student="S4")["homeroom"] for day in (49, 50)] == ["H1", "H2"]


@pytest.mark.parametrize(
    ("named", "derived"),
    [
        ({"class_": "in-department"}, {"course": "ART1", "department": "mech"}),
        ({"class_": "not-in-the-roster"}, {}),
        ({"lesson": "L1"}, {}),
        ({"course": "ART1"}, {}),
        ({"teacher": "T1"}, {"programme": "cnc", "department": "mech"}),
        ({"activity": "A1"}, {"programme": "cnc", "department": "mech"}),
    ],
)
def test_the_homeroom_gives_programme_and_department_only_where_no_class_lesson_or_course_is_named(
    named: dict[str, str], derived: dict[str, str]
) -> None:
    found = without_school(subjects(student="S2", **named))
    counted = {kind.rstrip("_"): id_ for kind, id_ in named.items() if kind != "activity"}

    assert found == {"student": "S2", "homeroom": "H1", **counted, **derived}


def test_a_teacher_counts_only_where_named() -> None:
    assert "teacher" not in subjects(class_="in-programme", student="S1", lesson="L1")


@pytest.mark.parametrize(
    ("named", "levels"),
    [
        ({"student": "S9"}, {"student"}),
        ({"student": "S6"}, {"student"}),  # known, but in no homeroom
        ({"student": "S5"}, {"student", "homeroom"}),  # in a homeroom that the roster lacks
        ({"class_": "C9"}, {"class"}),
        ({"homeroom": "H9"}, {"homeroom"}),
        ({"teacher": "T9", "lesson": "L9"}, {"teacher", "lesson"}),
        ({"department": "D9"}, {"department"}),
    ],
)
def test_an_unknown_id_counts_for_itself_and_the_school(named: dict[str, str], levels: set[str]) -> None:
    assert subjects(**named).keys() == levels | {"school"}


def test_a_named_homeroom_gives_programme_and_department() -> None:
    assert without_school(subjects(homeroom="H2")) == {"homeroom": "H2", "programme": "design", "department": "arts"}


@pytest.mark.parametrize(
    ("named", "missing"),
    [
        ({"student": "S1", "class": "in-programme", "homeroom": "H1"}, []),
        ({"student": "S9"}, [("student", "S9")]),
        ({"class": "C9", "student": "S1"}, [("class", "C9")]),
        ({"homeroom": "H9"}, [("homeroom", "H9")]),
        ({"teacher": "T9", "lesson": "L9", "activity": "A9"}, []),
    ],
)
def test_the_ids_that_would_place_an_observation_are_remembered_while_unknown(
    named: dict[str, str], missing: list[tuple[str, str]]
) -> None:
    known = ROSTER.placing
    assert [(kind, named[kind]) for kind in known if kind in named and named[kind] not in known[kind]] == missing


def test_units_that_stand_in_a_circle_end_somewhere() -> None:
    orgs = {"a": Org("department", "b"), "b": Org("programme", "a")}
    circle = Roster("demo", orgs, {}, {"C": SchoolClass("scheduled", None, "b")})

    assert without_school(circle.subjects({"class": "C"}, 0)) == {"class": "C", "programme": "b", "department": "a"}
