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
from libs.common.events.plain import PlainEvent, observation_of, read_plain

TOGETHER = 100  # records of which one that is not plain makes the others be read as slowly; all of its school are counted as slowly


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


@dataclass(slots=True)
class Arrivals:
    """What came of a school, in its order: each event as it stood on the bus and as it was read. `times` are those of the plain ones,
    in seconds.
    """

    raws: list[bytes] = field(default_factory=list)
    events: list[PlainEvent | Observation] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def plain(self) -> list[PlainEvent] | None:
        """All of it as plain events; None where not all are."""
        plain = [event for event in self.events if isinstance(event, PlainEvent)]
        return plain if len(plain) == len(self.events) else None

    def one_by_one(self, key: bytes) -> list[Arrived]:
        """Each on its own, with the hash of its id."""
        observations = (observation_of(event) if isinstance(event, PlainEvent) else event for event in self.events)
        return [Arrived(raw, o, o.id_hash(key)) for raw, o in zip(self.raws, observations, strict=True)]


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch of records brought, by school, and what could not be read."""

    arrived: dict[str, Arrivals] = field(default_factory=lambda: defaultdict(Arrivals))
    unreadable: list[Unreadable] = field(default_factory=list)


def read_batch(records: Sequence[Record]) -> Batch:
    """Read every event of the records."""
    batch = Batch()
    for some in in_batches(records, TOGETHER):
        found = [(record, raw) for record in some for raw in _split(record, batch)]
        if not _read_plain(found, batch):
            _read_one_by_one(found, batch)
    return batch


def _read_plain(found: Sequence[tuple[Record, bytes]], batch: Batch) -> bool:
    """Read plain events of one school at once; False, and nothing done, where they are not."""
    raws = [raw for _, raw in found]
    if len(keys := {record.key for record, _ in found}) != 1 or (plain := read_plain(raws)) is None:
        return False
    (key,), (events, times) = keys, plain
    if not {event.school or key for event in events} <= keys:
        return False
    arrivals = batch.arrived[key]
    arrivals.raws += raws
    arrivals.events += events
    arrivals.times += times
    return True


def _read_one_by_one(found: Sequence[tuple[Record, bytes]], batch: Batch) -> None:
    for record, raw in found:
        try:
            observation = read(raw)
            _refuse_other_school(observation, record)
        except (Malformed, Invalid) as error:
            why = error if isinstance(error, Invalid) else Invalid(error.detail)
            batch.unreadable.append(Unreadable(record.key, raw, why))
        else:
            arrivals = batch.arrived[record.key]
            arrivals.raws.append(raw)
            arrivals.events.append(observation)


def _refuse_other_school(observation: Observation, record: Record) -> None:
    if (observation.school or record.key) != record.key:
        fault = Fault(pointer="/school", detail="is not the record's key")
        raise Invalid(f"the event is of school {observation.school!r}, the record's key is {record.key!r}", [fault])


_raws = msgspec.json.Decoder(list[msgspec.Raw])


def _split(record: Record, batch: Batch) -> Sequence[bytes]:
    """The events of a record, which is one or an array of them; none where it cannot be read."""
    if record.value.startswith(b"{") or record.value.lstrip()[:1] != b"[":
        return (record.value,)
    try:
        return [bytes(raw) for raw in _raws.decode(record.value)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        batch.unreadable.append(Unreadable(record.key, record.value, Invalid(f"not readable: {error}")))
        return ()
