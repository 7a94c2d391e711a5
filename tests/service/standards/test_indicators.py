"""Indicators over HTTP: define, activate, read; and what the other services are told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient

from libs.common.events.monitoring import MetricDefined
from libs.common.events.standards import IndicatorActivated, Repetition
from services.standards.service import service
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest, principal, running

EXAMPLE: dict[str, Any] = {
    "code": "class-completion-week",
    "name": "班级周作业完成率",
    "metric": "assignment_completion",
    "level": "class",
    "window": "week",
    "comparison": "below",
    "target": 0.90,
    "min_denominator": 50,
    "evaluate": "on_update",
    "warning_lines": [{"severity": "orange", "enter": 0.80, "clear": 0.85}],
    "effective_from": "2026-02-24",
}
JSON = {"content-type": "application/json"}
WRITER = principal("indicator.write", "indicator.read")


def metric(code: str = "assignment_completion", direction: str = "higher") -> MetricDefined:
    return MetricDefined(code=code, name="作业完成率", grain=["student", "class"], kind="ratio", unit="%", direction=direction)


@asynccontextmanager
async def standards(url: str, folder: Path) -> AsyncIterator[tuple[ServiceUnderTest, AsyncClient]]:
    """The service of a school that has the example's metric and one of a band, and a client who may write."""
    async with running(service, url, folder, SettableClock()) as sut:
        await sut.handle(metric())
        await sut.handle(metric("load", "band"))
        async with sut.as_(WRITER) as client:
            yield sut, client


def with_(**changes: Any) -> dict[str, Any]:
    return {**deepcopy(EXAMPLE), **changes}


async def test_the_contracts_example_is_a_draft_then_in_force_and_published_exactly(database_url: str, tmp_path: Path) -> None:
    async with standards(database_url, tmp_path) as (sut, client):
        made = await client.post("/indicators", json=EXAMPLE)
        assert (made.status_code, made.json()["status"], made.json()["version"]) == (201, "draft", 1)
        assert {name: made.json()[name] for name in EXAMPLE} == EXAMPLE
        assert await sut.published() == []

        active = await client.post("/indicators/class-completion-week/versions/1/activate")

        assert (active.status_code, active.json()["status"], active.json()["activated_by"]) == (200, "active", "P1")
        (message,) = await sut.published()
        assert isinstance(message.event, IndicatorActivated)
        assert message.event.warning_lines[0].enter == Decimal("0.8")
        assert (message.event.version, message.event.min_denominator, message.event.target) == (1, Decimal(50), Decimal("0.9"))


async def test_the_same_content_again_makes_no_version_and_other_content_the_next(database_url: str, tmp_path: Path) -> None:
    async with standards(database_url, tmp_path) as (_, client):
        await client.post("/indicators", json=EXAMPLE)
        again = await client.post("/indicators", content=json.dumps(EXAMPLE).replace("0.8,", "0.80,"), headers=JSON)
        other = await client.post("/indicators", json=with_(target=0.95))
        back = await client.post("/indicators", json=EXAMPLE)

        assert [(a.status_code, a.json()["version"]) for a in (again, other, back)] == [(200, 1), (201, 2), (201, 3)]
        listed = (await client.get("/indicators/class-completion-week/versions")).json()["items"]
        assert [(item["version"], item["target"]) for item in listed] == [(3, 0.9), (2, 0.95), (1, 0.9)]


async def test_numbers_are_shown_as_plain_decimals_with_every_digit(database_url: str, tmp_path: Path) -> None:
    async with standards(database_url, tmp_path) as (_, client):
        lines = [{"severity": "orange", "enter": 0.000001, "clear": 10}]
        sent = json.dumps(with_(target=3, min_denominator=123456789.123456, warning_lines=lines))
        made = await client.post("/indicators", content=sent, headers=JSON)
        listed = await client.get("/indicators")

        assert made.status_code == 201, made.text
        for answer in (made, listed):
            for shown in ('"target":3,', '"min_denominator":123456789.123456,', '"enter":0.000001,', '"clear":10}'):
                assert shown in answer.text


async def test_activating_again_says_nothing_new_and_an_older_version_cannot_come_back(database_url: str, tmp_path: Path) -> None:
    async with standards(database_url, tmp_path) as (sut, client):
        for target in (0.9, 0.91, 0.92):
            await client.post("/indicators", json=with_(target=target))
        activate = "/indicators/class-completion-week/versions/{}/activate"
        assert (await client.post(activate.format(2))).status_code == 200
        assert len(await sut.published()) == 1

        assert (await client.post(activate.format(2))).status_code == 200
        older = await client.post(activate.format(1))
        missing = await client.post(activate.format(9))

        assert (older.status_code, missing.status_code) == (409, 404)
        assert await sut.published() == []
        assert (await client.post(activate.format(3))).status_code == 200
        versions = (await client.get("/indicators/class-completion-week/versions")).json()["items"]
        assert [item["status"] for item in versions] == ["active", "superseded", "superseded"]


async def test_the_list_shows_each_indicator_once_by_code_with_what_is_in_force(database_url: str, tmp_path: Path) -> None:
    async with standards(database_url, tmp_path) as (_, client):
        for code in ("b", "a", "c"):
            await client.post("/indicators", json=with_(code=code))
        await client.post("/indicators/b/versions/1/activate")
        await client.post("/indicators", json=with_(code="b", target=0.5))

        first = (await client.get("/indicators", params={"limit": 2})).json()
        rest = (await client.get("/indicators", params={"limit": 2, "cursor": first["next"]})).json()

        shown = [(i["code"], i["version"], i["newest_version"], i["status"]) for i in first["items"] + rest["items"]]
        assert shown == [("a", 1, 1, "draft"), ("b", 1, 2, "active"), ("c", 1, 1, "draft")]
        assert rest["next"] is None
        assert (await client.get("/indicators/b/versions/2")).json()["target"] == 0.5
        assert (await client.get("/indicators/b/versions/3")).status_code == 404
        assert (await client.get("/indicators/d/versions")).status_code == 404


def line(severity: str = "orange", enter: Any = 0.8, clear: Any = 0.85) -> dict[str, Any]:
    return {"severity": severity, "enter": enter, "clear": clear}


def own(**said: Any) -> dict[str, Any]:
    return {"warning_lines": [line()], **said}


@pytest.mark.parametrize(
    ("changes", "pointer", "word"),
    [
        ({"code": "Class"}, "/code", "pattern"),
        ({"code": ""}, "/code", "pattern"),
        ({"code": "a" * 65}, "/code", "pattern"),
        ({"name": ""}, "/name", "1 character"),
        ({"name": "名" * 201}, "/name", "200"),
        ({"name": "a\x00b"}, "/name", "control characters"),
        ({"metric": "unheard_of"}, "/metric", "no metric"),
        ({"level": "activity"}, "/level", "'student'"),
        ({"window": "lesson"}, "/window", "a lesson is a level"),
        ({"window": "hour"}, "/window", "'day'"),
        (
            {"metric": "load", "comparison": "outside", "warning_lines": [line(enter=[0.2, 0.8])]},
            "/warning_lines/0/clear",
            "a band",
        ),
        ({"warning_lines": [line(enter=[0.2, 0.8])]}, "/warning_lines/0/enter", "by a number"),
        ({"warning_lines": [line(enter=[0.2])]}, "/warning_lines/0/enter", "two bounds"),
        ({"warning_lines": [line(enter=[0.2, "0.8"])]}, "/warning_lines/0/enter", "a number is needed"),
        (
            {"metric": "load", "comparison": "outside", "warning_lines": [line(enter=[0.2, 0.8], clear=[0.1, 0.8])]},
            "/warning_lines/0/clear",
            "[0.2, 0.8]",
        ),
        ({"overrides": [own(department="D1", off=True)]}, "/overrides/0/warning_lines", "either"),
        ({"overrides": [own(department="D1", warning_lines=None)]}, "/overrides/0/warning_lines", "either"),
        ({"overrides": [own(department="D1", programme="P1")]}, "/overrides/0", "exactly one"),
        ({"overrides": [own()]}, "/overrides/0", "exactly one"),
        ({"overrides": [own(department="")]}, "/overrides/0/department", "1 character"),
        ({"overrides": [own(school="D1")]}, "/overrides/0/school", "no such field"),
        ({"overrides": [{"class": 7, "off": True}]}, "/overrides/0/class", "text"),
        ({"overrides": [{"class": "C1", "off": "yes"}]}, "/overrides/0/off", "true or false"),
        ({"overrides": [{"class": "C1", "off": True, "min_denominator": 3}]}, "/overrides/0/min_denominator", "no min_denominator"),
        ({"overrides": [own(course="K1", min_denominator=0)]}, "/overrides/0/min_denominator", "more than 0"),
        ({"overrides": [own(course="K1"), own(course="K2"), own(course="K1")]}, "/overrides/2/course", "stands twice"),
        ({"overrides": [own(course="K1")], "level": "student"}, "/overrides/0/course", "no student lies in a course"),
        ({"overrides": [own(department="D1")], "level": "teacher"}, "/overrides/0/department", "no teacher"),
        ({"overrides": [own(course="K1", warning_lines=[])]}, "/overrides/0/warning_lines", "at least 1"),
        (
            {"overrides": [own(course="K1", warning_lines=[line(clear=0.7)])]},
            "/overrides/0/warning_lines/0/clear",
            "cannot clear",
        ),
        ({"grace_days": 2}, "/grace_days", "window_close"),
        ({"grace_days": -1}, "/grace_days", "at least 0"),
        ({"raise_after_windows": 0}, "/raise_after_windows", "at least 1"),
        ({"raise_after_windows": 61}, "/raise_after_windows", "at most 60"),
        ({"clear_after_windows": 1.5}, "/clear_after_windows", "whole number"),
        ({"hold_days": -1}, "/hold_days", "at least 0"),
        ({"hold_days": True}, "/hold_days", "whole number"),
        ({"repetition": {"severity": "orange", "windows": 3}}, "/repetition/severity", "no worse"),
        ({"repetition": {"severity": "red", "windows": 1}}, "/repetition/windows", "at least 2"),
        ({"repetition": {"severity": "red", "windows": 2}, "raise_after_windows": 3}, "/repetition/windows", "after 3 windows"),
        ({"repetition": {"severity": "red"}}, "/repetition/windows", "missing"),
        ({"comparison": "near"}, "/comparison", "'below'"),
        ({"evaluate": {"daily_at": "24:00"}}, "/evaluate", "HH:MM"),
        ({"evaluate": {"daily_at": "20:00", "more": "x"}}, "/evaluate", "'on_update'"),
        ({"evaluate": {"lesson_end_plus_minutes": 5}}, "/evaluate", "level 'lesson'"),
        ({"evaluate": {"lesson_end_plus_minutes": -1}, "level": "lesson"}, "/evaluate", "from 0"),
        ({"evaluate": {"lesson_end_plus_minutes": "5"}, "level": "lesson"}, "/evaluate", "whole number"),
        ({"evaluate": {"lesson_end_plus_minutes": True}, "level": "lesson"}, "/evaluate", "whole number"),
        ({"evaluate": {"lesson_end_plus_minutes": 5, "more": 1}, "level": "lesson"}, "/evaluate", "'on_update'"),
        ({"evaluate": "sometimes"}, "/evaluate", "'on_update'"),
        ({"effect_windows": 0}, "/effect_windows", "at least 1"),
        ({"stale_after_days": 0}, "/stale_after_days", "at least 1"),
        ({"stale_after_days": "3"}, "/stale_after_days", "whole number"),
        ({"colour": "red"}, "/colour", "no such field"),
        ({"min_denominator": 0}, "/min_denominator", "more than 0"),
        ({"min_denominator": -1}, "/min_denominator", "more than 0"),
        ({"min_denominator": 0.0000001}, "/min_denominator", "6 decimals"),
        ({"min_denominator": True}, "/min_denominator", "a number is needed"),
        ({"min_denominator": "50"}, "/min_denominator", "a number is needed"),
        ({"target": 0.1234567}, "/target", "6 decimals"),
        ({"target": 1e9}, "/target", "1,000,000,000"),
        ({"effective_from": "2026-02-30"}, "/effective_from", "day"),
        ({"effective_from": "2026-02-24T00:00:00"}, "/effective_from", "YYYY-MM-DD"),
        ({"effective_from": 20260224}, "/effective_from", "YYYY-MM-DD"),
        ({"warning_lines": []}, "/warning_lines", "at least 1"),
        ({"warning_lines": [line("purple")]}, "/warning_lines/0/severity", "'blue'"),
        ({"warning_lines": [line(), line(enter=0.7)]}, "/warning_lines/1/severity", "twice"),
        ({"warning_lines": [line(clear=0.75)]}, "/warning_lines/0/clear", "cannot clear"),
        ({"warning_lines": [line("yellow"), line("red", 0.8)]}, "/warning_lines/1/enter", "red must begin below yellow"),
        ({"warning_lines": [line(enter=0.1234567)]}, "/warning_lines/0/enter", "6 decimals"),
    ],
)
async def test_what_cannot_stand_is_refused_where_it_is_wrong(
    tmp_path: Path, changes: dict[str, Any], pointer: str, word: str
) -> None:
    async with standards(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (_, client):
        answer = await client.post("/indicators", json=with_(**changes))

        assert answer.status_code == 422, answer.text
        assert [(e["pointer"], word in e["detail"]) for e in answer.json()["errors"]] == [(pointer, True)], answer.text
        assert (await client.get("/indicators")).json()["items"] == []


@pytest.mark.parametrize("name", [name for name in EXAMPLE if name != "target"])
async def test_every_field_but_the_target_is_required(tmp_path: Path, name: str) -> None:
    async with standards(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (_, client):
        answer = await client.post("/indicators", json={k: v for k, v in EXAMPLE.items() if k != name})

        assert (answer.status_code, [e["pointer"] for e in answer.json()["errors"]]) == (422, [f"/{name}"])


async def test_nan_as_a_line_is_refused(tmp_path: Path) -> None:
    async with standards(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (_, client):
        answer = await client.post("/indicators", content=json.dumps(with_(target=float("nan"))), headers=JSON)

        assert answer.status_code in {400, 422}


async def test_an_above_indicator_with_all_four_severities_stands(database_url: str, tmp_path: Path) -> None:
    lines = [line("red", 4, 0.5), line("blue", 1, 0.5), line("orange", 3, 0.5), line("yellow", 2, 0.5)]
    async with standards(database_url, tmp_path) as (_, client):
        made = await client.post("/indicators", json=with_(comparison="above", warning_lines=lines))

        assert made.status_code == 201
        assert [each["severity"] for each in made.json()["warning_lines"]] == ["blue", "yellow", "orange", "red"]


async def test_a_school_sees_neither_the_metrics_nor_the_indicators_of_another(database_url: str, tmp_path: Path) -> None:
    async with standards(database_url, tmp_path) as (sut, client):
        await client.post("/indicators", json=EXAMPLE)
        async with sut.as_(principal("indicator.write", "indicator.read", school="other")) as stranger:
            refused = await stranger.post("/indicators", json=EXAMPLE)
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/metric")
            assert (await stranger.get("/indicators")).json()["items"] == []
            assert (await stranger.get("/indicators/class-completion-week/versions")).status_code == 404
            assert (await stranger.post("/indicators/class-completion-week/versions/1/activate")).status_code == 404


async def test_only_posts_that_reach_the_level_define_and_activate(database_url: str, tmp_path: Path) -> None:
    async with standards(database_url, tmp_path) as (sut, client):
        await client.post("/indicators", json=EXAMPLE)
        activate = "/indicators/class-completion-week/versions/1/activate"
        async with sut.as_(principal("indicator.read")) as reader:
            assert (await reader.post("/indicators", json=EXAMPLE)).status_code == 403
            assert (await reader.post(activate)).status_code == 403
            assert (await reader.get("/indicators")).status_code == 200
        async with sut.as_(principal("indicator.write", over=["level:course"])) as courses:
            assert (await courses.post("/indicators", json=EXAMPLE)).status_code == 403
            assert (await courses.post(activate)).status_code == 403
            assert (await courses.post("/indicators", json=with_(code="c", level="course"))).status_code == 201
            assert (await courses.get("/indicators")).status_code == 403


async def test_a_metric_told_twice_is_kept_once(database_url: str, tmp_path: Path) -> None:
    async with standards(database_url, tmp_path) as (sut, client):
        await sut.handle(metric(), metric(), metric("attendance"))

        assert (await client.post("/indicators", json=with_(metric="attendance"))).status_code == 201


async def test_a_metric_named_by_its_alias_is_the_metric(database_url: str, tmp_path: Path) -> None:
    async with standards(database_url, tmp_path) as (sut, client):
        await sut.handle(metric().model_copy(update={"alias": "C-HWC"}))
        made = await client.post("/indicators", json=with_(metric="C-HWC"))
        same = await client.post("/indicators", json=EXAMPLE)
        await sut.handle(metric())
        refused = await client.post("/indicators", json=with_(metric="C-HWC"))

        assert (made.status_code, made.json()["metric"]) == (201, "assignment_completion")
        assert (same.status_code, same.json()["version"]) == (200, 1)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/metric")


PATIENT: dict[str, Any] = {
    "metric": "load",
    "comparison": "outside",
    "warning_lines": [
        {"severity": "yellow", "enter": [0.4, 0.8], "clear": [0.45, 0.75]},
        {"severity": "red", "enter": [0.2, 0.9], "clear": [0.3, 0.8]},
    ],
    "raise_after_windows": 2,
    "clear_after_windows": 3,
    "hold_days": 14,
    "repetition": {"severity": "orange", "windows": 4},
    "effect_windows": 6,
}


async def test_bands_and_patience_are_shown_as_written_and_published(database_url: str, tmp_path: Path) -> None:
    async with standards(database_url, tmp_path) as (sut, client):
        made = await client.post("/indicators", json=with_(**PATIENT))
        assert made.status_code == 201, made.text
        assert {name: made.json()[name] for name in PATIENT} == PATIENT
        assert (await client.post("/indicators", json=with_(**PATIENT))).status_code == 200, "the same content: no new version"

        await client.post("/indicators/class-completion-week/versions/1/activate")
        (message,) = await sut.published()
        event = message.event
        assert isinstance(event, IndicatorActivated)
        assert event.warning_lines[1].enter == (Decimal("0.2"), Decimal("0.9"))
        assert (event.raise_after_windows, event.clear_after_windows, event.hold_days, event.effect_windows) == (2, 3, 14, 6)
        assert event.repetition == Repetition(severity="orange", windows=4)


async def test_saying_what_holds_anyway_makes_no_new_version(tmp_path: Path) -> None:
    plain: dict[str, Any] = {
        "raise_after_windows": 1,
        "clear_after_windows": 1,
        "hold_days": 0,
        "repetition": None,
        "grace_days": 0,
        "overrides": [],
    }
    async with standards(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (_, client):
        assert (await client.post("/indicators", json=EXAMPLE)).status_code == 201
        again = await client.post("/indicators", json=with_(**plain))
        assert (again.status_code, again.json()["version"]) == (200, 1)


async def test_lines_of_units_are_shown_and_published_the_most_specific_first(database_url: str, tmp_path: Path) -> None:
    department: dict[str, Any] = {
        "department": "D1",
        "warning_lines": [line("yellow", 0.5, 0.6), line("red", 0.3, 0.4)],
        "min_denominator": 5,
    }
    shown = [{"class": "C1", "off": True, "warning_lines": None, "min_denominator": None}, {**department, "off": False}]
    turned = {**department, "warning_lines": department["warning_lines"][::-1]}
    async with standards(database_url, tmp_path) as (sut, client):
        made = await client.post("/indicators", json=with_(overrides=[turned, {"class": "C1", "off": True}]))
        assert (made.status_code, made.json()["overrides"]) == (201, shown), made.text
        again = await client.post("/indicators", json=with_(overrides=[{"class": "C1", "off": True}, department]))
        assert (again.status_code, again.json()["version"]) == (200, 1), "in any order it says the same"

        await client.post("/indicators/class-completion-week/versions/1/activate")
        (message,) = await sut.published()
        event = message.event
        assert isinstance(event, IndicatorActivated)
        assert [(o.kind, o.id, o.off, o.min_denominator) for o in event.overrides] == [
            ("class", "C1", True, None),
            ("department", "D1", False, Decimal(5)),
        ]


async def test_a_lessons_indicator_may_be_judged_minutes_after_its_end(tmp_path: Path) -> None:
    said: dict[str, Any] = {"level": "lesson", "window": "day", "evaluate": {"lesson_end_plus_minutes": 15}}
    async with standards(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (sut, client):
        made = await client.post("/indicators", json=with_(**said))
        assert (made.status_code, made.json()["evaluate"]) == (201, said["evaluate"]), made.text
        assert (await client.post("/indicators", json=with_(**said))).status_code == 200

        await client.post("/indicators/class-completion-week/versions/1/activate")
        (message,) = await sut.published()
        assert isinstance(message.event, IndicatorActivated)
        assert message.event.evaluate == {"lesson_end_plus_minutes": 15}


async def test_a_band_is_for_metrics_that_are_good_within_one(tmp_path: Path) -> None:
    async with standards(f"sqlite+aiosqlite:///{tmp_path}/service.db", tmp_path) as (sut, client):
        refused = await client.post("/indicators", json=with_(**{**PATIENT, "metric": "assignment_completion"}))
        assert (refused.status_code, [e["pointer"] for e in refused.json()["errors"]]) == (422, ["/comparison"])

        await sut.handle(metric(direction="none"))
        assert (await client.post("/indicators", json=with_(**{**PATIENT, "metric": "assignment_completion"}))).status_code == 201
