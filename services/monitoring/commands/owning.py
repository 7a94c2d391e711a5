"""Whose data a metric takes: it is found by either of its codes, and has one source where the school says so (一数一源)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from libs.common.database import Transaction
from libs.common.errors import Fault
from services.monitoring.commands.reading import Arrived
from services.monitoring.queries.ids import find_counted
from services.monitoring.queries.schools import School


def by_code(school: School, events: Sequence[Arrived]) -> Sequence[Arrived]:
    """The same events; an observation that names its metric's alias names the code: so it is the same, sent by either."""
    aliases = school.aliases
    if aliases.keys().isdisjoint([event.observation.metric for event in events]):
        return events
    return [
        event
        if (code := aliases.get(event.observation.metric)) is None
        else msgspec.structs.replace(event, observation=msgspec.structs.replace(event.observation, metric=code))
        for event in events
    ]


async def sort_out(
    tx: Transaction, school: School, through: int, events: Sequence[Arrived]
) -> tuple[Sequence[Arrived], Sequence[Arrived], Sequence[tuple[Arrived, Fault]]]:
    """What its metric takes; what comes from another source than the metric's one; what names a metric that is switched off.

    An id that was counted while it was allowed passes: it is sent again, or was delivered again, and counts no more than once.
    """
    if not school.owners and not school.switched_off:
        return events, [], []
    odd = [each for each in events if _is_foreign(school, each) or each.observation.metric in school.switched_off]
    if not odd:
        return events, [], []
    counted = await find_counted(tx, school.id, through, [event.id for event in odd])
    odd = [event for event in odd if event.id not in counted]
    foreign = [event for event in odd if _is_foreign(school, event)]
    refused = [(each, _switched_off(each)) for each in odd if not _is_foreign(school, each)]
    left_out = {id(event) for event in odd}
    return [event for event in events if id(event) not in left_out], foreign, refused


def _is_foreign(school: School, event: Arrived) -> bool:
    only = school.owners.get(event.observation.metric)
    return only is not None and only != event.observation.source


def _switched_off(event: Arrived) -> Fault:
    return Fault(pointer="/data/metric", detail=f"the metric {event.observation.metric!r} is switched off")
