"""Plain observations, which most are: the decoder itself checks them, in half the time that `read` takes.

What is not plain (escapes, extensions, corrections, numbers with a point, anything wrong) is for `read`, which looks again and says
what is wrong. Whatever is taken here, `read` takes too, and reads the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from libs.common.events.observations import LIMIT, MILLION, OLDEST, REFERENCES, TYPE, CloudEvent, Data, Observation, holds_escapes

NOT_PLAIN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError)
_QUOTE = ord('"')
_OLDEST, _NEWEST = OLDEST.timestamp(), datetime(9999, 12, 31, tzinfo=UTC).timestamp()  # any zone has a date for what lies between
_SHORT = 4096  # bytes that are counted sooner than an array of them is made


class PlainData(Data, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Numbers that are written without a point, not negative."""

    numerator: Annotated[int, Meta(ge=0, lt=LIMIT // MILLION)]  # type: ignore[assignment]  # narrower than the bytes of any number
    denominator: Annotated[int, Meta(gt=0, lt=LIMIT // MILLION)]  # type: ignore[assignment]  # narrower than the bytes of any number


class PlainEvent(CloudEvent[PlainData], omit_defaults=True, gc=False):
    """An observation, never what amends one."""

    type: Literal[TYPE]  # type: ignore[valid-type]  # a constant


read_one, read_many, encode = (
    msgspec.json.Decoder(PlainEvent).decode,
    msgspec.json.Decoder(list[PlainEvent]).decode,
    msgspec.json.Encoder().encode,
)
NAMED = tuple({"class": "class_"}.get(kind, kind) for kind in REFERENCES)  # the fields of `Data` that hold them
_named = attrgetter(*NAMED)


def read_plain(raws: Sequence[bytes]) -> tuple[list[PlainEvent], list[float]] | None:
    """These JSON texts, one at least, as plain events, with their times in seconds from 1970; None where one of them needs a closer
    look.
    """
    if holds_escapes(text := b"".join(raws)):
        return None
    try:
        events = list(map(read_one, raws))
    except NOT_PLAIN:
        return None
    times = [event.time.timestamp() for event in events]
    # As many strings as were read stand in the texts: so no key stands twice, and none is unknown.
    if quotes(text) != quotes(encode(events)) or not all(_OLDEST <= end < _NEWEST for end in (min(times), max(times))):
        return None
    return events, times


def quotes(text: bytes) -> int:
    """How many quotation marks stand in a text: twice its strings, where nothing is escaped."""
    if len(text) < _SHORT:
        return text.count(b'"')
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == _QUOTE))


def observation_of(event: PlainEvent) -> Observation:
    """What a plain event observes."""
    data = event.data
    return Observation(
        event.source,
        event.id,
        event.time.astimezone(UTC),
        data.metric,
        data.numerator * MILLION,
        data.denominator * MILLION,
        _named(data),
        data.phase,
        event.school or None,
        event.traceparent or None,
        event.recordedtime or None,
    )
