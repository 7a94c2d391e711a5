"""What could never be handled is listed, and sent again."""

from pathlib import Path

from sqlalchemy import delete, select

from libs.common.database import OutboxRow
from libs.common.errors import Invalid
from libs.common.event import Message, decode
from libs.common.runtime import put_aside
from tests.conftest import SettableClock
from tests.service.gateway.door import Door, door
from tests.service.harness import Everything

LETTERS = "/api/v1/deadletters?school=demo"


async def letter(here: Door, payload: bytes, key: str = "demo") -> Message:
    """What a consumer publishes that puts this payload aside."""
    async with here.sut.database.transaction() as tx:
        put_aside(tx, "monitoring", "observations", key, payload, Invalid("no metric 'x'"))
        (row,) = tx.outgoing
        tx.outgoing.clear()
    message = decode(row["payload"], Everything())
    assert message is not None
    return message


async def outbox(here: Door) -> list[OutboxRow]:
    async with here.sut.database.transaction() as tx:
        rows = (await tx.session.scalars(select(OutboxRow).order_by(OutboxRow.position))).all()
        await tx.session.execute(delete(OutboxRow))
    return list(rows)


async def test_a_dead_letter_is_listed_with_its_cause(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        await here.sut.redeliver(await letter(here, b'{"id": 1}'))
        (item,) = (await here.operate("GET", LETTERS)).json()["items"]

        assert item["payload"] == '{"id": 1}'
        assert (item["service"], item["topic"], item["key"]) == ("monitoring", "observations", "demo")
        assert "no metric 'x'" in item["detail"]
        assert item["replayed_at"] is None


async def test_a_replay_sends_the_very_bytes_to_the_topic_again(database_url: str, tmp_path: Path, clock: SettableClock) -> None:
    async with door(database_url, tmp_path, clock) as here:
        payload = b'{"id": "\xff\x00"}'
        message = await letter(here, payload)
        await here.sut.redeliver(message)
        (item,) = (await here.operate("GET", LETTERS)).json()["items"]
        await outbox(here)
        answer = await here.operate("POST", f"/api/v1/deadletters/{item['id']}/replay?school=demo")

        assert answer.status_code == 200
        assert answer.json()["replayed_at"] is not None
        assert [(row.topic, row.key, row.payload) for row in await outbox(here)] == [("observations", "demo", payload)]


async def test_a_letter_that_fails_again_after_its_replay_shows_again_and_one_redelivered_before_does_not_double(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        message = await letter(here, b"{}")
        await here.sut.redeliver(message)
        await here.sut.redeliver(message)
        (item,) = (await here.operate("GET", LETTERS)).json()["items"]
        await here.operate("POST", f"/api/v1/deadletters/{item['id']}/replay?school=demo")
        assert (await here.operate("GET", f"{LETTERS}&replayed=false")).json()["items"] == []
        assert len((await here.operate("GET", f"{LETTERS}&replayed=true")).json()["items"]) == 1
        clock.advance(minutes=1)
        await here.sut.redeliver(await letter(here, b"{}"))

        (again,) = (await here.operate("GET", f"{LETTERS}&replayed=false")).json()["items"]
        assert again["id"] == item["id"]
        assert again["at"] > item["at"]


async def test_letters_are_listed_newest_first_over_pages_and_by_school(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        await here.operate("POST", "/api/v1/schools", json={"code": "other", "name": "另一所"})
        for payload in (b"1", b"2", b"3"):
            await here.sut.redeliver(await letter(here, payload))
            clock.advance(seconds=1)
        await here.sut.redeliver(await letter(here, b"4", key="other"))
        first = (await here.operate("GET", f"{LETTERS}&limit=2")).json()
        rest = (await here.operate("GET", f"{LETTERS}&limit=2&cursor={first['next']}")).json()
        everywhere = (await here.operate("GET", "/api/v1/deadletters")).json()
        (foreign,) = (await here.operate("GET", "/api/v1/deadletters?school=other")).json()["items"]

        assert [item["payload"] for item in first["items"] + rest["items"]] == ["3", "2", "1"]
        assert len(everywhere["items"]) == 4
        assert (await here.operate("POST", f"/api/v1/deadletters/{foreign['id']}/replay?school=demo")).status_code == 404


async def test_a_key_and_school_that_no_database_keeps_are_listed_escaped(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with door(database_url, tmp_path, clock) as here:
        await here.sut.redeliver(await letter(here, b"{}", key="de\0mo"))
        (item,) = (await here.operate("GET", "/api/v1/deadletters")).json()["items"]

        assert item["key"] == "de\\x00mo"
