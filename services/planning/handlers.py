"""What planning does when something happens elsewhere.

The gateway's facts are handled one by one. Warnings come by the thousand when a school's history is brought in, so
monitoring's are taken by the batch. A warning that is raised again is known by its id; what befalls it afterwards may go
forth and back, so that only a mark tells what was told before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from libs.common.bus import Record
from libs.common.database import Transaction
from libs.common.event import Event, Message, decode
from libs.common.events.gateway import PostsImported, RosterImported, SchoolAdded, SetupChanged
from libs.common.events.monitoring import (
    EffectMeasured,
    Measured,
    MetricDefined,
    WarningCleared,
    WarningDismissed,
    WarningEscalated,
    WarningRaised,
    WarningRevised,
    WarningWithdrawn,
)
from libs.common.events.standards import IndicatorActivated, RevisionDue, StandardActivated, StandardRetired
from libs.common.runtime import for_the_first_time
from libs.common.telemetry import bind_trace
from services.planning.commands import (
    attaining,
    copies,
    effects,
    goals,
    leads,
    opening,
    people,
    plans,
    revising,
    routines,
    rules,
    spiral,
    tasks,
)
from services.planning.domain.states import Step


async def keep_school(event: SchoolAdded, tx: Transaction) -> None:
    await copies.keep_school(tx, event)


async def keep_setup(event: SetupChanged, tx: Transaction) -> None:
    await copies.keep_setup(tx, event)
    await spiral.look_again(tx)
    await leads.give_to_leads(tx)
    await routines.take_setup(tx)


async def keep_roster(event: RosterImported, tx: Transaction) -> None:
    """The roster's last part also gives tasks that lack somebody to who is known by now."""
    await copies.keep_roster(tx, event)
    if event.last:
        await people.assign_unfilled(tx)
        await leads.give_to_leads(tx)
        await plans.place_again(tx)
        await spiral.look_again(tx)
        await routines.something_changed(tx)
        await tasks.place_tasks_again(tx)


async def keep_posts(event: PostsImported, tx: Transaction) -> None:
    """As the roster: a post that was vacant may be held now."""
    await copies.keep_posts(tx, event.posts)
    await people.assign_unfilled(tx)
    await spiral.look_again(tx)
    await routines.something_changed(tx)
    await tasks.find_owners(tx)


async def keep_standard(event: StandardActivated, tx: Transaction) -> None:
    await copies.keep_standard(tx, event)
    await spiral.note_standard(tx, event)


async def drop_standard(event: StandardRetired, tx: Transaction) -> None:
    await copies.drop_standard(tx, event)


async def tell_of_revision(event: RevisionDue, tx: Transaction) -> None:
    """The quality office is told that a standard is to be revised."""
    await rules.tell_of_revision(tx, event)


async def keep_indicator(event: IndicatorActivated, tx: Transaction) -> None:
    """Goals that it measures follow its newest version."""
    await copies.keep_indicator(tx, event)
    changed = await goals.follow_indicator(tx, event.code, event.metric, event.level, event.window)
    await attaining.follow(tx, changed)
    await attaining.reassess(tx, [row.goal for row in changed])


async def keep_metric(event: MetricDefined, tx: Transaction) -> None:
    await copies.keep_metric(tx, event)


async def hurry_improvement_of_worse_warning(event: WarningEscalated, tx: Transaction) -> None:
    await opening.hurry_improvement(tx, event)


async def remember_cleared_warning(event: WarningCleared, tx: Transaction) -> None:
    """The data clears a warning, people close its task: only what is verified closes by itself."""
    await opening.end_with_warning(tx, event.warning, Step.CLEAR)


async def close_improvement_of_dismissed_warning(event: WarningDismissed, tx: Transaction) -> None:
    await opening.end_with_warning(tx, event.warning, Step.DISMISS, event.by, event.reason)


async def close_improvement_of_withdrawn_warning(event: WarningWithdrawn, tx: Transaction) -> None:
    await opening.end_with_warning(tx, event.warning, Step.WITHDRAW, None, event.reason)


async def revise_improvement(event: WarningRevised, tx: Transaction) -> None:
    await revising.revise_improvement(tx, event)


async def keep_effect(event: EffectMeasured, tx: Transaction) -> None:
    await effects.keep_effect(tx, event)


Handlers = Mapping[type[Event], Callable[[Any, Transaction], Awaitable[None]]]
FIRST: Handlers = {MetricDefined: keep_metric}
THEN: Handlers = {
    WarningEscalated: hurry_improvement_of_worse_warning,
    WarningCleared: remember_cleared_warning,
    WarningDismissed: close_improvement_of_dismissed_warning,
    WarningWithdrawn: close_improvement_of_withdrawn_warning,
    WarningRevised: revise_improvement,
    EffectMeasured: keep_effect,
}
TAKEN: frozenset[type[Event]] = frozenset({*FIRST, WarningRaised, *THEN, Measured})
_WANTED = frozenset(cls.event_type for cls in TAKEN)


async def take_warnings(records: Sequence[Record], tx: Transaction) -> None:
    """Take a batch of monitoring's facts: metrics first, then all improvements at once, then what befell their warnings.

    The same as one by one: an improvement depends on nothing else in the batch, and what befalls a warning comes after it.
    """
    messages = [message for record in records if (message := decode(record.value, _WANTED)) is not None]
    await _one_by_one(messages, FIRST, tx)
    raised: dict[str, list[opening.Raised]] = {}
    for message in messages:
        if isinstance(message.event, WarningRaised):
            told = opening.Raised(message.event, str(message.id), message.traceparent)
            raised.setdefault(message.school, []).append(told)
    for school, warnings in raised.items():
        tx.school = school
        await opening.open_improvements(tx, warnings)
    await _one_by_one(await for_the_first_time([m for m in messages if type(m.event) in THEN], tx), THEN, tx)
    await _take_measured(await for_the_first_time([m for m in messages if isinstance(m.event, Measured)], tx), tx)


async def _take_measured(messages: Sequence[Message], tx: Transaction) -> None:
    """What was measured changes nothing but how far goals are: all of a school at once."""
    told: dict[str, list[Measured]] = {}
    for message in messages:
        if isinstance(message.event, Measured):
            told.setdefault(message.school, []).append(message.event)
    for school, measured in told.items():
        tx.school = school
        await attaining.take_measured(tx, measured)


async def _one_by_one(messages: Sequence[Message], handlers: Handlers, tx: Transaction) -> None:
    for message in messages:
        if (handle := handlers.get(type(message.event))) is not None:
            tx.school, tx.cause = message.school, str(message.id)
            tx.traceparent = bind_trace(message.traceparent)
            await handle(message.event, tx)
