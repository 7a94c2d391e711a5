"""What a campus system says happened: the one event that comes from outside.

The same few functions read it at the gateway, which answers the sender, and in monitoring, which also meets events that a
trusted system put on the bus itself: so what the gateway accepts, monitoring can count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property
from hashlib import blake2b
from itertools import chain
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import astuple

from libs.common.errors import Fault, Invalid, Malformed
from libs.common.hashing import id_hash
from libs.common.strict_json import read_json

TYPE = "cn.zhengai.observation.v1"
CORRECTED = "cn.zhengai.observation.corrected.v1"
RETRACTED = "cn.zhengai.observation.retracted.v1"
TYPES = (TYPE, CORRECTED, RETRACTED)
REFERENCES = ("student", "teacher", "class", "homeroom", "course", "programme", "department", "lesson", "activity")
MILLION = 1_000_000
LIMIT = 1_000_000_000 * MILLION  # |numerator|, |denominator| stay below, in millionths
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(hours=24)
MOST_EXTENSIONS = 16

Content = tuple[str | None, str, str, str, int, int, str | None, tuple[str | None, ...]]
Reference = Annotated[str, Meta(min_length=1, max_length=128)]
SourceUri = Annotated[str, Meta(min_length=1, max_length=256)]
_ABSENT: Any = None  # only where the field is left out: null is refused


class Data(Struct, forbid_unknown_fields=True, gc=False):
    """What was observed: a numerator over a denominator of one metric, and of whom."""

    metric: str
    numerator: msgspec.Raw
    denominator: msgspec.Raw
    student: Reference = _ABSENT
    teacher: Reference = _ABSENT
    class_: Reference = msgspec.field(default=_ABSENT, name="class")
    homeroom: Reference = _ABSENT
    course: Reference = _ABSENT
    programme: Reference = _ABSENT
    department: Reference = _ABSENT
    lesson: Reference = _ABSENT
    activity: Reference = _ABSENT
    phase: Literal["before", "during", "after"] = _ABSENT


class CorrectedData(Data, forbid_unknown_fields=True, kw_only=True, gc=False):
    """What the observation `corrects` of the same source should have said."""

    corrects: Reference


class RetractedData(Struct, forbid_unknown_fields=True, gc=False):
    """The observation `retracts` of the same source should not have been sent."""

    retracts: Reference
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]


DataT = TypeVar("DataT", bound=Struct)


class CloudEvent(Struct, Generic[DataT], gc=False):
    """The attributes of CloudEvents 1.0 that an observation has; others are extensions."""

    specversion: Literal["1.0"]
    id: Reference
    source: SourceUri
    type: str
    time: Annotated[datetime, Meta(tz=True)]
    data: DataT
    datacontenttype: str | None = None
    dataschema: str | None = None
    subject: str | None = None
    school: str | None = None
    traceparent: str | None = None
    recordedtime: Annotated[datetime, Meta(tz=True)] | None = None


class Observation(Struct, frozen=True, gc=False):
    """An observation that is right in itself; whether its metric exists is another question (`check`).

    `numerator` and `denominator` are millionths, exact. `named` has the id of each kind of `REFERENCES`, None where it names
    none. What `amends` another one names it by `target`: a correction says the whole of it anew, a retraction gives a `reason`
    and has no metric and no numbers.
    """

    source: str
    id: str
    time: datetime
    metric: str
    numerator: int
    denominator: int
    named: tuple[str | None, ...]
    phase: str | None
    school: str | None
    traceparent: str | None
    recorded_at: datetime | None
    amends: Literal["corrects", "retracts"] | None = None
    target: str = ""
    reason: str = ""

    @property
    def references(self) -> dict[str, str]:
        """Each named kind of reference with its id, in the order of `REFERENCES`."""
        return {kind: id_ for kind, id_ in zip(REFERENCES, self.named, strict=True) if id_ is not None}

    @property
    def content(self) -> Content:
        """What of it decides whether an id that comes again says the same: its type and its data, never its time."""
        return (self.amends, self.target, self.reason, self.metric, self.numerator, self.denominator, self.phase, self.named)

    def content_hash(self) -> bytes:
        """8 bytes that differ when type or data differ, however the numbers were written."""
        if self.amends == "retracts":
            return blake2b(f"retracts\0{self.target}\0{self.reason}".encode(), digest_size=8).digest()
        named = "\0".join(chain.from_iterable(self.references.items()))  # always in the order of REFERENCES
        text = f"{self.metric}\0{self.numerator}\0{self.denominator}\0{self.phase}\0{named}"
        if self.amends is not None:
            text = f"corrects\0{self.target}\0{text}"
        return blake2b(text.encode(), digest_size=8).digest()

    def id_hash(self, key: bytes) -> bytes:
        """16 bytes for (source, id), keyed per installation."""
        return id_hash(self.source, self.id, key)

    def target_hash(self, key: bytes) -> bytes:
        """16 bytes for what a correction or retraction amends: (its own source, the id that it names)."""
        return id_hash(self.source, self.target, key)


@dataclass(frozen=True)
class MetricRule:
    """What a metric of the school's catalogue asks of its observations."""

    grain: frozenset[str]
    kind: str
    active: bool = True

    @cached_property
    def needed(self) -> tuple[int, ...]:
        """Where in `REFERENCES` the kinds of the grain stand, in order of their names."""
        return tuple(REFERENCES.index(kind) for kind in sorted(self.grain))


_any = msgspec.json.Decoder(float_hook=Decimal)
_typed = msgspec.json.Decoder(CloudEvent[Data])
_amending: dict[str, msgspec.json.Decoder[Any]] = {
    TYPE: _typed,
    CORRECTED: msgspec.json.Decoder(CloudEvent[CorrectedData]),
    RETRACTED: msgspec.json.Decoder(CloudEvent[RetractedData]),
}
_KEY_GAP = re.compile(rb"[ \t\r\n]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_EXTENSION = re.compile(r"[a-z0-9]{1,20}")
_NAMED = re.compile(r"(?:required|unknown) field `(?P<name>[^`]*)`")
_NUMBER = re.compile(rb"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_KNOWN = frozenset(CloudEvent.__struct_encode_fields__)
_REQUIRED = ("specversion", "id", "source", "type")
_KEYS = len(CloudEvent.__struct_fields__) + len(Data.__struct_fields__)
_NUMERALS: dict[bytes, int] = {b"%d" % n: n * MILLION for n in range(1001)}
_NAMED_FROM, _PHASE = (Data.__struct_fields__.index(name) for name in (REFERENCES[0], "phase"))
_UNNAMED = (None,) * len(REFERENCES)
# Spaces, and what may hide a control character: those up to U+001F stand escaped in JSON, those from U+007F to U+009F do not.
_WHITE, _ODD = b" \t\r\n", b"\\\x7f\xc2"
_IDS_IN_DATA = (*REFERENCES, "corrects", "retracts")


def read(raw: bytes) -> Observation:
    """Make an observation of one event's JSON.

    Raises Malformed where it is not JSON or no CloudEvent 1.0 at all, Invalid (one fault, with its JSON pointer) where it is
    one that can never be counted. What is right is decoded once; what may be wrong is looked at again, slowly.
    """
    try:
        event = _typed.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return _read_slowly(raw)
    attributes, data = astuple(event), astuple(event.data)
    keys = _KEYS - attributes.count(None) - data.count(None)
    # As many keys as were read end in the text: so none stands twice, and there are no extension attributes to look at.
    if raw.count(b'":') != keys or event.type != TYPE or not _plain(raw):
        return _read_slowly(raw)
    return _observation(event, data)


def _plain(raw: bytes) -> bool:
    """Whether nothing of the JSON text needs a second look: no escapes, no gap between a key and its colon."""
    if len(raw.translate(None, _WHITE + _ODD)) == len(raw):
        return True
    return not holds_escapes(raw) and _KEY_GAP.search(raw) is None


def holds_escapes(text: bytes) -> bool:
    """Whether something in the JSON text is written otherwise than it reads, or may be a control character."""
    return len(text.translate(None, _ODD)) != len(text)


def _read_slowly(raw: bytes) -> Observation:
    """As `read`, step by step; raises what is wrong in the order of the answers: not JSON, not a CloudEvent, invalid."""
    value = read_json(raw)
    if type(value) is not dict:
        raise Malformed("an event is a JSON object")
    for name in _REQUIRED:
        if value.get(name) is None:  # null means absent (JSON format 1.0.2, 2.2)
            raise Malformed(f"not a CloudEvent: {name!r} is missing")
    if value["specversion"] != "1.0":
        raise Malformed("not a CloudEvent 1.0: specversion is not '1.0'")
    decoder = _decoder_of(value["type"])
    _check_extensions(value)
    try:
        event = decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _invalid(*_where(str(error))) from error
    ids = (("/id", event.id), ("/source", event.source), *((f"/data/{k}", value["data"].get(k)) for k in _IDS_IN_DATA))
    for pointer, text in ids:
        if text is not None and _CONTROL.search(text) is not None:
            raise _invalid(pointer, "holds control characters")
    if isinstance(event.data, RetractedData):
        return _retraction(event, event.data)
    return _observation(event, astuple(event.data))


def source_of(raw: bytes) -> str | None:
    """The `source` of an event that may be invalid otherwise; None where it has none that could be read."""
    try:
        value = _any.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError, ArithmeticError):
        return None
    source = value.get("source") if type(value) is dict else None
    return source if type(source) is str else None


def _retraction(event: CloudEvent[Any], data: RetractedData) -> Observation:
    if "\0" in data.reason:
        raise _invalid("/data/reason", "holds U+0000")
    if data.retracts == event.id:
        raise _invalid("/data/retracts", "names this event itself")
    return Observation(
        source=event.source,
        id=event.id,
        time=_time(event.time),
        metric="",
        numerator=0,
        denominator=0,
        named=_UNNAMED,
        phase=None,
        school=event.school or None,
        traceparent=event.traceparent or None,
        recorded_at=event.recordedtime or None,
        amends="retracts",
        target=data.retracts,
        reason=data.reason,
    )


def _observation(event: CloudEvent[Any], data: tuple[Any, ...]) -> Observation:
    metric, numerator, denominator = data[:_NAMED_FROM]
    corrects = event.data.corrects if len(data) > _PHASE + 1 else None
    if corrects == event.id:
        raise _invalid("/data/corrects", "names this event itself")
    return Observation(
        event.source,
        event.id,
        _time(event.time),
        metric,
        _millionths("/data/numerator", bytes(numerator)),
        _millionths("/data/denominator", bytes(denominator)),
        data[_NAMED_FROM:_PHASE],
        data[_PHASE],
        event.school or None,
        event.traceparent or None,
        event.recordedtime or None,
        None if corrects is None else "corrects",
        corrects or "",
    )


def check(observation: Observation, metrics: Mapping[str, MetricRule], latest: datetime) -> Fault | None:
    """Say what makes it wrong for this school, if anything. `latest`: the last instant that is not too far ahead."""
    ahead = Fault(pointer="/time", detail="lies more than 24 hours ahead") if observation.time > latest else None
    if observation.amends == "retracts":
        return ahead
    if (metric := metrics.get(observation.metric)) is None:
        return Fault(pointer="/data/metric", detail=f"no metric of this school is called {observation.metric!r}")
    if not metric.active:
        return Fault(pointer="/data/metric", detail=f"the metric {observation.metric!r} is switched off")
    named = observation.named
    for at in metric.needed:
        if named[at] is None:
            grain = ", ".join(sorted(metric.grain))
            return Fault(pointer=f"/data/{REFERENCES[at]}", detail=f"{observation.metric!r} is observed per {grain}: name it")
    if named[0] is not None and "student" not in metric.grain:
        return Fault(pointer="/data/student", detail=f"{observation.metric!r} is not observed per student: leave it out")
    if observation.denominator <= 0:
        return Fault(pointer="/data/denominator", detail="must be greater than 0")
    if metric.kind == "ratio" and observation.numerator < 0:
        return Fault(pointer="/data/numerator", detail="must not be negative for a ratio")
    return ahead


def _decoder_of(type_: object) -> msgspec.json.Decoder[Any]:
    decoder = _amending.get(type_) if type(type_) is str else None
    if decoder is None:
        raise _invalid("/type", f"unknown type: {', '.join(map(repr, TYPES))} are known")
    return decoder


def _check_extensions(value: Mapping[str, Any]) -> None:
    extensions = [name for name in value if name not in _KNOWN]
    if len(extensions) > MOST_EXTENSIONS:
        raise _invalid("", f"more than {MOST_EXTENSIONS} extension attributes")
    for name in extensions:
        if _EXTENSION.fullmatch(name) is None:
            raise _invalid(f"/{name.replace('~', '~0').replace('/', '~1')}", "extension attributes are called [a-z0-9]{1,20}")
        if type(value[name]) in {dict, list}:
            raise _invalid(f"/{name}", "an extension attribute is a string, a number or a boolean")


def _time(time: datetime) -> datetime:
    try:
        instant = time.astimezone(UTC)
    except OverflowError as error:
        raise _invalid("/time", "lies outside the calendar") from error
    if instant < OLDEST:
        raise _invalid("/time", "lies before 2000-01-01")
    return instant


def _millionths(pointer: str, number: bytes) -> int:
    """The JSON number times a million, exact. Raises Invalid for no number, more than 6 decimals, 10 digits before the point."""
    if (scaled := _NUMERALS.get(number, -1)) >= 0:
        return scaled
    if number.isdigit() and len(number) < 16:
        scaled = int(number) * MILLION
    elif _NUMBER.fullmatch(number) is None:
        raise _invalid(pointer, "must be a JSON number")
    else:
        scaled = _scale(pointer, number)
    if not -LIMIT < scaled < LIMIT:
        raise _invalid(pointer, "its absolute value must be below 1,000,000,000")
    return scaled


def _scale(pointer: str, written: bytes) -> int:
    try:
        number = Decimal(written.decode())
    except InvalidOperation as error:
        raise _invalid(pointer, "its exponent is out of all bounds") from error
    if number == 0:
        return 0
    if not number.is_finite() or number.adjusted() > 9:
        raise _invalid(pointer, "its absolute value must be below 1,000,000,000")
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    power = int(exponent) + len(digits) - len(text) + 6
    if power < 0:
        raise _invalid(pointer, "must be a multiple of 0.000001")
    scaled: int = int(text) * 10**power
    return -scaled if sign else scaled


def _where(message: str) -> tuple[str, str]:
    """Split the decoder's message into a JSON pointer and a reason."""
    reason, _, path = message.partition(" - at `$")
    pointer = path.rstrip("`").replace(".", "/")
    if (match := _NAMED.search(reason)) is not None:
        pointer += "/" + match["name"].replace("~", "~0").replace("/", "~1")
        reason = "unknown field" if "unknown" in reason else "is missing"
    elif "RFC3339" in reason or "timezone" in reason:
        reason = "must be an RFC 3339 date and time with a zone"
    elif "length" in reason:
        most = 256 if pointer == "/source" else 128
        reason = "must not be empty" if ">=" in reason else f"longer than {most} characters"
    return pointer, reason[:1].lower() + reason[1:]


def _invalid(pointer: str, reason: str) -> Invalid:
    return Invalid(f"{pointer or '/'}: {reason}", [Fault(pointer=pointer, detail=reason)])


def refused(faults: Iterable[Fault]) -> Invalid:
    """The refusal of a whole request, with one fault for each invalid event."""
    faults = list(faults)
    return Invalid(f"{len(faults)} of the events cannot be accepted, and none was", faults)
