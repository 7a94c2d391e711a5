"""A small school for the tests of standards: two departments, teachers, a student, posts, metrics, and Hubei's ladder of teachers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from httpx import AsyncClient

from libs.common.auth import Principal
from libs.common.event import Event
from libs.common.events.gateway import (
    Class,
    Course,
    Enrollment,
    Org,
    Person,
    Post,
    PostsImported,
    RosterImported,
    SchoolAdded,
)
from libs.common.events.monitoring import Measured, Measurement, MetricDefined
from services.standards.service import service
from tests.conftest import SettableClock
from tests.service.harness import ServiceUnderTest, principal, running

LOOK = ("standard.read", "indicator.read")
FILL_IN = (*LOOK, "judgement.write")
LEAD = (*FILL_IN, "standard.write", "standard.review")
GOVERN = (*LEAD, "standard.manage", "indicator.write")
AUTHOR = principal(*GOVERN, id="Q1")  # of the quality office, and writes
OFFICE = principal(*GOVERN, id="Q2")
LEADER = principal(*GOVERN, id="L1")
HEAD = principal(*LEAD, over=["unit:mech"], id="D1")
OTHER_HEAD = principal(*LEAD, over=["unit:art"], id="D2")
TEACHER = principal(*FILL_IN, over=["teacher:T1", "class:CNC101-A"], id="T1")
STUDENT = principal(*FILL_IN, over=["student:S1"], id="S1")

ROSTER = RosterImported(
    part="r/1",
    last=True,
    today=date(2026, 3, 1),
    orgs=[
        Org(id="demo", name="示范学院", kind="school"),
        Org(id="mech", name="机电学院", kind="department", parent="demo"),
        Org(id="art", name="艺术学院", kind="department", parent="demo"),
        Org(id="cnc", name="数控技术", kind="programme", parent="mech"),
    ],
    courses=[Course(id="CNC101", title="数控编程", org="cnc")],
    classes=[
        Class(id="CNC101-A", title="数控2301班", kind="scheduled", course="CNC101", org="cnc"),
        Class(id="CNC2301", title="数控2301", kind="homeroom", org="cnc"),
    ],
    people=[
        Person(id="T1", name="教师一", roles=["teacher"], orgs=["cnc"]),
        Person(id="T9", name="教师九", roles=["teacher"], orgs=["art"]),
        Person(id="H1", name="班主任", roles=["teacher"], orgs=["mech"]),
        Person(id="S1", name="学生一", roles=["student"]),
    ],
    enrollments=[
        Enrollment(id="e1", class_id="CNC101-A", person="T1", role="teacher"),
        Enrollment(id="e2", class_id="CNC2301", person="S1", role="student"),
        Enrollment(id="e3", class_id="CNC2301", person="H1", role="teacher"),
    ],
)
POSTS = PostsImported(
    part="p/1",
    posts=[
        Post(person="Q1", post="quality_office"),
        Post(person="Q2", post="quality_office"),
        Post(person="L1", post="school_leader"),
        Post(person="L9", post="school_leader", end=date(2026, 3, 1)),
        Post(person="D1", post="department_head", object="mech"),
        Post(person="D2", post="department_head", object="art"),
    ],
)
FAMILY = {"name": "教师标准", "name_en": "teacher standards", "kind": "teacher"}
NAMES = {
    "R2": ["师德", "培训教育", "教学能力", "双师素质", "教学工作量", "教学质量", "科研"],
    "R3": [
        *("师德", "教学能力", "专业水平", "实践能力", "社会服务能力", "双师素质"),
        *("职称", "学历", "年龄", "教学工作量", "教学质量", "科研"),
    ],
}


def metric(code: str, **said: Any) -> MetricDefined:
    return MetricDefined(code=code, name=code, **{"grain": ["teacher"], "kind": "latest", "direction": "higher", **said})


METRICS = (metric("workload", alias="T-WRK"), metric("training_hours"), metric("errors", direction="lower"))


def element(code: str, name: str, **said: Any) -> dict[str, Any]:
    """An element that the head of the department judges each year, unless it says another way."""
    how = said or {"met_by": "judged", "judged": {"by": "department_head", "every_months": 12, "evidence": "年度考核表"}}
    return {"code": code, "name": name, **how}


def measured(metric_: str, value: float, comparison: str = "at_least", **said: Any) -> dict[str, Any]:
    return {"met_by": "measured", "criterion": {"metric": metric_, "comparison": comparison, "value": value, **said}}


def standard(**changes: Any) -> dict[str, Any]:
    """Hubei's rungs two and three, as the catalogue has them; the workload of rung three is measured."""
    groups: list[dict[str, Any]] = [
        {
            "code": rung,
            "name": rung,
            "elements": [
                element(f"{rung}-{n:02}", name, **(measured("T-WRK", 320) if (rung, name) == ("R3", "教学工作量") else {}))
                for n, name in enumerate(names, 1)
            ],
        }
        for rung, names in NAMES.items()
    ]
    rungs = [
        {"code": group["code"], "name": group["name"], "elements": [each["code"] for each in group["elements"]]} for group in groups
    ]
    ladders = [{"code": "rank", "name": "教师阶梯", "level": "teacher", "rungs": rungs}]
    said = {"code": "HB-ST-TCH", "family": "teacher", "name": "师资队伍建设标准", "effective_from": "2026-03-01"}
    return deepcopy({**said, "groups": groups, "ladders": ladders, **changes})


def told(metric_: str, subject: str, *values: tuple[str, str | None], window: str = "year", level: str = "teacher") -> Measured:
    """What monitoring tells of a subject's windows: pairs of the first day and the value."""
    measurements = [
        Measurement(
            subject=subject,
            start=date.fromisoformat(start),
            numerator=Decimal(value or 0),
            denominator=Decimal(0 if value is None else 1),
            value=None if value is None else Decimal(value),
            revision=1,
        )
        for start, value in values
    ]
    return Measured(metric=metric_, level=level, window=window, measurements=measurements)


class Office:
    """Asks the service as one person or another, and keeps the answer's JSON."""

    def __init__(self, sut: ServiceUnderTest, clock: SettableClock) -> None:
        self.sut, self.clock = sut, clock

    async def ask(self, who: Principal, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        async with self.sut.as_(who) as client:
            return await _send(client, method, path, body, query)

    async def review(self, version: int = 1, code: str = "HB-ST-TCH", by: Sequence[Principal] = (OFFICE, LEADER)) -> Any:
        """Submit a draft and take all steps of its path; returns the version as the last step shows it."""
        at = f"/standards/{code}/versions/{version}"
        status, shown = await self.ask(AUTHOR, "POST", f"{at}/submit", {})
        for who in by:
            status, shown = await self.ask(who, "POST", f"{at}/approve", {})
        assert status == 200, shown
        return shown

    async def in_force(self, **changes: Any) -> Any:
        """Write the standard and have it approved."""
        said = standard(**changes)
        status, shown = await self.ask(AUTHOR, "POST", "/standards", said)
        assert status == 201, shown
        return await self.review(shown["version"], said["code"])

    async def judge(self, who: Principal, element_: str, *, met: bool = True, **said: Any) -> tuple[int, Any]:
        body = {"standard": "HB-ST-TCH", "element": element_, "level": "teacher", "subject": "T1", "met": met, "evidence": "考核表"}
        return await self.ask(who, "POST", "/judgements", {**body, **said})

    async def tick(self) -> list[Event]:
        """Run the job once; returns what was published since the last look."""
        await self.sut.run("standards")
        return await self.published()

    async def published(self) -> list[Event]:
        return [message.event for message in await self.sut.published()]


async def _send(client: AsyncClient, method: str, path: str, body: Any, query: dict[str, Any]) -> tuple[int, Any]:
    answer = await client.request(method, path, json=body, params=query)
    return answer.status_code, answer.json()


@asynccontextmanager
async def school(url: str, folder: Path) -> AsyncIterator[Office]:
    """The service of a school with roster, posts, metrics and the family of teacher standards."""
    clock = SettableClock()
    async with running(service, url, folder, clock) as sut:
        await sut.handle(SchoolAdded(code="demo", name="示范学院"), ROSTER, POSTS, *METRICS)
        office = Office(sut, clock)
        status, _ = await office.ask(AUTHOR, "PUT", "/families/teacher", FAMILY)
        assert status == 201
        yield office
