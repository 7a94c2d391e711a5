"""A small school for planning's tests: two departments, a programme, a course, classes, staff, and warnings about them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from libs.common.event import Event, Message, encode
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
from libs.common.events.monitoring import EffectMeasured, MetricDefined, WarningRaised
from services.planning.service import service
from tests.conftest import SettableClock
from tests.service.harness import SCHOOL, ServiceUnderTest, running

TODAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # 12:00 in Shanghai
CLASS_PLACES = ["school:demo", "unit:mech", "unit:cnc", "course:CNC101", "class:CNC101-A", "level:class"]
STUDENT_PLACES = ["school:demo", "unit:mech", "unit:cnc", "class:CNC2301", "student:S1", "level:student"]

ORGS = [
    Org(id="demo", name="示范学院", kind="school"),
    Org(id="mech", name="机电学院", kind="department", parent="demo"),
    Org(id="cnc", name="数控技术", kind="programme", parent="mech"),
]
CLASSES = [
    Class(id="CNC101-A", title="数控2301班", kind="scheduled", course="CNC101", org="cnc"),
    Class(id="CNC2301", title="数控2301", kind="homeroom", org="cnc"),
]
STAFF = ("T1", "T2", "T3", "H1", "L1", "D1", "Q1", "Q2", "P1", "B1")
PEOPLE = [Person(id=id_, name=f"{id_}老师", roles=["teacher"]) for id_ in STAFF] + [
    Person(id="S1", name="学生一", roles=["student"])
]
ENROLLMENTS = [
    Enrollment(id="e1", class_id="CNC101-A", person="T2", role="teacher"),
    Enrollment(id="e2", class_id="CNC101-A", person="T3", role="teacher", primary=True),
    Enrollment(id="e3", class_id="CNC2301", person="H1", role="teacher", primary=True),
    Enrollment(id="e4", class_id="CNC2301", person="S1", role="student"),
    Enrollment(id="e5", class_id="CNC101-A", person="S1", role="student"),
]
POSTS = [
    Post(person="L1", post="course_leader", object="CNC101"),
    Post(person="P1", post="programme_leader", object="cnc"),
    Post(person="D1", post="department_head", object="mech"),
    Post(person="Q2", post="quality_office"),
    Post(person="Q1", post="quality_office"),
    Post(person="B1", post="school_leader"),
]


def roster(**parts: Any) -> RosterImported:
    """The whole school in one part, but for what a test says otherwise."""
    whole: dict[str, Any] = {
        "part": "i1/1",
        "last": True,
        "today": TODAY,
        "orgs": ORGS,
        "courses": [Course(id="CNC101", title="数控编程", org="cnc")],
        "classes": CLASSES,
        "people": PEOPLE,
        "enrollments": ENROLLMENTS,
    }
    return RosterImported(**{**whole, **parts})


def without(*posts: str) -> PostsImported:
    """The school's posts but these."""
    return PostsImported(part="p1/1", posts=[post for post in POSTS if post.post not in posts])


def warning(**changes: Any) -> WarningRaised:
    """A class whose homework of the week is below the orange line."""
    said: dict[str, Any] = {
        "warning": uuid4(),
        "indicator": "class-completion-week",
        "indicator_name": "班级周作业完成率",
        "version": 1,
        "metric": "assignment_completion",
        "level": "class",
        "subject": "CNC101-A",
        "subject_name": "数控2301班",
        "window": "week",
        "start": date(2026, 3, 2),
        "severity": "orange",
        "comparison": "below",
        "value": Decimal("0.753086"),
        "numerator": Decimal(61),
        "denominator": Decimal(81),
        "line": Decimal("0.8"),
        "clear": Decimal("0.85"),
        "raised_at": NOON,
        "places": CLASS_PLACES,
    }
    return WarningRaised(**{**said, **changes})


def student_warning(**changes: Any) -> WarningRaised:
    """The same of a student."""
    return warning(**{"level": "student", "subject": "S1", "subject_name": "学生一", "places": STUDENT_PLACES, **changes})


def effect(improvement: UUID | str, about: UUID, **changes: Any) -> EffectMeasured:
    """A class that has risen beside twelve others, but for what a test says otherwise."""
    said: dict[str, Any] = {
        "improvement": improvement,
        "warning": about,
        "indicator": "class-completion-week",
        "metric": "assignment_completion",
        "level": "class",
        "subject": "CNC101-A",
        "window": "week",
        "windows": 4,
        "before_from": date(2026, 3, 2),
        "before_to": date(2026, 3, 8),
        "after_from": date(2026, 3, 16),
        "after_to": date(2026, 4, 12),
        "before": Decimal("0.7"),
        "after": Decimal("0.953333"),
        "peers": 12,
        "peers_before": Decimal("0.71"),
        "peers_after": Decimal("0.765"),
        "difference": Decimal("0.198333"),
        "low": Decimal("0.1456"),
        "high": Decimal("0.251066"),
        "spread": Decimal("0.02"),
        "confidence": Decimal("0.95"),
        "better": 1,
        "verdict": "effect",
        "method": "matched_difference_in_differences",
        "revision": 1,
        "measured_at": NOON,
    }
    return EffectMeasured(**{**said, **changes})


METRIC = MetricDefined(
    code="assignment_completion", name="作业完成率", grain=["student", "class"], kind="ratio", unit="%", direction="higher"
)


async def tell(sut: ServiceUnderTest, *events: Event, school: str = SCHOOL) -> None:
    """Deliver facts as one batch each of the gateway's and of monitoring's."""
    await sut.handle(*(event for event in events if event.producer() == "gateway"), school=school)
    told = [Message(uuid4(), sut.database.now(), school, event) for event in events if event.producer() == "monitoring"]
    await sut.take("monitoring", *map(encode, told), school=school)


@asynccontextmanager
async def planning(
    url: str, folder: Path, *posts: PostsImported, clock: SettableClock | None = None
) -> AsyncIterator[ServiceUnderTest]:
    """The service, knowing the school with all its posts, or with those given."""
    async with running(service, url, folder, clock or SettableClock(NOON)) as sut:
        await tell(sut, SchoolAdded(code=SCHOOL, name="示范学院"), METRIC, roster(), *(posts or (without(),)))
        yield sut


async def one(sut: ServiceUnderTest, id_: UUID | str, who: Any) -> dict[str, Any]:
    """Read an improvement as `who` sees it."""
    async with sut.as_(who) as client:
        answer = await client.get(f"/improvements/{id_}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found
