"""Facts as the other services publish them, with the few words that a test is about."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from libs.common.events.gateway import Org, RosterImported
from libs.common.events.monitoring import WarningCleared, WarningEscalated, WarningRaised
from libs.common.events.planning import ImprovementOpened


def id_of(name: str) -> UUID:
    return uuid5(NAMESPACE_URL, name)


def raised(name: str, *places: str, **other: Any) -> WarningRaised:
    values: dict[str, Any] = {
        "indicator": "class-completion-week",
        "indicator_name": "班级周作业完成率",
        "version": 1,
        "metric": "assignment_completion",
        "level": "class",
        "subject": "C1",
        "subject_name": "数控1班",
        "window": "week",
        "start": date(2026, 3, 2),
        "severity": "orange",
        "comparison": "below",
        "value": Decimal("0.75"),
        "numerator": Decimal("45.0"),
        "denominator": Decimal(60),
        "line": Decimal("0.80"),
        "clear": Decimal("0.85"),
        "raised_at": datetime(2026, 3, 2, 12, tzinfo=UTC),
        "places": ["school:demo", "class:C1", *places],
    }
    return WarningRaised(warning=id_of(name), **{**values, **other})


def escalated(name: str) -> WarningEscalated:
    return WarningEscalated(
        warning=id_of(name),
        severity="red",
        window="week",
        start=date(2026, 3, 9),
        value=Decimal("0.5"),
        numerator=Decimal(30),
        denominator=Decimal(60),
        line=Decimal("0.60"),
    )


def cleared(name: str) -> WarningCleared:
    return WarningCleared(
        warning=id_of(name), start=date(2026, 3, 9), value=Decimal("0.9"), numerator=Decimal(54), denominator=Decimal(60)
    )


def opened(name: str, *places: str, **other: Any) -> ImprovementOpened:
    values: dict[str, Any] = {
        "indicator": "class-completion-week",
        "level": "class",
        "subject": "C1",
        "title": "数控1班：作业完成率",
        "severity": "orange",
        "owner": "T1",
        "owner_post": "teacher",
        "verifier": "H1",
        "verifier_post": "department_head",
        "vacant": [],
        "plan_due_on": date(2026, 3, 4),
        "due_on": date(2026, 3, 9),
        "places": ["school:demo", "class:C1", *places],
    }
    return ImprovementOpened(improvement=id_of(f"task of {name}"), warning=id_of(name), **{**values, **other})


def orgs(*orgs: Org) -> RosterImported:
    return RosterImported(part="1/1", last=True, today=date(2026, 3, 2), orgs=list(orgs))
