"""How subjects stand by every indicator of their level: the newest window, the one before it, and the line that judges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.database import in_batches
from services.monitoring.domain.attribution import LEVEL_CODE, Roster
from services.monitoring.domain.episodes import Indicator, Sum, in_force
from services.monitoring.queries.totals import subjects_of
from services.monitoring.tables import ClassRow, IndicatorRow, MetricRow, SchoolRow, TotalRow, WordRow

_PART = 500


@dataclass(frozen=True, slots=True)
class Watched:
    """The version of an indicator that judges today, with its target, and the metric that it watches."""

    indicator: Indicator
    target: Decimal | None
    metric: MetricRow


@dataclass(frozen=True, slots=True)
class Figure:
    """A subject by an indicator, in the form that judges it. `newest` and `before`: the first day (in days) and sum of the last two
    windows with data; None where there is none.
    """

    subject: str
    watched: Watched
    form: Indicator
    newest: tuple[int, Sum] | None
    before: tuple[int, Sum] | None


async def list_watched(session: AsyncSession, school: SchoolRow, level: str, today: int) -> Sequence[Watched]:
    """The indicators of a level in force today, in order of code; what is in trial warns nobody and is not among them."""
    metrics = {row.code: row for row in await session.scalars(select(MetricRow).filter_by(school_id=school.id))}
    versions: dict[str, list[tuple[Indicator, Decimal | None]]] = defaultdict(list)
    for row in await session.scalars(select(IndicatorRow).filter_by(school_id=school.id).order_by(IndicatorRow.code)):
        definition = dict(row.definition)
        if definition["level"] == level and (metric := metrics.get(str(definition["metric"]))) is not None:
            target = definition.get("target")
            indicator = Indicator.of(definition, metric.kind)
            if not indicator.trial:
                versions[row.code].append((indicator, None if target is None else Decimal(str(target))))
    found = []
    for each in versions.values():
        each.sort(key=lambda said: said[0].version)
        now = in_force([indicator for indicator, _ in each], today)
        found += [Watched(i, target, metrics[i.metric]) for i, target in each if i is now]
    return found


async def classes_of(session: AsyncSession, school: SchoolRow, course: str) -> Mapping[str, str]:
    """The classes that a course is taught in, with their titles, in order of id."""
    sql = select(ClassRow.id, ClassRow.title).filter_by(school_id=school.id, course=course).order_by(ClassRow.id)
    return {id_: title for id_, title in await session.execute(sql)}  # noqa: C416 - rows are no pairs to dict's type


async def list_figures(
    session: AsyncSession, watched: Sequence[Watched], subjects: Collection[str], roster: Roster, today: int
) -> list[Figure]:
    """A figure for each subject and indicator, by subject and code."""
    found = []
    for each in watched:
        i = each.indicator
        windows = await _windows(session, each, subjects)
        for subject in subjects:
            form = i.form(roster.units(i.level, subject, today)) if i.overridden else i
            mine = windows[subject]
            found.append(Figure(subject, each, form, mine[0] if mine else None, mine[1] if mine[1:] else None))
    return sorted(found, key=lambda figure: (figure.subject, figure.watched.indicator.code))


async def _windows(session: AsyncSession, watched: Watched, subjects: Collection[str]) -> dict[str, list[tuple[int, Sum]]]:
    """The last two windows with data of each subject, newest first."""
    found: dict[str, list[tuple[int, Sum]]] = defaultdict(list)
    for part in in_batches(sorted(subjects), _PART):
        series = subjects_of(watched.metric.id, LEVEL_CODE[watched.indicator.level]).where(WordRow.code.in_(part))
        names = {key: code for key, _, code in await session.execute(series)}
        sums = (
            select(TotalRow)
            .where(TotalRow.series.in_(list(names)), TotalRow.window == watched.indicator.window, TotalRow.denominator != 0)
            .order_by(TotalRow.series, TotalRow.start.desc())
        )
        for row in await session.scalars(sums):
            mine = found[names[row.series]]
            if len(mine) < 2:
                mine.append((row.start, Sum(row.numerator, row.denominator, row.revision, row.at)))
    return found
