"""What the gateway does when something happens elsewhere."""

from libs.common.database import Transaction
from libs.common.events.deadletters import DeadLettered
from libs.common.events.monitoring import MetricDefined
from services.gateway.commands.letters import keep_letter
from services.gateway.commands.schools import keep_metric


async def remember_metric(event: MetricDefined, tx: Transaction) -> None:
    """The intake of events asks what an observation of a metric must name."""
    await keep_metric(tx, event)


async def list_dead_letter(event: DeadLettered, tx: Transaction) -> None:
    """The operator and the quality office see what was not counted, and why."""
    await keep_letter(tx, event)
