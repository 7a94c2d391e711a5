"""What becomes of an improvement when a correction changes its warning."""

from __future__ import annotations

from libs.common.database import Transaction
from libs.common.events.monitoring import WarningRevised
from libs.common.events.planning import ImprovementDueChanged
from services.planning import queries
from services.planning.commands.opening import fields_of, title_of
from services.planning.commands.people import note
from services.planning.domain.states import Status


async def revise_improvement(tx: Transaction, warning: WarningRevised) -> None:
    """The warning stands, perhaps again, and perhaps milder or worse: the task says so. Dates that people know stay as they are."""
    row = await queries.find_by_warning(tx.session, tx.school, warning.warning)
    if row is None:
        return
    if row.status != Status.CLOSED:
        row.cleared = False
    row.severity = warning.severity
    row.title = title_of(warning, await queries.number_of(tx.session, tx.school, row.metric), **fields_of(row))
    said = {name: getattr(row, name) for name in ("warning", "severity", "due_on", "plan_due_on", "title")}
    tx.publish(ImprovementDueChanged(improvement=row.id, **said))
    note(tx, row, "warning_revised", None, severity=warning.severity, because=warning.because, reason=warning.reason)
