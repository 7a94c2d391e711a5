"""Trials of warning lines (试运行) and what they counted, read within a scope."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.auth import Scope
from libs.common.errors import NotFound
from services.monitoring.tables import SchoolRow, TrialRow, WarningPlaceRow, WarningRow


@dataclass(frozen=True, slots=True)
class Breaches:
    """The episodes of one severity: how many, of how many subjects, and how many of them still run."""

    severity: str
    episodes: int
    subjects: int
    running: int


@dataclass(frozen=True, slots=True)
class SubjectBreaches:
    """The episodes of one severity of one subject."""

    subject: str
    subject_name: str | None
    severity: str
    episodes: int
    running: bool
    first_at: datetime
    last_at: datetime


async def running_trials(session: AsyncSession, school_id: int, code: str, newest: int) -> Sequence[TrialRow]:
    """The trials of an indicator that run, of versions up to `newest`."""
    sql = select(TrialRow).where(
        TrialRow.school_id == school_id, TrialRow.code == code, TrialRow.version <= newest, TrialRow.ended_at.is_(None)
    )
    return (await session.scalars(sql)).all()


async def find_trial(session: AsyncSession, school_id: int, code: str, version: int) -> TrialRow | None:
    """A version that is, or was, in trial; None where it never was."""
    return await session.get(TrialRow, (school_id, code, version))


async def get_trial(session: AsyncSession, scope: Scope, code: str, version: int) -> TrialRow:
    """As `find_trial`. Raises NotFound."""
    sql = select(TrialRow).join(SchoolRow, SchoolRow.id == TrialRow.school_id).where(SchoolRow.code == scope.school)
    row: TrialRow | None = await session.scalar(sql.where(TrialRow.code == code, TrialRow.version == version))
    if row is None:
        raise NotFound(f"version {version} of {code!r} never was in trial")
    return row


async def list_trials(
    session: AsyncSession, scope: Scope, code: str | None, after: tuple[str, int] | None, limit: int
) -> Sequence[TrialRow]:
    """Up to `limit` trials by code, of one code the latest first; with `code` those of that indicator."""
    sql = select(TrialRow).join(SchoolRow, SchoolRow.id == TrialRow.school_id).where(SchoolRow.code == scope.school)
    if code is not None:
        sql = sql.where(TrialRow.code == code)
    if after is not None:
        sql = sql.where(or_(TrialRow.code > after[0], and_(TrialRow.code == after[0], TrialRow.version < after[1])))
    return (await session.scalars(sql.order_by(TrialRow.code, TrialRow.version.desc()).limit(limit))).all()


def _counted(scope: Scope, stories: Iterable[str]) -> ColumnElement[bool]:
    """What a correction took away is not counted."""
    return and_(
        SchoolRow.code == scope.school,
        WarningRow.trial,
        WarningRow.indicator.in_(sorted(stories)),
        WarningRow.status != "withdrawn",
        scope.where(WarningPlaceRow.place, WarningPlaceRow.warning == WarningRow.id),
    )


async def breaches_of(session: AsyncSession, scope: Scope, stories: Iterable[str]) -> dict[str, list[Breaches]]:
    """What trials counted, by story and severity."""
    running = func.sum(case((WarningRow.episode_open, 1), else_=0))
    sql = (
        select(WarningRow.indicator, WarningRow.severity, func.count(), func.count(WarningRow.subject.distinct()), running)
        .join(SchoolRow, SchoolRow.id == WarningRow.school_id)
        .where(_counted(scope, stories))
        .group_by(WarningRow.indicator, WarningRow.severity)
    )
    found: dict[str, list[Breaches]] = {}
    for story, *said in await session.execute(sql):
        found.setdefault(story, []).append(Breaches(said[0], said[1], said[2], int(said[3])))
    return found


async def list_breaches(
    session: AsyncSession, scope: Scope, story: str, after: tuple[str, str] | None, limit: int
) -> list[SubjectBreaches]:
    """What a trial counted, up to `limit` of (subject, severity), in that order."""
    row, running = WarningRow, func.max(case((WarningRow.episode_open, 1), else_=0))
    sql = (
        select(
            row.subject,
            func.max(row.subject_name),
            row.severity,
            func.count(),
            running,
            func.min(row.raised_at),
            func.max(row.raised_at),
        )
        .join(SchoolRow, SchoolRow.id == row.school_id)
        .where(_counted(scope, [story]))
        .group_by(row.subject, row.severity)
        .order_by(row.subject, row.severity)
        .limit(limit)
    )
    if after is not None:
        sql = sql.where(or_(row.subject > after[0], and_(row.subject == after[0], row.severity > after[1])))
    return [
        SubjectBreaches(subject, name, severity, episodes, bool(runs), first, last)
        for subject, name, severity, episodes, runs, first, last in await session.execute(sql)
    ]
