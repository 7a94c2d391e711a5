"""Load a template into a school, and write a school's set-up back as one: a call of the HTTP API each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from graphlib import CycleError, TopologicalSorter
from typing import Any

from services.cli import Failure
from services.cli.client import POSITION, Client, of
from services.cli.template.model import Family, Standard, Template
from services.cli.template.plans import PLANS, body_of, goals_in_order, own_plan
from services.cli.template.writing import NOTHING, said, something
from services.gateway.domain.setup import Period, PlanKind, Setup
from services.planning.domain.goals import KEPT
from services.planning.domain.plans import PERSONAL

SETUP = "/api/v1/setup"
FAMILIES = "/api/v1/standards/families"
STANDARDS = "/api/v1/standards/standards"
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
    _load_plans(loading, template)
    client.settle(school, loading.loaded.position)
    return loading.loaded


def _load_plans(loading: Loading, template: Template) -> None:
    """The plans that the school has once, and its own; then their goals, each after those that it serves, once planning knows the metrics."""
    once = [plan for plan in template.setup.plan_kinds if plan.per is None]
    codes = {each.code for each in once}
    bodies = {plan.code: plan_body(plan, template.period, codes) for plan in parents_first(once)}
    bodies |= {plan.code: body_of(plan, "goals") for plan in template.plans}
    there = {str(each["code"]): each for each in loading.client.pages(PLANS, loading.school)} if bodies else {}
    graph = {code: [above] if (above := body.get("parent")) in bodies else [] for code, body in bodies.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise Failure(f"plan {error.args[1][0]}: it lies below itself") from error
    for code in order:
        loading.add(f"plan {code}", code in there, "POST", PLANS, bodies[code])
    if any(plan.goals for plan in template.plans):
        loading.client.settle(loading.school, loading.loaded.position)
        _load_goals(loading, template, {code for code, each in there.items() if each["status"] != "draft"})


def _load_goals(loading: Loading, template: Template, done: Collection[str]) -> None:
    """What lies in a plan that is no draft any more stays as it is."""
    ids: dict[str, str] = {}
    for plan in template.plans:
        goals = loading.client.pages(f"{PLANS}/{plan.code}/goals", loading.school)
        ids.update({f"{plan.code}/{each['goal']['code']}": each["id"] for each in goals})
    for code, goal in goals_in_order(template.plans):
        name = f"{code}/{goal.code}"
        if name in ids or code in done:
            loading.loaded.there += 1
            continue
        parents = [{**body_of(each, "goal"), "goal": ids[each.goal]} for each in goal.parents if each.goal in ids]
        body = {"goal": {**body_of(goal, "parents"), **({"parents": parents} if parents else {})}}
        ids[name] = loading.add(f"goal {name}", False, "POST", f"{PLANS}/{code}/goals", body)["id"]


@dataclass
class Loading:
    """Adds part after part to a school, and names the one that is refused."""

    client: Client
    school: str
    loaded: Loaded

    def codes(self, path: str) -> set[str]:
        return {str(each["code"]) for each in self.client.pages(path, self.school)}

    def call(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        answer = self.client.call(method, path, params=of(self.school), **({} if body is None else {"json": body}))
        self.loaded.position = answer.headers.get(POSITION, self.loaded.position)
        found: dict[str, Any] = answer.json()
        return found

    def add(self, what: str, there: bool, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if there:
            self.loaded.there += 1
            return {}
        try:
            answer = self.call(method, path, body)
        except Failure as failure:
            raise Failure(f"{what}: {failure}; what came before it is loaded, and the same command goes on from there") from failure
        self.loaded.added.append(what)
        return answer


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
        standards.append({"code": each["code"], "family": each["family"], **something(version["content"])})
    plans = _own_plans(client, school, {kind.code for kind in setup.plan_kinds if kind.per is None})
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
            "plans": plans,
        },
        context=KEPT,
    )


def _own_plans(client: Client, school: str, once: Collection[str]) -> list[dict[str, Any]]:
    """The plans that have goals, or are not among those that the set-up names once: as they stand, but for those of persons."""
    shown = [
        each for each in client.pages(PLANS, school) if each["kind"] != PERSONAL and (each["goals"] or each["code"] not in once)
    ]
    goals = {each["code"]: list(client.pages(f"{PLANS}/{each['code']}/goals", school)) for each in shown}
    names = {each["id"]: f"{plan}/{each['goal']['code']}" for plan, found in goals.items() for each in found}
    found = []
    for each in shown:
        swot = client.call("GET", f"{PLANS}/{each['code']}", params=of(school)).json()["swot"]
        found.append(own_plan(each, swot, goals[each["code"]], names))
    return found


def _year(school: dict[str, Any]) -> int:
    return int(str(school["added_at"])[:4])


def _known(row: dict[str, Any], part: type[Family]) -> dict[str, Any]:
    """What a template says of an item of a list."""
    return {name: something(row[name]) for name in part.model_fields if row.get(name) not in NOTHING}
