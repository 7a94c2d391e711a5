"""Record problems that people found: in a check, a patrol, a complaint, a review. Each opens an improvement as a warning does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Fault, Forbidden, Invalid
from services.planning import queries
from services.planning.commands import entering
from services.planning.commands.people import answering, people_for, unfilled
from services.planning.domain import wording
from services.planning.domain.owners import VERIFY, Chosen, Directory, Subject, upwards
from services.planning.domain.settings import FoundBy, SchoolSettings
from services.planning.queries import Known
from services.planning.tables import ImprovementRow


@dataclass(frozen=True, slots=True)
class Found:
    """A problem that somebody found. `level` and `subject`: what it is about, `subject` None: the whole school.

    What is None is decided by the school: `unit` the deepest in which the subject lies, `owner` and `verifier` by posts, `tracking` and the
    dates by its settings. `measures`, `goal` and `deadline`: the plan, where it is known already.
    """

    source: FoundBy
    problem: str
    level: str
    subject: str | None = None
    unit: str | None = None
    indicator: str | None = None
    owner: str | None = None
    verifier: str | None = None
    tracking: str | None = None
    plan_due_on: date | None = None
    due_on: date | None = None
    measures: list[str] | None = None
    goal: str | None = None
    deadline: date | None = None
    id: UUID = field(default_factory=uuid4)


FaultAt = Callable[[int, str, str], Fault]
"""Says what is wrong: of which problem by its place, in which of its fields, and why."""


async def open_found(tx: Transaction, scope: Scope, by: str, found: Sequence[Found], at: FaultAt) -> Sequence[ImprovementRow]:
    """Record problems, all or none; `at` makes the faults. Dates may be over: a problem that is recorded late is overdue at once.

    Raises Invalid for what does not hang together, Forbidden for what is not the caller's to open.
    """
    settings = await queries.settings_of(tx.session, scope.school)
    today = await queries.today_in(tx.session, scope.school, tx.now)
    known = await queries.known_to(tx.session, scope.school, found)
    _refuse([at(n, *wrong) for n, each in enumerate(found) for wrong in _faults(each, known)])
    own = await queries.places_for(tx.session, scope.school, [replace(each, unit=None) for each in found], today)
    for each in found:
        if each.level == "course":
            own[each.id] |= {f"unit:{id_}" for id_ in _chain(known.courses.get(each.subject or ""), known)}
    found = [replace(each, unit=each.unit or _unit(own[each.id], known)) for each in found]
    nobody = "say which unit answers for it: of such a subject it is not known here"
    _refuse([at(n, "unit", nobody) for n, each in enumerate(found) if each.unit is None and each.level != "school"])
    places = {each.id: own[each.id] | {f"unit:{id_}" for id_ in _chain(each.unit, known)} for each in found}
    _check_reach(scope, found, own, known)
    abouts = {each.id: _about(scope.school, each, places[each.id], today, known) for each in found}
    directory = await queries.directory_of(tx.session, scope.school, list(abouts.values()))
    people = [_people(each, abouts[each.id], places[each.id], directory, settings) for each in found]
    _refuse([at(n, "verifier", wrong) for n, chosen in enumerate(people) if (wrong := _no_verifier(*chosen)) is not None])
    rows = [_row(tx, by, each, abouts[each.id], chosen, known, settings) for each, chosen in zip(found, people, strict=True)]
    await entering.number(tx, rows, settings.recurs_days)
    for row in rows:
        tx.publish(entering.opened(row, sorted(places[row["id"]])))
    await entering.write(tx, rows, {id_: sorted(here) for id_, here in places.items()})
    return await queries.lock_improvements(tx.session, Scope(scope.school, None), [each.id for each in found])


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise Invalid("the problems cannot be recorded like this", faults)


def _faults(each: Found, known: Known) -> list[tuple[str, str]]:
    """What does not hang together in a problem by itself, or names somebody or something that is not there."""
    wrong: dict[str, str] = {}
    if each.level != "school" and each.subject is None:
        wrong["subject"] = "say what it is about"
    elif each.level in {"department", "programme"} and each.subject not in known.units:
        wrong["subject"] = "there is no such unit"
    elif each.level in known.called and known.name(each.level, each.subject) is None:
        wrong["subject"] = f"there is no such {each.level}"
    elif each.level == "teacher" and each.subject not in known.staff:
        wrong["subject"] = "there is nobody of that id among the staff"
    if each.unit is not None and each.unit not in known.units:
        wrong["unit"] = "there is no such unit"
    if each.indicator is not None:
        measured = known.indicators.get(each.indicator)
        if measured is None or measured.level != each.level:
            wrong["indicator"] = "there is no such indicator of this level in force"
    for name in ("owner", "verifier"):
        if getattr(each, name) is not None and getattr(each, name) not in known.staff:
            wrong[name] = "there is nobody of that id among the staff"
    if each.owner is not None and each.owner == each.verifier:
        wrong["verifier"] = "nobody verifies their own work"
    if each.due_on is not None and each.plan_due_on is not None and each.plan_due_on > each.due_on:
        wrong["plan_due_on"] = "the plan cannot be due after its work"
    if each.due_on is not None and each.deadline is not None and each.deadline > each.due_on:
        wrong["deadline"] = "the plan ends after the due date"
    return list(wrong.items())


def _chain(unit: str | None, known: Known) -> list[str]:
    return [] if unit is None else upwards(unit, known.parents)


def _unit(own: set[str], known: Known) -> str | None:
    return Directory(parents=known.parents).nearest_unit(sorted(own))


def _check_reach(scope: Scope, found: Sequence[Found], own: Mapping[UUID, set[str]], known: Known) -> None:
    """Raises Forbidden unless the caller's posts reach both the subject and the unit that is to answer; a level's group reaches its level."""
    for each in found:
        chain = {f"unit:{id_}" for id_ in _chain(each.unit, known)}
        about = own[each.id] - {f"school:{scope.school}", f"level:{each.level}"}
        units = {place for place in about if place.startswith("unit:")}
        subject = scope.covers(about) or (not units and scope.covers(chain))
        unit = not units or scope.covers(chain) or f"unit:{each.unit}" in units
        if not scope.covers([f"level:{each.level}"]) and not (subject and unit):
            raise Forbidden("your posts do not reach such a problem")


def _about(school: str, each: Found, places: set[str], day: date, known: Known) -> Subject:
    about = Subject(each.level, each.subject or school, tuple(sorted(places)), day)
    return answering(about, each.unit, known.parents)


def _people(each: Found, about: Subject, places: set[str], directory: Directory, settings: SchoolSettings) -> tuple[Chosen, Chosen]:
    """Owner and verifier: who was named, else who holds the posts. Who was named verifies by the first post that lets them, over something
    in which the problem lies; by none: its name is empty.
    """
    owner, verifier = people_for(settings, directory, about, owner=each.owner)
    if each.verifier is None:
        return owner, verifier
    there = Subject(each.level, each.subject or "", tuple(sorted(places)), about.day)
    holders = directory.holders(there, VERIFY)
    held = [post for post in VERIFY if any(holder.person == each.verifier for holder in holders[post])]
    return owner, Chosen(each.verifier, next(iter(held), ""), ())


def _no_verifier(owner: Chosen, verifier: Chosen) -> str | None:
    """Why whoever was named cannot verify; None: they can."""
    if not verifier.post:
        return "no post of theirs lets them verify such a problem"
    if verifier.person is not None and verifier.person == owner.person:
        return "nobody verifies their own work: it is theirs by their post unless an owner is named"
    return None


def _row(
    tx: Transaction, by: str, each: Found, about: Subject, people: tuple[Chosen, Chosen], known: Known, settings: SchoolSettings
) -> dict[str, Any]:
    measured = known.indicators.get(each.indicator or "")
    subject = each.subject or tx.school
    terms = settings.sources[each.source]
    due_on = each.due_on or each.deadline or about.day + timedelta(days=terms.due_days)
    plan_due_on = each.plan_due_on or min(due_on, about.day + timedelta(days=terms.plan_days))
    return {
        **entering.proposed(tx, people, unfilled=each.owner is None and unfilled(people)),
        "id": each.id,
        "source": each.source,
        "warning": None,
        "indicator": each.indicator,
        "indicator_name": measured and measured.name,
        "metric": measured and measured.metric,
        "comparison": measured and measured.comparison,
        "level": each.level,
        "subject": subject,
        "subject_name": known.name(each.level, each.subject),
        "title": each.problem,
        "goal_proposed": None,
        "curve": measured and wording.curve(metric=measured.metric, level=each.level, window=measured.window, subject=subject),
        "severity": None,
        "warned": False,
        "unit": each.unit,
        "tracking": each.tracking or settings.tracking,
        "opened_by": by,
        "opened_on": about.day,
        "plan_due_on": min(plan_due_on, due_on),
        "due_on": due_on,
        "measures": each.measures,
        "goal": each.goal,
        "deadline": each.deadline,
    }
