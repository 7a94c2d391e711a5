"""What a warning does to its one improvement: open it, hurry it, let it end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import insert

from libs.common.database import Transaction
from libs.common.events.monitoring import WarningEscalated, WarningRaised, WarningRevised
from libs.common.events.planning import ImprovementClosed, ImprovementDueChanged, ImprovementOpened
from libs.common.telemetry import WARNING_TO_TASK
from services.planning import queries
from services.planning.commands.people import note, people_for, unfilled
from services.planning.commands.spiral import note_facts
from services.planning.domain import wording
from services.planning.domain.owners import Chosen, Subject
from services.planning.domain.settings import SEVERITIES, SchoolSettings
from services.planning.domain.states import Status, Step, next_state
from services.planning.tables import HistoryRow, ImprovementRow, PlaceRow


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
    rows = []
    for id_, each in reversed(new.items()):
        people = people_for(settings, directory, abouts[id_])
        rows.append(_row(tx, id_, each.warning, people, numbers[each.warning.metric], settings, abouts[id_].day))
        tx.cause, tx.traceparent = each.cause, each.traceparent
        tx.publish(_opened(rows[-1], each.warning.places))
        _measure(tx, each.warning)
    await _insert(tx, rows, {id_: each.warning.places for id_, each in new.items()})
    await note_facts(tx, {place for each in new.values() for place in each.warning.places}, "warning_raised")


def _about(warning: WarningRaised, zone: ZoneInfo) -> Subject:
    return Subject(warning.level, warning.subject, tuple(warning.places), warning.raised_at.astimezone(zone).date())


def _row(
    tx: Transaction,
    id_: UUID,
    warning: WarningRaised,
    people: tuple[Chosen, Chosen],
    number: wording.Number,
    settings: SchoolSettings,
    day: date,
) -> dict[str, Any]:
    owner, verifier = people
    same = ("warning", "indicator", "indicator_name", "metric", "comparison", "level", "subject", "subject_name")
    said = {name: getattr(warning, name) for name in same}
    return {
        **said,
        "id": id_,
        "school": tx.school,
        "title": title_of(warning, number, **said),
        "goal_proposed": wording.goal(
            level=warning.level,
            indicator=warning.indicator_name,
            comparison=warning.comparison,
            clear=number.exact(warning.clear),
        ),
        "curve": wording.curve(metric=warning.metric, level=warning.level, window=warning.window, subject=warning.subject),
        "severity": warning.severity,
        "status": Status.PROPOSED,
        "cleared": False,
        "warned": True,
        "owner": owner.person,
        "owner_post": owner.post,
        "verifier": verifier.person,
        "verifier_post": verifier.post,
        "vacant": list(owner.vacant),
        "unfilled": unfilled(people),
        "opened_at": tx.now,
        "plan_due_on": day + timedelta(days=settings.plan_days[warning.severity]),  # type: ignore[index]  # monitoring's severities
        "due_on": day + timedelta(days=settings.due_days[warning.severity]),  # type: ignore[index]  # as above
    }


def title_of(fact: WarningRaised | WarningEscalated | WarningRevised, number: wording.Number, **said: Any) -> str:
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


async def _insert(tx: Transaction, rows: Sequence[dict[str, Any]], places: Mapping[UUID, Sequence[str]]) -> None:
    await tx.session.execute(insert(ImprovementRow), rows)
    lies = [{"improvement": id_, "place": place} for id_, here in places.items() for place in sorted(set(here))]
    if lies:
        await tx.session.execute(insert(PlaceRow), lies)
    history = [
        {
            "improvement": row["id"],
            "step": "opened",
            "at": tx.now,
            "by": None,
            "what": {
                "severity": row["severity"],
                "owner": row["owner"],
                "due_on": row["due_on"].isoformat(),
                "vacant": row["vacant"],
            },
        }
        for row in rows
    ]
    await tx.session.execute(insert(HistoryRow), history)


def _measure(tx: Transaction, warning: WarningRaised) -> None:
    waited = max(0.0, (tx.now - warning.raised_at).total_seconds())
    tx.when_committed.append(lambda: WARNING_TO_TASK.observe(waited))


def _opened(row: Mapping[str, Any], places: list[str]) -> ImprovementOpened:
    said = {name: row[name] for name in ImprovementOpened.model_fields if name in row}
    return ImprovementOpened(improvement=row["id"], places=places, **said)


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
    number = await queries.number_of(tx.session, tx.school, row.metric)
    today = await queries.today_in(tx.session, tx.school, tx.now)
    plan, due = settings.plan_days[warning.severity], settings.due_days[warning.severity]  # type: ignore[index]  # monitoring's severities
    row.severity = warning.severity
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
