"""What people and other services do with warnings, and what that leaves to the data."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from libs.common.bus import Record
from libs.common.event import Message
from libs.common.events.gateway import SchoolAdded
from libs.common.events.monitoring import (
    WarningAcknowledged,
    WarningCleared,
    WarningDismissed,
    WarningImproving,
)
from services.monitoring.handlers import read_observations, take_observations
from tests.service.harness import ServiceUnderTest, principal
from tests.service.monitoring.world import (
    NOW,
    detail,
    every,
    forget,
    indicator,
    monitoring,
    opened,
    post,
    roster,
    sent,
    started,
    take,
    told,
    warned,
)

LINES = {"yellow": ("0.8", "0.9"), "red": ("0.5", "0.6")}


async def state(sut: ServiceUnderTest, status: str) -> str:
    """A warning in this state."""
    await take(sut, sent(f"raise {status}", 0, 10, class_=f"of {status}"))
    (warning,) = await warned(sut, subject=f"of {status}")
    path = f"/warnings/{warning['id']}"
    if status == "acknowledged":
        await post(sut, f"{path}/acknowledge")
    elif status == "improving":
        await sut.handle(started(warning["id"]))
    elif status == "dismissed":
        await post(sut, f"{path}/dismiss", reason="误报")
    elif status == "cleared":
        await take(sut, sent("over", 900, 900, class_=f"of {status}"))
    await sut.published()
    return str(warning["id"])


async def test_people_and_data_move_a_warning_only_as_the_contract_says(database_url: str, tmp_path: Path) -> None:
    after = {
        # status: after acknowledge, dismiss, start, and the data's recovery
        "open": ("acknowledged", "dismissed", "improving", "cleared"),
        "acknowledged": ("acknowledged", "dismissed", "improving", "cleared"),
        "improving": (409, "dismissed", "improving", "cleared"),
        "dismissed": (409, 409, "dismissed", "dismissed"),
        "cleared": (409, 409, "cleared", "cleared"),
    }
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), indicator()) as sut:
        found: dict[str, list[Any]] = {status: [] for status in after}
        for n in range(4):
            for status, reached in found.items():
                id_ = await state(sut, f"{status}")
                code = 200
                if n == 0:
                    code, _ = await post(sut, f"/warnings/{id_}/acknowledge")
                elif n == 1:
                    code, _ = await post(sut, f"/warnings/{id_}/dismiss", reason="误报")
                elif n == 2:
                    await sut.handle(started(id_))
                else:
                    await take(sut, sent(f"recover {status}", 9000, 9000, class_=f"of {status}"))
                reached.append(code if code != 200 else (await detail(sut, id_))["status"])
            await forget(sut)

    assert {status: tuple(reached) for status, reached in found.items()} == after


async def test_a_warning_is_not_dismissed_without_a_word(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), indicator()) as sut:
        id_ = await state(sut, "open")
        for blank in ("", " ", " \n\t"):
            assert (await post(sut, f"/warnings/{id_}/dismiss", reason=blank))[0] == 422
        assert (await post(sut, f"/warnings/{id_}/dismiss", reason=" 病假 "))[0] == 200
        assert (await detail(sut, id_))["history"][-1]["detail"]["reason"] == "病假"


async def test_what_people_do_is_told_once(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), indicator()) as sut:
        id_ = await state(sut, "open")
        for _ in range(2):
            assert (await post(sut, f"/warnings/{id_}/acknowledge", by="T1"))[0] == 200
        start = Message(uuid4(), NOW, "demo", started(id_))
        await sut.redeliver(start)
        await sut.redeliver(start, Message(uuid4(), NOW, "demo", started(id_)))
        assert (await post(sut, f"/warnings/{id_}/dismiss", by="T2", reason="病假"))[0] == 200
        assert (await post(sut, f"/warnings/{id_}/dismiss", by="T2", reason="病假"))[0] == 409

        assert [m.event for m in await sut.published()] == [
            WarningAcknowledged(warning=UUID(id_), by="T1"),
            WarningImproving(warning=UUID(id_)),
            WarningDismissed(warning=UUID(id_), by="T2", reason="病假"),
        ]
        steps = [(s["step"], s["by"], s["detail"].get("reason")) for s in (await detail(sut, id_))["history"][1:]]
        assert steps == [("acknowledged", "T1", None), ("improving", "T1", None), ("dismissed", "T2", "病假")]


async def test_a_dismissed_warning_is_quiet_until_recovered_and_then_a_new_one_is_raised(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), indicator(lines=LINES)) as sut:
        await take(sut, sent("a", 7, 10))
        (first,) = await warned(sut)
        await post(sut, f"/warnings/{first['id']}/dismiss", reason="误报")
        await sut.published()
        await take(sut, sent("b", 0, 10), sent("c", 0, 10, day="2026-03-10"), sent("d", 89, 90, day="2026-03-10"))
        assert await told(sut) == [], "worse, another window, and not yet over the clear line"
        assert (await detail(sut, first["id"]))["severity"] == "yellow"
        await take(sut, sent("e", 900, 900, day="2026-03-10"), sent("f", 0, 9000, day="2026-03-10"))

        assert await told(sut) == ["rate C1 raised red 989/10000 of 2026-03-09"]
        shown = await warned(sut)
        assert [(w["id"] == first["id"], w["status"]) for w in sorted(shown, key=lambda w: str(w["status"]))] == [
            (True, "dismissed"),
            (False, "open"),
        ]
        assert [s["step"] for s in (await detail(sut, first["id"]))["history"]] == ["raised", "dismissed", "ended"]


async def test_a_reason_is_needed_to_dismiss(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster(), indicator()) as sut:
        id_ = await state(sut, "open")
        for body in ({"reason": ""}, {"reason": 7}, {"why": "x"}, {"reason": "x", "to": "T9"}, {"reason": "x" * 2001}):
            assert (await post(sut, f"/warnings/{id_}/dismiss", **body))[0] == 422
        assert (await post(sut, f"/warnings/{id_}/dismiss"))[0] == 422

        assert (await detail(sut, id_))["status"] == "open"


async def test_facts_about_warnings_that_are_not_here_are_passed_over(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path) as sut:
        await sut.handle(started(str(uuid4())), opened(str(uuid4()), uuid4()))

        assert await sut.published() == []


async def test_what_people_found_has_no_warning_to_link_or_to_move(sqlite_url: str, tmp_path: Path) -> None:
    nobodys = opened(str(uuid4()), uuid4()).model_copy(update={"warning": None, "source": "patrol"})
    begun = started(str(uuid4())).model_copy(update={"warning": None})
    async with monitoring(sqlite_url, tmp_path) as sut:
        await sut.handle(nobodys, begun)

        assert await sut.published() == []


async def test_a_warning_that_clears_while_its_improvement_starts_stays_cleared(database_url: str, tmp_path: Path) -> None:
    """Counting holds the school; who changes a warning otherwise waits for it, also where databases have several writers."""
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), indicator()) as sut:
        id_ = await state(sut, "open")
        async with sut.database.transaction() as counting:
            await take_observations(read_observations([record(sent("over", 900, 900, class_="of open"))]), counting)
            starting = asyncio.create_task(sut.handle(started(id_)))
            await asyncio.wait({starting}, timeout=0.3)
            assert not starting.done()
        await starting

        assert (await detail(sut, id_))["status"] == "cleared"
        assert [type(m.event) for m in await sut.published()] == [WarningCleared]


def record(value: bytes) -> Record:
    return Record("observations", "demo", value)


async def test_another_schools_warnings_are_not_there(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), indicator()) as sut:
        await sut.handle(SchoolAdded(code="west", name="西"), school="west")
        id_ = await state(sut, "open")
        async with sut.as_(principal("warning.read", "warning.handle", school="west")) as client:
            assert await every(client, "/warnings") == []
            for path in ("", "/evidence"):
                assert (await client.get(f"/warnings/{id_}{path}")).status_code == 404
            assert (await client.post(f"/warnings/{id_}/acknowledge")).status_code == 404
            assert (await client.post(f"/warnings/{id_}/dismiss", json={"reason": "x"})).status_code == 404

        assert (await detail(sut, id_))["status"] == "open"
