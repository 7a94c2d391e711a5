"""Keep the copy of the roster, and count again what its arrival has made known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import delete, func, insert, select

from libs.common.database import Transaction, in_batches
from libs.common.events.gateway import RosterImported
from services.monitoring.commands.counting import recount
from services.monitoring.commands.entries import entry_of
from services.monitoring.commands.judging import refill
from services.monitoring.commands.overrides import judged_otherwise
from services.monitoring.commands.reconciling import Why
from services.monitoring.commands.retelling import retell
from services.monitoring.commands.telling import note_terms
from services.monitoring.domain.attribution import LEVEL_CODE, Roster, first_differences
from services.monitoring.domain.windows import Window
from services.monitoring.queries.log import Logged, list_naming, words_of
from services.monitoring.queries.schools import School, changed, find_school_locked, get_school
from services.monitoring.queries.totals import list_series
from services.monitoring.tables import (
    ClassRow,
    CourseRow,
    EnrollmentRow,
    MovedRow,
    OrgRow,
    PersonRow,
    RosterPartRow,
    SchoolRow,
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
        await _keep_moves(tx, row.id, part)
        await _keep(tx, row.id, part)
    changed(row)
    await tx.session.flush()
    reloaded = await find_school_locked(tx, tx.school)
    assert reloaded is not None
    row, school = reloaded
    why = Why("roster", f"roster|{parts[-1].part}", "名册变动")
    if any(part.sessions for part in parts) and school.calendar.terms != before.calendar.terms:
        await note_terms(tx, row.id, before.calendar)
        await _rebuild_terms(tx, row, school, replace(why, because="terms", reason="学期变动"))
    await _reattribute(tx, row, school, before.roster, why)


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


async def _keep_moves(tx: Transaction, school_id: int, part: RosterImported) -> None:
    """Remember where classes, courses and orgs belonged that belong elsewhere from the day of the import on."""
    now: dict[str, tuple[Any, dict[str, dict[str, str | None]]]] = {
        "org": (OrgRow, {o.id: {"kind": o.kind, "parent": o.parent} for o in part.orgs}),
        "course": (CourseRow, {c.id: {"org": c.org} for c in part.courses}),
        "class": (ClassRow, {c.id: {"kind": c.kind, "course": c.course, "org": c.org} for c in part.classes}),
    }
    for kind, (table, come) in now.items():
        for ids in in_batches(sorted(come), _PART):
            known = await tx.session.scalars(select(table).where(table.school_id == school_id, table.id.in_(ids)))
            for was in known.all():
                belonged = {name: getattr(was, name) for name in come[was.id]}
                key = (school_id, kind, was.id, part.today)
                if belonged != come[was.id] and await tx.session.get(MovedRow, key) is None:
                    tx.session.add(MovedRow(school_id=school_id, kind=kind, id=was.id, before=part.today, belonged=belonged))
    await tx.session.flush()


async def _rebuild_terms(tx: Transaction, row: SchoolRow, school: School, why: Why) -> None:
    """Terms have moved: term windows are filled anew, and the stories of their indicators are told anew."""
    changed: dict[tuple[str, str], list[str]] = {}
    for (metric, level), by_code in school.watch.items():
        if any(v.window is Window.TERM for versions in by_code.values() for v in versions):
            await refill(tx, school, [(metric, level, Window.TERM)])
            series = await list_series(tx.session, school.metric_ids[metric], LEVEL_CODE[level])
            changed[metric, level] = [subject for _, _, subject in series]
    await retell(tx, row, school, changed, 1, why)


async def _reattribute(tx: Transaction, row: SchoolRow, school: School, before: Roster, why: Why) -> None:
    """Observations count for other subjects by the new roster: those that named an id which is known now, and those of classes
    and students that moved, from the day of the move on. Where indicators have other lines for units, subjects that lie in
    another one now are judged by those.
    """
    changed: dict[tuple[str, str], set[str]] = defaultdict(set)
    first: int | None = None
    async for part in _affected(tx, school, before):
        gone, come = [], []
        for o in part:
            was, now = before.subjects(o.references, o.day), school.roster.subjects(o.references, o.day)
            entry = entry_of(school, o)
            lost = {level: subject for level, subject in was.items() if now.get(level) != subject}
            found = {level: subject for level, subject in now.items() if was.get(level) != subject}
            if lost or found:
                first = o.place if first is None else min(first, o.place)
            gone += [msgspec.structs.replace(entry, subjects=lost)] if lost else []
            come += [msgspec.structs.replace(entry, subjects=found)] if found else []
        for place, subjects in (await recount(tx, school, gone, come)).items():
            changed[place] |= subjects
    others, since = await judged_otherwise(tx, school, before)
    for place, subjects in others.items():
        changed[place] |= subjects
    first = min((place for place in (first, since) if place is not None), default=None)
    if first is not None:
        await retell(tx, row, school, changed, first, why)


async def _affected(tx: Transaction, school: School, before: Roster) -> AsyncIterator[Sequence[Logged]]:
    """What stands in the log and may count for other subjects than before, each once."""
    seen: set[int] = set()
    words = await words_of(tx.session, school.id, _newly_known(school.roster, before))
    placed = sorted({word for found in words.values() for word in found} & school.unplaced)
    if placed:
        first: list[int] = []
        for part in in_batches(placed, _PART):
            first += await tx.session.scalars(select(func.min(UnplacedRow.position)).where(UnplacedRow.word.in_(part)))
            await tx.session.execute(delete(UnplacedRow).where(UnplacedRow.word.in_(part)))
        school.unplaced.difference_update(placed)
        named = {kind: found.intersection(placed) for kind, found in words.items()}
        async for found in list_naming(tx.session, school.id, named, since=min(first)):
            seen |= {o.position for o in found}
            yield found
    classes, students = first_differences(before, school.roster)
    if classes or students:
        since = min([*classes.values(), *students.values()])
        moved = {("class", c) for c in classes} | {("homeroom", c) for c in classes} | {("student", s) for s in students}
        words = await words_of(tx.session, school.id, moved)
        async for found in list_naming(tx.session, school.id, words, since_day=since):
            yield [o for o in found if o.position not in seen]


def _newly_known(roster: Roster, before: Roster) -> Collection[tuple[str, str]]:
    classes = roster.classes.keys() - before.classes.keys()
    students = roster.students - before.students
    return {
        *(("class", c) for c in classes),
        *(("homeroom", c) for c in classes),
        *(("student", s) for s in students),
    }
