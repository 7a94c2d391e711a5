"""What becomes of an improvement when a correction changes its warning."""

from __future__ import annotations

from libs.common.database import Transaction
from libs.common.events.monitoring import WarningRevised
from libs.common.events.planning import ImprovementDueChanged, ImprovementReopened
from services.planning import queries
from services.planning.commands.opening import fields_of, title_of
from services.planning.commands.people import note
from services.planning.domain.states import Status
from services.planning.tables import ImprovementRow

UNCLEARED = frozenset({"open", "acknowledged", "improving", "stale"})


async def revise_improvement(tx: Transaction, warning: WarningRevised) -> None:
    """The warning stands, perhaps again, and perhaps milder or worse: the task says so. Dates that people know stay as they are.

    A task that was closed because its warning was withdrawn is open again, as far as it had come; any other closed one stays so.
    """
    row = await queries.find_by_warning(tx.session, tx.school, warning.warning)
    if row is None:
        return
    row.warned = warning.status in UNCLEARED
    if row.status == Status.CLOSED:
        if row.close_reason != "withdrawn":
            return
        _reopen(tx, row, warning)
    row.comparison = warning.comparison or row.comparison
    title = title_of(warning, await queries.number_of(tx.session, tx.school, row.metric or ""), **fields_of(row))
    if (row.severity, row.title, row.cleared) == (warning.severity, title, False):
        return  # told again
    row.severity, row.title, row.cleared = warning.severity, title, False
    said = {name: getattr(row, name) for name in ("warning", "severity", "due_on", "plan_due_on", "title")}
    tx.publish(ImprovementDueChanged(improvement=row.id, **said))
    note(tx, row, "warning_revised", None, severity=warning.severity, because=warning.because, reason=warning.reason)


def _reopen(tx: Transaction, row: ImprovementRow, warning: WarningRevised) -> None:
    row.status = Status.PROPOSED if row.measures is None else Status.RUNNING if row.submitted_by is None else Status.SUBMITTED
    row.closed_at = row.close_reason = None
    tx.publish(ImprovementReopened(improvement=row.id, warning=row.warning, status=row.status, reason=warning.reason))
    note(tx, row, "reopened", None, because=warning.because, reason=warning.reason)
