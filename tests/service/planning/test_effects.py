"""What an improvement has changed is kept as monitoring measured it last, and read in numbers and in words."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from httpx import AsyncClient

from libs.common.event import Message, encode
from tests.service.harness import SCHOOL, ServiceUnderTest, principal
from tests.service.planning.school import NOON, effect, planning, tell, warning

READER = principal("improvement.read", over=["class:CNC101-A"])


async def opened(sut: ServiceUnderTest, client: AsyncClient) -> tuple[str, UUID]:
    raised = warning()
    await tell(sut, raised)
    (found,) = (await client.get("/improvements")).json()["items"]
    return found["id"], raised.warning


async def shown(client: AsyncClient, id_: str) -> Any:
    answer = await client.get(f"/improvements/{id_}/effect")
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal)


async def test_an_effect_is_read_beside_its_improvement_once_it_has_been_measured(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(READER) as client:
        id_, about = await opened(sut, client)
        assert (await client.get(f"/improvements/{id_}/effect")).status_code == 404
        assert (await client.get(f"/improvements/{id_}")).json()["effect"] is None
        await tell(sut, effect(id_, about))
        words = (
            "整改前 70%，整改后 95.33%；同期情况相近、未在整改的 12 个班级由 71% 变为 76.5%；"
            "相差 +19.83 个百分点（95% 区间 +14.56 至 +25.11），有效。"
        )
        assert (await client.get(f"/improvements/{id_}")).json()["effect"] == {"verdict": "effect", "words": words}
        whole = await shown(client, id_)
        assert whole["words"] == words
        numbers = [whole[name] for name in ("before", "after", "difference", "low", "high", "confidence")]
        assert numbers == [Decimal(n) for n in ("0.7", "0.953333", "0.198333", "0.1456", "0.251066", "0.95")]
        assert (whole["peers"], whole["after_to"], whole["verdict_name"]) == (12, "2026-04-12", "有效")
        async with sut.as_(principal("improvement.read", over=["class:other"])) as stranger:
            assert (await stranger.get(f"/improvements/{id_}/effect")).status_code == 404


async def test_the_highest_revision_stands_however_often_and_in_whatever_order_they_come(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut, sut.as_(READER) as client:
        id_, about = await opened(sut, client)
        first, third = effect(id_, about), effect(id_, about, revision=3, verdict="no_detectable_effect")
        message = encode(Message(UUID(int=1), NOON, SCHOOL, first))
        await sut.take("monitoring", message)
        await tell(sut, third, effect(id_, about, revision=2, verdict="worse"))
        await sut.take("monitoring", message)
        found = await shown(client, id_)
        assert (found["revision"], found["verdict_name"]) == (3, "未检出效果")
