"""P1, P12: 202 means that the bus has it."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from libs.common.auth import Principal
from libs.common.bus_sqlite import SqliteBus
from services.gateway.service import service
from services.gateway.tables import MetricRow, SchoolRow
from tests.conftest import SettableClock
from tests.service.harness import SCHOOL, ServiceUnderTest, principal, running

OPERATOR = Principal("operator", "operator", SCHOOL, principal("source.write").grants)


async def key_of_a_source(sut: ServiceUnderTest) -> str:
    """Of a school with one metric."""
    async with sut.database.transaction() as tx:
        zone = {"timezone": "Asia/Shanghai", "year_start": "09-01", "template": None}
        tx.session.add(SchoolRow(code=SCHOOL, name=SCHOOL, added_at=tx.now, **zone))
        tx.session.add(MetricRow(school=SCHOOL, code="attendance", grain=["student"], kind="ratio", active=True))
    async with sut.as_(OPERATOR) as client:
        answer = await client.post("/api/v1/sources", json={"name": "lms"})
    assert answer.status_code == 201, answer.text
    key: str = answer.json()["key"]
    return key


async def posted(sut: ServiceUnderTest, key: str, count: int) -> httpx.Response:
    events = [
        {
            "specversion": "1.0",
            "id": f"e{n} of {count}",
            "source": f"urn:campus:{SCHOOL}:lms",
            "type": "cn.zhengai.observation.v1",
            "time": "2026-03-02T08:00:00+08:00",
            "data": {"metric": "attendance", "numerator": 1, "denominator": 1, "student": "S1"},
        }
        for n in range(count)
    ]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents-batch+json"}
    async with sut.as_(OPERATOR) as client:
        return await client.post("/api/v1/events", content=json.dumps(events), headers=headers)


async def test_events_that_a_full_disk_does_not_take_are_not_acknowledged(
    database_url: str, tmp_path: Path, clock: SettableClock
) -> None:
    async with running(service, database_url, tmp_path, clock) as sut:
        key, bus = await key_of_a_source(sut), sut.bus
        assert isinstance(bus, SqliteBus)
        assert (await posted(sut, key, 1)).status_code == 202
        (pages,) = await bus._in(bus._append_thread, lambda: bus._writer.execute("PRAGMA page_count").fetchone())
        await bus._in(bus._append_thread, lambda: bus._writer.execute(f"PRAGMA max_page_count = {pages}").fetchone())
        refused = await posted(sut, key, 1000)
        assert (refused.status_code, refused.headers.get("retry-after")) == (503, "5")
        await bus._in(bus._append_thread, lambda: bus._writer.execute("PRAGMA max_page_count = 1000000").fetchone())
        assert (await posted(sut, key, 1000)).status_code == 202
        async with bus.subscribe("all", ["observations"]) as subscription:
            assert [len(json.loads(r.value)) for r in await subscription.fetch(1 << 30, wait=0) if r.value[:1] == b"["] == [1000]
