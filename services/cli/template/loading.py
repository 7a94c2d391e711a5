"""Load a template into a school, and write a school's set-up back as one: a call of the HTTP API each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.cli import Failure
from services.cli.client import POSITION, Client, of
from services.cli.template.model import Family, Standard, Template
from services.gateway.domain.setup import Period, PlanKind, Setup

SETUP = "/api/v1/setup"
FAMILIES = "/api/v1/standards/families"
STANDARDS = "/api/v1/standards/standards"
PLANS = "/api/v1/planning/plans"
METRICS = "/api/v1/monitoring/metrics/template"


@dataclass
class Loaded:
    """What loading a template has added to a school, and how much of it was there and stays as it is."""

    added: list[str]
    there: int = 0
    position: str | None = None


def load(client: Client, school: str, template: Template) -> Loaded:
    """Add what a school lacks of a template; what is there stays. Again, or after a stop in between, it goes on where it was."""
    loading = Loading(client, school, Loaded([]))
    setup = template.setup.model_copy(update={"template": template.code, "period": template.period})
    written = client.call("GET", SETUP, params=of(school)).json()["changed_at"] is not None
    loading.add("set-up", written, "PUT", SETUP, said(setup))
    if template.setup.metrics:
        loading.call("POST", METRICS, None)
    families = loading.codes(FAMILIES) if template.families else set()
    for family in template.families:
        body = said(family)
        loading.add(f"family {family.code}", family.code in families, "PUT", f"{FAMILIES}/{body.pop('code')}", body)
    standards = loading.codes(STANDARDS) if template.standards else set()
    for standard in template.standards:
        loading.add(
            f"standard {standard.code}", standard.code in standards, "POST", STANDARDS, standard_body(standard, template.period)
        )
    once = [plan for plan in template.setup.plan_kinds if plan.per is None]
    plans = loading.codes(PLANS) if once else set()
    for plan in parents_first(once):
        loading.add(
            f"plan {plan.code}", plan.code in plans, "POST", PLANS, plan_body(plan, template.period, {each.code for each in once})
        )
    client.settle(school, loading.loaded.position)
    return loading.loaded


@dataclass
class Loading:
    """Adds part after part to a school, and names the one that is refused."""

    client: Client
    school: str
    loaded: Loaded

    def codes(self, path: str) -> set[str]:
        return {str(each["code"]) for each in self.client.pages(path, self.school)}

    def call(self, method: str, path: str, body: dict[str, Any] | None) -> None:
        answer = self.client.call(method, path, params=of(self.school), **({} if body is None else {"json": body}))
        self.loaded.position = answer.headers.get(POSITION, self.loaded.position)

    def add(self, what: str, there: bool, method: str, path: str, body: dict[str, Any]) -> None:
        if there:
            self.loaded.there += 1
            return
        try:
            self.call(method, path, body)
        except Failure as failure:
            raise Failure(f"{what}: {failure}; what came before it is loaded, and the same command goes on from there") from failure
        self.loaded.added.append(what)


def said(part: Any) -> dict[str, Any]:
    """A part as JSON, without what it leaves to the reader."""
    body: dict[str, Any] = part.model_dump(mode="json", exclude_defaults=True)
    return body


def standard_body(standard: Standard, period: Period) -> dict[str, Any]:
    """A standard as a draft, in force from the first day of the period where it says no other."""
    return {"effective_from": _first_day(period), **said(standard)}


def _first_day(period: Period) -> str:
    return f"{date(period.first, 1, 1)}"


def plan_body(plan: PlanKind, period: Period, once: Collection[str]) -> dict[str, Any]:
    """A plan that the school has once, over the first of its years; who leads it is not known before the roster."""
    last = period.last if plan.years is None else min(period.last, period.first + plan.years - 1)
    body = {
        "code": plan.code,
        "name": plan.name,
        "kind": plan.kind,
        "level": plan.level,
        "period_from": _first_day(period),
        "period_to": f"{date(last, 12, 31)}",
    }
    above = [parent for parent in plan.parents if parent in once]
    return body | ({"parent": above[0]} if len(above) == 1 else {})


def parents_first(plans: Sequence[PlanKind]) -> list[PlanKind]:
    """The plans, each after those above it."""
    waiting = {plan.code: plan for plan in plans}
    ordered: list[PlanKind] = []
    while waiting:
        ready = [plan for plan in waiting.values() if not waiting.keys() & set(plan.parents)]
        ordered += ready
        waiting = {code: plan for code, plan in waiting.items() if plan not in ready}
    return ordered


def export(client: Client, school: str) -> Template:
    """A school as a template: loaded into another, it makes what this one has. A standard is told as its newest version says it."""
    named = next((each for each in client.pages("/api/v1/schools", school) if each["code"] == school), None)
    if named is None:
        raise Failure(f"there is no school {school!r}")
    setup = Setup.model_validate(client.call("GET", SETUP, params=of(school)).json()["content"])
    period = setup.period or Period(first=_year(named), last=_year(named) + 4)
    families = [_known(each, Family) for each in client.pages(FAMILIES, school)]
    standards = []
    for each in client.pages(STANDARDS, school):
        path = f"{STANDARDS}/{each['code']}/versions/{each['newest_version']}"
        version = client.call("GET", path, params=of(school)).json()
        standards.append({"code": each["code"], "family": each["family"], **_something(version["content"])})
    for standard in standards:
        if standard["effective_from"] == _first_day(period):
            del standard["effective_from"]
    return Template.model_validate(
        {
            "format": 1,
            "code": setup.template or school,
            "name": named["name"],
            "period": period.model_dump(),
            "setup": said(setup.model_copy(update={"template": None, "period": None})),
            "families": families,
            "standards": standards,
        }
    )


def _year(school: dict[str, Any]) -> int:
    return int(str(school["added_at"])[:4])


def _known(row: dict[str, Any], part: type[Family]) -> dict[str, Any]:
    """What a template says of an item of a list."""
    return {name: _something(row[name]) for name in part.model_fields if row.get(name) not in _NOTHING}


def _something(value: Any) -> Any:
    """The same without fields that say nothing."""
    if isinstance(value, dict):
        return {name: _something(part) for name, part in value.items() if part not in _NOTHING}
    return [_something(part) for part in value] if isinstance(value, list) else value


_NOTHING: tuple[Any, ...] = (None, [], {})
