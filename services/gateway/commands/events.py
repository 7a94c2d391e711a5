"""Take what a campus system posts: check all of it, then put it on the bus as one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from libs.common.bus import Bus, Record
from libs.common.errors import Fault, Forbidden, Invalid, Malformed, ServiceError
from libs.common.events.observations import AHEAD, MetricRule, Observation, check, parse
from services.gateway.queries.sources import Source
from services.gateway.sources import Sent

TOPIC = "observations"


class IndexedFault(Fault):
    """A fault, and which event of the request it is about."""

    index: int


def check_all(source: Source, sent: Sequence[Sent], metrics: Mapping[str, MetricRule], now: datetime) -> None:
    """Raise the first of 400, 403, 422 that fits, naming each such event; return when every event can be accepted."""
    malformed: list[Fault] = []
    foreign: list[Fault] = []
    invalid: list[Fault] = []
    for index, event in enumerate(sent):
        if type(event.value) is dict and event.value.get("source") not in source.uris and "source" in event.value:
            foreign.append(_fault(index, event, "/source", "is not this key's"))
        try:
            observation = parse(event.value)
        except Malformed as error:
            malformed.append(_fault(index, event, "", error.detail))
        except Invalid as error:
            invalid.append(_fault(index, event, error.errors[0]["pointer"], error.errors[0]["detail"]))
        else:
            fault = _check_school(observation, source) or check(observation, metrics, now + AHEAD)
            if fault is not None:
                invalid.append(_fault(index, event, fault["pointer"], fault["detail"]))
    for faults, kind, what in (
        (malformed, Malformed, "not CloudEvents"),
        (foreign, Forbidden, "of a source that is not this key's"),
        (invalid, Invalid, "invalid"),
    ):
        if faults:
            raise _refusal(kind, what, faults, len(sent))


def _refusal(kind: type[ServiceError], what: str, faults: Sequence[Fault], of: int) -> ServiceError:
    if of == 1:
        first = faults[0]
        return kind(f"{first['pointer']}: {first['detail']}".removeprefix(": "), faults)
    return kind(f"{len(faults)} of {of} events are {what}; nothing of the request was taken", faults)


def _fault(index: int, event: Sent, pointer: str, detail: str) -> Fault:
    return IndexedFault(index=index, pointer=event.pointer + pointer, detail=detail)


def _check_school(observation: Observation, source: Source) -> Fault | None:
    if observation.school is not None and observation.school != source.school:
        return Fault(pointer="/school", detail="is not the key's school")
    return None


async def put_on_bus(bus: Bus, source: Source, sent: Sequence[Sent], now: datetime, traceparent: str | None) -> None:
    """Return when every event is durably on the bus. Raises Unavailable where it cannot be stored now."""
    extra = {"school": source.school, "recordedtime": now.isoformat(), "traceparent": traceparent}
    every = {name: msgspec.json.encode({name: value})[1:-1] + b"," for name, value in extra.items() if value is not None}
    events = [_with(event, every) for event in sent]
    value = events[0] if len(events) == 1 else b"[" + b",".join(events) + b"]"
    await bus.publish([Record(TOPIC, source.school, value)])


def _with(event: Sent, every: Mapping[str, bytes]) -> bytes:
    """The event's bytes with the attributes that the gateway adds, where it lacks them."""
    added = b"".join(attribute for name, attribute in every.items() if name not in event.value)
    return b"{" + added + event.raw[1:]
