"""Write families and drafts of standards."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy.exc import IntegrityError

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid
from libs.common.events.origin import Origin
from services.standards.commands.origins import origin_of
from services.standards.domain.content import Content
from services.standards.domain.states import State, Step, next_state
from services.standards.queries import standards as queries
from services.standards.queries.indicators import list_metrics
from services.standards.tables import FamilyRow, StandardRow, StandardVersionRow, StepRow


def whole_school(scope: Scope, what: str) -> None:
    """Raises Forbidden below the whole school."""
    if scope.places is not None:
        raise Forbidden(f"{what} for the whole school: your posts do not cover all of it")


def note(
    tx: Transaction, row: StandardVersionRow, step: str, by: str | None, post: str | None = None, text: str | None = None
) -> None:
    """Write a line of a version's history."""
    tx.session.add(
        StepRow(school=row.school, code=row.code, version=row.version, step=step, at=tx.now, by=by, post=post, text=text)
    )


async def put_family(tx: Transaction, scope: Scope, by: str, code: str, said: dict[str, Any]) -> tuple[FamilyRow, bool]:
    """Write a family, the whole of it; versions that are in review keep the path they have. Returns whether it is new."""
    whole_school(scope, "families hold")
    row = await queries.find_family(tx.session, scope, code)
    new = row is None
    if row is None:
        row = FamilyRow(school=scope.school, code=code, **said, changed_at=tx.now, changed_by=by)
        tx.session.add(row)
        await _flush(tx, f"the family {code!r}")
    elif any(getattr(row, name) != value for name, value in said.items()):
        for name, value in said.items():
            setattr(row, name, value)
        row.changed_at, row.changed_by = tx.now, by
    return row, new


async def write_standard(
    tx: Transaction, scope: Scope, by: str, code: str, family: str, content: Content, origin: Origin | None = None
) -> tuple[StandardVersionRow, StandardRow, bool]:
    """Write the draft of a standard: its first version, its next, or the draft that is there.

    The content of the newest version again gives that version, whatever its state. Returns the version, its standard and whether
    the version is new. Raises Invalid, Conflict while the newest is in review, Forbidden for a draft of others.
    """
    standard = await queries.find_standard(tx.session, scope.school, code)
    version = 1 if standard is None else standard.newest
    row = None if standard is None else await queries.get_version(tx.session, scope, code, version)
    if row is not None and row.state not in {State.DRAFT, State.IN_REVIEW}:
        version += 1
    metrics = await list_metrics(tx.session, scope.school)
    content = content.with_metrics(metrics)
    if row is not None and standard is not None and standard.family == family and queries.read(row) == content:
        return row, standard, False
    if faults := await _faults(tx, scope, code, family, version, standard, content, metrics):
        raise Invalid("the standard cannot stand like this", faults)
    if row is not None and standard is not None and version == row.version:
        _change(tx, scope, by, row, content)
        if origin is not None:
            row.origin = await origin_of(tx, scope.school, version, origin)
        return row, standard, False
    if standard is None:
        standard = StandardRow(school=scope.school, code=code, family=family, newest=1, active=None)
        tx.session.add(standard)
        await _flush(tx, f"the standard {code!r}")
    standard.newest = version
    row = _new_version(tx, standard, by, version, content, await origin_of(tx, scope.school, version, origin))
    return row, standard, True


def _new_version(
    tx: Transaction, standard: StandardRow, by: str, version: int, content: Content, origin: dict[str, Any]
) -> StandardVersionRow:
    row = StandardVersionRow(
        school=standard.school,
        code=standard.code,
        version=version,
        state=State.DRAFT,
        content=content.model_dump(mode="json"),
        origin=origin,
        effective_from=content.effective_from,
        effective_to=content.effective_to,
        authors=[by],
        review_path=[],
        approvals=0,
        created_at=tx.now,
        created_by=by,
        submitted_by=None,
        activated_at=None,
        retired_at=None,
        retired_because=None,
        reminded_at=None,
    )
    tx.session.add(row)
    note(tx, row, "written", by)
    return row


def _change(tx: Transaction, scope: Scope, by: str, row: StandardVersionRow, content: Content) -> None:
    row.state = next_state(State(row.state), Step.WRITE)
    own_draft(scope, by, row)
    row.content = content.model_dump(mode="json")
    row.effective_from, row.effective_to = content.effective_from, content.effective_to
    row.authors = list(dict.fromkeys([*row.authors, by]))
    note(tx, row, "written", by)


def own_draft(scope: Scope, by: str, row: StandardVersionRow) -> None:
    """Raises Forbidden for a draft of others, unless the caller's posts cover the whole school."""
    if scope.places is not None and by not in row.authors:
        raise Forbidden("others wrote this draft, and your posts do not cover the whole school")


async def _faults(
    tx: Transaction,
    scope: Scope,
    code: str,
    family: str,
    version: int,
    standard: StandardRow | None,
    content: Content,
    metrics: Collection[str],
) -> list[Fault]:
    """What cannot stand; `metrics`: the names of those that the school has."""
    faults = list(content.faults())
    if await queries.find_family(tx.session, scope, family) is None:
        faults.append(Fault(pointer="/family", detail=f"the school has no family {family!r}"))
    elif standard is not None and standard.family != family:
        faults.append(Fault(pointer="/family", detail=f"the standard belongs to the family {standard.family!r}"))
    if (earlier := await queries.find_latest_date(tx.session, scope, code, version)) and content.effective_from <= earlier[1]:
        detail = f"version {earlier[0]} is in force from {earlier[1]}: a later day is needed, what was judged by it stands"
        faults.append(Fault(pointer="/effective_from", detail=detail))
    known = {*metrics, *await queries.indicator_codes(tx.session, scope.school)}
    unknown = [(name, at, "indicator and no metric") for name, at in content.measures() if name not in known]
    unknown += [(name, at, "metric") for name, at in content.metrics() if name not in metrics]
    return faults + [Fault(pointer=at, detail=f"the school has no {what} {name!r}") for name, at, what in unknown]


async def _flush(tx: Transaction, what: str) -> None:
    try:
        await tx.session.flush()
    except IntegrityError as error:  # only where databases have several writers
        raise Conflict(f"somebody else made {what} at this moment: send it again") from error


async def submit(tx: Transaction, scope: Scope, by: str, code: str, version: int, text: str | None) -> Found:
    """Give a draft to the posts that review its family, in their order.

    Raises Conflict unless it is one, Invalid for the description of a post that leaves a field of the family's forms empty.
    """
    row, standard = await load(tx, scope, code, version)
    row.state = next_state(State(row.state), Step.SUBMIT)
    own_draft(scope, by, row)
    family = await queries.find_family(tx.session, scope, standard.family)
    assert family is not None
    content = queries.read(row)
    if content.position is not None:
        in_force = await queries.list_in_force(tx.session, scope.school)
        forms = [each.content for each in in_force if each.family == standard.family and each.content.position is None]
        if faults := content.unfilled([asked for form in forms for asked in form.form]):
            raise Invalid("the post is not described whole", faults)
    row.review_path, row.approvals, row.submitted_by = list(family.review_path), 0, by
    note(tx, row, "submitted", by, text=text)
    return row, standard


Found = tuple[StandardVersionRow, StandardRow]


async def load(tx: Transaction, scope: Scope, code: str, version: int) -> Found:
    """Return a version and its standard, locked. Raises NotFound."""
    standard = await queries.get_standard(tx.session, scope, code)
    return await queries.get_version(tx.session, scope, code, version), standard
