"""What a warning does to its one improvement: open it, hurry it, let it end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from libs.common.database import Transaction
from libs.common.events.monitoring import WarningEscalated, WarningRaised, WarningRevised
from libs.common.events.planning import ImprovementClosed, ImprovementDueChanged
from libs.common.telemetry import WARNING_TO_TASK
from services.planning import queries
from services.planning.commands import entering
from services.planning.commands.people import note, people_for, unfilled
from services.planning.commands.spiral import note_facts
from services.planning.domain import wording
from services.planning.domain.owners import Directory, Subject
from services.planning.domain.settings import SEVERITIES, SchoolSettings
from services.planning.domain.sources import WARNING
from services.planning.domain.states import Status, Step, next_state
from services.planning.tables import ImprovementRow


@dataclass(frozen=True, slots=True)
class Raised:
    """A warning with the id of the event that told it and its trace: what it causes carries both."""

    warning: WarningRaised
    cause: str
    traceparent: str | None


async def open_improvements(tx: Transaction, raised: Sequence[Raised]) -> None:
    """Open an improvement for each warning of one school (`tx.school`) that has none; few statements, however many they are."""
    new = {queries.improvement_id(tx.school, each.warning.warning): each for each in reversed(raised)}
    for id_ in await queries.known_of(tx.session, list(new)):
        del new[id_]
    if not new:
        return
    settings = await queries.settings_of(tx.session, tx.school)
    zone = await queries.zone_of(tx.session, tx.school)
    metrics = {each.warning.metric for each in new.values()}
    numbers = {m: await queries.number_of(tx.session, tx.school, m) for m in metrics}
    abouts = {id_: _about(each.warning, zone) for id_, each in new.items()}
    directory = await queries.directory_of(tx.session, tx.school, list(abouts.values()))
    rows = [
        _row(tx, id_, each.warning, abouts[id_], directory, numbers[each.warning.metric], settings)
        for id_, each in reversed(new.items())
    ]
    await entering.number(tx, rows, settings.recurs_days)
    for row in rows:
        told = new[row["id"]]
        tx.cause, tx.traceparent = told.cause, told.traceparent
        tx.publish(entering.opened(row, told.warning.places))
        _measure(tx, told.warning)
    await entering.write(tx, rows, {id_: each.warning.places for id_, each in new.items()})
    await note_facts(tx, {place for each in new.values() for place in each.warning.places}, "warning_raised")


def _about(warning: WarningRaised, zone: ZoneInfo) -> Subject:
    return Subject(warning.level, warning.subject, tuple(warning.places), warning.raised_at.astimezone(zone).date())


def _row(
    tx: Transaction,
    id_: UUID,
    warning: WarningRaised,
    about: Subject,
    directory: Directory,
    number: wording.Number,
    settings: SchoolSettings,
) -> dict[str, Any]:
    people = people_for(settings, directory, about)
    same = ("warning", "indicator", "indicator_name", "metric", "comparison", "level", "subject", "subject_name")
    said = {name: getattr(warning, name) for name in same}
    return {
        **said,
        **entering.proposed(tx, people, unfilled=unfilled(people)),
        "id": id_,
        "source": WARNING,
        "title": title_of(warning, number, **said),
        "goal_proposed": wording.goal(
            level=warning.level,
            indicator=warning.indicator_name,
            comparison=warning.comparison,
            clear=number.exact(warning.clear),
        ),
        "curve": wording.curve(metric=warning.metric, level=warning.level, window=warning.window, subject=warning.subject),
        "severity": warning.severity,
        "warned": True,
        "unit": directory.nearest_unit(about.places),
        "tracking": settings.tracking,
        "opened_by": None,
        "opened_on": about.day,
        "plan_due_on": about.day + timedelta(days=settings.plan_days[warning.severity]),  # type: ignore[index]  # monitoring's severities
        "due_on": about.day + timedelta(days=settings.due_days[warning.severity]),  # type: ignore[index]  # as above
    }


def title_of(fact: WarningRaised | WarningEscalated | WarningRevised, number: wording.Number, /, **said: Any) -> str:
    """The title by the line that was passed; `said` are the warning's own fields."""
    exact = fact.numerator / fact.denominator if fact.denominator and not number.additive else fact.value or Decimal(0)
    return wording.title(
        level=said["level"],
        subject=said["subject_name"] or said["subject"],
        indicator=said["indicator_name"],
        comparison=said["comparison"],
        severity=fact.severity,
        value=number.text(exact, fact.line),
        line=number.exact(fact.line),
    )


def fields_of(row: ImprovementRow) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in ImprovementRow.__table__.columns}


def _measure(tx: Transaction, warning: WarningRaised) -> None:
    waited = max(0.0, (tx.now - warning.raised_at).total_seconds())
    tx.when_committed.append(lambda: WARNING_TO_TASK.observe(waited))


async def hurry_improvement(tx: Transaction, warning: WarningEscalated) -> None:
    """A worse severity: the title names its line, and each date becomes the earlier of the present one and the new severity's,
    counted from today.
    """
    row = await queries.find_by_warning(tx.session, tx.school, warning.warning)
    if row is None or row.status == Status.CLOSED:
        return
    if SEVERITIES.index(warning.severity) <= SEVERITIES.index(row.severity):
        return
    settings = await queries.settings_of(tx.session, tx.school)
    number = await queries.number_of(tx.session, tx.school, row.metric or "")
    today = await queries.today_in(tx.session, tx.school, tx.now)
    plan, due = settings.plan_days[warning.severity], settings.due_days[warning.severity]  # type: ignore[index]  # monitoring's severities
    row.severity, row.comparison = warning.severity, warning.comparison or row.comparison
    row.title = title_of(warning, number, **fields_of(row))
    row.plan_due_on = min(row.plan_due_on, today + timedelta(days=plan))
    row.due_on = min(row.due_on, today + timedelta(days=due))
    said = {name: getattr(row, name) for name in ("warning", "severity", "due_on", "plan_due_on", "title")}
    tx.publish(ImprovementDueChanged(improvement=row.id, **said))
    note(tx, row, "escalated", None, severity=row.severity, due_on=row.due_on.isoformat())


async def end_with_warning(tx: Transaction, warning: UUID, step: Step, by: str | None = None, why: str | None = None) -> None:
    """The warning has cleared (what is verified closes, the rest stays with people), or was dismissed or withdrawn."""
    row = await queries.find_by_warning(tx.session, tx.school, warning)
    if row is None:
        return
    row.warned = False
    if row.status == Status.CLOSED:
        return
    after = next_state(Status(row.status), step)
    if step is Step.CLEAR and not row.cleared:
        row.cleared = True
        note(tx, row, "warning_cleared", None)
    if after is Status.CLOSED:
        reasons = {Step.CLEAR: "verified", Step.DISMISS: "dismissed", Step.WITHDRAW: "withdrawn"}
        close(tx, row, reasons[step], by, why)


def close(tx: Transaction, row: ImprovementRow, reason: str, by: str | None, why: str | None = None) -> None:
    """End an improvement, for good."""
    row.status, row.closed_at, row.close_reason = Status.CLOSED, tx.now, reason
    note(tx, row, "closed", by, reason=reason, **({} if why is None else {"why": why}))
    tx.publish(ImprovementClosed(improvement=row.id, warning=row.warning, reason=reason))
