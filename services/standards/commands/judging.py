"""Judge a subject by an element of a standard in force."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from services.standards.domain.content import PERSONS, SELF, Content, Element, Judged
from services.standards.domain.places import Subject
from services.standards.domain.values import months_later
from services.standards.queries import standards as queries
from services.standards.queries.subjects import get_subject, judgements_of, posts_of, today_in
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
    post: str | None = None,
) -> JudgementRow:
    """Write a judgement: good while the element stays as it is, until `valid_until`, and no longer than the element says.

    `post`: by which of several posts; None: by the one that the caller holds. Raises NotFound for a standard that is not there or a
    subject not seen, Conflict for a standard not in force and for who judged for another side, Invalid for an element not judged or not
    about this level and for a day over or too late, Forbidden for who does not hold a post that judges it, and for one's own element.
    """
    today = await today_in(tx.session, scope.school, tx.now)
    about = await get_subject(tx.session, scope, level, subject, today)
    found = await _in_force(tx, scope, standard)
    asked, how = _judged(found.content, element, level)
    side = await _side(tx, scope, by, standard, asked, about, post)
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
        post=side,
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


async def _side(tx: Transaction, scope: Scope, by: str, standard: str, asked: Element, about: Subject, wanted: str | None) -> str:
    """Return the post by which the caller judges; several sides are several persons. Raises Conflict for whose word stands for another."""
    assert asked.judged is not None
    side = await _post(tx, scope, by, asked.judged, about, wanted)
    made = (await judgements_of(tx.session, scope.school, standard, about)).get(asked.code, [])
    newest = {each.post: each for each in made if each.element == asked}
    today = await today_in(tx.session, scope.school, tx.now)
    if others := sorted(post for post, each in newest.items() if each.by == by and post != side and each.stands(today)):
        raise Conflict(f"you have judged this as {others[0]!r}: each side is judged by somebody else")
    return side


async def _post(tx: Transaction, scope: Scope, by: str, how: Judged, about: Subject, wanted: str | None) -> str:
    """Raises Forbidden, Invalid where several fit and none is named."""
    own = about.level in PERSONS and about.id == by
    posts = [each for each in how.posts if wanted in {None, each}]
    if not posts:
        raise Invalid("not a side", [Fault(pointer="/post", detail=f"this is judged by: {', '.join(how.posts)}")])
    if own and SELF in posts:
        return SELF
    named = " or ".join(repr(each) for each in posts)
    if own:
        raise Forbidden(f"nobody judges themselves: this is for who holds the post {named}")
    today = await today_in(tx.session, scope.school, tx.now)
    held = {each.post for each in await posts_of(tx.session, scope.school, by, today) if about.under(each)}
    fitting = [each for each in posts if each in held]
    if not fitting:
        raise Forbidden(f"this is judged by who holds the post {named} over the subject")
    if len(fitting) > 1:
        raise Invalid("several sides", [Fault(pointer="/post", detail=f"say by which post you judge: {', '.join(fitting)}")])
    return fitting[0]


def _until(how: Judged, today: date, given: date | None) -> date | None:
    """Raises Invalid for a day that is over, or later than the next judgement is due."""
    due = None if how.every_months is None else months_later(today, how.every_months)
    if given is not None and given < today:
        raise Invalid("over before it begins", [Fault(pointer="/valid_until", detail=f"it is {today} already")])
    if given is not None and due is not None and given > due:
        raise Invalid("too long", [Fault(pointer="/valid_until", detail=f"it is to be judged again by {due}")])
    return given or due
