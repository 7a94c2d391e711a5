"""Who is let in: signing in, tokens, schools, keys of campus systems, users."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from libs.common.errors import Unauthorized
from libs.common.events.gateway import SchoolAdded
from services.gateway.queries.sources import Source, authenticate_source_cached
from tests.conftest import SettableClock
from tests.service.gateway.door import OPERATOR, door


async def test_a_person_signs_in_and_out(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        await here.person("zhang", "T1")
        async with here.client(await here.sign_in("zhang")) as client:
            me = await client.get("/api/v1/me")
            assert me.json()["username"] == "zhang"
            assert me.json()["id"] == "T1"
            assert (await client.delete("/api/v1/auth/token")).status_code == 204
            assert (await client.get("/api/v1/me")).status_code == 401


async def test_a_form_that_cannot_be_read_is_called_a_form(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here, here.client() as client:
        answer = await client.post("/api/v1/auth/token", content=b"x", headers={"content-type": "multipart/form-data"})
        assert (answer.status_code, answer.json()["detail"]) == (400, "the body could not be read as a form")


async def test_signing_in_answers_as_oauth2_has_it_and_is_never_cached(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with door(database_url, tmp_path, clock) as here, here.client() as client:
        await here.person("zhang", "T1")
        form = {"grant_type": "password", "username": "zhang", "password": "zhangzhang0123456789"}
        answer = await client.post("/api/v1/auth/token", data=form)

        assert answer.json()["token_type"] == "bearer"
        assert answer.json()["expires_in"] == 12 * 3600
        assert answer.headers["cache-control"] == "no-store"


async def test_a_token_ends_when_its_hours_are_over(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        await here.person("zhang", "T1")
        async with here.client(await here.sign_in("zhang")) as client:
            clock.advance(hours=12, seconds=-1)
            assert (await client.get("/api/v1/me")).status_code == 200
            clock.advance(seconds=1)
            assert (await client.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize("username", ["zhang", "nobody"])
async def test_the_eleventh_attempt_in_fifteen_minutes_must_wait_whether_the_name_exists_or_not(
    database_url: str, tmp_path: Path, clock: SettableClock, username: str
) -> None:
    async with door(database_url, tmp_path, clock) as here, here.client() as client:
        await here.person("zhang", "T1")
        wrong = {"username": username, "password": "wrong"}
        answers = await asyncio.gather(*(client.post("/api/v1/auth/token", data=wrong) for _ in range(12)))

        assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 2
        assert len({answer.text for answer in answers if answer.status_code == 401}) == 1
        right = {"username": username, "password": username * 2 + "0123456789"}
        refused = await client.post("/api/v1/auth/token", data=right)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 901
        clock.advance(minutes=15)
        assert (await client.post("/api/v1/auth/token", data=right)).status_code == (200 if username == "zhang" else 401)


async def test_a_right_password_forgets_the_wrong_ones_before_it(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here, here.client() as client:
        await here.person("zhang", "T1")
        for _ in range(3):
            for _ in range(9):
                await client.post("/api/v1/auth/token", data={"username": "zhang", "password": "wrong"})
            await here.sign_in("zhang")


@pytest.mark.parametrize("change", [{"disabled": True}, {"password": "another-password"}])
async def test_disabling_an_account_or_its_new_password_ends_its_sessions(
    database_url: str, tmp_path: Path, clock: SettableClock, change: dict[str, object]
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        await here.person("zhang", "T1")
        async with here.client(await here.sign_in("zhang")) as client:
            assert (await here.operate("PATCH", "/api/v1/users/zhang?school=demo", json=change)).status_code == 200
            assert (await client.get("/api/v1/me")).status_code == 401
            form = {"username": "zhang", "password": "zhangzhang0123456789"}
            assert (await client.post("/api/v1/auth/token", data=form)).status_code == 401


async def test_a_user_name_is_taken_once_in_the_whole_installation(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        await here.operate("POST", "/api/v1/schools", json={"code": "other", "name": "另一所"})
        await here.person("zhang", "T1")
        body = {"username": "zhang", "person": "T9"}
        assert (await here.operate("POST", "/api/v1/users?school=other", json=body)).status_code == 409
        listed = await here.operate("GET", "/api/v1/users?school=other")
        assert listed.json() == {"items": [], "next": None}
        assert (await here.operate("PATCH", "/api/v1/users/zhang?school=other", json={"disabled": True})).status_code == 404


async def test_a_password_made_here_is_shown_once_and_works(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here, here.client() as client:
        made = await here.operate("POST", "/api/v1/users?school=demo", json={"username": "li", "person": "T2"})
        listed = await here.operate("GET", "/api/v1/users?school=demo")

        password = made.json()["password"]
        assert len(password) >= 20
        assert password not in listed.text
        assert (await client.post("/api/v1/auth/token", data={"username": "li", "password": password})).status_code == 200


async def test_a_school_added_again_is_the_same_and_other_content_conflicts(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        body = {"code": "hbpt", "name": "湖北", "timezone": "Asia/Shanghai"}
        answers = [await here.operate("POST", "/api/v1/schools", json=body) for _ in range(2)]
        renamed = await here.operate("POST", "/api/v1/schools", json={**body, "name": "河南"})
        moved = await here.operate("POST", "/api/v1/schools", json={**body, "timezone": "Europe/Berlin"})

        assert [answer.status_code for answer in answers] == [201, 200]
        assert answers[0].json() == answers[1].json()
        assert renamed.status_code == moved.status_code == 409
        assert "timezone" in moved.json()["detail"]
        facts = [(message.school, message.event) for message in await here.sut.published()]
        assert facts[1:] == [("hbpt", SchoolAdded(code="hbpt", name="湖北"))]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", "HBPT"),
        ("code", "-x"),
        ("code", "x" * 65),
        ("name", ""),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../etc/passwd"),
        ("year_start", "02-30"),
        ("template", "hubei-polytechnic"),
        ("colour", "red"),
    ],
)
async def test_a_school_that_cannot_be_is_refused_by_field(
    database_url: str, tmp_path: Path, clock: SettableClock, field: str, value: str
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        answer = await here.operate("POST", "/api/v1/schools", json={"code": "x", "name": "X", field: value})

        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [f"/{field}"]


async def test_a_key_is_shown_once_and_says_which_school_and_sources_it_is_for(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        made = (await here.operate("POST", "/api/v1/sources?school=demo", json={"name": "attendance"})).json()
        listed = await here.operate("GET", "/api/v1/sources?school=demo")
        again = await here.operate("POST", "/api/v1/sources?school=demo", json={"name": "attendance"})

        assert made["uris"] == ["urn:campus:demo:attendance"]
        assert made["key"] not in listed.text
        assert again.status_code == 409
        source = await authenticate_source_cached(here.sut.database, made["key"])
        assert source == Source("demo", "attendance", frozenset({"urn:campus:demo:attendance"}))


async def test_a_source_has_at_most_two_live_keys_and_a_revoked_one_is_refused_at_once(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        first = (await here.operate("POST", "/api/v1/sources?school=demo", json={"name": "lms", "uris": ["urn:x"]})).json()
        second = await here.operate("POST", "/api/v1/sources/lms/keys?school=demo")
        third = await here.operate("POST", "/api/v1/sources/lms/keys?school=demo")
        assert (second.status_code, third.status_code) == (201, 409)
        database = here.sut.database
        for key in (first["key"], second.json()["key"]):
            assert (await authenticate_source_cached(database, key)).name == "lms"

        gone = await here.operate("DELETE", f"/api/v1/sources/lms/keys/{first['key_id']}?school=demo")
        assert gone.status_code == 204
        with pytest.raises(Unauthorized):
            await authenticate_source_cached(database, first["key"])
        assert (await authenticate_source_cached(database, second.json()["key"])).name == "lms"

        assert (await here.operate("DELETE", "/api/v1/sources/lms?school=demo")).status_code == 204
        with pytest.raises(Unauthorized):
            await authenticate_source_cached(database, second.json()["key"])
        assert (await here.operate("POST", "/api/v1/sources/lms/keys?school=demo")).status_code == 201


async def test_no_secret_is_stored_as_it_is(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        keys = [(await here.operate("POST", "/api/v1/sources?school=demo", json={"name": "lms"})).json()["key"]]
        made = await here.operate(
            "POST", "/api/v1/users?school=demo", json={"username": "li", "person": "T2"}, headers={"Idempotency-Key": "1"}
        )
        await here.person("zhang", "T1")
        secrets = [*keys, made.json()["password"], await here.sign_in("zhang"), OPERATOR, "zhangzhang0123456789"]

        from libs.common.database import CommonTable
        from services.gateway.tables import Table

        async with here.sut.database.reading() as session:
            for table in [*Table.metadata.sorted_tables, *CommonTable.metadata.sorted_tables]:
                stored = str((await session.execute(table.select())).all())
                assert not [secret for secret in secrets if secret in stored], table.name


async def test_a_key_shown_once_is_shown_again_to_the_same_request(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        sent = {"json": {"name": "lms"}, "headers": {"Idempotency-Key": "1"}}
        first = await here.operate("POST", "/api/v1/sources?school=demo", **sent)
        again = await here.operate("POST", "/api/v1/sources?school=demo", **sent)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
        other = await here.operate("POST", "/api/v1/sources?school=demo", json={"name": "x"}, headers={"Idempotency-Key": "1"})
        assert other.status_code == 422
        listed = (await here.operate("GET", "/api/v1/sources?school=demo")).json()["items"]
        assert [(source["name"], len(source["keys"])) for source in listed] == [("lms", 1)]


async def test_lists_go_on_from_their_cursor(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        for name in ("b", "a", "c"):
            await here.operate("POST", "/api/v1/sources?school=demo", json={"name": name})
        first = (await here.operate("GET", "/api/v1/sources?school=demo&limit=2")).json()
        rest = (await here.operate("GET", f"/api/v1/sources?school=demo&limit=2&cursor={first['next']}")).json()

        assert [item["name"] for item in first["items"] + rest["items"]] == ["a", "b", "c"]
        assert rest["next"] is None


async def test_tokens_that_are_over_are_deleted_by_the_clock(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    from sqlalchemy import func, select

    from services.gateway.jobs import forget
    from services.gateway.tables import AccessTokenRow

    async with door(database_url, tmp_path, clock) as here:
        await here.person("zhang", "T1")
        await here.sign_in("zhang")
        clock.now += timedelta(hours=13)
        token = await here.sign_in("zhang")
        async with here.sut.database.transaction() as tx:
            await forget(tx)
        async with here.sut.database.reading() as session:
            assert await session.scalar(select(func.count()).select_from(AccessTokenRow)) == 1
        async with here.client(token) as client:
            assert (await client.get("/api/v1/me")).status_code == 200


async def test_of_requests_at_the_same_moment_one_takes_the_name(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        paths = {
            "/api/v1/schools": {"code": "hbpt", "name": "湖北"},
            "/api/v1/sources?school=demo": {"name": "lms"},
            "/api/v1/users?school=demo": {"username": "li", "person": "T2"},
        }
        for path, body in paths.items():
            answers = await asyncio.gather(*(here.operate("POST", path, json=body) for _ in range(4)))
            statuses = sorted(answer.status_code for answer in answers)
            assert statuses.count(201) == 1, (path, statuses)
            assert set(statuses) <= {200, 201, 409}, (path, statuses)
