"""What standards does when something happens elsewhere."""

from libs.common.database import Transaction
from libs.common.events.gateway import PostsImported, RosterImported, SchoolAdded
from libs.common.events.monitoring import Measured, MetricDefined
from libs.common.events.planning import CycleClosed
from services.standards.commands import copies, origins
from services.standards.commands.indicators import keep_metric


async def keep_metric_for_indicators(event: MetricDefined, tx: Transaction) -> None:
    """An indicator may watch any metric of its school."""
    await keep_metric(tx, event.code, event.alias, event.direction)


async def keep_school(event: SchoolAdded, tx: Transaction) -> None:
    await copies.keep_school(tx, event)


async def keep_roster(event: RosterImported, tx: Transaction) -> None:
    await copies.keep_roster(tx, event)


async def keep_posts(event: PostsImported, tx: Transaction) -> None:
    """A step of a review, and a judgement, is for who holds a post."""
    await copies.keep_posts(tx, event.posts)


async def keep_measured(event: Measured, tx: Transaction) -> None:
    """What elements measure is judged by what monitoring told last."""
    await copies.keep_measured(tx, event)


async def keep_cycle(event: CycleClosed, tx: Transaction) -> None:
    """What a closed cycle concluded may be why there is a new version."""
    await origins.keep_cycle(tx, event.cycle, event.level, event.subject)
