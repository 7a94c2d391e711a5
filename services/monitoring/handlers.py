"""What monitoring does when something happens elsewhere, and when observations arrive."""

from collections.abc import Sequence

from libs.common.bus import Record
from libs.common.database import Transaction
from libs.common.events import planning, standards
from libs.common.events.gateway import RosterImported, SchoolAdded, SourceAdded
from libs.common.events.planning import (
    ImprovementClosed,
    ImprovementOpened,
    ImprovementReopened,
    ImprovementStarted,
    ImprovementVerified,
)
from libs.common.events.standards import IndicatorActivated, IndicatorTried, TrialAbandoned
from services.monitoring.commands import catalogue, effects, intake, roster, telling, warnings
from services.monitoring.commands.reading import Batch, read_batch


def read_observations(records: Sequence[Record]) -> Batch:
    """Read a batch of observations."""
    return read_batch(records)


async def take_observations(batch: Batch, tx: Transaction) -> None:
    """Count a batch of observations."""
    await intake.take(batch, tx)


async def add_school(event: SchoolAdded, tx: Transaction) -> None:
    await catalogue.add_school(tx, event)


async def label_source(event: SourceAdded, tx: Transaction) -> None:
    await catalogue.label_source(tx, event)


async def take_roster(event: RosterImported, tx: Transaction) -> None:
    await roster.take_part(tx, event)


async def activate_indicator(event: IndicatorActivated, tx: Transaction) -> None:
    await catalogue.activate_indicator(tx, event)


async def try_indicator(event: IndicatorTried, tx: Transaction) -> None:
    await catalogue.try_indicator(tx, event)


async def abandon_trial(event: TrialAbandoned, tx: Transaction) -> None:
    await catalogue.abandon_trial(tx, event)


async def follow_measurements(event: standards.MeasureWanted | planning.MeasureWanted, tx: Transaction) -> None:
    await telling.follow(tx, event)


async def link_improvement(event: ImprovementOpened, tx: Transaction) -> None:
    if event.warning is not None:
        await warnings.link_improvement(tx, event.warning, event.improvement)


async def mark_improving(event: ImprovementStarted, tx: Transaction) -> None:
    if event.warning is not None:
        await warnings.mark_improving(tx, event.warning, event.by)
    await effects.note_started(tx, event)


async def await_effect(event: ImprovementVerified, tx: Transaction) -> None:
    await effects.note_verified(tx, event)


async def note_closed(event: ImprovementClosed, tx: Transaction) -> None:
    await effects.note_closed(tx, event)


async def note_reopened(event: ImprovementReopened, tx: Transaction) -> None:
    await effects.note_reopened(tx, event)
