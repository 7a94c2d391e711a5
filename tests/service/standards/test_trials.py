"""Warning lines in trial, released and tuned: by the quality office, never by whom they judge."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient

from libs.common.events.gateway import Post, PostsImported
from libs.common.events.standards import IndicatorActivated, IndicatorTried, TrialAbandoned
from tests.service.harness import principal
from tests.service.standards.school import POSTS, school
from tests.service.standards.test_indicators import with_

MAY = ("indicator.read", "indicator.write", "indicator.tune")
OFFICE = principal(*MAY, id="Q1")
CODE = "class-completion-week"
LINES = [{"severity": "yellow", "enter": 0.7, "clear": 0.75}, {"severity": "red", "enter": 0.5, "clear": 0.6}]
TUNED = {"warning_lines": LINES, "reason": "试运行一个月, 橙线过严"}


def trial(**changes: Any) -> dict[str, Any]:
    return with_(metric="workload", trial=True, **changes)


async def tune(client: AsyncClient, **changes: Any) -> tuple[int, Any]:
    answer = await client.post(f"/indicators/{CODE}/tune", json={**TUNED, **changes})
    return answer.status_code, answer.json()


async def test_activated_in_trial_nobody_is_to_be_warned_until_its_release(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as at, at.sut.as_(OFFICE) as client:
        made = (await client.post("/indicators", json=trial())).json()
        first = f"/indicators/{CODE}/versions/1"
        early = await client.post(f"{first}/release")
        tried = (await client.post(f"{first}/activate")).json()
        again = (await client.post(f"{first}/activate")).json()
        facts = [message.event for message in await at.sut.published()]
        released = (await client.post(f"{first}/release")).json()
        twice = await client.post(f"{first}/release")

        assert (made["status"], made["trial"], early.status_code) == ("draft", True, 409)
        assert (tried["status"], again, tried["released_at"]) == ("trial", tried, None)
        assert [(type(fact), fact.version) for fact in facts] == [(IndicatorTried, 1)]  # type: ignore[attr-defined]  # it is one
        assert (released["status"], released["released_by"]) == ("active", "Q1")
        assert (twice.status_code, twice.json()) == (200, released)
        assert [type(message.event) for message in await at.sut.published()] == [IndicatorActivated]
        assert (await client.post("/indicators", json=trial())).json()["status"] == "active"  # the same content


async def test_tuned_in_trial_it_stays_in_trial_with_the_reason(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as at, at.sut.as_(OFFICE) as client:
        await client.post("/indicators", json=trial())
        assert (await tune(client))[0] == 409  # a draft
        await client.post(f"/indicators/{CODE}/versions/1/activate")
        status, tuned = await tune(client)
        again = await tune(client, reason="再说一次")
        old = await client.post(f"/indicators/{CODE}/versions/1/release")
        versions = (await client.get(f"/indicators/{CODE}/versions")).json()["items"]

        assert (status, tuned["version"], tuned["status"], tuned["reason"]) == (200, 2, "trial", TUNED["reason"])
        assert (tuned["warning_lines"], tuned["effective_from"]) == (LINES, "2026-02-24")
        assert (again, old.status_code) == ((200, tuned), 409)
        assert [(v["version"], v["status"]) for v in versions] == [(2, "trial"), (1, "superseded")]
        facts = [message.event for message in await at.sut.published()]
        assert [type(fact) for fact in facts] == [IndicatorTried, IndicatorTried]
        assert isinstance(facts[1], IndicatorTried)
        assert facts[1].warning_lines[0].enter == Decimal("0.7")


async def test_a_trial_that_comes_to_nothing_is_abandoned_with_a_reason(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as at, at.sut.as_(OFFICE) as client:
        for each in (with_(metric="workload"), trial()):
            await client.post("/indicators", json=each)
        path = f"/indicators/{CODE}/versions"
        await client.post(f"{path}/1/activate")
        early = await client.post(f"{path}/2/abandon", json={"reason": "不需要"})
        await client.post(f"{path}/2/activate")
        bare = await client.post(f"{path}/2/abandon")
        await at.sut.published()
        given = (await client.post(f"{path}/2/abandon", json={"reason": "预警过多"})).json()
        again = (await client.post(f"{path}/2/abandon", json={"reason": "再说一次"})).json()

        assert (early.status_code, bare.status_code, bare.json()["errors"][0]["pointer"]) == (409, 422, "/reason")
        assert (given["status"], given["abandoned_by"], given["abandoned_because"], again) == ("abandoned", "Q1", "预警过多", given)
        (fact,) = [message.event for message in await at.sut.published()]
        assert isinstance(fact, TrialAbandoned)
        assert (fact.code, fact.version) == (CODE, 2)
        for step in ("activate", "release"):
            assert (await client.post(f"{path}/2/{step}")).status_code == 409
        assert (await client.get("/indicators")).json()["items"][0]["version"] == 1, "what is in force stays in force"
        anew = (await client.post("/indicators", json=trial())).json()
        assert (anew["version"], anew["status"]) == (3, "draft"), "the same lines may be tried anew"
        (abandoned,) = [v for v in (await client.get(f"/indicators/{CODE}/history")).json()["versions"] if v["version"] == 2]
        assert (abandoned["abandoned_because"], abandoned["effective_to"]) == ("预警过多", None)


async def test_a_trial_that_another_one_ended_does_not_begin_anew(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as at, at.sut.as_(OFFICE) as client:
        await client.post("/indicators", json=trial())
        path = f"/indicators/{CODE}/versions"
        await client.post(f"{path}/1/activate")
        await tune(client)
        await client.post(f"{path}/2/abandon", json={"reason": "预警过多"})
        await at.sut.published()
        refused = await client.post(f"{path}/1/activate")

        assert (refused.status_code, "define it again as the next version" in refused.json()["detail"]) == (409, True)
        assert not await at.sut.published(), "nothing begins"
        assert (await client.get(f"{path}/1")).json()["status"] == "superseded"
        anew = (await client.post("/indicators", json=trial())).json()
        assert (await client.post(f"{path}/{anew['version']}/activate")).json()["status"] == "trial"


async def test_tuned_in_force_it_judges_from_today_on(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as at, at.sut.as_(OFFICE) as client:
        await client.post("/indicators", json=with_(metric="workload"))
        await client.post(f"/indicators/{CODE}/versions/1/activate")
        await client.post("/indicators", json=trial())  # a draft between
        status, tuned = await tune(client)
        facts = [message.event for message in await at.sut.published()]

        assert (status, tuned["version"], tuned["status"], tuned["trial"]) == (200, 3, "active", False)
        assert tuned["effective_from"] == "2026-03-02"
        assert [type(fact) for fact in facts] == [IndicatorActivated, IndicatorActivated]


async def test_a_newer_version_in_force_ends_the_trial_and_an_older_draft_does_not(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as at, at.sut.as_(OFFICE) as client:
        for each in (with_(metric="workload"), trial(), with_(metric="workload", target=0.91)):
            await client.post("/indicators", json=each)
        for version in (2, 1):
            assert (await client.post(f"/indicators/{CODE}/versions/{version}/activate")).status_code == 200
        (shown,) = (await client.get("/indicators")).json()["items"]
        assert (shown["version"], shown["status"]) == (1, "active")
        assert (await client.get(f"/indicators/{CODE}/versions/2")).json()["status"] == "trial"

        await client.post(f"/indicators/{CODE}/versions/3/activate")
        statuses = [v["status"] for v in (await client.get(f"/indicators/{CODE}/versions")).json()["items"]]
        assert statuses == ["active", "superseded", "superseded"]
        assert (await client.post(f"/indicators/{CODE}/versions/2/release")).status_code == 409
        assert (await client.post(f"/indicators/{CODE}/versions/2/activate")).status_code == 409


@pytest.mark.parametrize(
    ("post", "level", "status"),
    [
        (Post(person="Q1", post="department_head", object="mech"), "department", 403),
        (Post(person="Q1", post="course_leader", object="CNC101"), "course", 403),
        (Post(person="Q1", post="course_leader", object="CNC101"), "class", 200),
        (Post(person="Q1", post="class_teacher", object="CNC2301"), "homeroom", 403),
        (Post(person="Q1", post="class_teacher", object="CNC2301"), "teacher", 403),
        (Post(person="Q1", post="quality_office", object="demo"), "department", 200),
    ],
)
async def test_nobody_tunes_or_releases_lines_that_judge_what_they_answer_for(
    post: Post, level: str, status: int, database_url: str, tmp_path: Path
) -> None:
    async with school(database_url, tmp_path) as at, at.sut.as_(OFFICE) as client:
        await at.sut.handle(PostsImported(part="p/2", posts=[*POSTS.posts, post]))
        await client.post("/indicators", json=trial(level=level))
        await client.post(f"/indicators/{CODE}/versions/1/activate")
        await at.sut.published()
        assert (await tune(client))[0] == status
        assert (await client.post(f"/indicators/{CODE}/versions/{2 if status == 200 else 1}/release")).status_code == status
        assert bool(await at.sut.published()) is (status == 200)
        abandoned = await client.post(f"/indicators/{CODE}/versions/{2 if status == 200 else 1}/abandon", json={"reason": "不需要"})
        assert abandoned.status_code == (409 if status == 200 else 403)


async def test_nobody_replaces_a_line_that_judges_them_by_one_of_another_level(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as at, at.sut.as_(OFFICE) as client, at.sut.as_(principal(*MAY, id="Q2")) as other:
        head = Post(person="Q1", post="department_head", object="mech")
        await at.sut.handle(PostsImported(part="p/2", posts=[*POSTS.posts, head]))
        for each in (trial(level="department"), trial(level="class"), with_(metric="workload", level="class")):
            await client.post("/indicators", json=each)
        path = f"/indicators/{CODE}/versions"
        assert (await client.post(f"{path}/1/activate")).status_code == 200, "a first version judges nobody yet"
        for version in (2, 3):
            assert (await client.post(f"{path}/{version}/activate")).status_code == 403
        assert (await other.post(f"{path}/1/release")).status_code == 200
        assert (await other.post(f"{path}/2/activate")).status_code == 200
        assert (await client.post(f"{path}/2/release")).status_code == 403
        assert (await other.post(f"{path}/2/release")).status_code == 200


async def test_lines_are_tuned_with_a_reason_by_who_may_for_the_whole_school(database_url: str, tmp_path: Path) -> None:
    async with school(database_url, tmp_path) as at:
        async with at.sut.as_(OFFICE) as client:
            await client.post("/indicators", json=trial())
            await client.post(f"/indicators/{CODE}/versions/1/activate")
            await at.sut.published()
            crossed = [{"severity": "red", "enter": 0.8, "clear": 0.7}]
            bad = [await tune(client, reason=""), await tune(client, warning_lines=[]), await tune(client, warning_lines=crossed)]
            assert [status for status, _ in bad] == [422, 422, 422]
            assert bad[2][1]["errors"][0]["pointer"] == "/warning_lines/0/clear"
        async with at.sut.as_(principal(*MAY, over=["unit:mech"], id="D1")) as client:
            assert (await tune(client))[0] == 403
        async with at.sut.as_(principal("indicator.read", "indicator.write", id="L1")) as client:
            assert (await tune(client))[0] == 403
        assert await at.sut.published() == []


async def test_a_line_of_a_unit_that_the_roster_does_not_have_is_refused(database_url: str, tmp_path: Path) -> None:
    known, unknown = {"department": "mech", "off": True}, {"class": "C404", "off": True}
    async with school(database_url, tmp_path) as at, at.sut.as_(OFFICE) as client:
        refused = await client.post("/indicators", json=trial(overrides=[known, unknown]))
        assert (refused.status_code, [each["pointer"] for each in refused.json()["errors"]]) == (422, ["/overrides/1/class"])
        assert (await client.get("/indicators")).json()["items"] == []
        assert (await client.post("/indicators", json=trial(overrides=[known]))).status_code == 201
