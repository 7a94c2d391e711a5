"""Most requests hold a few plain events: the decoder itself checks them, and they are completed and written again in half the time.

What is not plain (escapes, extensions, corrections, numbers with a point, anything wrong) is left to `check_all`, which looks
at one event after the other and says what is wrong. Whatever is taken here would be taken there, and be counted the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from libs.common.events.observations import AHEAD, LIMIT, MILLION, OLDEST, REFERENCES, TYPE, CloudEvent, Data, MetricRule, is_plain
from services.gateway.queries.sources import Source
from services.gateway.sources import BATCH_EVENTS, BATCHED, EVENT_BYTES, STRUCTURED

_QUOTE = ord('"')
_SHORT = 4096  # bytes that are counted sooner than an array of them is made
_QUOTES_ADDED = 4  # around an attribute's name and its value


class _Data(Data, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    numerator: Annotated[int, Meta(ge=0, lt=LIMIT // MILLION)]  # type: ignore[assignment]  # narrower than the bytes of any number
    denominator: Annotated[int, Meta(gt=0, lt=LIMIT // MILLION)]  # type: ignore[assignment]


class _Event(CloudEvent[_Data], omit_defaults=True, gc=False):
    type: Literal[TYPE]  # type: ignore[valid-type]  # a constant


_one, _many, _encoder = msgspec.json.Decoder(_Event), msgspec.json.Decoder(list[_Event]), msgspec.json.Encoder()


def take_plain(
    source: Source, mode: str, body: bytes, metrics: Mapping[str, MetricRule], now: datetime, traceparent: str | None
) -> tuple[int, bytes] | None:
    """How many events the body holds, and the record that says the same with all attributes; None where it needs a closer look."""
    if len(body) > EVENT_BYTES or mode not in {STRUCTURED, BATCHED} or not is_plain(body):
        return None
    try:
        events: Sequence[_Event] = _many.decode(body) if mode == BATCHED else [_one.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return None
    if not 0 < len(events) <= BATCH_EVENTS or not _right(events, source, metrics, now):
        return None
    added = _complete(events, source.school, now, traceparent)
    record = _encoder.encode(events[0] if len(events) == 1 else events)
    # As many strings as were read stand in the text: so no key stands twice, and none is unknown.
    return (len(events), record) if _quotes(body) + added * _QUOTES_ADDED == _quotes(record) else None


def _right(events: Sequence[_Event], source: Source, metrics: Mapping[str, MetricRule], now: datetime) -> bool:
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
    fields = Data.__struct_fields__
    first = fields.index(REFERENCES[0])
    return attrgetter("metric", *(fields[first + at] for at in needed))


def _complete(events: Sequence[_Event], school: str, now: datetime, traceparent: str | None) -> int:
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


def _quotes(text: bytes) -> int:
    if len(text) < _SHORT:
        return text.count(b'"')
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == _QUOTE))
