"""Take what a campus system posts: check all of it, then put it on the bus as one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from libs.common.bus import Bus, Record
from libs.common.errors import Fault, Forbidden, Invalid, Malformed, ServiceError
from libs.common.events.observations import AHEAD, MetricRule, Observation, check, read, source_of
from services.gateway.queries.sources import Source
from services.gateway.sources import Sent

TOPIC = "observations"
Metrics = Mapping[str, MetricRule]


class IndexedFault(Fault):
    """A fault, and which event of the request it is about."""

    index: int


def check_all(source: Source, sent: Sequence[Sent], metrics: Metrics, now: datetime) -> list[Observation]:
    """Return the observations when every one can be accepted, else raise the first of 400, 403, 422 that fits, naming each."""
    observations: list[Observation] = []
    malformed: list[Fault] = []
    foreign: list[Fault] = []
    invalid: list[Fault] = []
    for index, event in enumerate(sent):
        try:
            observation = read(event.raw)
        except Malformed as error:
            malformed.append(_fault(index, event, "", error.detail))
            continue
        except Invalid as error:
            invalid.append(_fault(index, event, error.errors[0]["pointer"], error.errors[0]["detail"]))
            uri = source_of(event.raw)
        else:
            uri = observation.source
            observations.append(observation)
            fault = _check_school(observation, source) or check(observation, metrics, now + AHEAD)
            if fault is not None:
                invalid.append(_fault(index, event, fault["pointer"], fault["detail"]))
        if uri is not None and uri not in source.uris:
            foreign.append(_fault(index, event, "/source", f"is not one of this key's: {', '.join(sorted(source.uris))}"))
    for faults, kind, what in (
        (malformed, Malformed, "not CloudEvents"),
        (foreign, Forbidden, "of a source that is not this key's"),
        (invalid, Invalid, "invalid"),
    ):
        if faults:
            raise _refusal(kind, what, faults, len(sent))
    return observations


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


def complete(
    source: Source, sent: Sequence[Sent], observations: Sequence[Observation], now: datetime, traceparent: str | None
) -> bytes:
    """The record that holds the events with the attributes that the gateway adds, where they lack them."""
    school, recorded, trace = (
        _attribute(name, value)
        for name, value in (("school", source.school), ("recordedtime", now.isoformat()), ("traceparent", traceparent))
    )
    events = [
        # null is as good as absent, but its key stands there
        (b"{" if o.school or b'"school"' in event.raw else b"{" + school)
        + (b"" if o.recorded_at or b'"recordedtime"' in event.raw else recorded)
        + (b"" if o.traceparent or b'"traceparent"' in event.raw else trace)
        + event.raw[1:]
        for event, o in zip(sent, observations, strict=True)
    ]
    return events[0] if len(events) == 1 else b"[" + b",".join(events) + b"]"


async def put_on_bus(bus: Bus, source: Source, value: bytes) -> None:
    """Return when the record is durably on the bus. Raises Unavailable where it cannot be stored now."""
    await bus.publish([Record(TOPIC, source.school, value)])


def _attribute(name: str, value: str | None) -> bytes:
    return b"" if value is None else msgspec.json.encode({name: value})[1:-1] + b","
