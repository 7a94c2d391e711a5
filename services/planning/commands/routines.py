"""Keep a school's routines, and which teachers are of which kind."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, update

from libs.common.auth import Scope
from libs.common.database import Transaction, in_batches
from libs.common.errors import Fault, Forbidden, Invalid
from libs.common.events.routines import Routine, routine_faults
from services.planning import queries
from services.planning.domain.due import Routines, TeacherKinds
from services.planning.tables import DueItemRow, DuePlaceRow, RoutinesRow, TeacherKindsRow


async def take_setup(tx: Transaction) -> None:
    """Take the routines of a set-up that has just been kept, unless the school has some of its own."""
    await queries.lock_school(tx.session, tx.school)
    row = await queries.load_routines(tx.session, tx.school)
    if row is not None and row.changed_by is not None:
        row.stale = True  # the levels and the period that years are counted from may be others
        return
    said = (await queries.setup_of(tx.session, tx.school)).get("routines", [])
    if row is not None or said:
        await _replace(tx, row, Routines.model_validate({"routines": said}).routines, None)


async def change_routines(tx: Transaction, scope: Scope, by: str, routines: Sequence[Routine]) -> None:
    """Replace the school's routines; the same again changes nothing. From now on the set-up's no longer count.

    What is open and not late of a routine that is changed or gone is gone with it; what the changed one asks for today is made anew.
    Raises Forbidden below the whole school, Invalid for routines that never come round.
    """
    _whole_school(scope, "routines hold")
    setup = await queries.setup_of(tx.session, scope.school)
    levels = {cycle["level"] for cycle in setup.get("cycles", ())}
    if faults := list(routine_faults("/routines", routines, period=setup.get("period") is not None, levels=levels)):
        raise Invalid("routines cannot be like this", faults)
    await queries.lock_school(tx.session, scope.school)
    row = await queries.load_routines(tx.session, scope.school)
    if list(routines) != await queries.routines_of(tx.session, scope.school):
        await _replace(tx, row, routines, by)


async def _replace(tx: Transaction, row: RoutinesRow | None, routines: Sequence[Routine], by: str | None) -> None:
    today = await queries.today_in(tx.session, tx.school, tx.now)
    if row is None:
        row = RoutinesRow(school=tx.school, routines=[], since={}, done_through=None)
        tx.session.add(row)
    before = Routines.model_validate({"routines": row.routines}).routines
    since = dict(row.since)
    row.since = {each.code: since.get(each.code, today.isoformat()) for each in routines}
    row.routines = [each.model_dump(mode="json", exclude_defaults=True) for each in routines]
    row.changed_at, row.changed_by, row.stale = tx.now, by, True
    await tx.session.flush()
    changed = {each.code for each in before if each not in routines}
    await _drop(tx, await queries.ids_to_come(tx.session, tx.school, today, changed))


async def _drop(tx: Transaction, items: Sequence[UUID]) -> None:
    for some in in_batches(items, queries.IN_AT_ONCE):
        await tx.session.execute(delete(DuePlaceRow).where(DuePlaceRow.item.in_(some)))
        await tx.session.execute(delete(DueItemRow).where(DueItemRow.id.in_(some)))


async def change_teacher_kinds(tx: Transaction, scope: Scope, by: str, kinds: TeacherKinds) -> None:
    """Replace which teachers are of which kind; what is made already stays.

    Raises Forbidden below the whole school, Invalid for somebody who is none of its staff, and for days in the wrong order.
    """
    _whole_school(scope, "kinds of teachers hold")
    there = await queries.names_of(tx.session, scope.school, {each.person for each in kinds.teachers})
    faults = [
        Fault(pointer=f"/teachers/{n}/person", detail=f"{each.person} is none of the school's staff")
        for n, each in enumerate(kinds.teachers)
        if each.person not in there
    ]
    faults += [
        Fault(pointer=f"/teachers/{n}/last", detail="lies before the first day")
        for n, each in enumerate(kinds.teachers)
        if each.first is not None and each.last is not None and each.last < each.first
    ]
    if faults:
        raise Invalid("kinds of teachers cannot be like this", faults)
    if kinds == await queries.teacher_kinds_of(tx.session, scope.school):
        return
    said = [each.model_dump(mode="json", exclude_none=True) for each in kinds.teachers]
    await tx.session.merge(TeacherKindsRow(school=scope.school, teachers=said, changed_at=tx.now, changed_by=by))
    await something_changed(tx)


async def something_changed(tx: Transaction) -> None:
    """Let the clock look again at a school of which something has changed that routines hang on: roster, posts, calendar."""
    await queries.lock_school(tx.session, tx.school)
    await tx.session.execute(update(RoutinesRow).where(RoutinesRow.school == tx.school).values(stale=True))


def _whole_school(scope: Scope, what: str) -> None:
    if scope.places is not None:
        raise Forbidden(f"{what} for the whole school: your posts do not cover all of it")
