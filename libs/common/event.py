"""Events: the only language services share. Each travels as one structured CloudEvents 1.0 JSON."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from libs.common.errors import Invalid

NAMESPACE = uuid5(NAMESPACE_URL, "urn:zhengai")
_catalogue: dict[tuple[str, int], type[Event]] = {}


class UnknownVersion(Exception):
    """A producer is newer than this process. Deploy consumers first."""


class Event(BaseModel):
    """A fact that already happened, named in the past tense; the `data` of its CloudEvent.

    Subclasses declare `type` ("<producer>.<fact>"), `about` (the field that says what the fact is about, part of the
    event's id) and, from 2 on, `version`. Adding an optional field keeps the version; anything else is a new class with
    version + 1, and the old class keeps its fields under the name `…V1` with an `upgrade`.
    """

    model_config = ConfigDict(frozen=True)

    event_type: ClassVar[str]
    event_version: ClassVar[int]
    about_field: ClassVar[str]

    def __init_subclass__(cls, *, type: str, about: str, version: int = 1, **config: Any) -> None:  # noqa: A002 - reads as the CloudEvents attribute
        super().__init_subclass__(**config)
        cls.event_type, cls.event_version, cls.about_field = type, version, about
        if _catalogue.setdefault((type, version), cls) is not cls:
            raise TypeError(f"{type} v{version} is declared twice")

    @classmethod
    def producer(cls) -> str:
        """The service that publishes it, which is also its topic: the first word of the type."""
        return cls.event_type.partition(".")[0]

    @classmethod
    def wire_type(cls) -> str:
        return f"cn.zhengai.{cls.event_type}.v{cls.event_version}"

    def upgrade(self) -> Event:
        """Return this fact as the next version; the latest returns itself."""
        return self


@dataclass(frozen=True, slots=True)
class Message:
    """An event with what every fact carries: when, in which school, and what caused it."""

    id: UUID
    time: datetime
    school: str
    event: Event
    causationid: str | None = None
    traceparent: str | None = None


class _Envelope(BaseModel):
    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: str
    type: str
    time: AwareDatetime
    datacontenttype: str = "application/json"
    school: str
    causationid: str | None = None
    traceparent: str | None = None
    data: dict[str, Any]


def event_id(cause: str, event: Event, n: int) -> UUID:
    """The id an event has, however often its cause is handled: `n` counts events of one type about one thing."""
    return uuid5(NAMESPACE, f"{cause}|{event.event_type}|{getattr(event, event.about_field)}|{n}")


def encode(message: Message) -> bytes:
    """Return the message as structured CloudEvents JSON."""
    event = message.event
    body = _Envelope(
        id=message.id,
        source=f"urn:zhengai:{event.producer()}",
        type=event.wire_type(),
        time=message.time,
        school=message.school,
        causationid=message.causationid,
        traceparent=message.traceparent,
        data=event.model_dump(mode="json"),
    )
    return body.model_dump_json(exclude_none=True).encode()


def decode(value: bytes, wanted: Container[str]) -> Message | None:
    """Parse a record of any published version into the latest event class.

    Returns None for a type nobody here wants. Raises Invalid for a payload that can never be read, UnknownVersion for one
    that a newer build could read.
    """
    try:
        body = _Envelope.model_validate_json(value)
    except ValidationError as error:
        raise Invalid(f"not an event: {_first(error)}") from error
    name, _, version = body.type.removeprefix("cn.zhengai.").rpartition(".v")
    if not version.isdecimal():
        raise Invalid(f"not an event type: {body.type!r}")
    if name not in wanted:
        return None
    if (cls := _catalogue.get((name, int(version)))) is None:
        raise UnknownVersion(body.type)
    try:
        event: Event = cls.model_validate(body.data)
    except ValidationError as error:
        raise Invalid(f"not a {body.type}: {_first(error)}") from error
    while (newer := event.upgrade()) is not event:
        event = newer
    return Message(body.id, body.time, body.school, event, body.causationid, body.traceparent)


def _first(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}"


def catalogue() -> dict[tuple[str, int], type[Event]]:
    """Every event class that has been imported, by type and version."""
    return dict(_catalogue)
