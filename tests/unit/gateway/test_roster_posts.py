from __future__ import annotations

from datetime import date

import pytest

from libs.common.errors import Invalid
from services.gateway.domain.policy import POSTS
from services.gateway.domain.posts import ALIASES, Ground, Holding, compare_posts, object_named, parse_posts, post_named
from services.gateway.domain.roster.changes import Span

GROUND = Ground(
    "hbpt",
    units={"root": "school", "mech": "department", "cnc": "programme", "room": "office", "same": "department"},
    courses={"CNC101", "same"},
    classes={"C1": "scheduled", "H1": "homeroom"},
    people={"T1": ["teacher"], "T2": ["teacher"], "S1": ["student"]},
)
HEADER = "person,post,object,from,to\n"


def parsed(*lines: str) -> list[Holding]:
    return list(parse_posts((HEADER + "\n".join(lines) + "\n").encode(), GROUND).values())


def faults(*lines: str, header: str = HEADER) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        parse_posts((header + "\n".join(lines) + "\n").encode(), GROUND)
    return {fault["pointer"]: fault["detail"] for fault in caught.value.errors}


@pytest.mark.parametrize(
    ("line", "post", "object_", "place"),
    [
        ("T1,校领导,,,", "school_leader", None, "school:hbpt"),
        ("T1,质量办,hbpt,,", "quality_office", None, "school:hbpt"),
        ("T1,quality_office,root,,", "quality_office", None, "school:hbpt"),
        ("T1,推进组,专业,,", "level_group", "programme", "level:programme"),
        ("T1,level_group,course,,", "level_group", "course", "level:course"),
        ("T1,部门负责人,mech,,", "department_head", "mech", "unit:mech"),
        ("T1,部门质量专员,mech,,", "department_quality_officer", "mech", "unit:mech"),
        ("T1,教研室主任,room,,", "office_head", "room", "unit:room"),
        ("T1,专业负责人,cnc,,", "programme_leader", "cnc", "unit:cnc"),
        ("T1,课程负责人,CNC101,,", "course_leader", "CNC101", "course:CNC101"),
        ("T1,班主任,H1,,", "class_teacher", "H1", "class:H1"),
        ("T1,辅导员,H1,,", "class_teacher", "H1", "class:H1"),
        ("T1,教师,C1,,", "teacher", "C1", "class:C1"),
        ("T1,教师,,,", "teacher", None, "teacher:T1"),
        ("T1,staff,,,", "staff", None, "teacher:T1"),
        ("T2,家长,S1,,", "parent", "S1", "student:S1"),
        ("T2,校外专家,mech,,2026-07-01", "outside_expert", "unit:mech", "unit:mech"),
        ("T2,校外专家,course:same,,2026-07-01", "outside_expert", "course:same", "course:same"),
        ("T2,校外专家,S1,,2026-07-01", "outside_expert", "student:S1", "student:S1"),
    ],
)
def test_a_post_is_read_by_either_name_with_its_object(line: str, post: str, object_: str | None, place: str) -> None:
    (holding,) = parsed(line)
    assert (holding.post, holding.object, holding.place) == (post, object_, place)


@pytest.mark.parametrize(
    ("line", "pointer"),
    [
        ("T9,校领导,,,", "/2/person"),
        (",校领导,,,", "/2/person"),
        ("T1,国王,,,", "/2/post"),
        ("T1,,,,", "/2/post"),
        ("S1,学生,,,", "/2/post"),
        ("T1,校领导,mech,,", "/2/object"),
        ("T1,推进组,,,", "/2/object"),
        ("T1,推进组,mech,,", "/2/object"),
        ("T1,部门负责人,,,", "/2/object"),
        ("T1,部门负责人,cnc,,", "/2/object"),
        ("T1,教研室主任,mech,,", "/2/object"),
        ("T1,专业负责人,mech,,", "/2/object"),
        ("T1,课程负责人,mech,,", "/2/object"),
        ("T1,班主任,C1,,", "/2/object"),
        ("T1,教师,H1,,", "/2/object"),
        ("T1,家长,T2,,", "/2/object"),
        ("T1,staff,mech,,", "/2/object"),
        ("T1,校外专家,,,2026-07-01", "/2/object"),
        ("T1,校外专家,same,,2026-07-01", "/2/object"),
        ("T1,校外专家,course:mech,,2026-07-01", "/2/object"),
        ("T1,校外专家,mech,,", "/2/to"),
        ("T1,校领导,,2026-13-01,", "/2/from"),
        ("T1,校领导,,2026-03-01,2026-03-01", "/2/to"),
        ("T1,校领导,,", "/2"),
    ],
)
def test_a_wrong_post_is_named_by_row_and_column(line: str, pointer: str) -> None:
    assert list(faults(line)) == [pointer]


def test_the_same_post_from_the_same_day_stands_once() -> None:
    assert list(faults("T1,部门负责人,mech,,", "T1,department_head,mech,,2026-07-01")) == ["/3/person"]
    assert len(parsed("T1,部门负责人,mech,2020-01-01,2022-01-01", "T1,部门负责人,mech,2025-01-01,")) == 2


def test_a_file_of_posts_has_these_columns_and_is_utf8() -> None:
    assert list(faults("T1,staff,x", header="person,post,remark\n")) == ["/1/remark"]
    assert list(faults("T1", header="person\n")) == ["/1/post"]
    assert [h.post for h in parse_posts("person,post\r\nT1,staff\r\n".encode("utf-8-sig"), GROUND).values()] == ["staff"]
    with pytest.raises(Invalid) as caught:
        parse_posts((HEADER + "T1,校领导,,,\n").encode("gb18030"), GROUND)
    assert "save it as UTF-8" in caught.value.errors[0]["detail"]


def test_every_post_has_a_chinese_name_and_every_name_a_post() -> None:
    assert set(ALIASES.values()) == set(POSTS)
    assert post_named("班主任") == post_named("class_teacher") == "class_teacher"
    assert post_named("nobody") is None
    assert object_named("level_group", "课程") == "course"
    assert object_named("course_leader", "课程") == "课程"


def test_a_post_that_is_gone_ends_and_one_that_is_back_begins_after_it() -> None:
    today, later = date(2026, 3, 2), date(2026, 3, 9)
    (holding,) = parsed("T1,部门负责人,mech,,")
    given = {holding.id: holding}
    assert compare_posts({}, given, today).new == [holding]
    (closed,) = compare_posts(given, {}, today).inactive
    assert (closed.span, closed.active) == (Span(None, today, left=True), False)
    assert compare_posts({closed.id: closed}, {}, later).rows == []
    (back,) = compare_posts({closed.id: closed}, given, later).changed
    assert back.span == Span(later, None, 2, today)
    assert compare_posts({back.id: back}, given, later).rows == []
