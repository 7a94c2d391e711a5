"""Write entries of registers and take them on, and say once of what is late that it is."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid
from services.planning import queries
from services.planning.commands.evidence import keep_evidence, single
from services.planning.commands.guarantees import check_unit, people_faults, record, unit_faults
from services.planning.commands.inbox import Notice, tell
from services.planning.domain.budgets import fen, yuan
from services.planning.domain.entries import (
    OTHERS,
    Aid,
    Contingency,
    Control,
    Entry,
    Incident,
    Payment,
    Reason,
    Step,
    Told,
    Training,
    next_status,
)
from services.planning.domain.guarantees import named, word_faults
from services.planning.tables import EntryRow

AT_ONCE = 1000
LATE = {"hazard": "安全隐患整改逾期", "incident": "质量事故处理逾期", "aid": "学生资助发放逾期"}
NEW = {"hazard": "安全隐患待整改", "incident": "质量事故待处理"}


async def add_entry(tx: Transaction, scope: Scope, by: str, said: Entry) -> EntryRow:
    """Write an entry. Raises Forbidden beyond the caller's units and students, Invalid for a day to come and what it names in vain."""
    today = await queries.today_in(tx.session, scope.school, tx.now)
    if isinstance(said, Aid):
        await _check_student(tx, scope, said, today)
    else:
        await check_unit(tx, scope, said.unit)
    if faults := await _faults(tx, scope, said, today):
        raise Invalid("the entry cannot stand like this", faults)
    row = EntryRow(
        id=uuid4(),
        school=scope.school,
        kind=said.KIND,
        category=said.category,
        unit=said.unit,
        student=getattr(said, "student", None),
        owner=getattr(said, "owner", None),
        on=said.on,
        due_on=getattr(said, "due_on", None),
        status=said.FIRST,
        content=said.model_dump(mode="json", exclude_defaults=True),
        due=fen(said.amount) if isinstance(said, Aid) else None,
        paid=0 if isinstance(said, Aid) else None,
        created_at=tx.now,
        created_by=by,
    )
    tx.session.add(row)
    await tx.session.flush()
    if isinstance(said, Control):
        await keep_evidence(tx, "entry", [row.id], by, single(said.document))
    record(tx, row.id, "written", by)
    if said.KIND in NEW and row.owner is not None:
        await tell(tx, [notice(row, row.owner, "new", NEW[said.KIND])])
    return row


async def go_on(tx: Transaction, scope: Scope, by: str, id_: UUID, step: Step, said: Told | Reason | Payment | None) -> EntryRow:
    """Take an entry a step on. Raises NotFound, Conflict where the step does not follow, Forbidden for who took one before that it is
    to be another's, Invalid for a day to come or more aid than is due.
    """
    today = await queries.today_in(tx.session, scope.school, tx.now)
    row = await queries.get_entry(tx.session, scope, id_, today, lock=True)
    after = next_status(row.status, step)  # type: ignore[arg-type]  # a status
    before = {each.by for each in await queries.records_of(tx.session, row.id) if each.step in OTHERS.get(step, ())}
    if by in before or (step in {"verify", "return"} and by == row.owner):
        raise Forbidden("this is for another person than who answers for it or did what came before")
    if isinstance(said, Told | Payment) and said.on > today:
        raise Invalid("nothing is done yet", [Fault(pointer="/on", detail="the day is still to come")])
    if isinstance(said, Payment):
        after = _pay(row, said)
    elif step == "withdraw" and row.paid:
        raise Conflict("some of it is paid: what is paid is not withdrawn")
    if isinstance(said, Told | Payment):
        await keep_evidence(tx, "entry", [row.id], by, single(said.document))
    row.status = after
    record(tx, row.id, step, by, **({} if said is None else said.model_dump(mode="json", exclude_defaults=True)))
    return row


def _pay(row: EntryRow, said: Payment) -> Any:
    assert row.due is not None
    assert row.paid is not None
    if row.paid + fen(said.amount) > row.due:
        detail = f"{yuan(row.due - row.paid)} yuan are still due"
        raise Invalid("more than was granted", [Fault(pointer="/amount", detail=detail)])
    row.paid += fen(said.amount)
    row.paid_on = max(said.on, row.paid_on or said.on)
    return "paid" if row.paid == row.due else "due"


async def call_late(tx: Transaction) -> None:
    """Tell once of each hazard, incident and grant whose day has passed in the school's zone, whoever answers for it."""
    today = await queries.today_in(tx.session, tx.school, tx.now)
    rows = await queries.list_late_entries(tx.session, tx.school, today, AT_ONCE)
    for row in rows:
        row.overdue_at = tx.now
    await tell(tx, [notice(row, row.owner or row.created_by, "late", LATE[row.kind]) for row in rows])


def notice(row: EntryRow, person: str, key: str, text: str) -> Notice:
    """What somebody is told about an entry; no student is named."""
    due = f"（{row.due_on}）" if row.due_on is not None else ""
    where = row.category or ""
    return Notice(person, f"entry:{key}:{row.id}", f"entry_{key}", f"{text}：{where}{due}", f"/api/v1/planning/entries/{row.id}")


# --- what an entry names ----------------------------------------------------------------------------------------------------


async def _check_student(tx: Transaction, scope: Scope, said: Aid, today: date) -> None:
    if not await queries.knows_student(tx.session, scope.school, said.student):
        raise Invalid("there is no such student", [Fault(pointer="/student", detail="the roster has no such student")])
    if not await queries.reaches_student(tx.session, scope, said.student, today):
        raise Forbidden("your posts do not reach the student")


async def _faults(tx: Transaction, scope: Scope, said: Entry, today: date) -> list[Fault]:
    setup = await queries.setup_of(tx.session, scope.school)
    faults = word_faults(_words(setup, said))
    faults += await unit_faults(tx, scope.school, unit=said.unit)
    if said.on > today:
        faults.append(Fault(pointer="/on", detail="the day is still to come"))
    owner = getattr(said, "owner", None)
    if owner is not None and not await queries.is_staff(tx.session, scope.school, owner):
        faults.append(Fault(pointer="/owner", detail=f"nobody {owner!r} is of the staff"))
    if isinstance(said, Training):
        faults += await people_faults(tx, scope.school, {f"/attendees/{n}": each for n, each in enumerate(said.attendees)})
    if isinstance(said, Contingency):
        for n, code in enumerate(said.metrics):
            if await queries.find_metric(tx.session, scope.school, code) is None:
                faults.append(Fault(pointer=f"/metrics/{n}", detail=f"the school has no metric {code!r}"))
    return faults


def _words(setup: dict[str, Any], said: Entry) -> list[tuple[str, str | None, set[str]]]:
    words = partial(named, setup, "entry_words", by="name")
    field, list_ = said.WORDS
    found = [] if list_ is None else [(f"/{field}", said.category, words(list_))]
    match said:
        case Training():
            found.append(("/topic", said.topic, words("training_topics")))
        case Incident():
            found.append(("/grade", said.grade, words("incident_grades")))
        case Contingency():
            found.append(("/mechanism", said.mechanism, named(setup, "guarantees")))
    return found
