"""CloudEvents 1.0.2 over HTTP: structured, batched and binary mode, as the bytes of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import msgspec

from libs.common.errors import Malformed, TooLarge
from libs.common.strict_json import read_json

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
EVENT_BYTES = 64 * 1024
BATCH_EVENTS = 1_000

_raws = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Sent:
    """One event of a request: its bytes as one JSON object, and where it stands in the body, as a JSON pointer."""

    raw: bytes
    pointer: str


def read_body(media_type: str, body: bytes) -> list[Sent]:
    """Split a structured or batched body into events.

    Raises TooLarge for too many or too large events, Malformed for what is not JSON.
    """
    _refuse_empty(body)
    if media_type == STRUCTURED:
        _refuse_large([body])
        return [Sent(body.strip(), "")]
    raws = _split(body)
    if len(raws) > BATCH_EVENTS:
        raise TooLarge(f"{len(raws)} events in one request: at most {BATCH_EVENTS}")
    _refuse_large(raws)
    return [Sent(raw, f"/{i}") for i, raw in enumerate(raws)]


def _split(body: bytes) -> list[bytes]:
    try:
        return [bytes(raw) for raw in _raws.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(error, msgspec.ValidationError):
            raise Malformed("a batch is a JSON array of events") from error
        read_json(body)  # says what is wrong where the strict reader sees it, too
        raise Malformed(f"not JSON: {error}") from error


def _refuse_empty(body: bytes) -> None:
    if not body.strip():
        raise Malformed("not JSON: the body is empty")


def _refuse_large(raws: Sequence[bytes]) -> None:
    for i, raw in enumerate(raws):
        if len(raw) > EVENT_BYTES:
            raise TooLarge(f"event {i} has {len(raw)} bytes: at most {EVENT_BYTES}")


def read_binary(headers: Mapping[str, str], body: bytes) -> list[Sent]:
    """Make one event of `ce-` headers and a JSON body. Raises as `read_body`."""
    _refuse_empty(body)
    _refuse_large([body])
    attributes = {name.removeprefix("ce-"): _text(value) for name, value in headers.items() if name.startswith("ce-")}
    if "data" in attributes:
        raise Malformed("the data of a binary event is its body, not a header")
    read_json(body)  # so that nothing in it can leave its place in the event
    head = msgspec.json.encode({**attributes, "datacontenttype": "application/json"})
    raw = head[:-1] + b',"data":' + body.strip() + b"}"
    _refuse_large([raw])
    return [Sent(raw, "")]


def _text(value: str) -> str:
    """A header's value: percent-encoded UTF-8 (HTTP binding 3.1.3.2)."""
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        raise Malformed("a ce- header is not percent-encoded UTF-8") from error
