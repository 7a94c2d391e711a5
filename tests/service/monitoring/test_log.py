"""The observation log and the ids in blocks: what is written is read back, in whatever blocks it stands."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from services.monitoring.commands import packing
from services.monitoring.domain.log import COLUMNS, Stretch, decode, join
from services.monitoring.queries import packing as packed
from services.monitoring.queries.packing import list_unpacked
from services.monitoring.tables import IdBlockRow, LogBlockRow
from tests.service.harness import SCHOOL, ServiceUnderTest
from tests.service.monitoring.world import (
    EVERYTHING,
    NOW,
    correction,
    digest,
    indicator,
    monitoring,
    retraction,
    roster,
    sent,
    take,
    warned,
)

NUMBERS = st.one_of(st.integers(0, 3), st.integers(-(2**62), 2**62), st.integers(1_700_000_000_000_000, 1_800_000_000_000_000))
TEXTS = st.text(st.characters(blacklist_categories=["Cc", "Cs"]), min_size=1, max_size=8)


@st.composite
def stretches(draw: st.DrawFn) -> Stretch:
    n = draw(st.integers(1, 20))
    columns = {name: np.array(draw(st.lists(NUMBERS, min_size=n, max_size=n)), dtype=np.int64) for name in COLUMNS}
    steps = draw(st.lists(st.integers(1, 300), min_size=n, max_size=n))
    return Stretch(np.cumsum(steps).astype(np.int64), columns, draw(st.lists(TEXTS, min_size=n, max_size=n)))


def same(one: Stretch, other: Stretch) -> bool:
    columns = all((one.columns[name] == other.columns[name]).all() for name in COLUMNS)
    return columns and one.positions.tolist() == other.positions.tolist() and list(one.events) == list(other.events)


@given(stretches())
def test_a_stretch_is_read_as_it_was_written(stretch: Stretch) -> None:
    assert same(decode(stretch.encode()), stretch)


@given(stretches(), st.data())
def test_stretches_that_are_joined_are_the_whole(stretch: Stretch, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(stretch)))
    rows = np.arange(len(stretch))
    parts = [stretch.take(part) for part in (rows[:cut], rows[cut:]) if len(part)]
    assert same(join(parts), stretch)


async def blocks(sut: ServiceUnderTest) -> tuple[int, int]:
    async with sut.database.reading() as session:
        counts = [await session.scalar(select(func.count()).select_from(table)) for table in (LogBlockRow, IdBlockRow)]
    return counts[0] or 0, counts[1] or 0


async def pack(sut: ServiceUnderTest) -> None:
    await sut.run("pack")


@pytest.mark.parametrize("full", [7, 4096])
async def test_small_blocks_are_joined_and_nothing_else_changes(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: int
) -> None:
    monkeypatch.setattr(packed, "MANY", 10)
    monkeypatch.setattr(packing, "FULL", full)
    events = [sent(f"e{n}", n % 3, 3, class_="C1") for n in range(20)]
    odd = [correction("c1", "e3", 3, 3, class_="C2"), retraction("r1", "e4"), retraction("r2", "e30")]
    async with monitoring(database_url, tmp_path, lambda: NOW, roster(), indicator()) as sut:
        for event in [*events[:12], *odd, *events[12:]]:
            await take(sut, event)
        before, many = await digest(sut), await blocks(sut)
        await pack(sut)
        after = await blocks(sut)
        assert many == (21, 23)
        assert after == (-(-21 // full), -(-23 // full)), "the fewest that are no more than full"
        await take(sut, *events, *odd)
        sut.database.memory.clear()
        await take(sut, *events, *odd)
        assert await digest(sut) == before, "each id is known, in memory and on disk"
        await take(sut, sent("e30", 0, 1, class_="C1"), retraction("r5", "e5"), sent("e31", 1, 1, class_="C1"))
        async with sut.as_(EVERYTHING) as client:
            (open_,) = [w for w in await warned(sut) if w["status"] == "open"]
            evidence = (await client.get(f"/warnings/{open_['id']}/evidence", params={"limit": 500})).json()["items"]
        stand = {f"e{n}" for n in range(20)} - {"e3", "e4", "e5"} | {"e31"}
        assert {o["id"] for o in evidence} == stand


@pytest.mark.servers
async def test_counting_goes_on_while_blocks_are_joined(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MANY", 10)
    begun, counted = Event(), Event()

    def decode_when_counted(content: bytes) -> Stretch:
        if not begun.is_set():
            begun.set()
            assert counted.wait(30)
        return decode(content)

    monkeypatch.setattr(packing, "decode", decode_when_counted)
    async with monitoring(postgres_url, tmp_path, lambda: NOW, roster(), indicator()) as sut:
        for n in range(12):
            await take(sut, sent(f"e{n}", n % 3, 3, class_="C1"))
        packs = asyncio.create_task(pack(sut))
        assert await asyncio.to_thread(begun.wait, 30)
        try:
            async with asyncio.timeout(30):
                await take(sut, sent("e12", 1, 3, class_="C1"))
        finally:
            counted.set()
        await packs
        before = await digest(sut)
        assert await blocks(sut) == (2, 1), "what came meanwhile stands by itself in the log; ids were looked for later"
        sut.database.memory.clear()
        await take(sut, *[sent(f"e{n}", n % 3, 3, class_="C1") for n in range(12)], sent("e12", 1, 3, class_="C1"))
        assert await digest(sut) == before


@pytest.mark.servers
async def test_of_two_that_pack_at_once_one_fails_and_nothing_is_lost(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, packed_by_another = Event(), Event()

    def decode_late(content: bytes) -> Stretch:
        if not begun.is_set():
            begun.set()
            assert packed_by_another.wait(30)
        return decode(content)

    async def pack_it(sut: ServiceUnderTest) -> None:
        async with sut.database.transaction() as tx:
            tx.school = SCHOOL
            await packing.pack(tx)

    monkeypatch.setattr(packing, "decode", decode_late)
    events = [sent(f"e{n}", n % 3, 3, class_="C1") for n in range(12)]
    async with monitoring(postgres_url, tmp_path, lambda: NOW, roster(), indicator()) as sut:
        for event in events:
            await take(sut, event)
        before = await digest(sut)
        late = asyncio.create_task(pack_it(sut))
        assert await asyncio.to_thread(begun.wait, 30)
        try:
            await pack_it(sut)
        finally:
            packed_by_another.set()
        with pytest.raises(RuntimeError, match="packed by somebody else"):
            await late
        assert await blocks(sut) == (1, 1)
        sut.database.memory.clear()
        await take(sut, *events)
        assert await digest(sut) == before


async def test_few_small_blocks_are_left_alone(sqlite_url: str, tmp_path: Path) -> None:
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster()) as sut:
        for n in range(5):
            await take(sut, sent(f"e{n}", 1, 1, class_="C1"))
        await pack(sut)
        assert await blocks(sut) == (5, 5)


async def test_blocks_that_are_full_already_are_not_written_again(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "MANY", 10)
    monkeypatch.setattr(packing, "FULL", 7)
    async with monitoring(sqlite_url, tmp_path, lambda: NOW, roster()) as sut:
        for n in range(12):
            await take(sut, *[sent(f"e{n}-{m}", 1, 1, class_="C1") for m in range(5)])
        async with sut.database.transaction() as tx:
            before = await tx.driver(lambda connection: connection.total_changes)
            tx.school = SCHOOL
            await packing.pack(tx)
            await tx.session.flush()
            written = await tx.driver(lambda connection: connection.total_changes) - before
        assert await blocks(sut) == (12, 12)
        assert written <= 2, "how far it is packed, of log and ids"
        async with sut.database.transaction() as tx:
            assert await list_unpacked(tx.session, NOW) == [], "they need not be looked at again"
