"""What planning does when something happens elsewhere."""

from libs.common.database import Transaction
from libs.common.events.gateway import PostsImported, RosterImported, SchoolAdded
from libs.common.events.monitoring import MetricDefined, WarningCleared, WarningDismissed, WarningEscalated, WarningRaised
from services.planning.commands import copies, opening
from services.planning.domain.states import Step


async def keep_school(event: SchoolAdded, tx: Transaction) -> None:
    await copies.keep_school(tx, event)


async def keep_metric(event: MetricDefined, tx: Transaction) -> None:
    await copies.keep_metric(tx, event)


async def keep_roster(event: RosterImported, tx: Transaction) -> None:
    await copies.keep_roster(tx, event)


async def keep_posts(event: PostsImported, tx: Transaction) -> None:
    await copies.keep_posts(tx, event.posts)


async def open_improvement_for_warning(event: WarningRaised, tx: Transaction) -> None:
    """Every warning gets its improvement."""
    await opening.open_improvement(tx, event)


async def hurry_improvement_of_worse_warning(event: WarningEscalated, tx: Transaction) -> None:
    await opening.hurry_improvement(tx, event)


async def remember_cleared_warning(event: WarningCleared, tx: Transaction) -> None:
    """The data clears a warning, people close its task: only what is verified closes by itself."""
    await opening.end_with_warning(tx, event.warning, Step.CLEAR)


async def close_improvement_of_dismissed_warning(event: WarningDismissed, tx: Transaction) -> None:
    await opening.end_with_warning(tx, event.warning, Step.DISMISS, event.by, event.reason)
