"""Plans of a school's own, with their goals, as a template says them: no person is named, and a goal names the goals that it serves by code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any

from pydantic import Field

from libs.common.errors import Fault
from services.cli.template.writing import NOTHING, said, something
from services.planning.domain.goals import CODE, Goal, Number, Part
from services.planning.domain.plans import PERSONAL, Plan

PLANS = "/api/v1/planning/plans"


class Served(Part):
    """A goal that another serves, `PLAN/CODE`, and its weight there."""

    goal: Annotated[str, Field(pattern=rf"^{CODE[1:-1]}/{CODE[1:-1]}$")]
    weight: Annotated[Number, Field(gt=0, le=1)] | None = None


class OwnGoal(Goal):
    """A goal. Who answers for it is a post: persons are of one school."""

    owner: None = None
    helpers: Annotated[list[str], Field(max_length=0)] = []
    parents: Annotated[list[Served], Field(max_length=50)] = []  # type: ignore[assignment]  # ids are of one school


class OwnPlan(Plan):
    """A plan that the school has with goals, or beside those that its kinds of plans name."""

    code: Annotated[str, Field(pattern=CODE)]
    owner: None = None
    goals: Annotated[list[OwnGoal], Field(max_length=5000)] = []


def plan_faults(plans: Sequence[OwnPlan], kinds: Iterable[str]) -> list[Fault]:
    """A code that stands twice, a parent that is not there, goals in a circle, a plan of a person."""
    found: list[Fault] = []
    codes = {plan.code for plan in plans} | set(kinds)
    seen: set[str] = set()
    goals: dict[str, str] = {}
    for n, plan in enumerate(plans):
        if plan.code in seen:
            found.append(Fault(pointer=f"/plans/{n}/code", detail=f"the code {plan.code!r} stands twice"))
        seen.add(plan.code)
        if plan.kind == PERSONAL:
            found.append(Fault(pointer=f"/plans/{n}/kind", detail="a plan of a person is no part of a template"))
        if plan.parent is not None and plan.parent not in codes:
            found.append(Fault(pointer=f"/plans/{n}/parent", detail=f"no plan {plan.parent!r} is there"))
        for m, goal in enumerate(plan.goals):
            name = f"{plan.code}/{goal.code}"
            if name in goals:
                found.append(Fault(pointer=f"/plans/{n}/goals/{m}/code", detail=f"the code {goal.code!r} stands twice"))
            goals[name] = f"/plans/{n}/goals/{m}"
    for plan in plans:
        for goal in plan.goals:
            where = goals[f"{plan.code}/{goal.code}"]
            lost = [(k, parent.goal) for k, parent in enumerate(goal.parents) if parent.goal not in goals]
            found += [Fault(pointer=f"{where}/parents/{k}/goal", detail=f"no goal {name!r} is there") for k, name in lost]
    try:
        goals_in_order(plans)
    except CycleError as error:
        found.append(Fault(pointer=goals[error.args[1][0]], detail="links between goals form no circle"))
    return found


def goals_in_order(plans: Sequence[OwnPlan]) -> list[tuple[str, OwnGoal]]:
    """All goals with their plans' codes, each after those that it serves. Raises CycleError."""
    goals = {f"{plan.code}/{goal.code}": (plan.code, goal) for plan in plans for goal in plan.goals}
    graph = {name: [each.goal for each in goal.parents if each.goal in goals] for name, (_, goal) in goals.items()}
    return [goals[name] for name in TopologicalSorter(graph).static_order()]


def body_of(part: OwnPlan | OwnGoal | Served, without: str) -> dict[str, Any]:
    """A plan or goal as the API takes it, but for one field."""
    return said(part, {without})


def own_plan(
    item: Mapping[str, Any], swot: Sequence[Any], goals: Sequence[Mapping[str, Any]], names: Mapping[str, str]
) -> dict[str, Any]:
    """What a template says of a plan as the API shows it; `names`: `PLAN/CODE` of each goal that the template has, by id."""
    own = {name: item[name] for name in OwnPlan.model_fields if name in item and name not in {"owner", "goals"}}
    found = {"swot": swot, "goals": [_own_goal(each, names) for each in goals]}
    return {name: something(value) for name, value in {**own, **found}.items() if value not in NOTHING}


def _own_goal(shown: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Measured by what its indicator measures: indicators are of one school, metrics are in every catalogue."""
    goal = {name: value for name, value in shown["goal"].items() if name not in {"owner", "helpers"}}
    goal["parents"] = [{**each, "goal": names[each["goal"]]} for each in goal["parents"] if each["goal"] in names]
    if (measure := goal["measure"]) is not None and measure["indicator"] is not None and shown["metric"] is not None:
        goal["measure"] = {**measure, "indicator": None, **{name: shown[name] for name in ("metric", "level", "window")}}
    return {name: something(value) for name, value in goal.items() if value not in NOTHING}


def moved(plan: OwnPlan, years: int) -> OwnPlan:
    """The same plan so many years later, targets and deadlines too."""
    later = said(plan)
    for part, names in ((later, ("period_from", "period_to")), *((goal, ("deadline",)) for goal in later.get("goals", ()))):
        part.update({name: _later(part[name], years) for name in names if name in part})
    for goal in later.get("goals", ()):
        for target in goal.get("measure", {}).get("values", ()):
            target["year"] += years
    return OwnPlan.model_validate(later)


def _later(day: str, years: int) -> str:
    year, rest = int(day[:4]) + years, day[4:]
    return f"{year:04}{'-02-28' if rest == '-02-29' else rest}"
