"""Issue letters of responsibility, let them be signed, and see that a task that changes needs a new one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid
from libs.common.events.planning import AgreementSigned
from libs.common.events.setup import AgreementKind
from services.planning import queries
from services.planning.commands.inbox import Notice, tell
from services.planning.commands.spiral import note_facts
from services.planning.domain.agreements import AgreementStatus, hash_of, line_of
from services.planning.domain.objects import unit_places
from services.planning.domain.tasks import kept_task
from services.planning.queries import agreements as find
from services.planning.queries import projects as find_units
from services.planning.queries import tasks as find_tasks
from services.planning.tables import AgreementPlaceRow, AgreementRow, AgreementTaskRow, TaskRow


@dataclass(frozen=True, slots=True)
class Party:
    """Who an agreement is with: a unit, by who leads it, or a person who holds a post. `tasks` are those that it freezes."""

    name: str
    signer: str | None
    unit: str | None = None
    holder: str | None = None
    tasks: tuple[TaskRow, ...] = ()

    @property
    def id(self) -> str:
        return f"unit:{self.unit}" if self.unit is not None else f"person:{self.holder}"


def link_of(agreement: UUID) -> str:
    """Where an agreement is read."""
    return f"/api/v1/planning/agreements/{agreement}"


async def issue_agreements(
    tx: Transaction, scope: Scope, by: str, kind: str, year: int, unit: str | None
) -> tuple[Sequence[AgreementRow], int]:
    """Issue the agreements of a kind and year: of a unit, or of all units that have tasks, or of all holders of its post.

    What is as its newest version says stays; where tasks have changed, come or been taken away since, the next version takes its place,
    to be signed again. Returns the new ones, and how many stay. Raises Invalid for a kind or unit that is not there, Conflict where nobody is a party.
    """
    kinds = await find_tasks.agreement_kinds(tx.session, scope.school)
    if kind not in kinds:
        known = ", ".join(kinds) or "none: the set-up names them"
        raise Invalid("no such agreement", [Fault(pointer="/kind", detail=f"no agreement {kind!r} is there; there are {known}")])
    await queries.lock_school(tx.session, scope.school)
    parties = await _parties(tx, scope, kinds[kind], year, unit)
    there = await find.newest_agreements(tx.session, scope.school, kind, year)
    rows = []
    for party in parties:
        before = there.get(party.id)
        content = await _content(tx, scope.school, kinds[kind], year, party)
        if before is None or before.status == AgreementStatus.OUTDATED or _says(before.content) != content:
            rows.append(await _issue(tx, scope.school, by, kinds[kind], year, party, content, before))
    return rows, len(parties) - len(rows)


async def _parties(tx: Transaction, scope: Scope, kind: AgreementKind, year: int, unit: str | None) -> list[Party]:
    session, school = tx.session, scope.school
    today = await queries.today_in(session, school, tx.now)
    if kind.post is not None:
        if unit is not None:
            raise Invalid("a letter per post is of no unit", [Fault(pointer="/unit", detail="leave it out")])
        people = await find.holders_of(session, school, kind.post, today)
        names = await queries.names_of(session, school, people)
        parties = [Party(names.get(each, each), each, holder=each) for each in people]
    else:
        tasks = await find.tasks_to_sign(session, school, year, kind.classes)
        if unit is not None and await find_units.find_org(session, school, unit) is None:
            raise Invalid("no such unit", [Fault(pointer="/unit", detail="the roster has no such unit")])
        units = [each for each in sorted(tasks) if unit in {None, each}]
        heads = await find_units.heads_of(session, school, units, today)
        names = await find_units.org_names(session, school, units)
        parties = [
            Party(names.get(each, each), next(iter(heads.get(each, ())), None), unit=each, tasks=tuple(tasks[each]))
            for each in units
        ]
    if not parties:
        raise Conflict(
            "there is nothing to agree on: no unit has tasks of that year" if kind.post is None else "nobody holds the post"
        )
    return parties


async def _content(tx: Transaction, school: str, kind: AgreementKind, year: int, party: Party) -> dict[str, Any]:
    """What an agreement says, but for its version."""
    classes = await find_tasks.task_classes(tx.session, school)
    lines = []
    for row in party.tasks:
        each = classes.get(row.task_class)
        lines.append(line_of(str(row.id), row.version, kept_task(row.content), each.name if each else row.task_class))
    return {
        "name": kind.name,
        "school": await find.school_name(tx.session, school),
        "party": party.name,
        "year": year,
        "clauses": list(kind.clauses),
        "tasks": lines,
    }


def _says(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != "version"}


async def _issue(
    tx: Transaction,
    school: str,
    by: str,
    kind: AgreementKind,
    year: int,
    party: Party,
    content: dict[str, Any],
    before: AgreementRow | None,
) -> AgreementRow:
    version = 1 if before is None else before.version + 1
    content = {**content, "version": version}
    if before is not None:
        before.newest, before.status = False, AgreementStatus.REPLACED
    row = AgreementRow(
        id=find.agreement_id(school, kind.code, year, party.id, version),
        school=school,
        kind=kind.code,
        year=year,
        party=party.id,
        unit=party.unit,
        holder=party.holder,
        version=version,
        newest=True,
        status=AgreementStatus.ISSUED,
        content=content,
        hash=hash_of(content),
        signer=party.signer,
        issued_at=tx.now,
        issued_by=by,
    )
    tx.session.add(row)
    await tx.session.flush()
    tx.session.add_all(AgreementTaskRow(agreement=row.id, task=each.id, version=each.version) for each in party.tasks)
    places = await find_tasks.places_of_task(tx.session, school, party.unit, [party.holder] if party.holder else [])
    tx.session.add_all(AgreementPlaceRow(agreement=row.id, place=place) for place in sorted(places))
    if party.signer is not None:
        words = f"{year} 年{kind.name}（第 {version} 版）待您签署"
        await tell(tx, [Notice(party.signer, f"agreement:{row.id}", "agreement_to_sign", words, link_of(row.id))])
    return row


async def sign_agreements(
    tx: Transaction, scope: Scope, by: str, ids: Sequence[UUID], seen: str | None = None
) -> Sequence[AgreementRow]:
    """Sign: who, when, and the hash of what was signed. What the caller has signed already stays as it is.

    `seen`: the hash that the signer was shown. Raises Forbidden for anybody but the unit's head or the holder of the post, Conflict
    for what is outdated or replaced, or where another content was shown.
    """
    rows = await find.lock_agreements(tx.session, scope, ids)
    today = await queries.today_in(tx.session, scope.school, tx.now)
    heads = await find_units.heads_of(tx.session, scope.school, {row.unit for row in rows if row.unit}, today)
    for row in rows:
        if by != row.holder and by not in heads.get(row.unit or "", ()):
            raise Forbidden("an agreement is signed by who leads the unit, or by whom it is with")
        if row.status == AgreementStatus.SIGNED and row.signed_by == by:
            continue
        if row.status != AgreementStatus.ISSUED:
            raise Conflict(f"the agreement {row.id} is {row.status}: it cannot be signed")
        if seen is not None and seen != row.hash:
            raise Conflict("the agreement does not say what was shown: read it again")
        row.status, row.signed_by, row.signed_at = AgreementStatus.SIGNED, by, tx.now
        said = {name: getattr(row, name) for name in ("kind", "year", "unit", "holder", "version", "hash")}
        lies = await find_tasks.places_of_task(tx.session, row.school, row.unit, [by])
        tx.publish(AgreementSigned(agreement=row.id, name=row.content["name"], by=by, places=sorted(lies), **said))
        await note_facts(tx, unit_places(row.school, row.unit, row.holder), "tasks_signed", day=today)
    return rows


async def outdate_agreements(tx: Transaction, tasks: Collection[UUID]) -> None:
    """A task says something else by now, or was taken away: what was signed of it holds no more. Source: digest, scenario 3."""
    for row in await find.agreements_that_freeze(tx.session, tasks):
        row.status, row.outdated_at = AgreementStatus.OUTDATED, tx.now
        words = f"{row.year} 年{row.content['name']}（{row.content['party']}）中的任务已变更，需重新签署"
        people = dict.fromkeys(each for each in (row.issued_by, row.signed_by or row.signer) if each is not None)
        key = f"agreement-outdated:{row.id}"
        await tell(tx, [Notice(person, key, "agreement_outdated", words, link_of(row.id)) for person in people])
