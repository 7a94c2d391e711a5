"""The HTTP face of a service: transactions, scopes, problems, pages."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import structlog
from fastapi import Depends, FastAPI, Query, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, WithJsonSchema, model_validator
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from libs.common import auth
from libs.common.auth import Principal, Scope
from libs.common.bus import Bus
from libs.common.database import AnswerRow, Database, OutboxRow, Transaction
from libs.common.errors import PROBLEM, Conflict, Fault, Invalid, Malformed, ServiceError, Unavailable
from libs.common.service import Service
from libs.common.telemetry import HTTP_SECONDS, bind_trace

log = structlog.get_logger()
ItemT = TypeVar("ItemT")
LIMIT = 100
LIMIT_MOST = 500
KEPT = timedelta(hours=24)
POSITION = "zhengai-position"


class Body(BaseModel):
    """A request body: unknown fields refused, no value bent into another type."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _no_nul(cls, value: Any) -> Any:
        """PostgreSQL keeps no NUL in text, so no text holds one."""
        if _holds_nul(value):
            raise ValueError("text must not hold U+0000")
        return value


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(map(_holds_nul, value)) or any(map(_holds_nul, value.values()))
    return isinstance(value, list) and any(map(_holds_nul, value))


class View(BaseModel):
    """A response body, read from a row."""

    model_config = ConfigDict(from_attributes=True)


class Page(BaseModel, Generic[ItemT]):
    """One page of a list; `next` asks for the one after it."""

    items: list[ItemT]
    next: str | None = None


Exact = Annotated[Decimal, WithJsonSchema({"type": "number"})]
_exact = msgspec.json.Encoder(decimal_format="number")


def exact(body: BaseModel, status: int = 200) -> Response:
    """Answer with decimals as JSON numbers, every digit as it is: the usual road would make them floats or strings."""
    return Response(_exact.encode(body.model_dump(mode="python")), status, media_type="application/json")


def problem(error: ServiceError) -> Response:
    """Render a failure as RFC 9457 problem details."""
    body: dict[str, Any] = {
        "type": PROBLEM + error.slug,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
    }
    if error.errors:
        body["errors"] = error.errors
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")
    headers = {"Cache-Control": "no-store", **error.headers}
    return Response(content, error.status, headers, media_type="application/problem+json")


# --- what endpoints ask for ------------------------------------------------------------------------------------------


async def _principal(request: Request) -> Principal:
    state = request.app.state
    principal = auth.verify(request.headers.get(auth.HEADER), state.service, state.secret)
    request.state.principal = principal
    return principal


Caller = Annotated[Principal, Depends(_principal)]


@dataclass(frozen=True)
class Needs:
    """The permission of a route, and as a dependency the scope that it gives the caller."""

    permission: str

    def __call__(self, caller: Caller) -> Scope:
        return caller.scope(self.permission)


def needs(permission: str) -> Any:
    """Declare what a route asks for; its value is the `Scope` that every query takes first."""
    return Depends(Needs(permission))


async def _transaction(request: Request, caller: Caller) -> AsyncIterator[Transaction]:
    database: Database = request.app.state.database
    async with database.transaction() as tx:
        tx.school = caller.school
        tx.traceparent = request.scope.get("traceparent")
        if reservation := request.scope.get("idempotency"):
            place = {name: reservation[name] for name in ("school", "person", "key")}
            await tx.session.execute(delete(AnswerRow).filter_by(**place).where(AnswerRow.at < tx.now - KEPT))
            tx.session.add(AnswerRow(**reservation, at=tx.now))
            await tx.session.flush()
        yield tx


async def _reading(request: Request) -> AsyncIterator[AsyncSession]:
    database: Database = request.app.state.database
    async with database.reading() as session:
        yield session


def _now(request: Request) -> datetime:
    database: Database = request.app.state.database
    return database.now()


def _bus(request: Request) -> Bus:
    bus: Bus = request.app.state.bus
    return bus


# scope="function": commit before the response leaves, so a 201 is never a lie.
Now = Annotated[datetime, Depends(_now)]
Tx = Annotated[Transaction, Depends(_transaction, scope="function")]
Read = Annotated[AsyncSession, Depends(_reading, scope="function")]
BusDep = Annotated[Bus, Depends(_bus)]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MOST, description="Most items in one answer.")]
Cursor = Annotated[str | None, Query(description="The `next` of the page before.")]


def to_cursor(*values: str | int) -> str:
    """Pack the sort key of a page's last item."""
    return base64.urlsafe_b64encode(json.dumps(values, ensure_ascii=False).encode()).decode().rstrip("=")


def from_cursor(cursor: str | None, *types: type) -> tuple[Any, ...] | None:
    """Unpack what `to_cursor` packed. Raises Invalid for anything else."""
    if cursor is None:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="unreadable")]) from error
    if not isinstance(values, list) or [type(v) for v in values] != list(types):
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")])
    return tuple(values)


def page(rows: Sequence[Any], limit: int, view: Callable[[Any], ItemT], key: Callable[[Any], tuple[str | int, ...]]) -> Page[ItemT]:
    """Make a page of `limit` items from `limit + 1` rows: the extra one says that there is a next page."""
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(items=[view(row) for row in rows], next=to_cursor(*key(rows[-1])) if more else None)


# --- what every route does -------------------------------------------------------------------------------------------


def _refuse_unknown_parameters(request: Request) -> None:
    """A misspelt filter would silently list everything."""
    route = request.scope.get("route")
    if (dependant := getattr(route, "dependant", None)) is None:
        return
    known = {field.alias for field in get_flat_params(dependant)} | {"school"}
    if unknown := sorted(set(request.query_params) - known):
        raise Invalid(
            f"unknown query parameters: {', '.join(unknown)}",
            [Fault(pointer=f"/{name}", detail="unknown parameter") for name in unknown],
        )
    if odd := sorted(name for name, value in (*request.query_params.items(), *request.path_params.items()) if _holds_nul(value)):
        raise Invalid("text must not hold U+0000", [Fault(pointer=f"/{name}", detail="holds U+0000") for name in odd])
    if repeated := sorted({name for name in request.query_params if len(request.query_params.getlist(name)) > 1}):
        raise Invalid("a filter takes one value", [Fault(pointer=f"/{name}", detail="given more than once") for name in repeated])


async def _render(_: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return problem(error)


async def _render_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    names = {404: ("not-found", "Not found"), 405: ("method-not-allowed", "Method not allowed")}
    slug, title = names.get(error.status_code, ("http", "Request refused"))
    failure = ServiceError(str(error.detail), headers=error.headers)
    failure.status, failure.slug, failure.title = error.status_code, slug, title  # type: ignore[misc]  # one-off statuses of the framework
    return problem(failure)


async def _render_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem(Malformed("the body is not JSON"))
    where = [fault["loc"][1:] if fault["loc"][0] in {"body", "query", "path", "header"} else fault["loc"] for fault in faults]
    return problem(
        Invalid(
            "the request has invalid values",
            [
                Fault(pointer="".join(f"/{_escape(str(part))}" for part in loc), detail=fault["msg"].removeprefix("Value error, "))
                for loc, fault in zip(where, faults, strict=True)
            ],
        )
    )


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


async def _render_bug(request: Request, error: Exception) -> Response:
    log.error("request failed", path=request.url.path, exc_info=error)
    return problem(ServiceError("something went wrong here; the log has the trace id"))


class Idempotency:
    """Answers a repeated POST with the same `Idempotency-Key` as the first time, for 24 hours.

    The key is written in the request's own transaction, so that work is done once even where the answer was lost.
    """

    def __init__(self, app: ASGIApp, api: FastAPI) -> None:
        self.app, self.api = app, api

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        headers = Headers(scope)
        key = headers.get("idempotency-key")
        token = headers.get(auth.HEADER)
        if scope["type"] != "http" or scope["method"] != "POST" or key is None or token is None:
            await self.app(scope, receive, send)
            return
        state = self.api.state
        try:
            caller = auth.verify(token, state.service, state.secret)
            if (body := await _read(receive)) is None:
                return
            known = await self._settled(state.database, caller, key, scope, body)
            answer: ASGIApp = known or await self._carry_out(state.database, caller, key, scope, body, receive)
        except ServiceError as error:
            answer = problem(error)
        await answer(scope, receive, send)

    async def _carry_out(
        self, database: Database, caller: Principal, key: str, scope: AsgiScope, body: bytes, receive: Receive
    ) -> ASGIApp:
        """Let the endpoint do its work, and keep its answer."""
        unread, sent = [body], list[Message]()

        async def replayed() -> Message:
            return {"type": "http.request", "body": unread.pop(), "more_body": False} if unread else await receive()

        async def keep(message: Message) -> None:
            sent.append(message)

        try:
            await self.app(scope, replayed, keep)
        except IntegrityError:
            # Perhaps the same request at the same time: it met the other's mark when it wrote its own.
            if (answer := await self._settled(database, caller, key, scope, body)) is None:
                raise
            return answer
        if sent and sent[0]["status"] < 500 and sent[0]["status"] != 429:
            with suppress(Unavailable, IntegrityError):  # the work stands; without its answer a repetition gets 409
                await self._keep(database, scope["idempotency"], sent)

        async def pass_on(_: AsgiScope, __: Receive, send: Send) -> None:
            for message in sent:
                await send(message)

        return pass_on

    async def _settled(self, database: Database, caller: Principal, key: str, scope: AsgiScope, body: bytes) -> Response | None:
        """What is known of this key; of work just done the answer may be kept in a moment. Raises Conflict where it is not."""
        for _ in range(20):
            with suppress(Conflict):
                return await self._known(database, caller, key, scope, body)
            await asyncio.sleep(0.1)
        return await self._known(database, caller, key, scope, body)

    async def _known(self, database: Database, caller: Principal, key: str, scope: AsgiScope, body: bytes) -> Response | None:
        if not 1 <= len(key) <= 255:
            raise Invalid("an Idempotency-Key has 1 to 255 characters", [Fault(pointer="/idempotency-key", detail="length")])
        fingerprint = hashlib.sha256(scope["path"].encode() + b"\0" + scope["query_string"] + b"\0" + body).digest()
        place = {"school": caller.school, "person": f"{caller.kind}:{caller.id}", "key": key}
        scope["idempotency"] = {**place, "fingerprint": fingerprint}
        async with database.reading() as session:
            row = await session.scalar(select(AnswerRow).filter_by(**place))
        if row is None or row.at < database.now() - KEPT:
            return None
        if row.fingerprint != fingerprint:
            raise Invalid(
                "this Idempotency-Key was used for another request",
                [Fault(pointer="/idempotency-key", detail="already used with another body")],
            )
        if row.status is None:
            raise Conflict("the first request with this Idempotency-Key was carried out, but its answer was lost: read the object")
        return Response(row.body, row.status, {k: v for k, v in json.loads(row.headers or "{}").items() if k != "content-length"})

    async def _keep(self, database: Database, place: Mapping[str, Any], sent: list[Message]) -> None:
        headers = json.dumps({k.decode(): v.decode() for k, v in sent[0]["headers"]})
        body = b"".join(message.get("body", b"") for message in sent[1:])
        values = {"status": sent[0]["status"], "headers": headers, "body": body, "fingerprint": place["fingerprint"]}
        key = {name: place[name] for name in ("school", "person", "key")}
        async with database.transaction() as tx:
            changed = await tx.session.execute(update(AnswerRow).filter_by(**key).values(**values, at=tx.now))
            if changed.rowcount == 0:  # type: ignore[attr-defined]  # a cursor result: an UPDATE has a row count
                await tx.session.execute(insert(AnswerRow).values(**key, **values, at=tx.now))


def Headers(scope: AsgiScope) -> dict[str, str]:  # noqa: N802 - a type's role, without its cost
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ())}


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None where the client left before its end: half of a request is none."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


class Observed:
    """Measures each request by route and gives it a trace."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500
        scope["traceparent"] = bind_trace(Headers(scope).get("traceparent"))

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            seconds = HTTP_SECONDS.labels(self.service, scope["method"], route, str(status))
            seconds.observe(time.perf_counter() - start)


async def _outbox(request: Request, caller: Caller, session: Read) -> dict[str, int | None]:
    """What of the caller's school is committed here and not yet on the bus: the lowest and the highest outbox position."""
    del request
    sql = select(func.min(OutboxRow.position), func.max(OutboxRow.position)).where(OutboxRow.key == caller.school)
    oldest, newest = (await session.execute(sql)).one()
    return {"oldest": oldest, "newest": newest}


def service_app(service: Service, database: Database, bus: Bus, secret: bytes) -> FastAPI:
    """Return the ASGI app of one service; its endpoints believe only principals signed with `secret`."""
    app = FastAPI(title=service.name, openapi_url=None, dependencies=[Depends(_refuse_unknown_parameters)])
    app.state.service, app.state.database, app.state.bus, app.state.secret = service.name, database, bus, secret
    app.include_router(service.router)
    app.add_api_route("/internal/outbox", _outbox, include_in_schema=False)
    app.add_exception_handler(ServiceError, _render)
    app.add_exception_handler(HTTPException, _render_http)
    app.add_exception_handler(RequestValidationError, _render_validation)
    app.add_exception_handler(Exception, _render_bug)
    app.add_middleware(Idempotency, api=app)
    app.add_middleware(Observed, service=service.name)
    return app
