"""What standards' copies of roster, posts and measurements say of a subject, and how it was judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.errors import NotFound
from services.standards.domain.attainment import Judgement, Sum
from services.standards.domain.content import Element
from services.standards.domain.places import SCHOOL_WIDE, Held, Subject, unit_places
from services.standards.tables import (
    ClassRow,
    CourseRow,
    EnrollmentRow,
    JudgementPlaceRow,
    JudgementRow,
    MeasuredRow,
    OrgRow,
    PersonRow,
    PostRow,
    SchoolRow,
)

DEFAULT_ZONE = "Asia/Shanghai"  # as `SchoolAdded` has it, for what overtakes it


async def today_in(session: AsyncSession, school: str, now: datetime) -> date:
    """The date in a school's zone."""
    return now.astimezone(await zone_of(session, school)).date()


async def zone_of(session: AsyncSession, school: str) -> ZoneInfo:
    """A school's zone."""
    row = await session.get(SchoolRow, school)
    return ZoneInfo(DEFAULT_ZONE if row is None else row.timezone)


async def unknown_units(session: AsyncSession, school: str, level: str, units: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return which of these (kind, id) the school's roster does not have as that kind; none while it has no roster yet.

    A `class` is a homeroom for the levels `homeroom` and `student`, else a class that is taught a course.
    """
    if await session.scalar(select(OrgRow.id).where(OrgRow.school == school).limit(1)) is None:
        return set()
    kind_of_class = "homeroom" if level in {"homeroom", "student"} else "scheduled"
    return {
        (kind, id_) for kind, id_ in units if not await _is_unit(session, school, kind_of_class if kind == "class" else kind, id_)
    }


async def _is_unit(session: AsyncSession, school: str, kind: str, id_: str) -> bool:
    if kind == "course":
        return await session.get(CourseRow, (school, id_)) is not None
    if kind in {"homeroom", "scheduled"}:
        class_ = await session.get(ClassRow, (school, id_))
        return class_ is not None and class_.kind == kind
    org = await session.get(OrgRow, (school, id_))
    return org is not None and org.kind == kind


async def get_subject(session: AsyncSession, scope: Scope, level: str, subject: str, today: date) -> Subject:
    """Return a subject that the roster knows and where it lies. Raises NotFound, also for what the scope does not cover."""
    places = await _places(session, scope.school, level, subject, today)
    if places is not None:
        found = Subject(level, subject, frozenset({f"school:{scope.school}", f"level:{level}", *places}))
        if scope.covers(found.places):
            return found
    raise NotFound(f"there is no {level} {subject!r}")


async def _places(session: AsyncSession, school: str, level: str, subject: str, today: date) -> set[str] | None:
    """Where it lies besides its school and level; None: the roster does not know it."""
    if level == "school":
        return set() if subject == school else None
    parents = await _parents(session, school)
    if level in {"programme", "department"}:
        return unit_places([subject], parents) if subject in parents else None
    if level == "course":
        course = await session.get(CourseRow, (school, subject))
        return None if course is None else {f"course:{subject}", *unit_places([course.org], parents)}
    if level in {"teacher", "student"}:
        return await _of_person(session, school, level, subject, today, parents)
    row = await session.get(ClassRow, (school, subject)) if level in {"class", "homeroom"} else None
    return None if row is None else await _of_class(session, row, parents)


async def _of_person(
    session: AsyncSession, school: str, level: str, person: str, today: date, parents: dict[str, str | None]
) -> set[str] | None:
    row = await session.get(PersonRow, (school, person))
    if row is None:
        return None
    if level == "teacher":
        return {f"teacher:{person}", *unit_places(row.orgs, parents)}
    found = {f"student:{person}"}
    for class_id in await _classes(session, school, person, "student", today):
        if (class_ := await session.get(ClassRow, (school, class_id))) is not None:
            found |= {place for place in await _of_class(session, class_, parents) if not place.startswith("course:")}
    return found


async def _of_class(session: AsyncSession, row: ClassRow, parents: dict[str, str | None]) -> set[str]:
    places = {f"class:{row.id}", *unit_places([row.org], parents)}
    if row.course is not None:
        course = await session.get(CourseRow, (row.school, row.course))
        places |= {f"course:{row.course}", *unit_places([course.org if course else None], parents)}
    return places


async def _classes(session: AsyncSession, school: str, person: str, role: str, today: date) -> list[str]:
    sql = select(EnrollmentRow).where(EnrollmentRow.school == school, EnrollmentRow.person == person, EnrollmentRow.role == role)
    rows = await session.scalars(sql.order_by(EnrollmentRow.id))
    return [row.class_id for row in rows if Held("", None, row.start, row.end).on(today)]


async def _parents(session: AsyncSession, school: str) -> dict[str, str | None]:
    return dict((await session.execute(select(OrgRow.id, OrgRow.parent).where(OrgRow.school == school))).all())


async def posts_of(session: AsyncSession, school: str, person: str, today: date) -> list[Held]:
    """Return what a person holds today; whoever leads a homeroom by the roster is its class teacher, whoever teaches a class its teacher."""
    rows = await session.scalars(select(PostRow).where(PostRow.school == school, PostRow.person == person))
    held = [each for row in rows if (each := Held(row.post, row.object, row.start, row.end)).on(today)]
    for class_id in await _classes(session, school, person, "teacher", today):
        row = await session.get(ClassRow, (school, class_id))
        held.append(Held("class_teacher" if row is not None and row.kind == "homeroom" else "teacher", class_id, None, None))
    return held


async def levels_of(session: AsyncSession, school: str, person: str, today: date) -> set[str]:
    """Return the levels at which a person is judged: as a student, as who teaches, or by a post held over a class, a course or a unit."""
    found = {"student"} if await _classes(session, school, person, "student", today) else set()
    for held in await posts_of(session, school, person, today):
        if held.object is None or held.post in SCHOOL_WIDE:
            continue
        if (row := await session.get(ClassRow, (school, held.object))) is not None:
            found |= {"teacher", "homeroom"} if row.kind == "homeroom" else {"teacher", "class", "lesson"}
        if await session.get(CourseRow, (school, held.object)) is not None:
            found |= {"course"}
        if await session.get(OrgRow, (school, held.object)) is not None:
            found |= {"programme", "department"}
    return found


async def sums_of(session: AsyncSession, school: str, level: str, subject: str) -> dict[tuple[str, str], list[Sum]]:
    """Return the windows of a subject that have data, by (metric, window)."""
    sql = select(MeasuredRow).where(MeasuredRow.school == school, MeasuredRow.level == level, MeasuredRow.subject == subject)
    found: dict[tuple[str, str], list[Sum]] = defaultdict(list)
    for row in await session.scalars(sql):
        if row.value is not None:
            found[row.metric, row.window].append(Sum(row.start, Decimal(row.value), Decimal(row.denominator)))
    return found


async def judgements_of(session: AsyncSession, school: str, standard: str, subject: Subject) -> dict[str, list[Judgement]]:
    """Return how a subject was judged by a standard, by element, the newest last."""
    sql = select(JudgementRow).where(
        JudgementRow.school == school,
        JudgementRow.standard == standard,
        JudgementRow.level == subject.level,
        JudgementRow.subject == subject.id,
    )
    found: dict[str, list[Judgement]] = defaultdict(list)
    for row in await session.scalars(sql.order_by(JudgementRow.judged_at, JudgementRow.id)):
        said = Element.kept(row.said)
        found[row.element].append(
            Judgement(str(row.id), row.met, row.judged_on, row.valid_until, said, by=row.judged_by, post=row.post)
        )
    return found


async def list_judgements(
    session: AsyncSession,
    scope: Scope,
    *,
    standard: str | None,
    element: str | None,
    level: str | None,
    subject: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[JudgementRow]:
    """Return judgements newest first, one more than `limit`, of subjects that lay in the scope when they were judged."""
    row = JudgementRow
    sql = select(row).where(row.school == scope.school)
    sql = sql.where(scope.where(JudgementPlaceRow.place, JudgementPlaceRow.judgement == row.id))
    for column, value in ((row.standard, standard), (row.element, element), (row.level, level), (row.subject, subject)):
        if value is not None:
            sql = sql.where(column == value)
    if after is not None:
        at, id_ = after
        sql = sql.where(or_(row.judged_at < at, and_(row.judged_at == at, row.id < id_)))
    return (await session.scalars(sql.order_by(row.judged_at.desc(), row.id.desc()).limit(limit + 1))).all()
