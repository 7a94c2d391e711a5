"""Why there may be a new version of an indicator or a standard, and the closed cycles that one may come of."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from libs.common.database import Transaction
from libs.common.errors import Fault, Forbidden, Invalid
from libs.common.events.origin import FIRST, UNSTATED, Origin
from services.standards.tables import CycleRow


async def keep_cycle(tx: Transaction, cycle: UUID, level: str, subject: str) -> None:
    """Remember that a cycle is closed with its diagnosis."""
    await tx.session.merge(CycleRow(school=tx.school, id=cycle, level=level, subject=subject))


async def origin_of(tx: Transaction, school: str, version: int, said: Origin | None) -> dict[str, Any]:
    """Return the origin that a version is kept with: of the first the set-up, of another without a word an exception.

    Raises Invalid for what is no origin of such a version.
    """
    if version == 1:
        return FIRST
    if said is None:
        return UNSTATED
    why = None
    if said.kind == "first":
        why = Fault(pointer="/origin/kind", detail="there is a first version already")
    elif said.cycle is not None and await tx.session.get(CycleRow, (school, said.cycle)) is None:
        why = Fault(pointer="/origin/cycle", detail="there is no such cycle that is closed with its diagnosis")
    if why is not None:
        raise Invalid("not an origin", [why])
    return said.document()


def second_person(origin: dict[str, Any], created_by: str, by: str) -> None:
    """Raises Forbidden where who claimed an exception would confirm it; one without a reason is logged as such."""
    if origin["kind"] == "exception" and origin != UNSTATED and by == created_by:
        raise Forbidden("an exception takes a second person: somebody else activates this version")
