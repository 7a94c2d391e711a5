"""Make the tasks of a year: from the goals in force, and those that every unit has every year. Each is made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Forbidden
from libs.common.events.setup import TaskClass
from services.planning import queries
from services.planning.commands.projects import keep_duty
from services.planning.commands.tasks import give, new_task, save_tasks
from services.planning.domain.goals import Goal, kept
from services.planning.domain.owners import SCHOOL_WIDE
from services.planning.domain.tasks import Aim, People, Task
from services.planning.queries import cycles
from services.planning.queries import projects as find
from services.planning.queries import tasks as find_tasks
from services.planning.tables import GoalRow, PlanRow, TaskRow


@dataclass(frozen=True, slots=True)
class Wanted:
    """A task that a year asks for."""

    id: UUID
    task: Task
    people: People


async def generate_tasks(tx: Transaction, scope: Scope, by: str, year: int) -> tuple[Sequence[TaskRow], int]:
    """Make and give the tasks of a year that are not there; return them, and how many were there.

    Raises Forbidden for whoever does not govern the whole school, Conflict where no class of tasks comes from goals although goals have
    values of that year.
    """
    if scope.places is not None:
        raise Forbidden("the tasks of a year are made for the whole school")
    await queries.lock_school(tx.session, scope.school)
    wanted = [*await _of_goals(tx, scope.school, year), *await _of_units(tx, scope.school, year)]
    there = await find_tasks.known_tasks(tx.session, [each.id for each in wanted])
    rows = [new_task(tx, scope.school, by, each.task, each.people, id_=each.id) for each in wanted if each.id not in there]
    await save_tasks(tx, rows)
    await give(tx, by, [row for row in rows if row.unit is not None or row.owner is not None])
    return rows, len(there)


async def _of_goals(tx: Transaction, school: str, year: int) -> list[Wanted]:
    """One for each goal that has a value of that year or delivers something in it. Source: digest §5.1, scenario 1."""
    goals = [(row, plan, kept(row.content)) for row, plan in await find_tasks.goals_in_force(tx.session, school)]
    verified = await cycles.verified_values(tx.session, school, date(year, 1, 1))
    due = [
        (row, plan, goal, aim)
        for row, plan, goal in goals
        if (aim := _aim(goal, year, verified.get(str(row.goal)))) or _delivers(goal, year)
    ]
    if not due:
        return []
    from_goals = [each for each in (await find_tasks.task_classes(tx.session, school)).values() if each.link == "goal"]
    if not from_goals:
        raise Conflict("the set-up has no class of tasks that comes from goals")
    return [await _of_goal(tx, from_goals[0], row, plan, goal, aim, year) for row, plan, goal, aim in due]


def _aim(goal: Goal, year: int, verified: Decimal | None) -> Aim | None:
    """The year's value. It starts from what the last cycle before it came to, without one or without data from the goal's own baseline (digest §1.5)."""
    measure = goal.measure
    target = next((each.target for each in measure.values if each.year == year), None) if measure else None
    if measure is None or target is None:
        return None
    baseline = measure.baseline if verified is None else verified
    return Aim(target=target, baseline=baseline, operator=measure.operator, indicator=measure.indicator, unit=measure.unit)


def _delivers(goal: Goal, year: int) -> bool:
    return goal.deliverable is not None and goal.deadline is not None and goal.deadline.year == year


async def _of_goal(
    tx: Transaction, task_class: TaskClass, row: GoalRow, plan: PlanRow, goal: Goal, aim: Aim | None, year: int
) -> Wanted:
    due = date(year, 12, 31) if goal.deadline is None else max(date(year, 1, 1), min(goal.deadline, date(year, 12, 31)))
    accepted = goal.deliverable.acceptance or goal.deliverable.name if goal.deliverable is not None else None
    statement = goal.statement or row.code
    task = Task(
        task_class=task_class.code,
        title=f"{year} 年：{statement}"[:500],
        year=year,
        goal=row.goal,
        weight=goal.weight,
        aim=aim,
        acceptance=accepted,
        assessment=goal.assessment or (f"年度目标值{aim.text()}" if aim is not None else accepted or statement),
        measures=goal.measures,
        expected_effect=goal.expected_effect,
        start=date(year, 1, 1),
        due=due,
    )
    unit = goal.unit or plan.unit
    owner = goal.owner
    if owner is None and goal.owner_post is not None and goal.owner_post not in find.HEADS:
        today = await queries.today_in(tx.session, row.school, tx.now)
        owner = next(
            iter(
                await find.posted(tx.session, row.school, goal.owner_post, today, None if goal.owner_post in SCHOOL_WIDE else unit)
            ),
            None,
        )
    return Wanted(find_tasks.task_id(row.school, "goal", row.goal, year), task, People(unit, owner, tuple(goal.helpers)))


async def _of_units(tx: Transaction, school: str, year: int) -> list[Wanted]:
    """What every unit has every year, by the school's kinds of agreements. Source: digest §5.1, last paragraph."""
    found = []
    for kind in (await find_tasks.agreement_kinds(tx.session, school)).values():
        for yearly in kind.yearly:
            for unit in await find.units_of(tx.session, school):
                duty = (await keep_duty(tx, school, unit, None, yearly.duty))[0].id if yearly.duty is not None else None
                task = Task(
                    task_class=yearly.task_class,
                    title=yearly.title,
                    year=year,
                    duty=duty,
                    acceptance=yearly.assessment,
                    assessment=yearly.assessment,
                    start=date(year, 1, 1),
                    due=date.fromisoformat(f"{year}-{yearly.due}"),
                )
                id_ = find_tasks.task_id(school, "yearly", kind.code, yearly.title, unit, year)
                found.append(Wanted(id_, task, People(unit)))
    return found
