"""Every SELECT of families and standards. Who may not see drafts sees what has been approved, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, and_, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from libs.common.auth import Scope
from libs.common.errors import NotFound
from services.standards.domain.content import Content
from services.standards.domain.indicators import Definition
from services.standards.domain.revision import remind_on
from services.standards.domain.states import State
from services.standards.tables import FamilyRow, IndicatorRow, StandardRow, StandardVersionRow, StepRow, VersionRow

PUBLIC = (State.APPROVED, State.ACTIVE, State.RETIRED)
Found = Row[StandardVersionRow, StandardRow]


@dataclass(frozen=True, slots=True)
class InForce:
    """A standard that is in force, and what it says."""

    code: str
    family: str
    version: int
    content: Content


async def find_family(session: AsyncSession, scope: Scope, code: str) -> FamilyRow | None:
    return await session.get(FamilyRow, (scope.school, code), with_for_update=True)


async def list_families(session: AsyncSession, scope: Scope, *, after: str | None, limit: int) -> Sequence[FamilyRow]:
    """Return families by code, one more than `limit`."""
    sql = select(FamilyRow).where(FamilyRow.school == scope.school).order_by(FamilyRow.code).limit(limit + 1)
    if after is not None:
        sql = sql.where(FamilyRow.code > after)
    return (await session.scalars(sql)).all()


async def find_standard(session: AsyncSession, school: str, code: str) -> StandardRow | None:
    """Return the standard, locked until the transaction ends."""
    return await session.get(StandardRow, (school, code), with_for_update=True)


async def get_standard(session: AsyncSession, scope: Scope, code: str) -> StandardRow:
    """As `find_standard`. Raises NotFound."""
    if (row := await find_standard(session, scope.school, code)) is None:
        raise NotFound(f"there is no standard {code!r}")
    return row


async def get_version(session: AsyncSession, scope: Scope, code: str, version: int) -> StandardVersionRow:
    """Raises NotFound."""
    if (row := await session.get(StandardVersionRow, (scope.school, code, version))) is None:
        raise NotFound(f"there is no version {version} of the standard {code!r}")
    return row


async def read_version(session: AsyncSession, scope: Scope, code: str, version: int, *, drafts: bool) -> Found:
    """Return one version beside its standard. Raises NotFound, also for a draft that the caller may not see."""
    sql = _versions(scope, drafts=drafts).where(StandardVersionRow.code == code, StandardVersionRow.version == version)
    if (found := (await session.execute(sql)).one_or_none()) is None:
        raise NotFound(f"there is no version {version} of the standard {code!r}")
    return found


async def list_standards(
    session: AsyncSession, scope: Scope, *, family: str | None, state: str | None, drafts: bool, after: str | None, limit: int
) -> Sequence[Found]:
    """Return each standard by code, in the version in force, or the newest that the caller may see; one more than `limit`."""
    shown = func.coalesce(StandardRow.active, StandardRow.newest if drafts else _newest_public())
    sql = _versions(scope, drafts=drafts).where(StandardVersionRow.version == shown)
    for column, value in ((StandardRow.family, family), (StandardVersionRow.state, state)):
        if value is not None:
            sql = sql.where(column == value)
    if after is not None:
        sql = sql.where(StandardVersionRow.code > after)
    return (await session.execute(sql.order_by(StandardVersionRow.code).limit(limit + 1))).all()


async def list_versions(
    session: AsyncSession, scope: Scope, code: str, *, drafts: bool, before: int | None, limit: int
) -> Sequence[Found]:
    """Return the versions of a standard, newest first; one more than `limit`. Raises NotFound where the caller sees none."""
    sql = _versions(scope, drafts=drafts).where(StandardVersionRow.code == code)
    if before is not None:
        sql = sql.where(StandardVersionRow.version < before)
    rows = (await session.execute(sql.order_by(StandardVersionRow.version.desc()).limit(limit + 1))).all()
    if not rows and before is None:
        raise NotFound(f"there is no standard {code!r}")
    return rows


async def steps_of(session: AsyncSession, row: StandardVersionRow) -> Sequence[StepRow]:
    """Return what happened to a version that the caller has already been given, oldest first."""
    same = and_(StepRow.school == row.school, StepRow.code == row.code, StepRow.version == row.version)
    return (await session.scalars(select(StepRow).where(same).order_by(StepRow.position))).all()


async def find_latest_date(session: AsyncSession, scope: Scope, code: str, before: int) -> tuple[int, date] | None:
    """Return the newest version older than `before` that is approved or in force, and its first day."""
    row = StandardVersionRow
    sql = select(row.version, row.effective_from).where(row.school == scope.school, row.code == code, row.version < before)
    sql = sql.where(row.state.in_([State.APPROVED, State.ACTIVE])).order_by(row.version.desc()).limit(1)
    found = (await session.execute(sql)).one_or_none()
    return None if found is None else (found[0], found[1])


async def list_in_force(session: AsyncSession, school: str) -> list[InForce]:
    """Return all standards of a school that are in force, by code."""
    same = and_(StandardRow.school == StandardVersionRow.school, StandardRow.code == StandardVersionRow.code)
    sql = select(StandardVersionRow, StandardRow.family).join(StandardRow, same)
    sql = sql.where(StandardVersionRow.school == school, StandardVersionRow.state == State.ACTIVE).order_by(StandardVersionRow.code)
    return [InForce(row.code, family, row.version, read(row)) for row, family in await session.execute(sql)]


async def get_in_force(session: AsyncSession, scope: Scope, code: str) -> InForce:
    """Raises NotFound where no version of the standard is in force."""
    row = await session.get(StandardRow, (scope.school, code))
    if row is None or row.active is None:
        raise NotFound(f"no version of the standard {code!r} is in force")
    version = await get_version(session, scope, code, row.active)
    return InForce(code, row.family, row.active, read(version))


async def list_revisable(session: AsyncSession, scope: Scope) -> Sequence[Row[StandardVersionRow, StandardRow, FamilyRow]]:
    """Return the standards in force whose family has a revision cycle, by code."""
    family = and_(FamilyRow.school == StandardRow.school, FamilyRow.code == StandardRow.family)
    sql = _versions(scope, drafts=True).add_columns(FamilyRow).join(FamilyRow, family)
    sql = sql.where(StandardVersionRow.state == State.ACTIVE, FamilyRow.revision_years.is_not(None))
    return (await session.execute(sql.order_by(StandardVersionRow.code))).all()


async def list_turning(session: AsyncSession, now: datetime) -> Sequence[str]:
    """Return the schools in which a version may begin or end, or its revision come: no zone is further ahead than a day."""
    row, latest = StandardVersionRow, (now + timedelta(days=1)).date()
    begins = and_(row.state == State.APPROVED, row.effective_from <= latest)
    ends = and_(row.state == State.ACTIVE, row.effective_to <= latest)
    found = set(await session.scalars(select(row.school).where(or_(begins, ends)).distinct()))
    return sorted(found | {each.school for each, _ in await list_unreminded(session, latest)})


async def list_unreminded(
    session: AsyncSession, today: date, school: str | None = None
) -> list[tuple[StandardVersionRow, FamilyRow]]:
    """Return the versions in force whose revision comes, of whom nobody was told and no newer version is being written."""
    row = StandardVersionRow
    standard = and_(StandardRow.school == row.school, StandardRow.code == row.code, StandardRow.newest == row.version)
    family = and_(FamilyRow.school == row.school, FamilyRow.code == StandardRow.family)
    sql = select(row, FamilyRow).join(StandardRow, standard).join(FamilyRow, family)
    sql = sql.where(row.state == State.ACTIVE, row.reminded_at.is_(None), FamilyRow.revision_years.is_not(None))
    sql = (sql if school is None else sql.where(row.school == school)).order_by(row.school, row.code)
    return [
        (version, of)
        for version, of in await session.execute(sql)
        if of.revision_years is not None and remind_on(version.effective_from, of.revision_years, of.remind_days) <= today
    ]


async def list_begun(session: AsyncSession, school: str, today: date) -> Sequence[StandardVersionRow]:
    """Return the approved versions that begin no later than today, by standard, older versions first."""
    row = StandardVersionRow
    sql = select(row).where(row.school == school, row.state == State.APPROVED, row.effective_from <= today)
    return (await session.scalars(sql.order_by(row.code, row.version))).all()


async def list_ended(session: AsyncSession, school: str, today: date) -> Sequence[StandardVersionRow]:
    """Return the versions in force that end no later than today."""
    row = StandardVersionRow
    sql = select(row).where(row.school == school, row.state == State.ACTIVE, row.effective_to <= today)
    return (await session.scalars(sql.order_by(row.code))).all()


async def active_indicators(session: AsyncSession, school: str) -> dict[str, Definition]:
    """Return what the school's active indicators say, by code."""
    same = (IndicatorRow.school == VersionRow.school) & (IndicatorRow.code == VersionRow.code)
    sql = select(VersionRow).join(IndicatorRow, same).where(VersionRow.school == school, VersionRow.version == IndicatorRow.active)
    return {row.code: Definition.model_validate(row.definition) for row in await session.scalars(sql)}


async def indicator_codes(session: AsyncSession, school: str) -> set[str]:
    """Return the codes of all indicators of a school, drafts too."""
    return set(await session.scalars(select(IndicatorRow.code).where(IndicatorRow.school == school)))


def read(row: StandardVersionRow) -> Content:
    """Return what a version says."""
    return Content.kept(row.content)


def _newest_public() -> ScalarSelect[int]:
    """The newest version of a standard that has been approved."""
    row = aliased(StandardVersionRow)
    same = and_(row.school == StandardRow.school, row.code == StandardRow.code)
    return select(func.max(row.version)).where(same, row.state.in_(PUBLIC)).correlate(StandardRow).scalar_subquery()


def _versions(scope: Scope, *, drafts: bool) -> Select[StandardVersionRow, StandardRow]:
    same = (StandardRow.school == StandardVersionRow.school) & (StandardRow.code == StandardVersionRow.code)
    seen: ColumnElement[bool] = true() if drafts else StandardVersionRow.state.in_(PUBLIC)
    return select(StandardVersionRow, StandardRow).join(StandardRow, same).where(StandardVersionRow.school == scope.school, seen)
