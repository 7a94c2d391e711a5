"""People work on improvements: each step, who may take it, and what the other side is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

from libs.common.event import Event
from libs.common.events.monitoring import WarningCleared, WarningRaised
from libs.common.events.planning import (
    ImprovementClosed,
    ImprovementReturned,
    ImprovementStarted,
    ImprovementSubmitted,
    ImprovementVerified,
)
from tests.service.harness import ServiceUnderTest, principal
from tests.service.planning.school import one, planning, student_warning, tell, warning

OWNER = principal("improvement.work", "improvement.read", over=["class:CNC101-A"], id="T3")
VERIFIER = principal("improvement.work", "improvement.verify", "improvement.read", over=["course:CNC101"], id="L1")
CURVE = "/api/v1/monitoring/measurements?metric=assignment_completion&level=class&window=week&subject=CNC101-A"
DONE = {"done": "已谈话并补交", "evidence": ["谈话记录"]}


class Case:
    """An opened improvement, and its owner and verifier as clients."""

    def __init__(self, sut: ServiceUnderTest, raised: WarningRaised, id_: str, owner: AsyncClient, verifier: AsyncClient) -> None:
        self.sut, self.raised, self.id, self.owner, self.verifier = sut, raised, id_, owner, verifier

    async def told(self) -> list[Event]:
        return [message.event for message in await self.sut.published()]

    async def clear(self) -> None:
        nine = Decimal(9)
        await tell(
            self.sut,
            WarningCleared(
                warning=self.raised.warning, start=self.raised.start, value=Decimal(1), numerator=nine, denominator=nine
            ),
        )

    async def submitted(self) -> None:
        """Bring it to `submitted`."""
        assert (await self.owner.post(f"/improvements/{self.id}/start")).status_code == 200
        assert (await self.owner.post(f"/improvements/{self.id}/submit", json=DONE)).status_code == 200
        await self.sut.published()

    async def verify(self, **body: Any) -> Any:
        return await self.verifier.post(f"/improvements/{self.id}/verify", json=body)

    async def shown(self) -> dict[str, Any]:
        return await one(self.sut, self.id, VERIFIER)


@asynccontextmanager
async def case(url: str, folder: Path, **changes: Any) -> AsyncIterator[Case]:
    async with planning(url, folder) as sut:
        raised = warning(**changes)
        await tell(sut, raised)
        (message,) = await sut.published()
        id_ = str(message.event.improvement)  # type: ignore[attr-defined]  # ImprovementOpened
        async with sut.as_(OWNER) as owner, sut.as_(VERIFIER) as verifier:
            yield Case(sut, raised, id_, owner, verifier)


async def test_the_whole_way_from_proposed_to_closed_is_told_step_by_step(database_url: str, tmp_path: Path) -> None:
    async with case(database_url, tmp_path) as c:
        ids: dict[str, Any] = {"improvement": c.id, "warning": c.raised.warning}
        started = await c.owner.post(f"/improvements/{c.id}/start")
        submitted = await c.owner.post(f"/improvements/{c.id}/submit", json=DONE)
        returned = await c.verifier.post(f"/improvements/{c.id}/return", json={"reason": "缺家长反馈"})
        again = await c.owner.post(f"/improvements/{c.id}/submit", json={**DONE, "evidence": ["https://example.edu/1"]})
        await c.clear()
        verified = await c.verify()

        states = [answer.json()["status"] for answer in (started, submitted, returned, again, verified)]
        assert states == ["running", "submitted", "returned", "submitted", "closed"]
        assert await c.told() == [
            ImprovementStarted(
                **ids,
                by="T3",
                measures=["谈话", "补交", "听课帮扶"],
                goal="周作业完成率不低于 85%",
                deadline=date(2026, 3, 16),
                indicator="class-completion-week",
                level="class",
                subject="CNC101-A",
            ),
            ImprovementSubmitted(**ids, by="T3", done="已谈话并补交", evidence=["谈话记录", CURVE]),
            ImprovementReturned(**ids, by="L1", reason="缺家长反馈"),
            ImprovementSubmitted(**ids, by="T3", done="已谈话并补交", evidence=["https://example.edu/1", CURVE]),
            ImprovementVerified(**ids, by="L1", reason=None),
            ImprovementClosed(**ids, reason="verified"),
        ]
        history = [(entry["step"], entry["by"]) for entry in (await c.shown())["history"]]
        assert history == [
            ("opened", None),
            ("started", "T3"),
            ("submitted", "T3"),
            ("returned", "L1"),
            ("submitted", "T3"),
            ("warning_cleared", None),
            ("verified", "L1"),
            ("closed", "L1"),
        ]


async def test_a_plan_of_ones_own_replaces_the_proposed_one(database_url: str, tmp_path: Path) -> None:
    plan = {"measures": ["集体备课", "分层作业"], "goal": "两周内达到 90%", "deadline": "2026-03-12"}
    async with case(database_url, tmp_path) as c:
        answer = await c.owner.post(f"/improvements/{c.id}/start", json=plan)

        assert {name: answer.json()[name] for name in plan} == plan
        (told,) = await c.told()
        assert isinstance(told, ImprovementStarted)
        assert (told.measures, told.goal, told.deadline) == (plan["measures"], plan["goal"], date(2026, 3, 12))


@pytest.mark.parametrize("step", ["start", "submit", "verify", "return"])
async def test_a_step_out_of_turn_is_a_conflict_that_names_the_state_and_changes_nothing(tmp_path: Path, step: str) -> None:
    bodies: dict[str, Any] = {"start": {}, "submit": DONE, "verify": {"reason": "好"}, "return": {"reason": "缺"}}
    allowed = {"proposed": {"start"}, "running": {"submit"}, "submitted": {"verify", "return"}, "closed": set()}
    async with case(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as c:
        for state, forward in (("proposed", "start"), ("running", "submit"), ("submitted", "verify"), ("closed", None)):
            if step not in allowed[state]:
                answer = await c.verifier.post(f"/improvements/{c.id}/{step}", json=bodies[step])
                assert (answer.status_code, answer.json()["type"]) == (409, "urn:zhengai:problem:conflict")
                assert f"is {state}" in answer.json()["detail"]
                assert (await c.shown())["status"] == state
            if forward is not None:
                client = c.verifier if forward == "verify" else c.owner
                assert (await client.post(f"/improvements/{c.id}/{forward}", json=bodies[forward])).status_code == 200


async def test_the_submitter_never_judges_the_own_work(database_url: str, tmp_path: Path) -> None:
    async with case(database_url, tmp_path) as c:
        await c.verifier.post(f"/improvements/{c.id}/start")
        await c.verifier.post(f"/improvements/{c.id}/submit", json=DONE)

        verified = await c.verify(reason="好")
        returned = await c.verifier.post(f"/improvements/{c.id}/return", json={"reason": "缺"})

        assert (verified.status_code, returned.status_code) == (403, 403)
        assert "never the submitter" in verified.json()["detail"]
        assert (await c.shown())["status"] == "submitted"


async def test_who_has_an_improvement_never_judges_it_whoever_submitted_it(database_url: str, tmp_path: Path) -> None:
    posts = ("improvement.work", "improvement.verify", "improvement.read")
    async with case(database_url, tmp_path) as c, c.sut.as_(principal(*posts, over=["class:CNC101-A"], id="T3")) as owner:
        await c.verifier.post(f"/improvements/{c.id}/start")
        await c.verifier.post(f"/improvements/{c.id}/submit", json=DONE)
        assert (await owner.post(f"/improvements/{c.id}/verify", json={"reason": "好"})).status_code == 403
        assert (await owner.post(f"/improvements/{c.id}/return", json={"reason": "缺"})).status_code == 403
        assert (await c.shown())["status"] == "submitted"


async def test_an_uncleared_warning_is_verified_only_with_a_reason_which_closes_at_once(database_url: str, tmp_path: Path) -> None:
    async with case(database_url, tmp_path) as c:
        await c.submitted()
        for body in ({}, {"reason": None}):
            refused = await c.verifier.post(f"/improvements/{c.id}/verify", json=body)
            assert (refused.status_code, [e["pointer"] for e in refused.json()["errors"]]) == (422, ["/reason"])
        assert (await c.verifier.post(f"/improvements/{c.id}/verify")).status_code == 422
        assert (await c.verify(reason="  ")).status_code == 422

        answer = await c.verify(reason="本周停课，数据不全")

        assert (answer.status_code, answer.json()["status"], answer.json()["close_reason"]) == (200, "closed", "verified")
        assert [type(event) for event in await c.told()] == [ImprovementVerified, ImprovementClosed]


@pytest.mark.parametrize(("severity", "status"), [("blue", 200), ("yellow", 200), ("orange", 422), ("red", 422)])
async def test_the_curve_alone_is_evidence_enough_for_blue_and_yellow_only(tmp_path: Path, severity: str, status: int) -> None:
    async with case(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path, severity=severity) as c:
        await c.owner.post(f"/improvements/{c.id}/start")

        answer = await c.owner.post(f"/improvements/{c.id}/submit", json={"done": "已谈话"})

        assert answer.status_code == status
        if status == 422:
            assert [e["pointer"] for e in answer.json()["errors"]] == ["/evidence"]
        else:
            assert answer.json()["evidence"] == [CURVE]


@pytest.mark.parametrize(
    ("step", "body", "pointer"),
    [
        ("start", {"measures": []}, "/measures"),
        ("start", {"measures": [""]}, "/measures/0"),
        ("start", {"deadline": "tomorrow"}, "/deadline"),
        ("start", {"deadline": 20260312}, "/deadline"),
        ("start", {"severity": "blue"}, "/severity"),  # nobody lowers their own line
        ("submit", {}, "/done"),
        ("submit", {"done": " "}, "/done"),
        ("submit", {"done": "a\x00b"}, "/done"),
        ("submit", {"done": "x", "evidence": "y"}, "/evidence"),
        ("return", {}, "/reason"),
    ],
)
async def test_a_body_that_says_too_little_or_too_much_is_refused_where_it_does(
    tmp_path: Path, step: str, body: dict[str, Any], pointer: str
) -> None:
    async with case(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as c:
        answer = await c.verifier.post(f"/improvements/{c.id}/{step}", json=body)

        assert (answer.status_code, [e["pointer"] for e in answer.json()["errors"]]) == (422, [pointer])


async def test_what_the_scope_does_not_cover_is_not_there_whatever_one_tries(database_url: str, tmp_path: Path) -> None:
    permissions = ("improvement.read", "improvement.work", "improvement.verify")
    strangers = [
        principal(*permissions, over=["class:CNC102-A", "unit:art", "student:S1"]),
        principal(*permissions, over=[]),
        principal(*permissions, school="other"),
    ]
    async with case(database_url, tmp_path) as c:
        for stranger in strangers:
            async with c.sut.as_(stranger) as client:
                steps: list[tuple[str, dict[str, Any]]] = [
                    ("start", {}),
                    ("submit", DONE),
                    ("verify", {"reason": "好"}),
                    ("return", {"reason": "缺"}),
                ]
                answers = [await client.get(f"/improvements/{c.id}")]
                answers += [await client.post(f"/improvements/{c.id}/{step}", json=body) for step, body in steps]
                answers += [await client.post(f"/improvements/{step}", json={**body, "ids": [c.id]}) for step, body in steps]
                assert [answer.status_code for answer in answers] == [404] * 9
                assert (await client.get("/improvements")).json() == {"items": [], "next": None}
        assert await c.told() == []


async def test_every_step_asks_for_its_own_permission(database_url: str, tmp_path: Path) -> None:
    async with case(database_url, tmp_path) as c:
        async with c.sut.as_(principal("improvement.read")) as reader:
            assert (await reader.get(f"/improvements/{c.id}")).status_code == 200
            for step, body in (("start", {}), ("submit", DONE), ("verify", {"reason": "好"}), ("return", {"reason": "缺"})):
                assert (await reader.post(f"/improvements/{c.id}/{step}", json=body)).status_code == 403
        assert (await c.owner.post(f"/improvements/{c.id}/verify", json={"reason": "好"})).status_code == 403
        async with c.sut.as_(principal("warning.read")) as nobody:
            assert (await nobody.get("/improvements")).status_code == 403
            assert (await nobody.get("/settings")).status_code == 403


async def test_the_list_is_newest_first_filtered_and_paged_without_gaps(database_url: str, tmp_path: Path) -> None:
    async with planning(database_url, tmp_path) as sut:
        raised = [warning(), warning(indicator="other"), student_warning(), warning(), student_warning()]
        for each in raised:
            await tell(sut, each)
            sut.database.now.advance(seconds=1)  # type: ignore[attr-defined]  # a SettableClock
        async with sut.as_(principal("improvement.read", "improvement.work")) as client:
            seen, cursor = [], None
            while True:
                params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
                answer = (await client.get("/improvements", params=params)).json()
                seen += [item["warning"] for item in answer["items"]]
                if (cursor := answer["next"]) is None:
                    break
            assert seen == [str(each.warning) for each in reversed(raised)]

            async def count(**params: str) -> int:
                return len((await client.get("/improvements", params=params)).json()["items"])

            (first,) = (await client.get("/improvements", params={"warning": str(raised[0].warning)})).json()["items"]
            assert (await client.post(f"/improvements/{first['id']}/start")).status_code == 200
            assert [await count(owner="T3"), await count(owner="H1"), await count(owner="nobody")] == [3, 2, 0]
            assert [await count(status="running"), await count(status="proposed")] == [1, 4]
            assert await count(owner="T3", status="proposed") == 2
            assert (await client.get("/improvements", params={"status": "lost"})).status_code == 422
            assert (await client.get("/improvements", params={"cursor": "WyJhIiwgImIiXQ"})).status_code == 422
        async with sut.as_(principal("improvement.read", over=["student:S1"])) as student:
            assert {item["subject"] for item in (await student.get("/improvements")).json()["items"]} == {"S1"}


async def test_an_item_of_the_list_has_what_the_contract_says(database_url: str, tmp_path: Path) -> None:
    async with case(database_url, tmp_path) as c:
        (item,) = (await c.owner.get("/improvements")).json()["items"]

        assert {"id", "warning", "subject", "title", "owner", "plan_due_on", "due_on", "overdue", "status", "opened_at"} <= set(
            item
        )
        assert (item["id"], item["subject"], item["owner"], item["overdue"]) == (c.id, "CNC101-A", "T3", False)
        assert item["opened_at"] == "2026-03-02T04:00:00Z"


async def test_an_unknown_improvement_is_404_and_so_is_what_is_no_id(database_url: str, tmp_path: Path) -> None:
    async with case(database_url, tmp_path) as c:
        assert (await c.owner.get(f"/improvements/{uuid4()}")).status_code == 404
        odd = await c.owner.get("/improvements/1")
        assert (odd.status_code, odd.json()["type"]) == (404, "urn:zhengai:problem:not-found")
