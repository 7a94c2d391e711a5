from __future__ import annotations

from datetime import date

import pytest

from libs.common.errors import Invalid
from services.gateway.domain.roster.model import Enrollment, Parent, Person, Roster, cycle
from services.gateway.domain.roster.parse import full_name, parse_roster
from tests.unit.gateway.roster_files import FILES, MANIFEST, files, replaced, with_line, without, zipped


def parsed(**changes: str | None) -> Roster:
    return parse_roster(zipped(files(**changes)))


def faults(**changes: str | None) -> dict[str, str]:
    """Pointer → detail of what a changed roster is refused for."""
    with pytest.raises(Invalid) as caught:
        parsed(**changes)
    assert caught.value.errors
    return {fault["pointer"]: fault["detail"] for fault in caught.value.errors}


def test_a_roster_is_read_with_its_references() -> None:
    roster = parsed()
    assert roster.rows == {
        "academicSessions": 2,
        "orgs": 4,
        "courses": 1,
        "classes": 2,
        "users": 5,
        "roles": 5,
        "enrollments": 5,
    }
    assert {org.id: (org.kind, org.parent) for org in roster.orgs.values()} == {
        "hbpt": ("school", None),
        "mech": ("department", "hbpt"),
        "cnc": ("programme", "mech"),
        "cncroom": ("office", "mech"),
    }
    assert roster.enrollments["E2"] == Enrollment("E2", "CNC101-2026S", "S2", "student", False, date(2026, 2, 24), None)
    assert roster.classes["H2301"].course is None
    assert roster.parents == {("P1", "S1"): Parent("P1", "S1")}
    assert roster.people_on(date(2026, 3, 2))["T1"] == Person("T1", "李芳", True, ("teacher",), ("mech",))


def test_bom_crlf_and_quoted_line_breaks_are_read() -> None:
    users = FILES["users.csv"].replace("大山", '"大\n山"')
    with pytest.raises(Invalid) as caught:
        parsed(users=users)
    assert [f["pointer"] for f in caught.value.errors] == ["/users.csv/6/givenName"]
    content = {name: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() for name, text in FILES.items()}
    assert parse_roster(zipped(content)) == parsed()


def test_blank_rows_and_spaces_around_values_do_not_matter() -> None:
    assert parsed(orgs=FILES["orgs.csv"].replace(",department,", ", department ,") + "\n,,,,,,,\n").orgs == parsed().orgs


def test_a_status_of_tobedeleted_leaves_the_row_out() -> None:
    roster = parsed(enrollments=replaced("enrollments", "E2,,", "E2,tobedeleted,"))
    assert set(roster.enrollments) == {"E1", "E3", "E4", "E5"}
    assert roster.rows["enrollments"] == 5
    assert set(parsed(enrollments=replaced("enrollments", "E2,,", "E2,active,")).enrollments) == {"E1", "E2", "E3", "E4", "E5"}
    assert faults(users=replaced("users", "S2,,", "S2,tobedeleted,")) == {
        "/roles.csv/3/userSourcedId": "there is no user 'S2'",
        "/enrollments.csv/3/userSourcedId": "there is no user 'S2'",
    }


def test_roles_that_are_over_are_not_held() -> None:
    roster = parsed(roles=replaced("roles", "R3,,,T1,primary,teacher,,", "R3,,,T1,primary,teacher,2025-09-01,2026-03-01"))
    assert roster.people_on(date(2026, 2, 28))["T1"].roles == ("teacher",)
    assert roster.people_on(date(2026, 3, 1))["T1"].roles == ()


@pytest.mark.parametrize(
    ("users", "roles"),
    [
        (FILES["users.csv"], FILES["roles.csv"]),
        (FILES["users.csv"].replace("小明,王,P1", "小明,王,").replace("大山,王,", "大山,王,S1"), FILES["roles.csv"]),
    ],
)
def test_parent_and_child_are_bound_whichever_names_the_other(users: str, roles: str) -> None:
    assert set(parsed(users=users, roles=roles).parents) == {("P1", "S1")}


def test_an_agent_who_is_no_parent_is_not_bound_to_a_student() -> None:
    assert parsed(users=replaced("users", "小明,王,P1", '小明,王,"T1,S2"')).parents == {}


def test_names_are_written_as_they_are_said() -> None:
    assert full_name("小明", "王") == "王小明"
    assert full_name("Ada", "Lovelace") == "Ada Lovelace"
    assert full_name("", "欧阳锋") == "欧阳锋"
    assert full_name("Plato", "") == "Plato"


# --- the manifest ----------------------------------------------------------------------------------------------------


def test_a_zip_without_a_manifest_is_refused() -> None:
    assert set(faults(manifest=None)) == {"/manifest.csv"}


@pytest.mark.parametrize("name", ["orgs", "academicSessions", "courses", "classes", "users", "roles", "enrollments"])
def test_a_file_that_the_manifest_promises_must_be_there(name: str) -> None:
    assert faults(**{name: None}) == {f"/{name}.csv": "is missing: the manifest says that it is here"}


def test_a_bulk_import_holds_all_seven_files() -> None:
    manifest = MANIFEST.replace("file.enrollments,bulk", "file.enrollments,absent")
    assert set(faults(manifest=manifest, enrollments=None)) == {"/enrollments.csv"}
    assert set(faults(manifest=MANIFEST.replace("file.enrollments,bulk\n", ""), enrollments=None)) == {"/enrollments.csv"}


def test_a_file_that_the_manifest_does_not_promise_is_refused() -> None:
    demographics = "sourcedId,birthDate\nS1,2005-01-01\n"
    assert set(faults(demographics=demographics)) == {"/demographics.csv"}
    manifest = MANIFEST.replace("file.demographics,absent", "file.demographics,bulk")
    assert parsed(manifest=manifest, demographics=demographics).rows["demographics"] == 1
    assert set(faults(manifest=manifest, demographics=demographics + "S9,\n")) == {"/demographics.csv/3/sourcedId"}


def test_delta_is_refused_as_something_for_later() -> None:
    found = faults(manifest=MANIFEST.replace("file.users,bulk", "file.users,delta"))
    assert "later" in found["/manifest.csv/8/value"]


@pytest.mark.parametrize(
    ("old", "new", "pointer"),
    [
        ("oneroster.version,1.2", "oneroster.version,1.1", "/manifest.csv/3/value"),
        ("oneroster.version,1.2\n", "", "/manifest.csv"),
        ("manifest.version,1.0", "manifest.version,2.0", "/manifest.csv/2/value"),
        ("file.orgs,bulk", "file.orgs,all", "/manifest.csv/4/value"),
        ("file.orgs,bulk", "file.orgs,bulk\nfile.orgs,bulk", "/manifest.csv/5/propertyName"),
        ("file.orgs,bulk", "file.orgs,bulk\nfile.pets,bulk", "/manifest.csv/5/propertyName"),
        ("propertyName,value", "property,value", "/manifest.csv/1/propertyName"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_by_row(old: str, new: str, pointer: str) -> None:
    assert pointer in faults(manifest=MANIFEST.replace(old, new))


# --- rows ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "old", "new", "pointer"),
    [
        ("orgs", "mech,,,机电学院,department", "mech,,,机电学院,faculty", "/orgs.csv/3/type"),
        ("orgs", "mech,,,机电学院,", "mech,,,,", "/orgs.csv/3/name"),
        ("orgs", "department,,hbpt", "department,,nowhere", "/orgs.csv/3/parentSourcedId"),
        ("orgs", "mech,programme", "mech,club", "/orgs.csv/4/metadata.kind"),
        ("orgs", "湖北职院,school,,,", "湖北职院,school,,,office", "/orgs.csv/2/metadata.kind"),
        ("orgs", "mech,,,机", "mech,gone,,机", "/orgs.csv/3/status"),
        ("orgs", "cnc,,,数", ",,,数", "/orgs.csv/4/sourcedId"),
        ("orgs", "cncroom,", "cnc,", "/orgs.csv/5/sourcedId"),
        ("academicSessions", ",term,", ",month,", "/academicSessions.csv/3/type"),
        ("academicSessions", "2026-02-24", "24.2.2026", "/academicSessions.csv/3/startDate"),
        ("academicSessions", "2026-02-24", "", "/academicSessions.csv/3/startDate"),
        ("academicSessions", "2026-02-24", "2026-02-30", "/academicSessions.csv/3/startDate"),
        ("academicSessions", "2026-07-11", "2026-02-24", "/academicSessions.csv/3/endDate"),
        ("academicSessions", "2026-07-11", "2026-02-23", "/academicSessions.csv/3/endDate"),
        ("academicSessions", "2025,2026\n", "2024,2026\n", "/academicSessions.csv/3/parentSourcedId"),
        ("academicSessions", ",2026\n", ",26\n", "/academicSessions.csv/2/schoolYear"),
        ("courses", ",cnc,", ",nowhere,", "/courses.csv/2/orgSourcedId"),
        ("courses", "CNC101,,,2025", "CNC101,,,1999", "/courses.csv/2/schoolYearSourcedId"),
        ("classes", "CNC101,,scheduled", "CNC9,,scheduled", "/classes.csv/2/courseSourcedId"),
        ("classes", "CNC101,,scheduled", ",,scheduled", "/classes.csv/2/courseSourcedId"),
        ("classes", "scheduled,,mech", "scheduled,,nowhere", "/classes.csv/2/schoolSourcedId"),
        ("classes", "scheduled,,mech", "lecture,,mech", "/classes.csv/2/classType"),
        ("classes", "2025,2026S", "2025,2027S", "/classes.csv/2/termSourcedIds"),
        ("users", "S1,,,true", "S1,,,yes", "/users.csv/2/enabledUser"),
        ("users", "王,P1", "王,P9", "/users.csv/2/agentSourcedIds"),
        ("users", "Ada,Lovelace", ",", "/users.csv/3/givenName"),
        ("users", "Ada", "A" * 257, "/users.csv/3/givenName"),
        ("users", "Ada", "A\x07da", "/users.csv/3/givenName"),
        ("roles", "S1,primary", "S9,primary", "/roles.csv/2/userSourcedId"),
        ("roles", "primary,student", "primary,pupil", "/roles.csv/2/role"),
        ("roles", "primary,student", "first,student", "/roles.csv/2/roleType"),
        ("roles", "student,,,cnc", "student,,,nowhere", "/roles.csv/2/orgSourcedId"),
        ("roles", "student,,,cnc", "student,2026-03-01,2026-02-01,cnc", "/roles.csv/2/endDate"),
        ("enrollments", "E1,,,CNC101-2026S", "E1,,,NOWHERE", "/enrollments.csv/2/classSourcedId"),
        ("enrollments", "mech,S1", "mech,S9", "/enrollments.csv/2/userSourcedId"),
        ("enrollments", "mech,S1", "nowhere,S1", "/enrollments.csv/2/schoolSourcedId"),
        ("enrollments", "S1,student", "S1,parent", "/enrollments.csv/2/role"),
        ("enrollments", "teacher,true", "teacher,1", "/enrollments.csv/4/primary"),
        ("enrollments", "2026-02-24,", "2026-02-24,2026-02-23", "/enrollments.csv/3/endDate"),
        ("enrollments", "2026-02-24,", "２０２６-02-24,", "/enrollments.csv/3/beginDate"),
        ("enrollments", "E2,", "E1,", "/enrollments.csv/3/sourcedId"),
        ("enrollments", "E2,", "E" * 129 + ",", "/enrollments.csv/3/sourcedId"),
        ("enrollments", "E2,", "E\x1f2,", "/enrollments.csv/3/sourcedId"),
        ("enrollments", "E2,", "E\x7f2,", "/enrollments.csv/3/sourcedId"),
    ],
)
def test_a_broken_row_is_named_by_file_row_and_column(name: str, old: str, new: str, pointer: str) -> None:
    assert list(faults(**{name: replaced(name, old, new)}))[:1] == [pointer]


def test_a_row_with_too_few_or_too_many_fields_is_named() -> None:
    assert faults(orgs=with_line("orgs", "x,y")) == {"/orgs.csv/6": "has 2 fields, the header has 8"}
    assert faults(orgs=with_line("orgs", "x" + "," * 9)) == {"/orgs.csv/6": "has 10 fields, the header has 8"}


def test_an_id_of_128_characters_and_any_letters_is_taken() -> None:
    id_ = "学" * 127 + "é"
    assert id_ in parsed(orgs=with_line("orgs", f"{id_},,,新学院,department,,hbpt,")).orgs


def test_missing_unknown_and_repeated_columns_are_named() -> None:
    assert set(faults(users=replaced("users", "enabledUser", "enabled"))) == {
        "/users.csv/1/enabledUser",
        "/users.csv/1/enabled",
    }
    assert set(faults(users=replaced("users", "username", "sourcedId"))) == {"/users.csv/1/sourcedId"}
    with_metadata = replaced("users", "agentSourcedIds", "agentSourcedIds,metadata.dormitory")
    assert (
        len(parsed(users=with_metadata.replace(",P1\n", ",P1,\n").replace(",\n", ",,\n").replace("P1,,\n", "P1,7栋\n")).people) == 5
    )


def test_a_file_that_cannot_be_read_stops_before_its_rows_are_missed_elsewhere() -> None:
    assert set(faults(users=replaced("users", "enabledUser", "enabled"), orgs=replaced("orgs", "school", "scool"))) == {
        "/orgs.csv/2/type",
        "/users.csv/1/enabledUser",
        "/users.csv/1/enabled",
    }


def test_an_empty_file_and_a_broken_quote_are_named() -> None:
    assert set(faults(orgs="")) == {"/orgs.csv"}
    assert set(faults(orgs=with_line("orgs", 'x,,,"open,department,,,'))) == {"/orgs.csv/6"}
    assert set(faults(orgs=with_line("orgs", 'x,,,"a"b,department,,,'))) == {"/orgs.csv/6"}
    assert set(faults(orgs=with_line("orgs", "x\0,,,a,department,,,"))) == {"/orgs.csv/6"}


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16"])
def test_another_encoding_is_refused_with_what_to_do(encoding: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_roster(zipped(files() | {"users.csv": FILES["users.csv"].encode(encoding)}))
    (fault,) = caught.value.errors
    assert fault["pointer"] == "/users.csv"
    assert "save it as UTF-8" in fault["detail"]


@pytest.mark.parametrize(
    ("parents", "circle"),
    [
        ({"a": "b", "b": "c", "c": "a"}, {"a", "b", "c"}),
        ({"a": "a"}, {"a"}),
        ({"x": "a", "a": "b", "b": "a"}, {"a", "b"}),
        ({"a": None, "b": "a", "c": "a", "d": "c"}, set()),
        ({"a": "gone"}, set()),
        ({}, set()),
    ],
)
def test_a_circle_of_parents_is_found_and_a_tree_is_none(parents: dict[str, str | None], circle: set[str]) -> None:
    assert set(cycle(parents)) == circle


def test_a_very_deep_tree_of_orgs_is_no_circle() -> None:
    assert cycle({str(n): str(n + 1) for n in range(100_000)}) == []


def test_a_cycle_of_orgs_is_refused_with_its_members() -> None:
    orgs = FILES["orgs.csv"].replace("机电学院,department,,hbpt", "机电学院,department,,cnc")
    found = faults(orgs=orgs)
    assert found == {"/orgs.csv/3/parentSourcedId": "its parents lead in a circle: mech → cnc → mech"}


def test_only_the_first_hundred_faults_are_listed_and_all_are_counted() -> None:
    with pytest.raises(Invalid, match="the first 100 of 250 are listed") as caught:
        parsed(enrollments=with_line("enrollments", "\n".join(f"X{n},,,NOWHERE,mech,S1,student,,," for n in range(250))))
    assert len(caught.value.errors) == 100


def test_own_roles_are_taken_as_onerooster_allows() -> None:
    roster = parsed(roles=with_line("roles", "R9,,,T1,secondary,ext:dormManager,,,mech"))
    assert roster.people_on(date(2026, 3, 2))["T1"].roles == ("ext:dormManager", "teacher")


def test_a_column_name_with_a_slash_is_escaped_in_the_pointer() -> None:
    assert set(faults(orgs=replaced("orgs", "identifier", "a/b~c"))) == {"/orgs.csv/1/a~1b~0c"}


def test_without_reports_what_a_test_took_away() -> None:
    assert without("orgs", "cncroom").count("\n") == FILES["orgs.csv"].count("\n") - 1
