"""Who answers for an improvement and who judges it, at its opening and when a vacant post is filled."""

from __future__ import annotations

from typing import Any

from libs.common.database import Transaction
from libs.common.events.planning import ImprovementAssigned
from services.planning import queries
from services.planning.domain.owners import Chosen, Directory, Subject, climb
from services.planning.domain.settings import SchoolSettings
from services.planning.tables import HistoryRow, ImprovementRow


def note(tx: Transaction, row: ImprovementRow, step: str, by: str | None, **what: Any) -> None:
    """Write a line of an improvement's history."""
    tx.session.add(HistoryRow(improvement=row.id, step=step, at=tx.now, by=by, what=what))


def people_for(settings: SchoolSettings, directory: Directory, about: Subject) -> tuple[Chosen, Chosen]:
    """Return owner and verifier by the school's ladders; never the same person."""
    owners, verifiers = settings.owners[about.level], settings.verifiers[about.level]  # type: ignore[index]  # monitoring's levels
    holders = directory.holders(about, [*owners, *verifiers])
    owner = climb(owners, holders)
    return owner, climb(verifiers, holders, never=owner.person)


def unfilled(people: tuple[Chosen, Chosen]) -> bool:
    """Whether a post on the way to the owner is vacant, or nobody can verify."""
    owner, verifier = people
    return bool(owner.vacant) or verifier.person is None


async def assign_unfilled(tx: Transaction) -> None:
    """Give what lacks somebody and is not started to who holds the post by now: rosters and posts may come after warnings."""
    rows = await queries.list_unfilled(tx.session, tx.school)
    if not rows:
        return
    settings = await queries.settings_of(tx.session, tx.school)
    today = await queries.today_in(tx.session, tx.school, tx.now)
    places = await queries.places_of(tx.session, [row.id for row in rows])
    abouts = [Subject(row.level, row.subject, tuple(places[row.id]), today) for row in rows]
    directory = await queries.directory_of(tx.session, tx.school, abouts)
    for row, about in zip(rows, abouts, strict=True):
        people = people_for(settings, directory, about)
        _assign(tx, row, people)


def _assign(tx: Transaction, row: ImprovementRow, people: tuple[Chosen, Chosen]) -> None:
    owner, verifier = people
    said = {
        "owner": owner.person,
        "owner_post": owner.post,
        "verifier": verifier.person,
        "verifier_post": verifier.post,
        "vacant": list(owner.vacant),
    }
    row.unfilled = unfilled(people)
    if all(getattr(row, name) == value for name, value in said.items()):
        return
    for name, value in said.items():
        setattr(row, name, value)
    note(tx, row, "assigned", None, **said)
    tx.publish(ImprovementAssigned(improvement=row.id, warning=row.warning, **said))
