"""Keep standards' copies of schools, roster, posts and measurements."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, tuple_

from libs.common.database import Transaction, in_batches
from libs.common.events.gateway import Post, RosterImported, SchoolAdded
from libs.common.events.monitoring import Measured
from services.standards.tables import ClassRow, CourseRow, EnrollmentRow, MeasuredRow, OrgRow, PersonRow, PostRow, SchoolRow, Table

AT_ONCE = 400  # pairs of one IN: far below what either database allows


async def keep_school(tx: Transaction, school: SchoolAdded) -> None:
    """Remember the school's zone."""
    await tx.session.merge(SchoolRow(code=school.code, timezone=school.timezone))


async def keep_roster(tx: Transaction, roster: RosterImported) -> None:
    """Take in a part of a roster. Who left stays known: what was judged of them stands."""
    await _replace(tx, OrgRow, [{"id": org.id, "name": org.name, "kind": org.kind, "parent": org.parent} for org in roster.orgs])
    await _replace(tx, CourseRow, [{"id": each.id, "org": each.org} for each in roster.courses])
    classes = [{"id": each.id, "kind": each.kind, "course": each.course, "org": each.org} for each in roster.classes]
    await _replace(tx, ClassRow, classes)
    await _replace(tx, PersonRow, [{"id": each.id, "orgs": each.orgs} for each in roster.people])
    await _replace(tx, EnrollmentRow, [each.model_dump(exclude={"primary"}) for each in roster.enrollments])


async def keep_posts(tx: Transaction, posts: Sequence[Post]) -> None:
    """Take in posts that are new or changed."""
    rows = {_key(post): post.model_dump() for post in posts}
    if rows:
        await tx.session.execute(delete(PostRow).where(PostRow.school == tx.school, PostRow.key.in_(rows)))
        await tx.session.execute(insert(PostRow), [{**row, "school": tx.school, "key": key} for key, row in rows.items()])


def _key(post: Post) -> str:
    start = post.start and post.start.isoformat()
    return json.dumps([post.person, post.post, post.object, start], ensure_ascii=False)


async def _replace(tx: Transaction, table: type[Table], rows: Sequence[dict[str, Any]]) -> None:
    """Put rows (a part has at most 1,000) in the place of those with the same id: one way for both databases."""
    if not rows:
        return
    columns = table.__table__.c
    unique = {row["id"]: {**row, "school": tx.school} for row in rows}
    await tx.session.execute(delete(table).where(columns.school == tx.school, columns.id.in_(unique)))
    await tx.session.execute(insert(table), list(unique.values()))


async def keep_measured(tx: Transaction, told: Measured) -> None:
    """Put what is told now in the place of what was told before of the same windows."""
    series = {"school": tx.school, "level": told.level, "metric": told.metric, "window": told.window}
    newest = {(each.subject, each.start): each for each in told.measurements}
    for some in in_batches(list(newest.items()), AT_ONCE):
        same = [getattr(MeasuredRow, name) == value for name, value in series.items()]
        pairs = tuple_(MeasuredRow.subject, MeasuredRow.start).in_([pair for pair, _ in some])
        await tx.session.execute(delete(MeasuredRow).where(*same, pairs))
        rows = [
            {
                **series,
                "subject": subject,
                "start": start,
                "numerator": f"{each.numerator:f}",
                "denominator": f"{each.denominator:f}",
                "value": None if each.value is None else f"{each.value:f}",
            }
            for (subject, start), each in some
        ]
        await tx.session.execute(insert(MeasuredRow), rows)
