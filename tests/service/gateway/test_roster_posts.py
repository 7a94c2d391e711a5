from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from libs.common.auth import Grant, Principal
from libs.common.events.gateway import PostsImported
from services.gateway.domain.relations import Post
from services.gateway.tables import PostRow
from tests.conftest import SettableClock
from tests.service.gateway.test_roster_import import OPERATOR, counted, gateway, imported, put, relations
from tests.service.harness import SCHOOL, ServiceUnderTest, principal
from tests.unit.gateway.roster_files import files, without, zipped

HEADER = "person,post,object,from,to\n"
CSV = {"content-type": "text/csv; charset=utf-8"}
TODAY = date(2026, 3, 2)
WRITER = principal("post.write", "post.delegate", "roster.read", id="T2")
POSTS = HEADER + "T1,部门负责人,mech,,\nT1,课程负责人,CNC101,2026-02-24,2026-07-11\nT2,quality_office,,,\n"


def holder(person: str) -> Principal:
    return Principal("person", person, SCHOOL, (Grant(frozenset({"post.delegate"}), frozenset({"unit:mech"})),))


async def put_posts(sut: ServiceUnderTest, text: str | bytes, who: Principal = WRITER) -> httpx.Response:
    async with sut.as_(who) as client:
        content = text if isinstance(text, bytes) else text.encode()
        return await client.put("/api/v1/posts", content=content, headers=CSV)


async def taken(sut: ServiceUnderTest, text: str) -> dict[str, int]:
    answer = await put_posts(sut, text)
    assert answer.status_code == 200, answer.text
    counts: dict[str, int] = answer.json()
    return counts


async def told(sut: ServiceUnderTest) -> list[tuple[str, str, str | None, date | None, date | None]]:
    events = [message.event for message in await sut.published()]
    posts = [post for event in events if isinstance(event, PostsImported) for post in event.posts]
    return [(post.person, post.post, post.object, post.start, post.end) for post in posts]


async def listed(sut: ServiceUnderTest, who: Principal = WRITER, **filters: str | int) -> list[dict[str, Any]]:
    async with sut.as_(who) as client:
        answer = await client.get("/api/v1/posts", params=filters)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def lend(sut: ServiceUnderTest, who: Principal, **body: Any) -> httpx.Response:
    async with sut.as_(who) as client:
        return await client.post("/api/v1/posts/delegations", json=body)


async def test_posts_are_taken_told_and_listed(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        await sut.published()
        assert await taken(sut, POSTS) == counted(3, 3)
        assert await told(sut) == [
            ("T1", "department_head", "mech", None, None),
            ("T1", "course_leader", "CNC101", date(2026, 2, 24), date(2026, 7, 11)),
            ("T2", "quality_office", None, None, None),
        ]
        assert [(p["person"], p["name"], p["post"], p["object"], p["from"], p["to"]) for p in await listed(sut)] == [
            ("T1", "李芳", "department_head", "mech", None, None),
            ("T1", "李芳", "course_leader", "CNC101", "2026-02-24", "2026-07-11"),
            ("T2", "赵强", "quality_office", None, None, None),
        ]
        assert (await relations(sut, "T1")).posts == (
            Post("department_head", "mech"),
            Post("course_leader", "CNC101", date(2026, 2, 24), date(2026, 7, 11)),
        )
        assert await taken(sut, POSTS) == counted(3)
        assert await told(sut) == []


async def test_a_post_that_the_file_lacks_ends_today_and_begins_again_when_it_is_back(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        await taken(sut, POSTS)
        await sut.published()
        clock.now = datetime(2026, 3, 5, tzinfo=UTC)
        fewer = POSTS.replace("T1,部门负责人,mech,,\n", "")
        assert await taken(sut, fewer) == counted(2, inactive=1)
        assert await told(sut) == [("T1", "department_head", "mech", None, date(2026, 3, 5))]
        assert (await relations(sut, "T1", date(2026, 3, 5))).posts[0].post == "course_leader"
        clock.now = datetime(2026, 3, 9, tzinfo=UTC)
        assert await taken(sut, POSTS) == counted(3, changed=1)
        assert await told(sut) == [("T1", "department_head", "mech", date(2026, 3, 9), None)]
        async with sut.database.reading() as session:
            latest = await session.scalars(select(PostRow.n).filter_by(post="department_head", latest=True))
            assert latest.all() == [2]
        clock.advance(days=1)
        assert await taken(sut, POSTS) == counted(3)
        assert await told(sut) == []
        assert Post("department_head", "mech", date(2026, 3, 9)) in (await relations(sut, "T1", date(2026, 3, 10))).posts


async def test_one_wrong_row_refuses_the_whole_file_of_posts(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        await taken(sut, POSTS)
        await sut.published()
        answer = await put_posts(sut, HEADER + "T1,department_head,mech,,\nT9,教师,,,\nT1,course_leader,CNC999,,\n")
        assert answer.status_code == 422
        assert answer.json()["errors"] == [
            {"pointer": "/3/person", "detail": "the roster has no active person 'T9'"},
            {"pointer": "/4/object", "detail": "the roster has no active course 'CNC999'"},
        ]
        assert await told(sut) == []
        assert len(await listed(sut)) == 3


async def test_posts_are_text_csv_by_who_may_write_them(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        assert (await put_posts(sut, POSTS, principal("roster.read"))).status_code == 403
        part = Principal("person", "T1", SCHOOL, (Grant(frozenset({"post.write"}), frozenset({"unit:mech"})),))
        assert (await put_posts(sut, POSTS, part)).status_code == 403
        async with sut.as_(WRITER) as client:
            answer = await client.put("/api/v1/posts", content=POSTS.encode(), headers={"content-type": "application/json"})
            assert answer.status_code == 415
        assert (await put_posts(sut, b"x" * (8 * 2**20 + 1))).status_code == 413


async def test_a_list_of_posts_is_filtered_paged_and_shows_only_what_the_caller_covers(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        await taken(sut, POSTS)
        assert [p["post"] for p in await listed(sut, person="T2")] == ["quality_office"]
        assert [p["post"] for p in await listed(sut, object="CNC101")] == ["course_leader"]
        assert [p["person"] for p in await listed(sut, post="department_head")] == ["T1"]
        assert [p["post"] for p in await listed(sut, principal("roster.read", over=("unit:mech",)))] == ["department_head"]
        found, cursor = [], None
        async with sut.as_(WRITER) as client:
            for _ in range(3):
                answer = await client.get("/api/v1/posts", params={"limit": 1} | ({"cursor": cursor} if cursor else {}))
                found += [item["post"] for item in answer.json()["items"]]
                cursor = answer.json()["next"]
        assert (found, cursor) == (["department_head", "course_leader", "quality_office"], None)


async def test_a_holder_lends_a_post_until_a_day_and_it_is_logged(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        await taken(sut, POSTS)
        await sut.published()
        body = {"post": "部门负责人", "object": "mech", "to_person": "T2", "until": "2026-03-10"}
        answer = await lend(sut, holder("T1"), **body)
        assert answer.status_code == 201, answer.text
        entry = {
            "post": "department_head",
            "object": "mech",
            "from_person": "T1",
            "to_person": "T2",
            "from": "2026-03-02",
            "until": "2026-03-10",
        }
        assert entry.items() <= answer.json().items()
        assert await told(sut) == [("T2", "department_head", "mech", TODAY, date(2026, 3, 10))]
        lent = Post("department_head", "mech", TODAY, date(2026, 3, 10))
        assert lent in (await relations(sut, "T2")).posts
        assert lent not in (await relations(sut, "T2", date(2026, 3, 10))).posts
        assert Post("department_head", "mech") in (await relations(sut, "T1")).posts
        assert [p["delegated_by"] for p in await listed(sut, person="T2", post="department_head")] == ["T1"]
        async with sut.as_(holder("T1")) as client:
            assert [d["to_person"] for d in (await client.get("/api/v1/posts/delegations")).json()["items"]] == ["T2"]
        async with sut.as_(holder("T9")) as client:
            assert (await client.get("/api/v1/posts/delegations")).json()["items"] == []
        async with sut.as_(WRITER) as client:
            assert len((await client.get("/api/v1/posts/delegations")).json()["items"]) == 1


async def test_what_was_lent_stays_through_imports_and_ends_with_the_givers_post(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        await taken(sut, POSTS)
        body = {"post": "department_head", "object": "mech", "to_person": "T2", "until": "2026-03-10"}
        assert (await lend(sut, holder("T1"), **body)).status_code == 201
        await sut.published()
        assert await taken(sut, POSTS) == counted(3)
        assert await told(sut) == []
        clock.advance(days=1)
        assert await taken(sut, POSTS.replace("T1,部门负责人,mech,,\n", "")) == counted(2, inactive=1)
        assert await told(sut) == [
            ("T1", "department_head", "mech", None, date(2026, 3, 3)),
            ("T2", "department_head", "mech", TODAY, date(2026, 3, 3)),
        ]
        assert [p.post for p in (await relations(sut, "T2", date(2026, 3, 3))).posts] == ["quality_office"]


async def test_a_homeroom_that_the_roster_gives_is_lent_and_ends_with_the_enrollment(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        body = {"post": "class_teacher", "object": "H2301", "to_person": "T1", "until": "2026-04-01"}
        assert (await lend(sut, holder("T2"), **body)).status_code == 201
        assert (await relations(sut, "T1")).posts == (Post("class_teacher", "H2301", TODAY, date(2026, 4, 1)),)
        clock.advance(days=1)
        await imported(sut, enrollments=without("enrollments", "E5"))
        assert (await relations(sut, "T1", date(2026, 3, 3))).posts == ()


async def test_a_post_is_lent_only_by_who_holds_it_to_who_works_here_and_does_not_hold_it(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        await taken(sut, POSTS)
        good = {"post": "department_head", "object": "mech", "to_person": "T2", "until": "2026-03-10"}

        async def refused(who: Principal = holder("T1"), **changes: Any) -> tuple[int, list[str]]:
            answer = await lend(sut, who, **{**good, **changes})
            return answer.status_code, [error["pointer"] for error in answer.json().get("errors", [])]

        assert await refused(holder("T2")) == (422, ["/post"])
        assert await refused(object="cnc") == (422, ["/post"])
        assert await refused(object=None) == (422, ["/post"])
        assert await refused(post="teacher", object=None) == (422, ["/post"])
        assert await refused(post="king") == (422, ["/post"])
        assert await refused(to_person="T1") == (422, ["/to_person"])
        assert await refused(to_person="nobody") == (422, ["/to_person"])
        assert await refused(to_person="S1") == (422, ["/to_person"])
        assert await refused(to_person="P1") == (422, ["/to_person"])
        assert await refused(until="2026-03-02") == (422, ["/until"])
        assert await refused(until="tomorrow") == (422, ["/until"])
        assert await refused(post="course_leader", object="CNC101", until="2026-07-12") == (422, ["/until"])
        assert await refused(OPERATOR) == (403, [])
        assert await refused(Principal("operator", "operator", SCHOOL, WRITER.grants)) == (403, [])
        assert (await lend(sut, holder("T1"), **good)).status_code == 201
        assert await refused() == (409, [])
        # what was lent cannot be lent on
        assert await refused(holder("T2"), to_person="T1") == (422, ["/post"])


async def test_a_course_that_left_the_roster_gives_no_post(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        content = files(
            courses=without("courses", "CNC101"),
            classes=without("classes", "CNC101"),
            enrollments=without("enrollments", "E1", "E2", "E3"),
        )
        assert (await put(sut, zipped(content))).status_code == 200
        answer = await put_posts(sut, HEADER + "T1,课程负责人,CNC101,,\n")
        assert answer.json()["errors"] == [{"pointer": "/2/object", "detail": "the roster has no active course 'CNC101'"}]


async def test_classes_and_children_named_by_posts_count_as_those_of_the_roster(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with gateway(database_url, tmp_path, clock) as sut:
        await imported(sut)
        await taken(sut, HEADER + "T2,教师,CNC101-2026S,,\nP1,家长,S2,,\n")
        assert (await relations(sut, "T2")).teaches == ("CNC101-2026S",)
        assert (await relations(sut, "P1")).children == ("S1", "S2")
