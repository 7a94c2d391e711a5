"""Who answers for an improvement and who judges it, at its opening and when a vacant post is filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from libs.common.database import Transaction
from libs.common.events.planning import ImprovementAssigned
from services.planning import queries
from services.planning.commands.inbox import tell
from services.planning.commands.telling import notice
from services.planning.domain import wording
from services.planning.domain.owners import Chosen, Directory, Subject, climb, upwards
from services.planning.domain.settings import SchoolSettings
from services.planning.tables import HistoryRow, ImprovementRow


def note(tx: Transaction, row: ImprovementRow, step: str, by: str | None, **what: Any) -> None:
    """Write a line of an improvement's history."""
    tx.session.add(HistoryRow(improvement=row.id, step=step, at=tx.now, by=by, what=what))


def people_for(settings: SchoolSettings, directory: Directory, about: Subject, owner: str | None = None) -> tuple[Chosen, Chosen]:
    """Return owner and verifier by the school's ladders; never the same person. An `owner` who was named is it."""
    owners, verifiers = settings.owners[about.level], settings.verifiers[about.level]  # type: ignore[index]  # monitoring's levels
    holders = directory.holders(about, [*owners, *verifiers])
    first = climb(owners, holders) if owner is None else Chosen(owner, owners[0], ())
    return first, climb(verifiers, holders, never=first.person)


def unfilled(people: tuple[Chosen, Chosen]) -> bool:
    """Whether a post on the way to the owner is vacant, or nobody can verify."""
    owner, verifier = people
    return bool(owner.vacant) or verifier.person is None


def answering(about: Subject, unit: str | None, parents: Mapping[str, str | None]) -> Subject:
    """Return the subject of what people found as its owner is looked for: among its units is the one that answers, and what
    is wrong in the whole school is a department's where one answers for it.
    """
    if unit is None:
        return about
    if about.level == "school":
        about = replace(about, level="department", subject=unit)
    chain = [f"unit:{id_}" for id_ in upwards(unit, parents)]
    elsewhere = [place for place in about.places if not place.startswith("unit:")]
    return replace(about, places=(*elsewhere, *chain))


async def assign_unfilled(tx: Transaction) -> None:
    """Give what lacks somebody and is not started to who holds the post by now: rosters and posts may come after warnings."""
    rows = await queries.list_unfilled(tx.session, tx.school)
    if not rows:
        return
    settings = await queries.settings_of(tx.session, tx.school)
    today = await queries.today_in(tx.session, tx.school, tx.now)
    places = await queries.places_of(tx.session, [row.id for row in rows])
    parents = await queries.parents_of(tx.session, tx.school)
    abouts = [_about(row, places[row.id], today, parents) for row in rows]
    directory = await queries.directory_of(tx.session, tx.school, abouts)
    told = []
    for row, about in zip(rows, abouts, strict=True):
        before = row.owner
        owner, verifier = people_for(settings, directory, about)
        if row.warning is None and row.verifier not in {None, owner.person}:  # perhaps named by whoever found it
            verifier = Chosen(row.verifier, row.verifier_post, ())
        _assign(tx, row, (owner, verifier))
        if row.owner != before:
            told += notice(row.owner, row.id, "opened", wording.told_opened(row.title, row.due_on))
    await tell(tx, told)


def _about(row: ImprovementRow, places: Sequence[str], day: date, parents: Mapping[str, str | None]) -> Subject:
    about = Subject(row.level, row.subject, tuple(places), day)
    return about if row.warning is not None else answering(about, row.unit, parents)


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
