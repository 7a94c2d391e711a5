"""Keep planning's copies of schools, metrics, indicators, standards, roster and posts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert

from libs.common.database import Transaction
from libs.common.events.gateway import Post, RosterImported, SchoolAdded, SetupChanged
from libs.common.events.monitoring import MetricDefined
from libs.common.events.standards import IndicatorActivated, StandardActivated, StandardRetired
from services.planning.queries import forget
from services.planning.tables import (
    ClassRow,
    CourseRow,
    EnrollmentRow,
    HomeroomRow,
    IndicatorRow,
    MetricRow,
    OrgRow,
    PersonRow,
    PostRow,
    SchoolRow,
    SessionRow,
    SetupRow,
    StandardRow,
    StudentRow,
    Table,
)

_NEVER_OWNERS = frozenset({"student", "parent", "guardian", "relative"})


async def keep_school(tx: Transaction, school: SchoolAdded) -> None:
    """Remember the school's zone and when its academic year begins."""
    await tx.session.merge(SchoolRow(code=school.code, name=school.name, timezone=school.timezone, year_start=school.year_start))
    forget(tx.session)


async def keep_setup(tx: Transaction, said: SetupChanged) -> None:
    """Remember how the school is set up."""
    await tx.session.merge(SetupRow(school=tx.school, content=said.content))
    forget(tx.session)


async def keep_metric(tx: Transaction, metric: MetricDefined) -> None:
    """Remember how a metric's numbers read."""
    await tx.session.merge(MetricRow(school=tx.school, code=metric.code, kind=metric.kind, unit=metric.unit, alias=metric.alias))
    forget(tx.session)


async def keep_indicator(tx: Transaction, said: IndicatorActivated) -> None:
    """Remember what an indicator measures."""
    names = ("code", "version", "name", "metric", "level", "window", "comparison")
    await tx.session.merge(IndicatorRow(school=tx.school, **{name: getattr(said, name) for name in names}))


async def keep_standard(tx: Transaction, said: StandardActivated) -> None:
    """Remember a version of a standard with its elements and floors."""
    elements = [element.model_dump(mode="json") for element in said.elements]
    row = StandardRow(
        school=tx.school,
        code=said.code,
        version=said.version,
        name=said.name,
        kind=said.kind,
        effective_from=said.effective_from,
        levels=said.levels,
        elements=elements,
    )
    await tx.session.merge(row)


async def drop_standard(tx: Transaction, said: StandardRetired) -> None:
    """Forget the versions up to one that is no longer in force: their floors bind nobody."""
    gone = (StandardRow.school == tx.school, StandardRow.code == said.code, StandardRow.version <= said.version)
    await tx.session.execute(delete(StandardRow).where(*gone))


async def keep_roster(tx: Transaction, roster: RosterImported) -> None:
    """Take in a part of a roster: units, terms, courses, classes, homerooms, staff, students, and who is in which class."""
    staff = [person for person in roster.people if not _NEVER_OWNERS.issuperset(person.roles) or not person.roles]
    await _replace(tx, OrgRow, [each.model_dump() for each in roster.orgs])
    await _replace(tx, SessionRow, [each.model_dump() for each in roster.sessions])
    await _replace(tx, CourseRow, [each.model_dump() for each in roster.courses])
    homerooms = [each for each in roster.classes if each.kind == "homeroom"]
    await _replace(tx, HomeroomRow, [{"id": each.id, "active": each.active, "org": each.org} for each in homerooms])
    people = [{"id": each.id, "name": each.name, "active": each.active, "roles": each.roles, "orgs": each.orgs} for each in staff]
    await _replace(tx, PersonRow, people)
    await _replace(tx, ClassRow, [{"id": each.id, "title": each.title} for each in roster.classes])
    await _replace(tx, StudentRow, [{"id": each.id, "name": each.name} for each in roster.people if "student" in each.roles])
    await _replace(tx, EnrollmentRow, [each.model_dump() for each in roster.enrollments])
    forget(tx.session)


async def keep_posts(tx: Transaction, posts: Sequence[Post]) -> None:
    """Take in posts that are new or changed."""
    rows = {_key(post): post.model_dump() for post in posts}
    if rows:
        await tx.session.execute(delete(PostRow).where(PostRow.school == tx.school, PostRow.key.in_(rows)))
        await tx.session.execute(insert(PostRow), [{**row, "school": tx.school, "key": key} for key, row in rows.items()])
    forget(tx.session)


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
