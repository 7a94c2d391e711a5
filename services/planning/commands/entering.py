"""Enter problems in the ledger, whoever found them: number them, know what has come before, tell who answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from libs.common.database import Transaction
from libs.common.events.planning import ImprovementOpened
from services.planning import queries
from services.planning.commands.inbox import tell
from services.planning.commands.telling import notice
from services.planning.domain import wording
from services.planning.domain.ledger import same_problem
from services.planning.domain.owners import Chosen
from services.planning.domain.states import Status
from services.planning.tables import HistoryRow, ImprovementRow, PlaceRow

Places = Mapping[UUID, Sequence[str]]


def proposed(tx: Transaction, people: tuple[Chosen, Chosen], *, unfilled: bool) -> dict[str, Any]:
    """The columns that every new improvement has alike."""
    owner, verifier = people
    return {
        "school": tx.school,
        "status": Status.PROPOSED,
        "cleared": False,
        "owner": owner.person,
        "owner_post": owner.post,
        "verifier": verifier.person,
        "verifier_post": verifier.post,
        "vacant": list(owner.vacant),
        "unfilled": unfilled,
        "opened_at": tx.now,
    }


async def number(tx: Transaction, rows: Sequence[dict[str, Any]], recurs_days: int) -> None:
    """Give new rows of one school their numbers, in their order, and what recurs in each: few statements, however many they are.

    Of several problems before it that are the same, the newest counts. Nobody else numbers meanwhile: the school is locked.
    """
    await queries.lock_school(tx.session, tx.school)
    last = await queries.last_number(tx.session, tx.school)
    before = await queries.same_before(tx.session, tx.school, rows, recurs_days)
    for n, row in enumerate(rows, last + 1):
        row["number"] = n
        found = before.setdefault(same_problem(row), [])
        near = [(day, no, id_) for day, no, id_ in found if 0 <= (row["opened_on"] - day).days <= recurs_days]
        row["recurs"] = max(near)[2] if near else None
        found.append((row["opened_on"], n, row["id"]))


def opened(row: Mapping[str, Any], places: Sequence[str]) -> ImprovementOpened:
    """What everybody is told of a new row."""
    said = {name: row[name] for name in ImprovementOpened.model_fields if name in row}
    return ImprovementOpened(improvement=row["id"], places=list(places), **said)


async def write(tx: Transaction, rows: Sequence[dict[str, Any]], places: Places) -> None:
    """Write new rows with where they lie and how they began, and tell the owners."""
    await tx.session.execute(insert(ImprovementRow), rows)
    lies = [{"improvement": id_, "place": place} for id_, here in places.items() for place in sorted(set(here))]
    if lies:
        await tx.session.execute(insert(PlaceRow), lies)
    await tx.session.execute(insert(HistoryRow), [_began(tx, row) for row in rows])
    told = [notice(row["owner"], row["id"], "opened", wording.told_opened(row["title"], row["due_on"])) for row in rows]
    await tell(tx, [each for some in told for each in some])


def _began(tx: Transaction, row: Mapping[str, Any]) -> dict[str, Any]:
    what = {name: row[name] for name in ("severity", "owner", "vacant")} | {"due_on": row["due_on"].isoformat()}
    if row["recurs"] is not None:
        what["recurs"] = str(row["recurs"])
    return {"improvement": row["id"], "step": "opened", "at": tx.now, "by": row["opened_by"], "what": what}
