"""What a warning does to its one improvement: open it, hurry it, let it end."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from libs.common.database import Transaction
from libs.common.events.monitoring import WarningEscalated, WarningRaised
from libs.common.events.planning import ImprovementClosed, ImprovementDueChanged, ImprovementOpened
from libs.common.telemetry import WARNING_TO_TASK
from services.planning import queries
from services.planning.domain import wording
from services.planning.domain.owners import Chosen, climb
from services.planning.domain.settings import SchoolSettings
from services.planning.domain.states import Status, Step, next_state
from services.planning.tables import HistoryRow, ImprovementRow, PlaceRow


def note(tx: Transaction, row: ImprovementRow, step: str, by: str | None, **what: Any) -> None:
    """Write a line of an improvement's history."""
    tx.session.add(HistoryRow(improvement=row.id, step=step, at=tx.now, by=by, what=what))


async def open_improvement(tx: Transaction, warning: WarningRaised) -> ImprovementRow:
    """Open the warning's improvement, or return the one it has already."""
    if (row := await queries.find_by_warning(tx.session, tx.school, warning.warning)) is not None:
        return row
    settings = await queries.settings_of(tx.session, tx.school)
    day = warning.raised_at.astimezone(await queries.zone_of(tx.session, tx.school)).date()
    owner, verifier = await _people(tx, settings, warning, day)
    number = wording.Number(percent=await queries.reads_in_percent(tx.session, tx.school, warning.metric))
    row = _new(tx, warning, owner, verifier, number)
    row.plan_due_on = day + timedelta(days=settings.plan_days[warning.severity])  # type: ignore[index]  # monitoring's severities
    row.due_on = day + timedelta(days=settings.due_days[warning.severity])  # type: ignore[index]  # as above
    tx.session.add(row)
    await tx.session.flush()
    tx.session.add_all([PlaceRow(improvement=row.id, place=place) for place in sorted(set(warning.places))])
    note(tx, row, "opened", None, severity=row.severity, owner=row.owner, due_on=row.due_on.isoformat(), vacant=row.vacant)
    tx.publish(_opened(row, warning.places))
    waited = max(0.0, (tx.now - warning.raised_at).total_seconds())
    tx.when_committed.append(lambda: WARNING_TO_TASK.observe(waited))
    return row


async def _people(tx: Transaction, settings: SchoolSettings, warning: WarningRaised, day: date) -> tuple[Chosen, Chosen]:
    owners, verifiers = settings.owners[warning.level], settings.verifiers[warning.level]  # type: ignore[index]  # monitoring's levels
    about = queries.Subject(warning.level, warning.subject, tuple(warning.places), day)
    holders = await queries.holders_of(tx.session, tx.school, about, {*owners, *verifiers})
    owner = climb(owners, holders)
    return owner, climb(verifiers, holders, never=owner.person)


def _new(tx: Transaction, warning: WarningRaised, owner: Chosen, verifier: Chosen, number: wording.Number) -> ImprovementRow:
    subject = warning.subject_name or warning.subject
    exact = warning.numerator / warning.denominator if warning.denominator else warning.value
    return ImprovementRow(
        id=queries.improvement_id(tx.school, warning.warning),
        school=tx.school,
        warning=warning.warning,
        indicator=warning.indicator,
        level=warning.level,
        subject=warning.subject,
        subject_name=warning.subject_name,
        title=wording.title(
            level=warning.level,
            subject=subject,
            indicator=warning.indicator_name,
            comparison=warning.comparison,
            severity=warning.severity,
            value=number.text(exact, warning.line),
            line=number.exact(warning.line),
        ),
        goal_proposed=wording.goal(
            level=warning.level, indicator=warning.indicator_name, comparison=warning.comparison, clear=number.exact(warning.clear)
        ),
        curve=wording.curve(metric=warning.metric, level=warning.level, window=warning.window, subject=warning.subject),
        severity=warning.severity,
        status=Status.PROPOSED,
        cleared=False,
        owner=owner.person,
        owner_post=owner.post,
        verifier=verifier.person,
        verifier_post=verifier.post,
        vacant=list(owner.vacant),
        opened_at=tx.now,
    )


def _opened(row: ImprovementRow, places: list[str]) -> ImprovementOpened:
    return ImprovementOpened(
        improvement=row.id,
        warning=row.warning,
        indicator=row.indicator,
        level=row.level,
        subject=row.subject,
        title=row.title,
        severity=row.severity,
        owner=row.owner,
        owner_post=row.owner_post,
        verifier=row.verifier,
        verifier_post=row.verifier_post,
        vacant=row.vacant,
        plan_due_on=row.plan_due_on,
        due_on=row.due_on,
        places=places,
    )


async def hurry_improvement(tx: Transaction, warning: WarningEscalated) -> None:
    """A worse severity: the due date becomes the earlier of the present one and the new severity's, counted from today."""
    row = await queries.find_by_warning(tx.session, tx.school, warning.warning)
    if row is None or row.status == Status.CLOSED:
        return
    settings = await queries.settings_of(tx.session, tx.school)
    today = tx.now.astimezone(await queries.zone_of(tx.session, tx.school)).date()
    due = today + timedelta(days=settings.due_days[warning.severity])  # type: ignore[index]  # monitoring's severities
    row.severity = warning.severity
    if due < row.due_on:
        row.due_on, row.plan_due_on = due, min(row.plan_due_on, due)
        tx.publish(ImprovementDueChanged(improvement=row.id, warning=row.warning, severity=row.severity, due_on=due))
    note(tx, row, "escalated", None, severity=row.severity, due_on=row.due_on.isoformat())


async def end_with_warning(tx: Transaction, warning: UUID, step: Step, by: str | None = None, why: str | None = None) -> None:
    """The warning has cleared (what is verified closes, the rest stays with people), or was dismissed or withdrawn."""
    row = await queries.find_by_warning(tx.session, tx.school, warning)
    if row is None or row.status == Status.CLOSED:
        return
    after = next_state(Status(row.status), step)
    if step is Step.CLEAR:
        if not row.cleared:
            note(tx, row, "warning_cleared", None)
        row.cleared = True
    if after is Status.CLOSED:
        reasons = {Step.CLEAR: "verified", Step.DISMISS: "dismissed", Step.WITHDRAW: "withdrawn"}
        close(tx, row, reasons[step], by, why)


def close(tx: Transaction, row: ImprovementRow, reason: str, by: str | None, why: str | None = None) -> None:
    """End an improvement, for good."""
    row.status, row.closed_at, row.close_reason = Status.CLOSED, tx.now, reason
    note(tx, row, "closed", by, reason=reason, **({} if why is None else {"why": why}))
    tx.publish(ImprovementClosed(improvement=row.id, warning=row.warning, reason=reason))
