"""What reporting does by the clock."""

from libs.common.database import Transaction
from libs.common.telemetry import WARNINGS_OPEN
from services.reporting import commands, queries
from services.reporting.domain import SEVERITIES


async def count_warnings(tx: Transaction) -> None:
    """Set the gauge of uncleared warnings."""
    counts = await queries.uncleared_by_severity(tx.session)
    for severity in SEVERITIES:
        WARNINGS_OPEN.labels(severity).set(counts.get(severity, 0))


async def forget_old(tx: Transaction) -> None:
    """Keep the timeline and the stream as long as the operator says."""
    await commands.forget_old(tx, tx.database.settings.feed_retention_days)
