"""Posts come by file, and a holder may lend one until a day."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from uuid import uuid4

from libs.common.auth import Principal, Scope
from libs.common.database import Transaction, in_batches
from libs.common.errors import Conflict, Fault, Forbidden, Invalid
from libs.common.events import gateway as events
from services.gateway.domain.policy import POSTS, posts_today
from services.gateway.domain.posts import Holding, compare_posts, object_named, parse_posts, post_named
from services.gateway.domain.relations import Relations
from services.gateway.domain.roster.changes import PART
from services.gateway.domain.roster.model import PARENT_ROLES
from services.gateway.queries.posts import find_post, holding, list_delegated, load_ground, load_posts
from services.gateway.queries.roster import find_person, named_school, relations_of, school_to_change
from services.gateway.queries.schools import today_in
from services.gateway.tables import DelegationRow, PostRow


async def import_posts(tx: Transaction, scope: Scope, body: bytes) -> dict[str, int]:
    """Make the school's posts what the file holds, from today on. Returns rows, new, changed and inactive.

    Posts that were delegated stay while their giver holds them. Raises Invalid for any fault: nothing was taken then.
    """
    school = await school_to_change(tx.session, scope)
    today = today_in(school, tx.now)
    given = await asyncio.to_thread(parse_posts, body, await load_ground(tx.session, school.code))
    rows = await load_posts(tx.session, school.code)
    found = compare_posts({key: holding(row) for key, row in rows.items()}, given, today)
    for changed in (*found.changed, *found.inactive):
        row = rows[changed.id]
        if changed.span.n > row.n:
            row.latest = False
            tx.session.add(_row(school.code, changed))
        else:
            _set(row, changed)
    tx.session.add_all([_row(school.code, new) for new in found.new])
    _publish(tx, school.code, [change.fact() for change in found.rows])
    await tx.session.flush()
    await end_orphans(tx, school.code, today)
    return {"rows": len(given), "new": len(found.new), "changed": len(found.changed), "inactive": len(found.inactive)}


def _row(school: str, value: Holding) -> PostRow:
    row = PostRow(school=school, person=value.person, post=value.post, object=value.object, given=value.given, latest=True)
    _set(row, value)
    return row


def _set(row: PostRow, value: Holding) -> None:
    row.place = value.place
    row.n, row.start, row.end, row.after, row.left = (
        value.span.n,
        value.span.start,
        value.span.end,
        value.span.after,
        value.span.left,
    )


def _publish(tx: Transaction, school: str, posts: Sequence[events.Post]) -> None:
    import_id = uuid4().hex
    for number, part in enumerate(in_batches(posts, PART), start=1):
        tx.publish(events.PostsImported(part=f"{import_id}/{number}", posts=list(part)), school=school)


async def delegate(
    tx: Transaction, scope: Scope, caller: Principal, *, post: str, object_: str | None, to_person: str, until: date
) -> DelegationRow:
    """Lend a post that the caller holds to somebody else until before a day; both keep it meanwhile.

    Raises Invalid where the caller does not hold it, or the other or the day do not fit; Conflict where the other holds it.
    """
    school = await named_school(tx.session, scope)
    if caller.kind != "person":
        raise Forbidden("only who holds a post delegates it; others take in a file of posts")
    today = today_in(school, tx.now)
    name = post_named(post)
    own = await relations_of(tx.session, school.code, caller.id, today, delegated=False)
    object_ = object_named(name, object_) if name else object_
    ends = _ends(own, name, object_, today)
    if name is None or ends is None or "post.delegate" not in POSTS[name].may:
        raise _wrong("post", "you do not hold this post today, or it is one that cannot be lent")
    await _check_receiver(tx, school.code, caller.id, to_person, today)
    if until <= today:
        raise _wrong("until", f"must be after today, {today}: it is the first day on which the post is not lent")
    if max(ends) < until:
        raise _wrong("until", f"your own post ends on {max(ends)}")
    theirs = await relations_of(tx.session, school.code, to_person, today)
    if _ends(theirs, name, object_, today) is not None:
        raise Conflict(f"{to_person} holds this post today")
    row = DelegationRow(
        school=school.code,
        post=name,
        object=object_,
        from_person=caller.id,
        to_person=to_person,
        start=today,
        until=until,
        at=tx.now,
    )
    tx.session.add(row)
    await tx.session.flush()
    await _lend(tx, row)
    return row


def _ends(relations: Relations, post: str | None, object_: str | None, today: date) -> list[date] | None:
    """The last days of a post held today, an open one being the end of time; None where it is not held."""
    return [held.end or date.max for held in posts_today(relations, today) if (held.post, held.object) == (post, object_)] or None


def _wrong(field: str, detail: str) -> Invalid:
    return Invalid("the post cannot be delegated so", [Fault(pointer=f"/{field}", detail=detail)])


async def _check_receiver(tx: Transaction, school: str, giver: str, receiver: str, today: date) -> None:
    person = await find_person(tx.session, school, receiver)
    if person is None or not person.active:
        raise _wrong("to_person", f"the roster has no active person {receiver!r}")
    if receiver == giver:
        raise _wrong("to_person", "must be somebody else")
    roles = (await relations_of(tx.session, school, receiver, today)).roles
    if not set(roles) - PARENT_ROLES - {"student"}:
        raise _wrong("to_person", "must be somebody who works for the school")


async def _lend(tx: Transaction, row: DelegationRow) -> None:
    """Give the post to the receiver, who may have had it lent from the same day before."""
    held = await find_post(tx.session, row.school, row.from_person, row.post, row.object, row.start)
    place = held.place if held else f"class:{row.object}"
    span = {"n": 1, "start": row.start, "end": row.until, "after": None, "left": False, "latest": True}
    lent = PostRow(
        school=row.school,
        person=row.to_person,
        post=row.post,
        object=row.object,
        place=place,
        given=row.start,
        delegation=row.id,
        **span,
    )
    tx.session.add(lent)
    fact = events.Post(person=row.to_person, post=row.post, object=row.object, start=row.start, end=row.until)
    _publish(tx, row.school, [fact])


async def end_orphans(tx: Transaction, school: str, today: date) -> None:
    """End what was lent by somebody who holds the post no longer, or not as long as was thought."""
    ended: list[events.Post] = []
    for row, giver in await list_delegated(tx.session, school, today):
        own = await relations_of(tx.session, school, giver, today, delegated=False)
        last = max(_ends(own, row.post, row.object, today) or [today])
        if row.end is None or last < row.end:
            row.end = last
            ended.append(events.Post(person=row.person, post=row.post, object=row.object, start=row.start, end=last))
    _publish(tx, school, ended)
