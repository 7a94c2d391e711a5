"""The inbox: a person is told a thing once, reads their own alone, and marks it as read."""

from __future__ import annotations

from pathlib import Path

from services.planning.commands.inbox import Notice, tell
from tests.service.harness import SCHOOL, ServiceUnderTest, principal
from tests.service.planning.school import planning

TEACHER = principal("inbox.read", over=["teacher:T1"], id="T1")


def notice(person: str, key: str) -> Notice:
    return Notice(person, key, "task_assigned", f"任务 {key}", f"/api/v1/planning/tasks/{key}")


async def told(sut: ServiceUnderTest, *notices: Notice) -> None:
    async with sut.database.transaction() as tx:
        tx.school = SCHOOL
        await tell(tx, notices)


async def test_a_person_is_told_a_thing_once_and_sees_their_own_alone(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(TEACHER) as client:
        await told(sut, notice("T1", "a"), notice("T1", "a"), notice("T2", "a"))
        await told(sut, notice("T1", "a"), notice("T1", "b"))
        first = (await client.get("/inbox", params={"limit": 1})).json()
        assert [each["text"] for each in first["items"]] == ["任务 b"]
        second = (await client.get("/inbox", params={"limit": 1, "cursor": first["next"]})).json()
        assert [each["link"] for each in second["items"]] == ["/api/v1/planning/tasks/a"]
        assert second["next"] is None


async def test_what_is_read_is_unread_no_more_and_nobody_reads_for_another(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(TEACHER) as client:
        await told(sut, notice("T1", "a"), notice("T1", "b"), notice("T2", "c"))
        ids = {each["text"][-1]: each["id"] for each in (await client.get("/inbox")).json()["items"]}
        assert (await client.post("/inbox/read", json={"ids": [ids["a"], ids["b"] + 1]})).json() == {"unread": 1}
        assert [each["id"] for each in (await client.get("/inbox?unread=true")).json()["items"]] == [ids["b"]]
        assert [each["id"] for each in (await client.get("/inbox?unread=false")).json()["items"]] == [ids["a"]]
        assert (await client.post("/inbox/read")).json() == {"unread": 0}
        async with sut.as_(principal("inbox.read", id="T2")) as other:
            assert (await other.get("/inbox/unread")).json() == {"unread": 1}
