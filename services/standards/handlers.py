"""What standards does when something happens elsewhere."""

from libs.common.database import Transaction
from libs.common.events.monitoring import MetricDefined
from services.standards.commands.indicators import keep_metric


async def keep_metric_for_indicators(event: MetricDefined, tx: Transaction) -> None:
    """An indicator may watch any metric of its school."""
    await keep_metric(tx, event.code, event.alias, event.direction)
