"""Most requests hold a few plain events: they are checked, completed and written again at once, in half the time.

What is not plain, or not right, is left to `check_all`, which looks at one event after the other and says what is wrong. Whatever is
taken here would be taken there, and be counted the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

from libs.common.events.observations import AHEAD, OLDEST, MetricRule, holds_escapes
from libs.common.events.plain import NAMED, NOT_PLAIN, PlainEvent, encode, quotes, read_many, read_one
from services.gateway.queries.sources import Source
from services.gateway.sources import BATCH_EVENTS, BATCHED, EVENT_BYTES, STRUCTURED

_QUOTES_ADDED = 4  # around an attribute's name and its value


def take_plain(
    source: Source, mode: str, body: bytes, metrics: Mapping[str, MetricRule], now: datetime, traceparent: str | None
) -> tuple[int, bytes] | None:
    """How many events the body holds, and the record that says the same with all attributes; None where it needs a closer look."""
    if len(body) > EVENT_BYTES or mode not in {STRUCTURED, BATCHED} or holds_escapes(body):
        return None
    try:
        events: Sequence[PlainEvent] = read_many(body) if mode == BATCHED else [read_one(body)]
    except NOT_PLAIN:
        return None
    if not 0 < len(events) <= BATCH_EVENTS or not _right(events, source, metrics, now):
        return None
    added = _complete(events, source.school, now, traceparent)
    record = encode(events[0] if len(events) == 1 else events)
    # As many strings as were read stand in the text: so no key stands twice, and none is unknown.
    return (len(events), record) if quotes(body) + added * _QUOTES_ADDED == quotes(record) else None


def _right(events: Sequence[PlainEvent], source: Source, metrics: Mapping[str, MetricRule], now: datetime) -> bool:
    """Whether every one can be accepted of this source now."""
    school, uris = source.school, source.uris
    times = [event.time for event in events]
    if min(times) < OLDEST or max(times) > now + AHEAD:  # times of one zone are cheap to compare, other zones are not
        return False
    for event in events:
        data = event.data
        rule = metrics.get(data.metric)
        if rule is None or not rule.active or (data.student and "student" not in rule.grain):
            return False
        if None in _named(rule.needed)(data) or event.source not in uris:
            return False
        if event.school is not None and event.school != school:
            return False
    return True


@cache
def _named(needed: tuple[int, ...]) -> Any:
    """What reads the ids that a metric needs, and the metric's own name, so that the answer is a tuple always."""
    return attrgetter("metric", *(NAMED[at] for at in needed))


def _complete(events: Sequence[PlainEvent], school: str, now: datetime, traceparent: str | None) -> int:
    """Set the attributes that the gateway adds, where an event lacks them; how many these were."""
    added = 0
    for event in events:
        if event.school is None:
            event.school, added = school, added + 1
        if event.recordedtime is None:
            event.recordedtime, added = now, added + 1
        if event.traceparent is None and traceparent is not None:
            event.traceparent, added = traceparent, added + 1
    return added
