"""The catalogue of metrics: two codes of one metric, one source of its data, what is switched off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from libs.common.events.monitoring import CountingRules, MetricDefined
from tests.service.harness import ServiceUnderTest
from tests.service.monitoring.world import EVERYTHING, correction, every, letters, measured, monitoring, retraction, sent, take

RULES = {"leave": "no_observation", "late_present_minutes": 10, "grace_days": 1}
MEALS: dict[str, Any] = {"code": "meals", "name": "用餐率", "grain": ["student"], "kind": "ratio", "direction": "higher"}
SAID = {
    "alias": "S-MEAL",
    "name_en": "meal rate",
    "phase": "continuous",
    "counting_rules": RULES,
    "owner": "学工处",
    "source_system": "canteen",
    "source": "urn:campus:demo:canteen",
}
ATTENDANCE = {"code": "attendance", "name": "到课率", "grain": ["student", "class"], "kind": "ratio", "direction": "higher"}
OTHER = {"source": "urn:campus:demo:other"}


async def post(client: httpx.AsyncClient, *bodies: dict[str, Any]) -> list[int]:
    return [(await client.post("/metrics", json=body)).status_code for body in bodies]


async def attendance(sut: ServiceUnderTest, **said: Any) -> None:
    """Change the metric of attendance."""
    async with sut.as_(EVERYTHING) as client:
        assert await post(client, ATTENDANCE | said) == [200]
    await sut.published()


async def conflicts(sut: ServiceUnderTest) -> list[tuple[str, str, str, Any]]:
    async with sut.as_(EVERYTHING) as client:
        items = await every(client, "/conflicts")
    return [(c["id"], c["source"].rpartition(":")[2], c["why"], c["counted"] and c["counted"]["numerator"]) for c in items][::-1]


async def test_what_a_change_leaves_out_stays_and_null_takes_it_away(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut, sut.as_(EVERYTHING) as client:
        assert await post(client, MEALS | SAID, MEALS, MEALS | {"owner": None}) == [201, 200, 200]
        (shown,) = await every(client, "/metrics", code="S-MEAL")
        told = [m.event for m in await sut.published()]

    nothing = dict.fromkeys(CountingRules.model_fields)
    assert shown == MEALS | SAID | {"owner": None, "counting_rules": nothing | RULES, "unit": None, "active": True}
    assert told == [MetricDefined(**MEALS | SAID), MetricDefined(**MEALS | SAID | {"owner": None})]


async def test_a_code_names_one_metric_alone(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut, sut.as_(EVERYTHING) as client:
        answers = await post(
            client,
            MEALS | {"alias": "food"},
            MEALS | {"code": "food"},  # an alias of another
            MEALS | {"code": "drinks", "alias": "food"},
            MEALS | {"code": "drinks", "alias": "attendance"},  # a code of another
            MEALS | {"code": "drinks", "alias": "C-SAT"},
            MEALS | {"alias": None},
            MEALS | {"code": "food"},
        )
        codes = {m["code"] for m in await every(client, "/metrics")}

    assert answers == [201, 409, 409, 409, 409, 200, 201]
    assert "drinks" not in codes


async def test_counting_rules_and_codes_are_strict(sqlite_url: str, tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"code": "C-SAT"}, "/code"),
        ({"alias": "到课率"}, "/alias"),
        ({"phase": "sometimes"}, "/phase"),
        ({"active": None}, "/active"),
        ({"counting_rules": {"leave": "absent"}}, "/counting_rules/leave"),
        ({"counting_rules": {"late_present_minutes": -1}}, "/counting_rules/late_present_minutes"),
        ({"counting_rules": {"grace": 3}}, "/counting_rules/grace"),
    ]
    async with monitoring(sqlite_url, tmp_path) as sut, sut.as_(EVERYTHING) as client:
        for said, pointer in wrong:
            answer = await client.post("/metrics", json=MEALS | said)
            assert (answer.status_code, [e["pointer"] for e in answer.json()["errors"]]) == (422, [pointer])


async def test_an_observation_counts_for_its_metric_by_either_code_and_is_the_same_by_either(
    database_url: str, tmp_path: Path
) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await take(sut, sent("a", 1, 2, metric="C-SAT"), sent("b", 1, 2), sent("a", 1, 2), sent("c", 5, 5))
        await take(sut, correction("d", "c", 0, 5, metric="C-SAT"), sent("b", 1, 2, metric="C-SAT"))

        assert await measured(sut, "student") == [("S1", "2026-03-02", 2, 9)]
        assert await measured(sut, "student", metric="C-SAT") == await measured(sut, "student")
        assert await conflicts(sut) == []
        assert await letters(sut) == []


async def test_another_source_is_listed_once_an_id_and_not_counted(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await attendance(sut, source="urn:campus:demo:lms")
        await take(sut, sent("a", 1), sent("a", 0, **OTHER), sent("b", 0, metric="C-SAT", **OTHER), sent("b", 0, 3, **OTHER))
        await take(sut, sent("b", 0, **OTHER), sent("a", 0), sent("m", 1, metric="classroom_score", **OTHER))

        assert await measured(sut, "student") == [("S1", "2026-03-02", 1, 1)]
        assert await measured(sut, "student", metric="classroom_score") == [("S1", "2026-03-02", 1, 1)]
        listed = [("a", "other", "source", None), ("b", "other", "source", None), ("a", "lms", "content", 1)]
        assert await conflicts(sut) == listed
        assert await letters(sut) == []
        async with sut.as_(EVERYTHING) as client:
            tally = {t["source"].rpartition(":")[2]: (t["counted"], t["conflict"]) for t in await every(client, "/intake")}
            refused = (await every(client, "/conflicts"))[1]["refused"]
    assert tally == {"lms": (1, 1), "other": (1, 4)}
    assert refused == json.loads(sent("b", 0, metric="C-SAT", **OTHER))


async def test_what_was_counted_before_a_metric_had_one_source_stands_and_its_source_may_retract_it(
    database_url: str, tmp_path: Path
) -> None:
    first, second = sent("a", 1, 2, **OTHER), sent("b", 1, 4, **OTHER)
    async with monitoring(database_url, tmp_path) as sut:
        await take(sut, first, second)
        await attendance(sut, source="urn:campus:demo:lms")
        await take(sut, first, correction("c", "a", 2, 2, **OTHER), retraction("r", "b", **OTHER))

        assert await measured(sut, "student") == [("S1", "2026-03-02", 1, 2)]
        assert await conflicts(sut) == [("c", "other", "source", None)]


async def test_what_was_refused_for_its_source_counts_when_that_is_the_one(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await attendance(sut, source="urn:campus:demo:lms")
        await take(sut, sent("a", 1, 2, **OTHER))
        await attendance(sut, source=OTHER["source"])
        await take(sut, sent("a", 1, 2, **OTHER))

        assert await measured(sut, "student") == [("S1", "2026-03-02", 1, 2)]


async def test_a_metric_that_is_switched_off_takes_nothing_new_and_keeps_what_it_has(database_url: str, tmp_path: Path) -> None:
    async with monitoring(database_url, tmp_path) as sut:
        await take(sut, sent("a", 1, 2))
        await attendance(sut, active=False)
        await take(sut, sent("a", 1, 2), sent("b", 1, 2), sent("c", 1, 2, metric="C-SAT"))

        refused = [letter.detail.partition(";")[0] for letter in await letters(sut)]
        assert refused == ["/data/metric: the metric 'attendance' is switched off"] * 2
        assert await measured(sut, "student") == [("S1", "2026-03-02", 1, 2)]

        await attendance(sut, active=True)
        await take(sut, sent("b", 1, 2))
        assert await measured(sut, "student") == [("S1", "2026-03-02", 2, 4)]
