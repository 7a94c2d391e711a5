"""Write guarantee measures, and keep which goals they protect."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Fault, Forbidden, Invalid
from services.planning import queries
from services.planning.domain.guarantees import Guarantee, named, word_faults
from services.planning.domain.matrix import system_codes
from services.planning.tables import GuaranteeRow, ProtectionRow, RecordRow


async def add_guarantee(tx: Transaction, scope: Scope, by: str, said: Guarantee) -> GuaranteeRow:
    """Write a measure. Raises Forbidden where the caller's posts do not reach the unit that leads it, Invalid for what it names in vain."""
    await check_unit(tx, scope, said.unit)
    await _check(tx, scope, said, [])
    row = GuaranteeRow(id=uuid4(), school=scope.school, created_at=tx.now, created_by=by, **_columns(said))
    tx.session.add(row)
    await tx.session.flush()
    await protect(tx, scope.school, row.id, [] if said.status == "dropped" else said.goals)
    record(tx, row.id, "written", by)
    return row


async def change_guarantee(tx: Transaction, scope: Scope, by: str, id_: UUID, said: Guarantee) -> GuaranteeRow:
    """Replace what a measure says; the same again changes nothing. Raises NotFound, Forbidden and Invalid as `add_guarantee`."""
    row = await queries.get_guarantee(tx.session, scope, id_, lock=True)
    await check_unit(tx, scope, row.unit)
    await check_unit(tx, scope, said.unit)
    before = row.content
    await _check(tx, scope, said, before.get("goals", []))
    columns = _columns(said)
    changed = sorted(name for name in {*before, *columns["content"]} if before.get(name) != columns["content"].get(name))
    if not changed:
        return row
    for name, value in columns.items():
        setattr(row, name, value)
    await protect(tx, scope.school, row.id, [] if said.status == "dropped" else said.goals)
    record(tx, row.id, "changed", by, before={name: before.get(name) for name in changed})
    return row


async def check_unit(tx: Transaction, scope: Scope, unit: str | None) -> None:
    """Raises Forbidden where a scope does not cover a unit; None, the school itself, is for who covers all of it."""
    units = await queries.units_within(tx.session, scope)
    if units is not None and unit not in units:
        raise Forbidden("your posts do not reach the unit" if unit else "your posts do not cover the whole school: name a unit")


async def check_goals(tx: Transaction, scope: Scope, goals: Collection[UUID], kept: Collection[str]) -> list[Fault]:
    """What is wrong with the goals that something protects; what stood there before (`kept`) may stay."""
    new = [goal for goal in goals if str(goal) not in kept]
    seen = await queries.which_visible(tx.session, scope, new) if new else set()
    return [
        Fault(pointer=f"/goals/{n}", detail="there is no such goal")
        for n, goal in enumerate(goals)
        if str(goal) not in kept and goal not in seen
    ]


async def protect(tx: Transaction, school: str, holder: UUID, goals: Collection[UUID]) -> None:
    """Keep that a measure or a budget line protects these goals, and no others."""
    await tx.session.execute(delete(ProtectionRow).where(ProtectionRow.holder == holder))
    tx.session.add_all(ProtectionRow(holder=holder, goal=goal, school=school) for goal in goals)
    await tx.session.flush()


def record(tx: Transaction, about: UUID, step: str, by: str, **what: Any) -> None:
    """Write a line of what happened to a measure, a budget line or an entry."""
    tx.session.add(RecordRow(about=about, step=step, at=tx.now, by=by, what=what))


async def unit_faults(tx: Transaction, school: str, **units: str | None) -> list[Fault]:
    """What of these units, by field, the roster does not have."""
    unknown = await queries.unknown_units(tx.session, school, units.values())
    return [Fault(pointer=f"/{name}", detail=f"there is no unit {unit!r}") for name, unit in units.items() if unit in unknown]


async def people_faults(tx: Transaction, school: str, people: Mapping[str, str | None]) -> list[Fault]:
    """Who of these people, by pointer, is neither of the staff nor a student."""
    named = {pointer: person for pointer, person in people.items() if person is not None}
    unknown = await queries.unknown_people(tx.session, school, named.values())
    return [Fault(pointer=at, detail=f"the roster has nobody {person!r}") for at, person in named.items() if person in unknown]


async def _check(tx: Transaction, scope: Scope, said: Guarantee, kept: Collection[str]) -> None:
    setup = await queries.setup_of(tx.session, scope.school)
    faults = word_faults(
        [
            ("/mechanism", said.mechanism, named(setup, "guarantees")),
            ("/system", said.system, system_codes(setup)),
        ]
    )
    faults += await unit_faults(tx, scope.school, unit=said.unit, **{f"helpers/{n}": each for n, each in enumerate(said.helpers)})
    unknown = await queries.unknown_indicators(tx.session, scope.school, said.indicators)
    faults += [
        Fault(pointer=f"/indicators/{n}", detail=f"the school has no indicator {code!r} in force")
        for n, code in enumerate(said.indicators)
        if code in unknown
    ]
    faults += await check_goals(tx, scope, said.goals, kept)
    if faults:
        raise Invalid("the measure cannot stand like this", faults)


def _columns(said: Guarantee) -> dict[str, Any]:
    names = ("mechanism", "unit", "level", "system", "status")
    return {**{name: getattr(said, name) for name in names}, "content": said.model_dump(mode="json", exclude_defaults=True)}
