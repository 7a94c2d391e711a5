"""What reporting does when something happens elsewhere."""

from libs.common.database import Transaction
from libs.common.events import monitoring as m
from libs.common.events import planning as p
from libs.common.events.gateway import RosterImported, SchoolAdded
from services.reporting import commands


async def name_school(event: SchoolAdded, tx: Transaction) -> None:
    await commands.name_school(tx, event.name)


async def name_orgs(event: RosterImported, tx: Transaction) -> None:
    await commands.name_orgs(tx, event.orgs)


async def define_metric(event: m.MetricDefined, tx: Transaction) -> None:
    await commands.define_metric(tx, event)


async def raise_warning(event: m.WarningRaised, tx: Transaction) -> None:
    await commands.raise_warning(tx, event)


async def escalate_warning(event: m.WarningEscalated, tx: Transaction) -> None:
    await commands.escalate_warning(tx, event)


async def clear_warning(event: m.WarningCleared, tx: Transaction) -> None:
    await commands.clear_warning(tx, event)


async def acknowledge_warning(event: m.WarningAcknowledged, tx: Transaction) -> None:
    await commands.change_warning(tx, event, event.warning, "acknowledged", event.by, by=event.by)


async def improve_warning(event: m.WarningImproving, tx: Transaction) -> None:
    await commands.change_warning(tx, event, event.warning, "improving")


async def dismiss_warning(event: m.WarningDismissed, tx: Transaction) -> None:
    await commands.change_warning(tx, event, event.warning, "dismissed", event.by, event.reason, by=event.by)


async def withdraw_warning(event: m.WarningWithdrawn, tx: Transaction) -> None:
    await commands.change_warning(tx, event, event.warning, "withdrawn", event.reason)


async def note_silence(event: m.WarningStale, tx: Transaction) -> None:
    await commands.change_warning(tx, event, event.warning, "stale")


async def note_data_again(event: m.WarningResumed, tx: Transaction) -> None:
    await commands.resume_warning(tx, event)


async def revise_warning(event: m.WarningRevised, tx: Transaction) -> None:
    await commands.revise_warning(tx, event)


async def open_improvement(event: p.ImprovementOpened, tx: Transaction) -> None:
    await commands.open_improvement(tx, event)


async def start_improvement(event: p.ImprovementStarted, tx: Transaction) -> None:
    said = (event.by, event.measures, event.deadline)
    await commands.change_improvement(tx, event, event.improvement, "started", *said, by=event.by, status="running")


async def submit_improvement(event: p.ImprovementSubmitted, tx: Transaction) -> None:
    said = (event.by, event.done)
    await commands.change_improvement(tx, event, event.improvement, "submitted", *said, by=event.by, status="submitted")


async def return_improvement(event: p.ImprovementReturned, tx: Transaction) -> None:
    said = (event.by, event.reason)
    await commands.change_improvement(tx, event, event.improvement, "returned", *said, by=event.by, status="returned")


async def verify_improvement(event: p.ImprovementVerified, tx: Transaction) -> None:
    said = (event.by, event.reason)
    await commands.change_improvement(tx, event, event.improvement, "verified", *said, by=event.by, status="verified")


async def close_improvement(event: p.ImprovementClosed, tx: Transaction) -> None:
    await commands.change_improvement(tx, event, event.improvement, "closed", event.reason, status="closed")


async def hurry_improvement(event: p.ImprovementDueChanged, tx: Transaction) -> None:
    await commands.hurry_improvement(tx, event)


async def reopen_improvement(event: p.ImprovementReopened, tx: Transaction) -> None:
    await commands.change_improvement(tx, event, event.improvement, "reopened", event.reason, status=event.status)


async def note_overdue(event: p.ImprovementOverdue, tx: Transaction) -> None:
    await commands.change_improvement(tx, event, event.improvement, "overdue", event.due_on, late=True)


async def note_plan_overdue(event: p.ImprovementPlanOverdue, tx: Transaction) -> None:
    await commands.change_improvement(tx, event, event.improvement, "plan_overdue", event.plan_due_on)


async def note_progress(event: p.ImprovementProgressed, tx: Transaction) -> None:
    await commands.change_improvement(tx, event, event.improvement, "progressed", event.by, event.text, by=event.by)
