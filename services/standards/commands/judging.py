"""Judge a subject by an element of a standard in force."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from services.standards.domain.content import SELF, Content, Element, Judged
from services.standards.domain.places import Subject
from services.standards.domain.values import months_later
from services.standards.queries import standards as queries
from services.standards.queries.subjects import get_subject, posts_of, today_in
from services.standards.tables import JudgementPlaceRow, JudgementRow


async def judge(
    tx: Transaction,
    scope: Scope,
    by: str,
    *,
    standard: str,
    element: str,
    level: str,
    subject: str,
    met: bool,
    evidence: str,
    valid_until: date | None,
) -> JudgementRow:
    """Write a judgement: good while the element stays as it is, until `valid_until`, and no longer than the element says.

    Raises NotFound for a standard that is not there or a subject that the caller does not see, Conflict for a standard that is not in
    force, Invalid for an element that is not judged or not about this level and for a day that is over or too late, Forbidden for
    who does not hold the post that judges it, and for one's own element.
    """
    today = await today_in(tx.session, scope.school, tx.now)
    about = await get_subject(tx.session, scope, level, subject, today)
    found = await _in_force(tx, scope, standard)
    asked, how = _judged(found.content, element, level)
    post = await _post(tx, scope, by, how, about, today)
    row = JudgementRow(
        id=uuid4(),
        school=scope.school,
        standard=standard,
        version=found.version,
        element=element,
        level=level,
        subject=subject,
        met=met,
        evidence=evidence,
        judged_at=tx.now,
        judged_on=today,
        valid_until=_until(how, today, valid_until),
        judged_by=by,
        post=post,
        said=asked.model_dump(mode="json"),
    )
    tx.session.add(row)
    await tx.session.flush()
    tx.session.add_all([JudgementPlaceRow(judgement=row.id, place=place) for place in sorted(about.places)])
    return row


async def _in_force(tx: Transaction, scope: Scope, standard: str) -> queries.InForce:
    try:
        return await queries.get_in_force(tx.session, scope, standard)
    except NotFound as error:
        if await queries.find_standard(tx.session, scope.school, standard) is None:
            raise
        raise Conflict(error.detail) from error


def _judged(content: Content, code: str, level: str) -> tuple[Element, Judged]:
    element = content.element(code)
    if element is None:
        raise Invalid("no such element", [Fault(pointer="/element", detail=f"the standard has no element {code!r}")])
    if element.judged is None:
        raise Invalid("nobody judges this", [Fault(pointer="/element", detail=f"{code} is not met by judgement")])
    if (levels := content.levels(code)) and level not in levels:
        raise Invalid("not about this level", [Fault(pointer="/level", detail=f"{code} is about: {', '.join(sorted(levels))}")])
    return element, element.judged


async def _post(tx: Transaction, scope: Scope, by: str, how: Judged, about: Subject, today: date) -> str:
    """Return the post by which the caller judges. Raises Forbidden."""
    own = about.level in {"teacher", "student"} and about.id == by
    if how.by == SELF and own:
        return SELF
    if own:
        raise Forbidden(f"nobody judges themselves: this is for who holds the post {how.by!r}")
    if not any(held.post == how.by and about.under(held) for held in await posts_of(tx.session, scope.school, by, today)):
        raise Forbidden(f"this is judged by who holds the post {how.by!r} over the subject")
    return how.by


def _until(how: Judged, today: date, given: date | None) -> date | None:
    """Raises Invalid for a day that is over, or later than the next judgement is due."""
    due = None if how.every_months is None else months_later(today, how.every_months)
    if given is not None and given < today:
        raise Invalid("over before it begins", [Fault(pointer="/valid_until", detail=f"it is {today} already")])
    if given is not None and due is not None and given > due:
        raise Invalid("too long", [Fault(pointer="/valid_until", detail=f"it is to be judged again by {due}")])
    return given or due
