"""Where campus systems post what happens."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import suppress
from time import monotonic

from fastapi import APIRouter, Request
from starlette.responses import Response

from libs.common.asgi import Headers
from libs.common.bus import Bus
from libs.common.database import Database
from libs.common.errors import Malformed, ServiceError, TooLarge, TooManyRequests, Unavailable, UnsupportedMediaType
from libs.common.events.observations import Observation
from libs.common.telemetry import EVENTS_ACCEPTED, EVENTS_REFUSED, labelled
from services.gateway.commands.events import Metrics, check_all, complete, put_on_bus
from services.gateway.commands.plain import take_plain
from services.gateway.domain.credentials import bearer
from services.gateway.domain.rate import Bucket
from services.gateway.queries.metrics import metrics_of
from services.gateway.queries.sources import Source, authenticate_source_cached
from services.gateway.sources import BATCHED, STRUCTURED, Sent, read_binary, read_body

router = APIRouter(tags=["events"])
REQUEST_BYTES = 5 * 2**20
DISCARD_BYTES = 64 * 2**20
# What is longer than a thread costs is read and checked in one of its own, so that other requests are answered meanwhile.
LONG = 64 * 1024  # bytes
MANY = 200  # events: about 1.5 ms
BACKLOG_CACHED_S = 0.5


@router.post(
    "/api/v1/events",
    status_code=202,
    openapi_extra={
        "security": [{"bearer": []}],
        "requestBody": {
            "required": True,
            "content": {
                STRUCTURED: {"schema": {"$ref": "#/components/schemas/Observation"}},
                BATCHED: {
                    "schema": {"type": "array", "maxItems": 1000, "items": {"$ref": "#/components/schemas/Observation"}},
                },
                "application/json": {"schema": {"$ref": "#/components/schemas/ObservationData"}},
            },
        },
    },
)
async def post_events(request: Request) -> Response:
    """Take events of a campus system: 202 when every one of them is durably on the bus, else none is taken."""
    state = request.app.state
    headers = Headers(request.scope)
    incoming = _Incoming(request)
    source: Source | None = None
    try:
        try:
            source = await authenticate_source_cached(state.database, bearer(headers.get("authorization")))
            mode = _mode(headers)
            body = await _read(incoming, headers)
        except ServiceError:
            await incoming.discard()
            raise
        events, record = await _take(state.database, source, mode, headers, body, request.scope.get("traceparent"))
        _check_rate(state.database, source, events)
        await _check_backlog(state.bus, state.database)
        await put_on_bus(state.bus, source, record)
    except ServiceError as error:
        who = (source.school, source.name) if source is not None else ("", "")
        EVENTS_REFUSED.labels(*who, str(error.status)).inc(max(1, len(error.errors)))
        raise
    labelled(EVENTS_ACCEPTED, source.school, source.name).inc(events)
    return Response(b'{"accepted":%d}' % events, 202, media_type="application/json")


def _mode(headers: dict[str, str]) -> str:
    """The media type that decides how to read the body, `binary` for binary mode. Raises UnsupportedMediaType."""
    media_type, _, parameters = headers.get("content-type", "").partition(";")
    media_type = media_type.strip().lower()
    charset = parameters.replace(" ", "").lower()
    if charset and charset not in {"charset=utf-8", 'charset="utf-8"'}:
        raise UnsupportedMediaType("events are UTF-8")
    if headers.get("content-encoding", "identity").strip().lower() not in {"identity", "gzip"}:
        raise UnsupportedMediaType("a body may be compressed with gzip only")
    if media_type in {STRUCTURED, BATCHED}:
        return media_type
    if any(name.startswith("ce-") for name in headers) and media_type == "application/json":
        return "binary"
    raise UnsupportedMediaType(
        f"{media_type or 'no media type'}: send {STRUCTURED}, {BATCHED}, or application/json with ce- headers"
    )


async def _read(incoming: _Incoming, headers: dict[str, str]) -> bytes:
    """The body, inflated. Raises TooLarge, Malformed."""
    inflater = _Inflater() if headers.get("content-encoding", "").strip().lower() == "gzip" else None
    body, size = bytearray(), 0
    while not incoming.over:
        chunk = await incoming.next()
        size += len(chunk)
        if inflater is None:
            body += chunk
        else:
            inflater.add(chunk, body)
        if max(len(body), size) > REQUEST_BYTES:
            raise TooLarge(f"the request has more than {REQUEST_BYTES} bytes")
    if inflater is not None:
        inflater.end()
    return bytes(body)


class _Incoming:
    """The body of a request as it comes in; knows whether there is more to come, for which one must not wait in vain."""

    def __init__(self, request: Request) -> None:
        self._receive, self.over = request.receive, False

    async def next(self) -> bytes:
        """What comes next, until it is `over`. Raises Malformed where the sender leaves before the end."""
        message = await self._receive()
        self.over = not message.get("more_body", False)
        if message["type"] == "http.disconnect":
            raise Malformed("the sender left before the end")
        body: bytes = message.get("body", b"")
        return body

    async def discard(self) -> None:
        """Read the rest and throw it away, so that the sender sees the answer; past 64 MiB the connection is closed on it."""
        left = DISCARD_BYTES
        with suppress(Malformed):
            while not self.over and left > 0:
                left -= len(await self.next())


class _Inflater:
    """Inflates gzip, of which several parts may follow one another, up to one byte over the limit."""

    def __init__(self) -> None:
        self._part = zlib.decompressobj(wbits=31)

    def add(self, chunk: bytes, body: bytearray) -> None:
        """Append what the chunk inflates to. Raises Malformed."""
        while chunk and len(body) <= REQUEST_BYTES:
            if self._part.eof:
                self._part = zlib.decompressobj(wbits=31)
            try:
                body += self._part.decompress(chunk, REQUEST_BYTES + 1 - len(body))
            except zlib.error as error:
                raise Malformed(f"not gzip: {error}") from error
            chunk = self._part.unused_data

    def end(self) -> None:
        """Raise Malformed where the last part is not whole."""
        if not self._part.eof:
            raise Malformed("not gzip: the body ends too early")


async def _take(
    database: Database, source: Source, mode: str, headers: dict[str, str], body: bytes, traceparent: str | None
) -> tuple[int, bytes]:
    """How many events the body holds, and the record for the bus. Raises what is wrong with the first of them that is."""
    metrics = await metrics_of(database, source.school)
    if (plain := take_plain(source, mode, body, metrics, database.now(), traceparent)) is not None:
        return plain
    sent = await _parse(mode, headers, body)
    observations = await _check(database, source, sent)
    return len(sent), complete(source, sent, observations, database.now(), traceparent)


async def _parse(mode: str, headers: dict[str, str], body: bytes) -> list[Sent]:
    if mode == "binary":
        return read_binary(headers, body)
    if len(body) < LONG:
        return read_body(mode, body)
    return await asyncio.to_thread(read_body, mode, body)


async def _check(database: Database, source: Source, sent: list[Sent]) -> list[Observation]:
    """Check every event. A metric that is not known may have been defined a moment ago: then it is looked up anew."""
    metrics = await metrics_of(database, source.school)
    try:
        return await _check_by(source, sent, metrics, database)
    except ServiceError:
        if (newer := await metrics_of(database, source.school, anew=True)) == metrics:
            raise
        return await _check_by(source, sent, newer, database)


async def _check_by(source: Source, sent: list[Sent], metrics: Metrics, database: Database) -> list[Observation]:
    if len(sent) < MANY:
        return check_all(source, sent, metrics, database.now())
    return await asyncio.to_thread(check_all, source, sent, metrics, database.now())


def _check_rate(database: Database, source: Source, events: int) -> None:
    rate = database.settings.rate_limit
    if rate is None:
        return
    buckets: dict[tuple[str, str], Bucket] = database.memory.setdefault("gateway.rates", {})
    bucket = buckets.setdefault((source.school, source.name), Bucket(rate))
    if (wait := bucket.take(events, monotonic())) > 0:
        raise TooManyRequests(f"over {rate} events a second", headers={"Retry-After": str(int(wait) + 1)})


async def _check_backlog(bus: Bus, database: Database) -> None:
    """Refuse while counting is too far behind: the bus must not fill the disk. Raises Unavailable."""
    known: tuple[float, int] = database.memory.get("gateway.backlog", (0.0, 0))
    if known[0] < monotonic():
        known = (monotonic() + BACKLOG_CACHED_S, await bus.backlog("monitoring.observations", "observations"))
        database.memory["gateway.backlog"] = known
    if known[1] > database.settings.backlog_limit:
        raise Unavailable("counting is too far behind; send again later", headers={"Retry-After": "5"})
