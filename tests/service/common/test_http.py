"""The HTTP face that every service has: done once, said truly, refused clearly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import APIRouter
from fastapi import Path as PathParameter
from pydantic import Field
from sqlalchemy import select, update

from libs.common import auth
from libs.common.auth import Grant, Principal, Scope
from libs.common.bus import open_bus
from libs.common.database import AnswerRow, Clock, Database
from libs.common.errors import Conflict, TooManyRequests, Unavailable
from libs.common.http import Body, Limit, Page, Read, Tx, from_cursor, needs, page, service_app, to_cursor
from libs.common.service import Service
from tests.conftest import SettableClock
from tests.service.common.little import NoteRow, Table, make_tables

SECRET = b"s" * 32
router = APIRouter()
calls: list[str] = []


class NoteIn(Body):
    about: UUID = Field(strict=False)
    told: str = Field(max_length=20)
    times: int = 1


@router.post("/notes", status_code=201)
async def write(note: NoteIn, tx: Tx, scope: Annotated[Scope, needs("metric.write")]) -> dict[str, str]:
    calls.append(note.told)
    match note.told:
        case "slow":
            await asyncio.sleep(0.2)
        case "refused":
            raise Conflict("not now, not ever")
        case "too often":
            raise TooManyRequests("slower", headers={"Retry-After": "1"})
        case "unavailable":
            raise Unavailable("later")
        case "a bug":
            raise RuntimeError("a secret that no caller may see")
    tx.session.add(NoteRow(about=note.about, told=note.told))
    return {"told": note.told, "by": scope.school, "call": str(len(calls))}


@router.get("/notes")
async def notes(
    session: Read,
    scope: Annotated[Scope, needs("metric.read")],
    told: str | None = None,
    limit: Limit = 100,
    cursor: str | None = None,
) -> Page[str]:
    del scope
    statement = select(NoteRow.told).order_by(NoteRow.told).limit(limit + 1)
    if told is not None:
        statement = statement.where(NoteRow.told == told)
    if (after := from_cursor(cursor, str)) is not None:
        statement = statement.where(NoteRow.told > after[0])
    return page((await session.scalars(statement)).all(), limit, str, lambda row: (row,))


@router.get("/notes/{about}")
async def note(about: Annotated[UUID, PathParameter()], scope: Annotated[Scope, needs("metric.read")]) -> str:
    del scope
    return str(about)


@asynccontextmanager
async def served(url: str, folder: Path, clock: Clock | None = None) -> AsyncIterator[tuple[httpx.AsyncClient, Database]]:
    make_tables(url)
    calls.clear()
    database = Database(url, clock) if clock else Database(url)
    bus = open_bus(f"sqlite:{folder}/bus.db")
    app = service_app(Service(name="little", router=router, tables=Table.metadata), database, bus, SECRET)
    async with client_of(app, who("P1")) as client:
        yield client, database
    await bus.close()
    await database.close()


def client_of(app: Any, principal: Principal) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {auth.HEADER: auth.sign(principal, "little", SECRET)}
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


def who(id_: str, school: str = "demo") -> Principal:
    return Principal("person", id_, school, (Grant(frozenset({"metric.write", "metric.read"}), frozenset("*")),))


def body(told: str = "a", about: UUID | None = None) -> dict[str, str]:
    return {"about": str(about or uuid4()), "told": told}


async def told(database: Database) -> list[str]:
    async with database.reading() as session:
        return list(await session.scalars(select(NoteRow.told).order_by(NoteRow.told)))


# --- Idempotency-Key -------------------------------------------------------------------------------------------------


async def test_the_same_key_and_body_is_done_once_and_answered_alike(database_url: str, tmp_path: Path) -> None:
    async with served(database_url, tmp_path) as (client, database):
        sent, key = body(), {"Idempotency-Key": "k"}
        answers = [await client.post("/notes", json=sent, headers=key) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 201]
        assert len({answer.text for answer in answers}) == 1
        assert len({answer.headers["content-type"] for answer in answers}) == 1
        assert (calls, await told(database)) == (["a"], ["a"])


async def test_the_same_key_with_another_body_is_refused(database_url: str, tmp_path: Path) -> None:
    async with served(database_url, tmp_path) as (client, database):
        await client.post("/notes", json=body("a"), headers={"Idempotency-Key": "k"})
        answer = await client.post("/notes", json=body("b"), headers={"Idempotency-Key": "k"})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/idempotency-key"
        assert await told(database) == ["a"]


async def test_the_same_request_many_times_at_once_is_done_once_and_answered_alike(database_url: str, tmp_path: Path) -> None:
    async with served(database_url, tmp_path) as (client, database):
        sent, key = body("slow"), {"Idempotency-Key": "k"}
        answers = await asyncio.gather(*(client.post("/notes", json=sent, headers=key) for _ in range(5)))
        assert [answer.status_code for answer in answers] == [201] * 5
        assert len({answer.text for answer in answers}) == 1
        assert await told(database) == ["slow"]


async def test_keys_of_different_persons_and_schools_are_different(database_url: str, tmp_path: Path) -> None:
    async with served(database_url, tmp_path) as (client, database):
        key = {"Idempotency-Key": "k"}
        for n, principal in enumerate((who("P1"), who("P2"), who("P1", school="hbpt"))):
            token = {auth.HEADER: auth.sign(principal, "little", SECRET)}
            assert (await client.post("/notes", json=body(str(n)), headers=key | token)).status_code == 201
        assert await told(database) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("reason", "status", "tries"), [("refused", 409, 1), ("too often", 429, 2), ("unavailable", 503, 2), ("a bug", 500, 2)]
)
async def test_an_answer_is_kept_unless_the_same_request_may_succeed_later(
    reason: str, status: int, tries: int, tmp_path: Path
) -> None:
    async with served(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (client, database):
        sent, key = body(reason), {"Idempotency-Key": "k"}
        answers = [await client.post("/notes", json=sent, headers=key) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [status, status]
        assert calls == [reason] * tries
        assert await told(database) == []


async def test_a_key_counts_for_a_day(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with served(database_url, tmp_path, clock) as (client, database):
        key = {"Idempotency-Key": "k"}
        assert (await client.post("/notes", json=body("a"), headers=key)).status_code == 201
        clock.advance(hours=23)
        assert (await client.post("/notes", json=body("b"), headers=key)).status_code == 422
        clock.advance(hours=2)
        for _ in range(2):
            sent = body("c", UUID(int=1))
            assert (await client.post("/notes", json=sent, headers=key)).status_code == 201
        assert await told(database) == ["a", "c"]


async def test_where_the_answer_was_lost_the_work_is_not_done_again(tmp_path: Path) -> None:
    async with served(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (client, database):
        sent, key = body(), {"Idempotency-Key": "k"}
        await client.post("/notes", json=sent, headers=key)
        async with database.transaction() as tx:
            await tx.session.execute(update(AnswerRow).values(status=None))
        answer = await client.post("/notes", json=sent, headers=key)
        assert answer.status_code == 409
        assert calls == ["a"]


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_a_key_has_one_to_255_characters(key: str, tmp_path: Path) -> None:
    async with served(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (client, _):
        assert (await client.post("/notes", json=body(), headers={"Idempotency-Key": key})).status_code == 422


async def test_a_body_that_is_not_there_lacks_each_field_that_it_must_have(tmp_path: Path) -> None:
    async with served(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (client, _):
        answer = await client.post("/notes")
    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {"/about", "/told"}


async def test_what_can_be_no_id_is_not_found(tmp_path: Path) -> None:
    async with served(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (client, _):
        answer = await client.get("/notes/abc")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:zhengai:problem:not-found")


async def test_half_a_request_is_not_carried_out(tmp_path: Path) -> None:
    async with served(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (client, database):
        app = client._transport.app  # type: ignore[attr-defined]
        received = iter(
            [
                {"type": "http.request", "body": json.dumps(body()).encode(), "more_body": True},
                {"type": "http.disconnect"},
            ]
        )
        sent: list[Any] = []

        async def receive() -> Any:
            return next(received)

        async def send(message: Any) -> None:
            sent.append(message)

        names = {"idempotency-key": "k", "content-type": "application/json", auth.HEADER: client.headers[auth.HEADER]}
        headers = [(name.encode(), value.encode()) for name, value in names.items()]
        scope = {"type": "http", "method": "POST", "path": "/notes", "raw_path": b"/notes", "query_string": b"", "headers": headers}
        await app({**scope, "scheme": "http", "server": ("test", 80), "root_path": "", "http_version": "1.1"}, receive, send)
        assert sent == []
        assert await told(database) == []


# --- a true answer ---------------------------------------------------------------------------------------------------


async def test_a_commit_that_fails_after_the_endpoint_returned_is_no_201(database_url: str, tmp_path: Path) -> None:
    async with served(database_url, tmp_path) as (client, database):
        sent = body("a")
        assert (await client.post("/notes", json=sent)).status_code == 201
        answer = await client.post("/notes", json={**sent, "told": "b"})  # the row is written when the block ends, and refused
        assert calls == ["a", "b"]
        assert answer.status_code == 500
        assert await told(database) == ["a"]


async def test_a_database_that_does_not_answer_is_503_with_a_time_to_come_back(tmp_path: Path) -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1")
    bus = open_bus(f"sqlite:{tmp_path}/bus.db")
    app = service_app(Service(name="little", router=router, tables=Table.metadata), database, bus, SECRET)
    async with client_of(app, who("P1")) as client:
        for answer in (await client.post("/notes", json=body()), await client.get("/notes")):
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            assert answer.json()["type"] == "urn:zhengai:problem:unavailable"
    await bus.close()
    await database.close()


# --- clear refusals --------------------------------------------------------------------------------------------------


async def test_every_refusal_is_a_problem_document(tmp_path: Path) -> None:
    async with served(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (client, _):
        answers = {
            "not-found": await client.get("/nowhere"),
            "method-not-allowed": await client.delete("/notes"),
            "malformed": await client.post("/notes", content=b"{", headers={"content-type": "application/json"}),
            "invalid": await client.post("/notes", json={"told": 1}),
            "internal": await client.post("/notes", json=body("a bug")),
            "unauthorized": await client.get("/notes", headers={auth.HEADER: "forged"}),
        }
    for slug, answer in answers.items():
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["type"] == f"urn:zhengai:problem:{slug}"
        assert problem["status"] == answer.status_code
        assert problem["title"]
        assert problem["detail"]
        assert "secret" not in answer.text


async def test_invalid_values_are_named_by_pointer(tmp_path: Path) -> None:
    async with served(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (client, _):
        answer = await client.post("/notes", json={"about": "no id", "told": "x" * 21, "times": True, "a/b~c": 1})
        assert answer.status_code == 422
        found = {fault["pointer"]: fault["detail"] for fault in answer.json()["errors"]}
        assert found.keys() == {"/about", "/told", "/times", "/a~1b~0c"}
        assert (found["/told"], found["/a~1b~0c"]) == ("at most 20 characters", "there is no such field")


@pytest.mark.parametrize("media", ["application/json", "application/vnd.campus+json; charset=utf-8"])
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b'{"about": "%s", "told": "a", "told": "b"}', "the key 'told' stands twice"),
        (b'{"about": "%s", "told": "a", "more": ' + b"[" * 33 + b"]" * 33 + b"}", "nested more than 32 levels"),
        (b"[" * 100_000 + b"]" * 100_000, "could not be read as JSON"),
        (b'{"told": "\xff"}', "could not be read as JSON"),
        (b'{"times": ' + b"1" * 5000 + b"}", "could not be read as JSON"),
        (b'{"told": NaN}', "not JSON"),
        (b"{", "not JSON"),
    ],
)
async def test_a_body_is_read_as_strictly_as_an_event(sent: bytes, said: str, media: str, tmp_path: Path) -> None:
    async with served(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (client, _):
        content = sent.replace(b"%s", str(uuid4()).encode())
        answer = await client.post("/notes", content=content, headers={"content-type": media})
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:zhengai:problem:malformed")
        assert said in answer.json()["detail"]
        assert (await client.get("/notes?told=b")).json()["items"] == []


async def test_an_unknown_or_repeated_query_parameter_is_refused(tmp_path: Path) -> None:
    async with served(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (client, _):
        assert (await client.get("/notes?tolld=a")).json()["errors"] == [{"pointer": "/tolld", "detail": "unknown parameter"}]
        assert (await client.get("/notes?told=a&told=b")).json()["errors"][0]["pointer"] == "/told"
        assert (await client.get("/notes?limit=0")).status_code == 422
        assert (await client.get("/notes?told=a&school=demo")).status_code == 200


async def test_pages_follow_one_another_and_end(database_url: str, tmp_path: Path) -> None:
    async with served(database_url, tmp_path) as (client, _):
        for name in "edcba":
            await client.post("/notes", json=body(name))
        pages, cursor = [], ""
        while cursor is not None:
            answer = (await client.get(f"/notes?limit=2{cursor}")).json()
            pages.append(answer["items"])
            cursor = answer["next"] and f"&cursor={answer['next']}"
        assert pages == [["a", "b"], ["c", "d"], ["e"]]
        for other in ("%%%", to_cursor(1), to_cursor("a", "b"), "bm9uZQ"):
            assert (await client.get("/notes", params={"cursor": other})).status_code == 422
