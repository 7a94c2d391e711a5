"""What reporting does when something happens elsewhere."""

from libs.common.database import Transaction
from libs.common.events import monitoring as m
from libs.common.events import planning as p
from libs.common.events.gateway import RosterImported, SchoolAdded
from services.reporting import commands
from services.reporting.domain import Work


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


async def note_effect(event: m.EffectMeasured, tx: Transaction) -> None:
    await commands.note_effect(tx, event)


async def note_task_assigned(event: p.TaskAssigned, tx: Transaction) -> None:
    said = (event.title, event.due_on)
    await commands.note_work(tx, event, commands.of_task(event), "assigned", "task_assigned", *said)


async def note_task_verified(event: p.TaskVerified, tx: Transaction) -> None:
    said = (event.title, event.by, event.met, event.score)
    await commands.note_work(tx, event, commands.of_task(event), "verified", "task_verified", *said, by=event.by)


async def note_task_overdue(event: p.TaskOverdue, tx: Transaction) -> None:
    said = (event.title, event.due_on)
    await commands.note_work(tx, event, commands.of_task(event), "overdue", "task_overdue", *said)


async def note_agreement_signed(event: p.AgreementSigned, tx: Transaction) -> None:
    work = Work("agreement", event.agreement, event.unit, event.holder, event.places)
    said = (event.name or event.kind, event.year, event.version, event.by)
    await commands.note_work(tx, event, work, "signed", "agreement_signed", *said, by=event.by)


async def note_due_item_overdue(event: p.DueItemOverdue, tx: Transaction) -> None:
    work = Work("due_item", event.item, None, None, event.places, level=event.per, subject=event.subject)
    await commands.note_work(tx, event, work, "overdue", "due_item_overdue", event.name, event.due_on)


async def note_progress(event: p.ImprovementProgressed, tx: Transaction) -> None:
    await commands.change_improvement(tx, event, event.improvement, "progressed", event.by, event.text, by=event.by)
