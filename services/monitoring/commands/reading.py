"""Read what stands on the bus: events alone or in arrays, and what cannot be read, each with its cause."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from libs.common.bus import Record
from libs.common.database import in_batches
from libs.common.errors import Fault, Invalid, Malformed
from libs.common.events.observations import Observation, read
from libs.common.events.plain import observations_of

TOGETHER = 100  # records of which one that is not plain makes the others be read as slowly


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
    for some in in_batches(records, TOGETHER):
        events = [(record, raw) for record in some for raw in _split(record, batch)]
        plain = observations_of([raw for _, raw in events])
        for n, (record, raw) in enumerate(events):
            try:
                observation = read(raw) if plain is None else plain[n]
                _refuse_other_school(observation, record)
            except (Malformed, Invalid) as error:
                why = error if isinstance(error, Invalid) else Invalid(error.detail)
                batch.unreadable.append(Unreadable(record.key, raw, why))
            else:
                batch.arrived[record.key].append((raw, observation))
    return batch


def _refuse_other_school(observation: Observation, record: Record) -> None:
    if (observation.school or record.key) != record.key:
        fault = Fault(pointer="/school", detail="is not the record's key")
        raise Invalid(f"the event is of school {observation.school!r}, the record's key is {record.key!r}", [fault])


_raws = msgspec.json.Decoder(list[msgspec.Raw])


def _split(record: Record, batch: Batch) -> Sequence[bytes]:
    """The events of a record, which is one or an array of them; none where it cannot be read."""
    if record.value.lstrip()[:1] != b"[":
        return (record.value,)
    try:
        return [bytes(raw) for raw in _raws.decode(record.value)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        batch.unreadable.append(Unreadable(record.key, record.value, Invalid(f"not readable: {error}")))
        return ()
