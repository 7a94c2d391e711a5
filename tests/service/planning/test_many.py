"""One call works on many improvements of one indicator and owner: all of them or none."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from libs.common.events.planning import ImprovementClosed, ImprovementOpened, ImprovementStarted
from tests.service.harness import ServiceUnderTest, principal
from tests.service.planning.school import planning, student_warning, tell, warning

ALL = ("improvement.read", "improvement.work", "improvement.verify")
OFFICE = principal(*ALL, id="Q1")
TEACHER = principal(*ALL, id="H1")


async def opened(sut: ServiceUnderTest, count: int) -> list[str]:
    """Open improvements of one indicator and owner."""
    await tell(sut, *(student_warning(severity="yellow") for _ in range(count)))
    facts = [message.event for message in await sut.published()]
    return [str(fact.improvement) for fact in facts if isinstance(fact, ImprovementOpened)]


async def statuses(sut: ServiceUnderTest) -> list[str]:
    async with sut.as_(OFFICE) as client:
        items = (await client.get("/improvements", params={"limit": 500})).json()["items"]
        return sorted(item["status"] for item in items)


async def test_many_are_started_submitted_and_verified_by_one_call_each(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(TEACHER) as teacher, sut.as_(OFFICE) as office:
        ids = await opened(sut, 40)

        started = await teacher.post("/improvements/start", json={"ids": ids, "measures": ["谈话"]})
        assert [item["id"] for item in started.json()["items"]] == ids
        assert [type(m.event) for m in await sut.published()] == [ImprovementStarted] * 40
        assert (await teacher.post("/improvements/submit", json={"ids": ids, "done": "已谈话"})).status_code == 200
        returned = await office.post("/improvements/return", json={"ids": ids[:5], "reason": "缺记录"})
        assert {item["status"] for item in returned.json()["items"]} == {"returned"}
        assert (await teacher.post("/improvements/submit", json={"ids": ids[:5], "done": "补记录"})).status_code == 200
        await sut.published()

        verified = await office.post("/improvements/verify", json={"ids": ids, "reason": "已核实"})

        assert {item["status"] for item in verified.json()["items"]} == {"closed"}
        assert sum(isinstance(m.event, ImprovementClosed) for m in await sut.published()) == 40


async def test_one_that_cannot_go_along_holds_all_back(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(TEACHER) as teacher:
        ids = await opened(sut, 5)
        await teacher.post(f"/improvements/{ids[3]}/start")
        await sut.published()

        conflict = await teacher.post("/improvements/start", json={"ids": ids})
        missing = await teacher.post("/improvements/start", json={"ids": [*ids[:3], str(uuid4())]})

        assert (conflict.status_code, missing.status_code) == (409, 404)
        assert ids[3] in conflict.json()["detail"]
        assert "is running" in conflict.json()["detail"]
        assert await statuses(sut) == ["proposed"] * 4 + ["running"]
        assert await sut.published() == []


async def test_the_submitter_of_one_of_many_verifies_none(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(TEACHER) as teacher, sut.as_(OFFICE) as office:
        ids = await opened(sut, 3)
        await teacher.post("/improvements/start", json={"ids": ids})
        await teacher.post("/improvements/submit", json={"ids": ids[:2], "done": "已谈话"})
        await office.post("/improvements/submit", json={"ids": ids[2:], "done": "已谈话"})

        answer = await office.post("/improvements/verify", json={"ids": ids, "reason": "好"})

        assert answer.status_code == 403
        assert await statuses(sut) == ["submitted"] * 3


async def test_a_call_takes_one_indicator_and_owner_each_once_and_at_most_500(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(TEACHER) as teacher:
        (mine,) = await opened(sut, 1)
        others = [student_warning(indicator="another"), warning(indicator="class-completion-week")]
        await tell(sut, *others)
        ids = [str(m.event.improvement) for m in await sut.published() if isinstance(m.event, ImprovementOpened)]

        for wrong in (
            [mine, ids[0]],
            [mine, ids[1]],
            [mine, mine],
            [],
            [str(uuid4()) for _ in range(501)],
        ):
            answer = await teacher.post("/improvements/start", json={"ids": wrong})
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/ids"), answer.text
        assert await statuses(sut) == ["proposed"] * 3


async def test_many_beyond_the_scope_are_not_there(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        ids = await opened(sut, 2)
        await tell(sut, warning())
        (message,) = await sut.published()
        assert isinstance(message.event, ImprovementOpened)
        async with sut.as_(principal(*ALL, over=["class:CNC101-A"])) as client:
            answer = await client.post("/improvements/start", json={"ids": [str(message.event.improvement), *ids]})

        assert answer.status_code == 404
        assert await statuses(sut) == ["proposed"] * 3
