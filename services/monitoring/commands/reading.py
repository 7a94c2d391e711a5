"""Read what stands on the bus: events alone or in arrays, and what cannot be read, each with its cause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from libs.common.bus import Record
from libs.common.errors import Fault, Invalid, Malformed
from libs.common.events.observations import Observation, read


class Arrived(Struct, frozen=True, gc=False):
    """An observation as it stood on the bus, and the hash of its id."""

    raw: bytes
    observation: Observation
    id: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What could not be read, of which school, and why."""

    school: str
    raw: bytes
    error: Invalid


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch of records brought: by school, each event as it stood there and as it was read; and what could not be read."""

    arrived: dict[str, list[tuple[bytes, Observation]]] = field(default_factory=lambda: defaultdict(list))
    unreadable: list[Unreadable] = field(default_factory=list)


def read_batch(records: Sequence[Record]) -> Batch:
    """Read every event of the records."""
    batch = Batch()
    unreadable = batch.unreadable
    for record in records:
        try:
            raws = _split(record.value)
        except (Malformed, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            unreadable.append(Unreadable(record.key, record.value, Invalid(f"not readable: {error}")))
            continue
        for raw in raws:
            try:
                observation = read(raw)
                _refuse_other_school(observation, record)
            except (Malformed, Invalid) as error:
                unreadable.append(Unreadable(record.key, raw, error if isinstance(error, Invalid) else Invalid(error.detail)))
            else:
                batch.arrived[record.key].append((raw, observation))
    return batch


def _refuse_other_school(observation: Observation, record: Record) -> None:
    if (observation.school or record.key) != record.key:
        fault = Fault(pointer="/school", detail="is not the record's key")
        raise Invalid(f"the event is of school {observation.school!r}, the record's key is {record.key!r}", [fault])


_raws = msgspec.json.Decoder(list[msgspec.Raw])


def _split(value: bytes) -> list[bytes]:
    """A record is one event or an array of events."""
    if value.lstrip()[:1] == b"[":
        return [bytes(raw) for raw in _raws.decode(value)]
    return [value]
