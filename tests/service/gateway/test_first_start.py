"""What the first start creates, and what later starts leave as it is."""

import json
import stat
from pathlib import Path

import pytest

from libs.common.errors import Unauthorized
from libs.common.settings import Settings
from services.gateway.demo import create_demo, keep_operator_token
from services.gateway.queries.accounts import principal_of
from services.gateway.queries.sources import authenticate_source
from services.gateway.service import service
from tests.conftest import SettableClock
from tests.service.gateway.door import Door, door
from tests.service.harness import ServiceUnderTest, running


async def whose(sut: ServiceUnderTest, token: str) -> str:
    async with sut.database.reading() as session:
        return (await principal_of(session, token, None, sut.database.now())).kind


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_the_operators_token_is_made_once_and_read_by_its_owner_only(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as sut:
        settings = Settings(home=tmp_path)
        await keep_operator_token(sut.database, settings)
        first = (tmp_path / "operator.token").read_text()
        await keep_operator_token(sut.database, settings)

        assert (tmp_path / "operator.token").read_text() == first
        assert mode(tmp_path / "operator.token") == 0o600
        assert await whose(sut, first.strip()) == "operator"


async def test_a_lost_token_is_replaced_by_the_next_start_and_ends(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with running(service, database_url, tmp_path, clock) as sut:
        settings, path = Settings(home=tmp_path), tmp_path / "operator.token"
        await keep_operator_token(sut.database, settings)
        lost = path.read_text().strip()
        path.unlink()
        await keep_operator_token(sut.database, settings)

        assert await whose(sut, path.read_text().strip()) == "operator"
        with pytest.raises(Unauthorized):
            await whose(sut, lost)


async def test_a_token_that_the_operator_put_there_counts_and_a_file_that_holds_none_is_refused(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as sut:
        settings, path = Settings(home=tmp_path), tmp_path / "operator.token"
        path.write_text("chosen-by-hand\n")
        await keep_operator_token(sut.database, settings)
        assert await whose(sut, "chosen-by-hand") == "operator"
        path.write_text("two words\n")
        with pytest.raises(SystemExit, match="holds no token"):
            await keep_operator_token(sut.database, settings)


async def test_the_demo_school_is_there_with_everybody_able_to_sign_in_to_their_role(tmp_path: Path, clock: SettableClock) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/service.db"
    async with running(service, url, tmp_path, clock) as sut:
        await create_demo(sut.database, Settings(home=tmp_path))
        demo = json.loads((tmp_path / "demo.json").read_text())

        assert mode(tmp_path / "demo.json") == 0o600
        assert set(demo) == {"school", "accounts", "sources"}
        for source in demo["sources"]:
            assert (await authenticate_source(sut.database, source["key"])).name == source["name"]
        await _everybody_signs_in(tmp_path, sut, demo)


async def test_all_that_is_told_of_the_demo_school_is_told_in_its_name(tmp_path: Path, clock: SettableClock) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/service.db"
    async with running(service, url, tmp_path, clock) as sut:
        await create_demo(sut.database, Settings(home=tmp_path))

        told = {(message.event.event_type, message.school) for message in await sut.published()}
        facts = {"gateway.school_added", "gateway.source_added", "gateway.roster_imported", "gateway.posts_imported"}
        assert told == {(fact, "demo") for fact in facts}


async def _everybody_signs_in(folder: Path, sut: ServiceUnderTest, demo: dict[str, object]) -> None:
    from services.gateway.front import Front

    here = Door(sut, Front(sut.app, {}, [], Settings(home=folder)))
    accounts = demo["accounts"]
    assert isinstance(accounts, list)
    assert accounts
    for account in accounts:
        async with here.client() as client:
            form = {"username": account["username"], "password": account["password"]}
            token = (await client.post("/api/v1/auth/token", data=form)).json()["access_token"]
        async with here.client(token) as client:
            me = (await client.get("/api/v1/me")).json()
        assert me["name"], account
        assert account["role"] in {post["post"] for post in me["posts"]}, account


async def test_a_later_start_leaves_the_demo_school_alone(tmp_path: Path, clock: SettableClock) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/service.db"
    async with running(service, url, tmp_path, clock) as sut:
        await create_demo(sut.database, Settings(home=tmp_path))
        first = (tmp_path / "demo.json").read_bytes()
        await create_demo(sut.database, Settings(home=tmp_path))

        assert (tmp_path / "demo.json").read_bytes() == first


async def test_where_there_is_a_school_no_demo_is_made(tmp_path: Path, clock: SettableClock) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/service.db"
    async with door(url, tmp_path, clock) as here:
        await create_demo(here.sut.database, Settings(home=tmp_path))

        assert not (tmp_path / "demo.json").exists()
