"""The warning lines that the schools' documents suggest: drafts, once, and nothing in force."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from libs.common.events.monitoring import MetricDefined
from services.standards.domain.indicators import Definition, faults_of
from services.standards.schemas.indicators import IndicatorIn
from services.standards.service import service
from services.standards.templates import SUGGESTED
from tests.conftest import SettableClock
from tests.service.harness import running
from tests.service.standards.test_indicators import EXAMPLE, WRITER, standards

CODE = "assignment-completion-class-week"
FROM = {"effective_from": "2026-09-01"}


def defined(code: str) -> MetricDefined:
    return MetricDefined(code=code, name=code, grain=["class"], kind="ratio", direction="higher")


async def test_suggested_lines_become_drafts_for_the_metrics_that_are_there_and_a_second_time_nothing(
    database_url: str, tmp_path: Path
) -> None:
    codes = sorted(each["code"] for each in SUGGESTED)
    async with standards(database_url, tmp_path) as (sut, client):
        few = (await client.post("/indicators/template", json={})).json()
        (draft,) = (await client.get("/indicators")).json()["items"]
        await sut.handle(*[defined(metric) for metric in {each["metric"] for each in SUGGESTED}])
        most = (await client.post("/indicators/template", json=FROM)).json()
        none = (await client.post("/indicators/template", json=FROM)).json()
        listed = (await client.get("/indicators", params={"limit": 500})).json()["items"]
        told = await sut.published()

    assert (few["added"], draft["effective_from"], draft["name"]) == ([CODE], "2026-03-02", "作业完成率(班级·周)")
    assert sorted([*few["added"], *few["without_metric"]]) == codes
    assert (most["there"], most["without_metric"], sorted([CODE, *most["added"]])) == ([CODE], [], codes)
    assert (none["added"], sorted(none["there"])) == ([], codes)
    assert {(each["status"], each["version"]) for each in listed} == {("draft", 1)}
    assert [each["code"] for each in listed] == codes
    assert told == []


async def test_suggested_lines_may_come_to_be_tried_out_first(database_url: str, tmp_path: Path) -> None:
    async with standards(database_url, tmp_path) as (_, client):
        await client.post("/indicators/template", json={"trial": True})
        active = await client.post(f"/indicators/{CODE}/versions/1/activate")
    assert (active.json()["trial"], active.json()["status"]) == (True, "trial")


async def test_drafts_without_a_date_are_meant_from_today_in_the_schools_zone(database_url: str, tmp_path: Path) -> None:
    clock = SettableClock()
    clock.now = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)  # the first minute of the second of March in Shanghai
    async with running(service, database_url, tmp_path, clock) as sut, sut.as_(WRITER) as client:
        await sut.handle(defined("assignment_completion"))
        await client.post("/indicators/template", json={})
        (draft,) = (await client.get("/indicators")).json()["items"]
    assert draft["effective_from"] == "2026-03-02"


async def test_an_indicator_of_the_schools_own_stays_as_it_is(database_url: str, tmp_path: Path) -> None:
    async with standards(database_url, tmp_path) as (_, client):
        await client.post("/indicators", json=EXAMPLE | {"code": CODE})
        applied = (await client.post("/indicators/template", json=FROM)).json()
        shown = (await client.get(f"/indicators/{CODE}/versions")).json()["items"]

    assert (applied["added"], applied["there"]) == ([], [CODE])
    assert [(each["version"], each["name"]) for each in shown] == [(1, EXAMPLE["name"])]


def test_each_suggestion_is_an_indicator_that_the_api_takes() -> None:
    for each in SUGGESTED:
        body = IndicatorIn.model_validate(json.loads(json.dumps(each | FROM, default=float)))
        assert faults_of(Definition.model_validate(body.model_dump(exclude={"code"}))) == []
    assert len({each["code"] for each in SUGGESTED}) == len(SUGGESTED)


@pytest.mark.shared
def test_each_line_of_the_schools_documents_is_suggested_on_its_side(shared: Path) -> None:
    text = (shared / "domain" / "catalogue.yaml").read_text(encoding="utf-8")
    expected: dict[str, tuple[Decimal, str]] = {}
    for said in yaml.safe_load(text)["metrics_catalogue"]:
        line: Any = said["suggested_warning_line"] if said["kind"] == "mean" else said.get("line")
        if line is not None:
            code = said.get("alias", said["code"].lower())
            expected[code] = (Decimal(str(line)), {"higher": "below", "lower": "above"}[said["direction"]])

    assert {each["metric"]: (each["warning_lines"][0]["enter"], each["comparison"]) for each in SUGGESTED} == expected
    assert all(each["warning_lines"][0]["enter"] == each["warning_lines"][0]["clear"] for each in SUGGESTED)
