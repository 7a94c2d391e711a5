"""Write budget lines, what is spent from them, and what that was worth."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID, uuid4

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from services.planning import queries
from services.planning.commands.evidence import keep_evidence, single
from services.planning.commands.guarantees import check_goals, check_unit, protect, record, unit_faults
from services.planning.domain.budgets import Appraisal, Budget, Spending, fen, yuan
from services.planning.domain.guarantees import named, word_faults
from services.planning.tables import BudgetRow, SpendingRow


async def add_budget(tx: Transaction, scope: Scope, by: str, said: Budget) -> BudgetRow:
    """Write a budget line. Raises Forbidden where the caller's posts do not reach the unit, Invalid for what it names in vain."""
    await check_unit(tx, scope, said.unit)
    await _check(tx, scope, said, [])
    row = BudgetRow(id=uuid4(), school=scope.school, spent=0, created_at=tx.now, created_by=by, **_columns(said))
    tx.session.add(row)
    await tx.session.flush()
    await protect(tx, scope.school, row.id, said.goals)
    record(tx, row.id, "written", by)
    return row


async def change_budget(tx: Transaction, scope: Scope, by: str, id_: UUID, said: Budget) -> BudgetRow:
    """Replace what a line says; year and unit stay. Raises NotFound, Invalid."""
    row = await queries.get_budget(tx.session, scope, id_, lock=True)
    kept = [(name, getattr(row, name)) for name in ("year", "unit") if getattr(row, name) != getattr(said, name)]
    if kept:
        faults = [Fault(pointer=f"/{name}", detail=f"it is {value}: a line keeps it") for name, value in kept]
        raise Invalid("a budget line keeps its year and its unit", faults)
    before = row.content
    await _check(tx, scope, said, before.get("goals", []))
    columns = _columns(said)
    changed = sorted(name for name in {*before, *columns["content"]} if before.get(name) != columns["content"].get(name))
    if not changed:
        return row
    for name, value in columns.items():
        setattr(row, name, value)
    await protect(tx, scope.school, row.id, said.goals)
    record(tx, row.id, "changed", by, before={name: before.get(name) for name in changed})
    return row


async def spend(tx: Transaction, scope: Scope, by: str, id_: UUID, said: Spending) -> BudgetRow:
    """Write what was spent, also more than is approved: that is a warning, and true. Raises NotFound, Invalid for a day to come, and
    where more comes back than was spent.
    """
    row = await queries.get_budget(tx.session, scope, id_, lock=True)
    if said.on > await queries.today_in(tx.session, scope.school, tx.now):
        raise Invalid("nothing is spent yet", [Fault(pointer="/on", detail="the day is still to come")])
    amount = fen(said.amount)
    if row.spent + amount < 0:
        detail = f"{yuan(row.spent)} yuan are spent"
        raise Invalid("more comes back than was spent", [Fault(pointer="/amount", detail=detail)])
    await keep_evidence(tx, "budget", [row.id], by, single(said.document))
    row.spent += amount
    entry = SpendingRow(budget=row.id, on=said.on, amount=amount, what=said.what, document=said.document, at=tx.now, by=by)
    tx.session.add(entry)
    return row


async def appraise(tx: Transaction, scope: Scope, by: str, id_: UUID, said: Appraisal) -> BudgetRow:
    """Say what the spending was worth; a second person has to confirm it. Raises NotFound, Conflict once that is done."""
    row = await queries.get_budget(tx.session, scope, id_, lock=True)
    if row.confirmed_by is not None:
        raise Conflict("the appraisal is confirmed")
    row.appraised = {**said.model_dump(mode="json"), "spent": row.spent}
    row.appraised_by = by
    record(tx, row.id, "appraised", by, **row.appraised)
    return row


async def confirm(tx: Transaction, scope: Scope, by: str, id_: UUID) -> BudgetRow:
    """Confirm an appraisal. Raises NotFound, Conflict where there is none to confirm, Forbidden for who wrote it."""
    row = await queries.get_budget(tx.session, scope, id_, lock=True)
    if row.appraised is None or row.confirmed_by is not None:
        raise Conflict("there is no appraisal to confirm")
    if row.appraised_by == by:
        raise Forbidden("who appraised the spending cannot confirm it")
    row.confirmed_by = by
    record(tx, row.id, "confirmed", by)
    return row


async def _check(tx: Transaction, scope: Scope, said: Budget, kept: Collection[str]) -> None:
    setup = await queries.setup_of(tx.session, scope.school)
    faults = word_faults(
        [
            ("/mechanism", said.mechanism, named(setup, "guarantees")),
            ("/item", said.item, named(setup, "entry_words", "budget_items", by="name")),
        ]
    )
    faults += await unit_faults(tx, scope.school, unit=said.unit)
    if said.measure is not None:
        try:
            await queries.get_guarantee(tx.session, scope, said.measure)
        except NotFound as error:
            faults.append(Fault(pointer="/measure", detail=error.detail))
    faults += await check_goals(tx, scope, said.goals, kept)
    if faults:
        raise Invalid("the budget line cannot stand like this", faults)


def _columns(said: Budget) -> dict[str, Any]:
    names = ("year", "unit", "mechanism", "measure")
    content = said.model_dump(mode="json", exclude_defaults=True)
    return {**{name: getattr(said, name) for name in names}, "approved": fen(said.approved), "content": content}
