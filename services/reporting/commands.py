"""Every change of what reporting keeps: copy what others decided, and add a line to the feed."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite

from libs.common.database import Transaction, days_ago
from libs.common.event import Event
from libs.common.events.gateway import Org
from libs.common.events.monitoring import (
    EffectMeasured,
    MetricDefined,
    WarningCleared,
    WarningEscalated,
    WarningRaised,
    WarningResumed,
    WarningRevised,
)
from libs.common.events.planning import ImprovementDueChanged, ImprovementOpened, TaskAssigned, TaskOverdue, TaskVerified
from services.reporting import domain, queries
from services.reporting.domain import About, Measure, Reading, Work
from services.reporting.tables import FeedEndRow, FeedRow, ImprovementRow, MetricRow, OrgRow, PlaceRow, SchoolRow, WarningRow

_NOT_IN_DETAIL = {"warning", "improvement", "task", "agreement", "item", "places", "by", "observed_at"}


# --- names -----------------------------------------------------------------------------------------------------------


async def name_school(tx: Transaction, name: str) -> None:
    await tx.session.merge(SchoolRow(code=tx.school, name=name))


async def name_orgs(tx: Transaction, orgs: list[Org]) -> None:
    """Remember the names of units; inactive ones too, for warnings that lie there."""
    for org in orgs:
        await tx.session.merge(OrgRow(school=tx.school, id=org.id, name=org.name, kind=org.kind))


async def define_metric(tx: Transaction, fact: MetricDefined) -> None:
    await tx.session.merge(MetricRow(school=tx.school, code=fact.code, kind=fact.kind, unit=fact.unit))
    tx.session.info.pop("measures", None)


# --- warnings --------------------------------------------------------------------------------------------------------


async def raise_warning(tx: Transaction, fact: WarningRaised) -> None:
    """Keep a new episode with its places."""
    row = WarningRow(
        id=fact.warning,
        school=tx.school,
        status="open",
        **fact.model_dump(include=_SAME_IN_WARNING),
        **_numbers(fact),
        line=domain.plain(fact.line),
    )
    tx.session.add(row)
    _lie_in(tx, fact.warning, fact.places)
    measure = await queries.measure_of(tx.session, tx.school, fact.metric)
    text = domain.raised(_about(row), fact.severity, fact.comparison, _reading(fact), fact.line, measure)
    await _tell(tx, row, "raised", text, fact)


_SAME_IN_WARNING = {
    "indicator", "indicator_name", "version", "metric", "level", "subject", "subject_name", "window", "start", "severity",
    "comparison", "raised_at",
}  # fmt: skip


async def escalate_warning(tx: Transaction, fact: WarningEscalated) -> None:
    """Take over a worse severity and the number that caused it."""
    row, measure = await _known(tx, fact.warning)
    row.severity, row.window, row.start, row.line = fact.severity, fact.window, fact.start, domain.plain(fact.line)
    row.comparison = fact.comparison or row.comparison
    _set(row, _numbers(fact))
    await _tell(tx, row, "escalated", domain.escalated(_about(row), fact.severity, _reading(fact), fact.line, measure), fact)


async def clear_warning(tx: Transaction, fact: WarningCleared) -> None:
    """End an episode by its data."""
    row, measure = await _known(tx, fact.warning)
    row.status, row.start = "cleared", fact.start
    _set(row, _numbers(fact))
    await _tell(tx, row, "cleared", domain.cleared(_about(row), _reading(fact), measure), fact)


async def revise_warning(tx: Transaction, fact: WarningRevised) -> None:
    """A correction left it standing, but not as it was told before."""
    row, measure = await _known(tx, fact.warning)
    row.status, row.severity, row.window, row.start = fact.status, fact.severity, fact.window, fact.start
    row.line, row.comparison = domain.plain(fact.line), fact.comparison or row.comparison
    if fact.value is not None:
        _set(row, _numbers(fact))
    shown = measure.show(fact.value) if fact.value is not None else "—"
    await _tell(tx, row, "revised", domain.revised(_about(row), fact.severity, shown, fact.reason), fact)


async def resume_warning(tx: Transaction, fact: WarningResumed) -> None:
    """Its source speaks again: it is what it was."""
    row, _ = await _known(tx, fact.warning)
    row.status = fact.status
    await _tell(tx, row, "resumed", domain.resumed(_about(row)), fact)


async def change_warning(tx: Transaction, fact: Event, id_: UUID, status: str, *said: Any, by: str | None = None) -> None:
    """Move a warning to another state; the sentence has the state's name and is given what was `said`."""
    row, _ = await _known(tx, id_)
    row.status = status
    await _tell(tx, row, status, getattr(domain, status)(_about(row), *said), fact, by)


async def _known(tx: Transaction, id_: UUID) -> tuple[WarningRow, Measure]:
    row = await queries.get_warning(tx.session, tx.school, id_)
    return row, await queries.measure_of(tx.session, tx.school, row.metric)


def _about(row: WarningRow) -> About:
    return About(row.subject, row.subject_name, row.indicator_name)


def _reading(fact: WarningRaised | WarningEscalated | WarningCleared) -> Reading:
    return Reading(fact.value, fact.numerator, fact.denominator)


def _numbers(fact: WarningRaised | WarningEscalated | WarningCleared | WarningRevised) -> dict[str, str]:
    return {name: domain.plain(getattr(fact, name)) for name in ("value", "numerator", "denominator")}


def _set(row: WarningRow, values: dict[str, str]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


# --- improvements ----------------------------------------------------------------------------------------------------


async def open_improvement(tx: Transaction, fact: ImprovementOpened) -> None:
    """Keep a new task. Its warning may not be known yet: two topics have no common order."""
    row = ImprovementRow(
        id=fact.improvement,
        school=tx.school,
        status="proposed",
        late=False,
        opened_at=tx.now,
        **fact.model_dump(include=_SAME_IN_IMPROVEMENT),
    )
    tx.session.add(row)
    _lie_in(tx, fact.improvement, fact.places)
    text = domain.opened(fact.title, fact.owner, fact.vacant, fact.due_on, source=fact.source, again=fact.recurs is not None)
    await _tell(tx, row, "opened", text, fact)


_SAME_IN_IMPROVEMENT = {
    "source", "warning", "indicator", "level", "subject", "title", "severity", "owner", "verifier", "plan_due_on", "due_on",
}  # fmt: skip


async def change_improvement(
    tx: Transaction, fact: Event, id_: UUID, what: str, *said: Any, by: str | None = None, **changes: Any
) -> None:
    """Take over what changed; the sentence is named `what` and is given what was `said`."""
    row = await queries.get_improvement(tx.session, tx.school, id_)
    for name, value in changes.items():
        setattr(row, name, value)
    await _tell(tx, row, what, getattr(domain, what)(row.title, *said), fact, by)


async def hurry_improvement(tx: Transaction, fact: ImprovementDueChanged) -> None:
    """Take over a worse severity with the title and the dates that go with it."""
    row = await queries.get_improvement(tx.session, tx.school, fact.improvement)
    earlier = fact.due_on < row.due_on
    changes = fact.model_dump(include={"severity", "due_on", "plan_due_on", "title"}, exclude_none=True)
    await change_improvement(tx, fact, fact.improvement, "due_changed", fact.severity, fact.due_on, earlier, **changes)


async def note_effect(tx: Transaction, fact: EffectMeasured) -> None:
    """Say what an improvement has changed. It may not be known yet: two topics have no common order."""
    row = await tx.session.get(ImprovementRow, fact.improvement)
    measure = await queries.measure_of(tx.session, tx.school, fact.metric)
    before, after = ("无数据" if value is None else measure.show(value) for value in (fact.before, fact.after))
    what = fact.subject if row is None else f"“{row.title}”"
    about: dict[str, Any] = {"kind": "improvement", "object": fact.improvement, "level": fact.level, "subject": fact.subject}
    text = domain.effect(what, before, after, fact.verdict)
    await _add_line(tx, "effect", text, fact, indicator=fact.indicator, **about)


# --- annual tasks, letters, and what is due ---------------------------------------------------------------------------------


def of_task(fact: TaskAssigned | TaskVerified | TaskOverdue) -> Work:
    return Work("task", fact.task, fact.unit, fact.owner, fact.places)


async def note_work(tx: Transaction, fact: Event, work: Work, what: str, sentence: str, *said: Any, by: str | None = None) -> None:
    """Add a line about work of a unit or person, which lies where it is said to lie now; the sentence is given whose it is and what was `said`."""
    level, subject, name = work.level or "teacher", work.subject or work.person or tx.school, work.subject or work.person
    if work.unit is not None:
        unit = await tx.session.get(OrgRow, (tx.school, work.unit))
        level, subject, name = domain.level_of(unit.kind if unit else None), work.unit, unit.name if unit else work.unit
    await tx.session.flush()
    await tx.write_appended()
    await tx.session.execute(delete(PlaceRow).where(PlaceRow.object == work.id))
    _lie_in(tx, work.id, work.places)
    text = getattr(domain, sentence)(name or "学校", *said)
    await _add_line(tx, what, text, fact, by, kind=work.kind, object=work.id, level=level, subject=subject, indicator=None)


# --- feed ------------------------------------------------------------------------------------------------------------


def _lie_in(tx: Transaction, object_: UUID, places: list[str]) -> None:
    for place in dict.fromkeys(places):
        tx.append(PlaceRow, object=object_, place=place)


async def _tell(
    tx: Transaction, row: WarningRow | ImprovementRow, what: str, text: str, fact: Event, by: str | None = None
) -> None:
    kind = "warning" if isinstance(row, WarningRow) else "improvement"
    same = {name: getattr(row, name) for name in ("level", "subject", "indicator")}
    await _add_line(tx, what, text, fact, by, kind=kind, object=row.id, **same)


async def _add_line(tx: Transaction, what: str, text: str, fact: Event, by: str | None = None, **about: Any) -> None:
    """Add a line to the school's feed; once committed, the streams of this process wake."""
    position = await _next_position(tx)
    tx.append(
        FeedRow,
        school=tx.school,
        position=position,
        at=tx.now,
        what=what,
        by=by,
        **about,
        text=text,
        detail=domain.to_json(fact.model_dump(exclude=_NOT_IN_DETAIL)),
    )
    tx.when_committed.append(partial(queries.Tail.of(tx.database).reached, tx.school, position))


async def _next_position(tx: Transaction) -> int:
    """Take the school's next position. The row stays locked until the commit: positions appear without gaps, in order."""
    ends: dict[str, FeedEndRow] = tx.session.info.setdefault("feed ends", {})
    if tx.school not in ends:
        dialect = sqlite if tx.is_sqlite else postgresql
        await tx.session.execute(dialect.insert(FeedEndRow).values(school=tx.school, position=0).on_conflict_do_nothing())
        ends[tx.school] = await tx.session.get_one(FeedEndRow, tx.school, with_for_update=True)
    ends[tx.school].position += 1
    return ends[tx.school].position


async def forget_old(tx: Transaction, days: int) -> None:
    """Delete the oldest lines of each feed. By position, up to the first that stays: what is kept has no holes."""
    for school in await queries.feed_ends(tx.session):
        first = await queries.first_kept(tx.session, school, days_ago(tx.now, days))
        await tx.session.execute(delete(FeedRow).where(FeedRow.school == school, FeedRow.position < first))
