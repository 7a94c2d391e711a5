"""What tests of plans and goals begin with: metrics, a standard's floor, people of every kind, and a plan in a few words."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import httpx

from libs.common.auth import Principal
from libs.common.events.gateway import RosterImported
from libs.common.events.monitoring import Measured, Measurement, MetricDefined
from libs.common.events.standards import Element, Floor, IndicatorActivated, StandardActivated
from tests.service.harness import ServiceUnderTest, principal
from tests.service.planning.school import PEOPLE, roster, tell

WRITE = ("plan.read", "plan.write")
OFFICE = principal(*WRITE, "plan.approve", id="Q1")
LEADER = principal(*WRITE, "plan.approve", id="B1")
HEAD = principal(*WRITE, "plan.approve", id="D1", over=["unit:mech"])
TEACHER = principal(*WRITE, id="T1", over=["teacher:T1"])
STUDENT = principal(*WRITE, id="S1", over=["student:S1"])
CLASS_TEACHER = principal(*WRITE, "plan.approve", id="H1", over=["class:CNC2301"])
YEARS = {"period_from": "2026-01-01", "period_to": "2030-12-31"}
TEACHERS = "双师型教师占比"
ORDERED = {"origin": {"kind": "document", "number": "教发〔2026〕1号", "date": "2026-02-01"}}
"""Why there is a next version of a plan: the authority wants it."""


def metric(code: str, kind: str = "sum", **said: Any) -> MetricDefined:
    return MetricDefined(**{"code": code, "name": code, "grain": ["teacher"], "kind": kind, "direction": "higher", **said})


METRICS = (metric("open_lessons"), metric("training_hours"), metric("dual_qualified", "ratio", alias="T-DQ"), metric("credits"))
FLOOR = StandardActivated(
    code="student-standard",
    version=1,
    family="student",
    name="学生发展标准",
    effective_from=date(2026, 1, 1),
    elements=[
        Element(
            code="ST-2C",
            name="第二课堂",
            met_by="measured",
            floor=Floor(metric="credits", comparison="at_least", value=Decimal(6), clause="第二课堂学分不少于 6 学分"),
        )
    ],
)
INDICATOR = IndicatorActivated(
    code="dual-year",
    version=1,
    name="双师型教师占比",
    metric="dual_qualified",
    level="school",
    window="year",
    comparison="below",
    min_denominator=Decimal(1),
    evaluate="on_update",
    warning_lines=[],
    effective_from=date(2026, 1, 1),
)


def moved(unit: str) -> RosterImported:
    """The roster with teacher T1 in a unit."""
    return roster(people=[p.model_copy(update={"orgs": [unit]}) if p.id == "T1" else p for p in PEOPLE])


async def set_up(sut: ServiceUnderTest) -> None:
    """Let planning know metrics, an indicator, a floor, and the unit of one teacher."""
    await tell(sut, *METRICS, moved("cnc"))
    await sut.handle(FLOOR, INDICATOR)
    await sut.published()


def plan(code: str, **said: Any) -> dict[str, Any]:
    return {"code": code, "name": code, "kind": "master", "level": "school", **YEARS, **said}


def goal(code: str, **said: Any) -> dict[str, Any]:
    """A goal that may be published under a root: measured by the indicator, but for what a test says otherwise."""
    whole: dict[str, Any] = {
        "code": code,
        "statement": "双师型教师占比到 2030 年达到 80%",
        "measure": {
            "indicator": "dual-year",
            "baseline": 0.55,
            "values": [{"year": 2026, "target": 0.6}, {"year": 2030, "target": 0.8}],
        },
        "owner_post": "quality_office",
        "deadline": "2030-12-31",
    }
    return {name: value for name, value in {**whole, **said}.items() if value is not None}


async def made(client: httpx.AsyncClient, path: str, body: Any = None, status: int | None = None) -> Any:
    """Post, and return the answer's body; without `status` anything but success fails."""
    answer = await client.post(path, json=body)
    assert answer.status_code == status if status else answer.is_success, (path, answer.status_code, answer.text)
    return answer.json()


async def drafted(sut: ServiceUnderTest, body: dict[str, Any], *goals: dict[str, Any], who: Principal = OFFICE) -> list[str]:
    """Write a draft with goals and return their ids."""
    async with sut.as_(who) as client:
        await made(client, "/plans", body)
        return [(await made(client, f"/plans/{body['code']}/goals", {"goal": each}))["id"] for each in goals]


async def published(sut: ServiceUnderTest, code: str, *, who: Principal = OFFICE, approver: Principal = LEADER) -> Any:
    """Take a draft through review and publish it."""
    async with sut.as_(who) as writer, sut.as_(approver) as judge:
        await made(writer, f"/plans/{code}/submit")
        await made(judge, f"/plans/{code}/approve")
        return await made(writer, f"/plans/{code}/publish")


def measured(
    metric_: str, subject: str, value: str, *, level: str = "teacher", start: date = date(2026, 1, 1), of: str = "1"
) -> Measured:
    """A telling of one year; for a ratio `value` of `of`."""
    share = Decimal(value) / Decimal(of)
    found = Measurement(
        subject=subject,
        start=start,
        numerator=Decimal(value),
        denominator=Decimal(of),
        value=share.quantize(Decimal("0.000001")),
        revision=1,
    )
    return Measured(metric=metric_, level=level, window="year", measurements=[found])


async def seen(sut: ServiceUnderTest, path: str, who: Principal = OFFICE) -> Any:
    async with sut.as_(who) as client:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def standing(sut: ServiceUnderTest, id_: str, who: Principal = OFFICE) -> Any:
    return (await seen(sut, f"/goals/{id_}", who))["standing"]
