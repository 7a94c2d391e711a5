"""Write down what tasks are linked to: resolutions of the leadership, duties, projects."""

from __future__ import annotations

from datetime import date

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid
from services.planning.domain.tasks import Project
from services.planning.queries import lock_school
from services.planning.queries import projects as find
from services.planning.queries import tasks as find_tasks
from services.planning.tables import DutyRow, ProjectRow, ResolutionRow


async def add_resolution(tx: Transaction, scope: Scope, number: str, on: date, title: str) -> tuple[ResolutionRow, bool]:
    """Keep a resolution; whether it is new. Raises Conflict where one of that number says otherwise."""
    await lock_school(tx.session, scope.school)
    if (there := await find.find_resolution(tx.session, scope.school, number)) is not None:
        if (there.date, there.title) != (on, title):
            raise Conflict(f"there is a resolution {number} already, of another day or title")
        return there, False
    row = ResolutionRow(school=scope.school, number=number, date=on, title=title)
    tx.session.add(row)
    await tx.session.flush()
    return row, True


async def add_duty(tx: Transaction, scope: Scope, unit: str | None, post: str | None, text: str) -> tuple[DutyRow, bool]:
    """Keep a duty of a unit or a post; whether it is new. Raises Forbidden where the caller's posts do not reach the unit."""
    await must_reach(tx, scope, unit)
    return await keep_duty(tx, scope.school, unit, post, text)


async def keep_duty(tx: Transaction, school: str, unit: str | None, post: str | None, text: str) -> tuple[DutyRow, bool]:
    """As `add_duty`, for whoever may."""
    await lock_school(tx.session, school)
    id_ = find.duty_id(school, unit, post, text)
    if (there := await find.find_duty(tx.session, school, id_)) is not None:
        return there, False
    row = DutyRow(id=id_, school=school, unit=unit, post=post, text=text)
    tx.session.add(row)
    await tx.session.flush()
    return row, True


async def write_project(tx: Transaction, scope: Scope, by: str, code: str, project: Project) -> ProjectRow:
    """Keep what a project says from now on. Raises Invalid for units and people that are not there, Forbidden where posts do not reach."""
    await lock_school(tx.session, scope.school)
    there = await find.find_project(tx.session, scope.school, code)
    for unit in {project.unit, there.unit if there is not None else project.unit}:
        await must_reach(tx, scope, unit)
    if project.owner is not None and await find.find_person(tx.session, scope.school, project.owner) is None:
        raise Invalid("the project cannot stand like this", [Fault(pointer="/owner", detail="no such member of staff")])
    content = project.model_dump(mode="json", exclude_defaults=True)
    row = there or ProjectRow(school=scope.school, code=code)
    row.unit, row.content, row.changed_at, row.changed_by = project.unit, content, tx.now, by
    tx.session.add(row)
    await tx.session.flush()
    return row


async def must_reach(tx: Transaction, scope: Scope, unit: str | None) -> None:
    """Raises Invalid for a unit that is not there, Forbidden for one that the caller's posts do not reach; None is the whole school's."""
    if unit is not None and await find.find_org(tx.session, scope.school, unit) is None:
        raise Invalid("no such unit", [Fault(pointer="/unit", detail="the roster has no such unit")])
    if not scope.covers(await find_tasks.places_of_task(tx.session, scope.school, unit, ())):
        raise Forbidden("your posts do not reach that unit")
