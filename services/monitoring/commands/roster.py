"""Keep the copy of the roster, and count again what its arrival has made known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import delete, insert, select

from libs.common.database import Transaction, in_batches
from libs.common.events.gateway import RosterImported
from services.monitoring.commands.counting import Entry, count
from services.monitoring.commands.judging import judge_all, refill
from services.monitoring.domain.attribution import Roster
from services.monitoring.domain.windows import Window
from services.monitoring.queries.observations import list_unplaced
from services.monitoring.queries.schools import School, changed, find_school_locked, get_school
from services.monitoring.tables import (
    ClassRow,
    CourseRow,
    EnrollmentRow,
    OrgRow,
    PersonRow,
    RosterPartRow,
    TermRow,
    UnplacedRow,
)

TERMS = {"term", "semester"}
_PART = 5_000


async def take_part(tx: Transaction, event: RosterImported) -> None:
    """Keep a part until its import is complete, then change the roster as a whole."""
    school = await get_school(tx.session, tx.school, lock=True)
    import_id = event.part.rpartition("/")[0]
    if not event.last:
        tx.session.add(RosterPartRow(school_id=school.id, part=event.part, content=event.model_dump(mode="json")))
        return
    kept = await tx.session.scalars(
        select(RosterPartRow).where(
            RosterPartRow.school_id == school.id, RosterPartRow.part.startswith(f"{import_id}/", autoescape=True)
        )
    )
    parts = [RosterImported.model_validate(row.content) for row in kept]
    await tx.session.execute(delete(RosterPartRow).where(RosterPartRow.school_id == school.id))
    parts = [*sorted(parts, key=lambda part: int(part.part.rpartition("/")[2])), event]
    await _apply(tx, parts)


async def _apply(tx: Transaction, parts: Sequence[RosterImported]) -> None:
    found = await find_school_locked(tx, tx.school)
    assert found is not None
    row, before = found
    for part in parts:
        await _keep(tx, row.id, part)
    changed(row)
    await tx.session.flush()
    reloaded = await find_school_locked(tx, tx.school)
    assert reloaded is not None
    school = reloaded[1]
    if any(part.sessions for part in parts):
        await _rebuild_terms(tx, school, parts[-1].part)
    await _count_known(tx, school, before.roster)


async def _keep(tx: Transaction, school_id: int, part: RosterImported) -> None:
    """Write the part's rows over what stood there."""
    terms = [item for item in part.sessions if item.kind in TERMS]
    await _replace(
        tx,
        TermRow,
        school_id,
        [{"id": t.id, "starts": t.start, "ends": t.end} for t in terms if t.active],
        [t.id for t in part.sessions],
    )
    await _replace(tx, OrgRow, school_id, [{"id": o.id, "name": o.name, "kind": o.kind, "parent": o.parent} for o in part.orgs])
    await _replace(tx, CourseRow, school_id, [{"id": c.id, "title": c.title, "org": c.org} for c in part.courses])
    await _replace(
        tx,
        ClassRow,
        school_id,
        [{"id": c.id, "title": c.title, "kind": c.kind, "course": c.course, "org": c.org} for c in part.classes],
    )
    await _replace(tx, PersonRow, school_id, [{"id": p.id, "name": p.name, "orgs": p.orgs} for p in part.people])
    stays = [
        {"id": e.id, "class_": e.class_id, "person": e.person, "role": e.role, "starts": e.start, "ends": e.end}
        for e in part.enrollments
    ]
    await _replace(tx, EnrollmentRow, school_id, stays)


async def _replace(
    tx: Transaction, table: Any, school_id: int, rows: Sequence[dict[str, Any]], ids: Sequence[str] | None = None
) -> None:
    """Put rows where their ids stood; `ids`: what goes, where it is more than what comes."""
    for gone in in_batches(ids if ids is not None else [row["id"] for row in rows], _PART):
        await tx.session.execute(delete(table).where(table.school_id == school_id, table.id.in_(gone)))
    if rows:
        await tx.session.execute(insert(table), [{"school_id": school_id, **row} for row in rows])


async def _rebuild_terms(tx: Transaction, school: School, cause: str) -> None:
    """Terms have moved: term windows are filled anew, and each subject's deciding window is judged."""
    for (metric, level), by_code in school.watch.items():
        codes = {code for code, versions in by_code.items() if any(v.window is Window.TERM for v in versions)}
        if codes:
            await refill(tx, school, [(metric, level, Window.TERM)])
            await judge_all(tx, school, metric, level, codes, f"terms|{cause}")


async def _count_known(tx: Transaction, school: School, before: Roster) -> None:
    """Observations that named an id which is known now count for the subjects that follow from it, in order of counting."""
    known = _newly_known(school.roster, before)
    words = await school.words_of(tx, known)
    affected = sorted({words[word] for word in known})
    after = 0
    while found := await list_unplaced(tx.session, school.id, affected, after, _PART):
        entries = []
        for observation in found:
            was = before.subjects(observation.references, observation.day)
            now = school.roster.subjects(observation.references, observation.day)
            added = {level: subject for level, subject in now.items() if level not in was}  # once a level, also if a class moved
            cause = f"{observation.source}|{observation.event}"
            entries.append(Entry(observation.metric, observation.day, observation.numerator, observation.denominator, added, cause))
        await count(tx, school, entries)
        after = found[-1].position
    for part in in_batches(affected, _PART):
        await tx.session.execute(delete(UnplacedRow).where(UnplacedRow.word.in_(part)))


def _newly_known(roster: Roster, before: Roster) -> Collection[tuple[str, str]]:
    classes = roster.classes.keys() - before.classes.keys()
    students = roster.students - before.students
    return {
        *(("class", c) for c in classes),
        *(("homeroom", c) for c in classes),
        *(("student", s) for s in students),
    }
