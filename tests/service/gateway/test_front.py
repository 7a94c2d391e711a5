"""The one door: who is asking, what is passed on, what is not."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from libs.common import auth
from libs.common.auth import Grant, Principal
from services.gateway.front import Front, Paths
from tests.conftest import SettableClock
from tests.service.gateway.door import OPERATOR, Door, door
from tests.service.harness import SECRET

WHO = "/api/v1/monitoring/who"


async def test_a_service_learns_who_is_asking_with_the_posts_of_today(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        await here.person("zhang", "T1")
        await here.appoint("T1", "department_head", "D1", end=date(2026, 3, 3))
        async with here.client(await here.sign_in("zhang")) as client:
            today = (await client.get(WHO)).json()
            clock.advance(hours=3, minutes=59)  # 23:59 in Shanghai
            still = (await client.get(WHO)).json()
            clock.advance(minutes=1)
            over = (await client.get(WHO)).json()

        assert (today["kind"], today["id"], today["school"]) == ("person", "T1", "demo")
        assert today["grants"] == still["grants"] != []
        assert over["grants"] == []


async def test_a_change_of_posts_holds_from_the_next_request_on(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        await here.person("zhang", "T1")
        await here.appoint("T1", "department_head", "D1")
        async with here.client(await here.sign_in("zhang")) as client:
            assert (await client.post("/api/v1/monitoring/change")).status_code == 200
            await here.dismiss("T1")
            assert (await client.post("/api/v1/monitoring/change")).status_code == 403


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Bearer nobody", "Bearer -x", "Basic eDp5", "Bearer zo_operator x", "Bearer é"]
)
async def test_nobody_known_is_401_as_a_problem(
    database_url: str, tmp_path: Path, clock: SettableClock, authorization: str | None
) -> None:
    async with door(database_url, tmp_path, clock) as here, here.client() as client:
        headers = [] if authorization is None else [(b"authorization", authorization.encode())]
        answer = await client.get(WHO, headers=headers)

        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_principal_sent_by_a_client_is_thrown_away(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    forged = auth.sign(
        Principal("person", "X", "demo", (Grant(frozenset({"warning.handle"}), frozenset({"*"})),)), "monitoring", SECRET
    )
    async with door(database_url, tmp_path, clock) as here:
        await here.person("zhang", "T1")
        headers = {"Zhengai-Principal": forged, "X-Forwarded-For": "127.0.0.1", "X-Forwarded-User": "X"}
        async with here.client(await here.sign_in("zhang"), **headers) as client:
            answer = (await client.get(WHO)).json()
        async with here.client(**headers) as stranger:
            refused = await stranger.get(WHO)

        assert answer["id"] == "T1"
        assert answer["grants"] == []
        assert refused.status_code == 401


async def test_a_service_behind_the_gateway_never_sees_the_bearer_token(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        answer = await here.operate("GET", WHO, params={"school": "demo"})

        assert "authorization" not in answer.json()["headers"]
        assert OPERATOR not in answer.text


async def test_the_operator_names_a_school_and_a_person_has_one(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        await here.person("zhang", "T1")
        await here.operate("POST", "/api/v1/schools", json={"code": "other", "name": "另一所"})
        unnamed = await here.operate("GET", WHO)
        assert unnamed.status_code == 422
        assert unnamed.json()["errors"][0]["pointer"] == "/school"
        for code, status in (("demo", 200), ("other", 200), ("none", 404), ("", 404), ("%00", 404), ("demo&school=other", 422)):
            assert (await here.operate("GET", f"{WHO}?school={code}")).status_code == status, code
        async with here.client(await here.sign_in("zhang")) as client:
            for code, status in (("demo", 200), ("other", 404), ("none", 404)):
                assert (await client.get(f"{WHO}?school={code}")).status_code == status, code


async def test_a_campus_system_may_do_nothing_but_post_events(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        key = (await here.operate("POST", "/api/v1/sources?school=demo", json={"name": "lms"})).json()["key"]
        async with here.client(key) as client:
            assert (await client.get(WHO)).json()["grants"] == []
            assert (await client.post("/api/v1/monitoring/change")).status_code == 403
            assert (await client.get("/api/v1/sources")).status_code == 403
            assert (await client.delete("/api/v1/auth/token")).status_code == 403
            assert (await client.get(f"{WHO}?school=other")).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/internal/outbox",
        "/internal",
        "/api/v1/monitoring/internal/outbox",
        "/api/v1/monitoring//internal/outbox",
        "/api/v1/monitoring/who/../internal/outbox",
        "/api/v1/monitoring/./internal/outbox",
        "/api/v1/monitoring/internal%2foutbox",
        "/api/v1/monitoring/internal%252foutbox",
        "/api/v1/monitoring/%2e%2e/internal/outbox",
        "/api/v1/monitoring/%69nternal/outbox",
        "/api/v1/monitoring/..%5cinternal",
        "//internal/outbox",
        "/api/v1/../../internal/outbox",
    ],
)
async def test_what_services_tell_one_another_is_not_for_outside(
    database_url: str, tmp_path: Path, clock: SettableClock, path: str
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        status, _, _ = await raw(here, path, OPERATOR, query=b"school=demo")

        assert status == 404


async def test_changes_answer_with_their_position_and_reads_do_not(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        changed = await here.operate("POST", "/api/v1/monitoring/change?school=demo")
        read = await here.operate("GET", f"{WHO}?school=demo")
        refused = await here.operate("POST", "/api/v1/monitoring/nothing?school=demo")

        assert changed.headers["zhengai-position"]
        assert "zhengai-position" not in read.headers
        assert "zhengai-position" not in refused.headers


async def test_a_stream_comes_through_as_it_is_written(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        await here.person("zhang", "T1")
        await here.appoint("T1", "quality_office")
        status, body, ended = await raw(here, "/api/v1/monitoring/stream", await here.sign_in("zhang"), leave_after=3)

        assert status == 200
        assert body[:3] == [b"id: 0\n\n", b"id: 1\n\n", b"id: 2\n\n"]
        assert not ended


async def test_an_open_stream_ends_when_a_post_ends_or_the_person_signs_out(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        here.front.recheck_s = 0.05
        await here.person("zhang", "T1")
        await here.appoint("T1", "quality_office")
        token = await here.sign_in("zhang")
        post_ends = asyncio.create_task(raw(here, "/api/v1/monitoring/stream", token))
        await asyncio.wait({post_ends}, timeout=0.3)
        assert not post_ends.done()
        await here.dismiss("T1")
        _, _, ended = await asyncio.wait_for(post_ends, 5)
        assert ended

        await here.appoint("T1", "quality_office")
        signs_out = asyncio.create_task(raw(here, "/api/v1/monitoring/stream", token))
        await asyncio.wait({signs_out}, timeout=0.3)
        assert not signs_out.done()
        async with here.client(token) as client:
            await client.delete("/api/v1/auth/token")
        _, _, ended = await asyncio.wait_for(signs_out, 5)
        assert ended


async def raw(
    here: Door, path: str, token: str, *, query: bytes = b"", leave_after: int | None = None
) -> tuple[int, list[bytes], bool]:
    """GET as a server would call the app, the path decoded once; returns the status, the pieces, and whether it was ended."""
    from urllib.parse import unquote

    status, pieces, ended = 0, [], False
    left = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal status, ended
        if message["type"] == "http.response.start":
            status = message["status"]
            return
        pieces.append(message["body"])
        ended = not message.get("more_body")
        if leave_after is not None and len(pieces) >= leave_after:
            left.set()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    await here.front(scope, receive, send)
    return status, pieces, ended


def test_a_path_has_the_methods_of_all_its_routes_and_stands_before_a_template() -> None:
    paths = Paths([("/t", ["POST"]), ("/t", ["DELETE"]), ("/t/{id}", ["GET"]), ("/t/start", ["POST"])])
    assert paths.methods("/t") == frozenset({"POST", "DELETE"})
    assert paths.methods("/t/7") == frozenset({"GET"})
    assert paths.methods("/t/start") == frozenset({"POST"})
    assert paths.methods("/elsewhere") is None


async def test_a_wrong_method_is_refused_before_it_is_asked_who_calls(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        front = Front(here.sut.app, here.front.upstreams, [], here.sut.settings, [("/api/v1/schools", ["GET", "POST"])])
        async with Door(here.sut, front).client() as client:
            answer = await client.request("TRACE", "/api/v1/schools?school=nobody")
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
            assert answer.json()["type"] == "urn:zhengai:problem:method-not-allowed"
            assert (await client.get("/api/v1/schools")).status_code == 401
