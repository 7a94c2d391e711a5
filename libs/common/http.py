"""The HTTP face of a service: transactions, scopes, problems, pages."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from email.message import Message
from types import SimpleNamespace
from typing import Annotated, Any, Generic, Self, TypeVar

import msgspec
import structlog
from fastapi import Depends, FastAPI, Query, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, WithJsonSchema, model_validator
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from libs.common import auth
from libs.common.asgi import KEPT, Idempotency, Observed, problem
from libs.common.auth import Principal, Scope
from libs.common.bus import Bus
from libs.common.database import AnswerRow, Database, OutboxRow, Transaction
from libs.common.errors import Fault, Invalid, Malformed, NotFound, ServiceError
from libs.common.reasons import reason_of, where_of
from libs.common.service import Service
from libs.common.strict_json import read_json

log = structlog.get_logger()
ItemT = TypeVar("ItemT")
LIMIT = 100
LIMIT_MOST = 500
POSITION = "zhengai-position"


class Body(BaseModel):
    """A request body: unknown fields refused, no value bent into another type."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="after")
    def _no_nul(self) -> Self:
        """PostgreSQL keeps no NUL in text, so no text holds one; a field that says more itself has said it before."""
        if _holds_nul(self.model_dump()):
            raise ValueError("text must not hold U+0000")
        return self


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


# --- what endpoints ask for ------------------------------------------------------------------------------------------


async def _principal(request: Request) -> Principal:
    state = request.app.state
    principal = auth.verify(request.headers.get(auth.HEADER), state.service, state.secret, state.database.clock.seconds())
    request.state.principal = principal
    return principal


Caller = Annotated[Principal, Depends(_principal)]


@dataclass(frozen=True)
class Needs:
    """The permission of a route, and as a dependency the scope that it gives the caller."""

    permission: str

    async def __call__(self, caller: Caller) -> Scope:  # a plain function would be called in a thread of its own
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


async def _now(request: Request) -> datetime:
    database: Database = request.app.state.database
    return database.now()


async def _bus(request: Request) -> Bus:
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
    if not isinstance(values, list) or [type(v) for v in values] != list(types) or not all(map(_comparable, values)):
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")])
    return tuple(values)


def _comparable(value: str | int) -> bool:
    """Whether a database can compare its own values with this one."""
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 63
    return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)


def page(rows: Sequence[Any], limit: int, view: Callable[[Any], ItemT], key: Callable[[Any], tuple[str | int, ...]]) -> Page[ItemT]:
    """Make a page of `limit` items from `limit + 1` rows: the extra one says that there is a next page."""
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(items=[view(row) for row in rows], next=to_cursor(*key(rows[-1])) if more else None)


# --- what every route does -------------------------------------------------------------------------------------------


async def _read_strictly(request: Request) -> None:
    """Read a JSON body as strictly as events are read: the framework's reader takes a key that stands twice, and the last one counts."""
    if _says_json(request) and getattr(request.scope.get("route"), "body_field", None) is not None:
        read_json(await request.body() or b"null")


def _says_json(request: Request) -> bool:
    """Whether the framework reads the body as JSON: by its own rule, so that no kind of JSON is read less strictly than another."""
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))


async def _refuse_unknown_parameters(request: Request) -> None:
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


async def render_http(request: Request, error: Exception) -> Response:
    """Say in the project's own words what the framework refused: a path or a method that is not there."""
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # its reader gave up
        return problem(Malformed(f"the body could not be read as {'JSON' if _says_json(request) else 'a form'}"))
    names = {404: ("not-found", "Not found"), 405: ("method-not-allowed", "Method not allowed")}
    slug, title = names.get(error.status_code, ("http", "Request refused"))
    failure = ServiceError(str(error.detail), headers=error.headers)
    failure.status, failure.slug, failure.title = error.status_code, slug, title  # type: ignore[misc]  # one-off statuses of the framework
    return problem(failure)


async def _render_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(fault["loc"][0] == "path" for fault in faults):
        return problem(NotFound("nothing has such an id"))
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem(Malformed("the body is not JSON"))
    found = [each for fault in faults for each in _faults(request, fault["type"], where_of(fault), reason_of(fault))]
    return problem(Invalid("the request has invalid values", found))


def _faults(request: Request, kind: str, loc: tuple[str | int, ...], why: str) -> list[Fault]:
    """What the framework found, each at its field; a body that is not there lacks each field that it must have."""
    if kind == "missing" and loc == ("body",) and (required := _required(request)):
        return [Fault(pointer=f"/{name}", detail=why) for name in required]
    where = loc[1:] if loc[0] in {"body", "query", "path", "header"} else loc
    return [Fault(pointer="".join(f"/{_escape(str(part))}" for part in where), detail=why)]


def _required(request: Request) -> list[str]:
    """The fields that the route's body must have."""
    body = getattr(request.scope.get("route"), "body_field", None)
    model = body.field_info.annotation if body is not None else None
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return []
    return [field.alias or name for name, field in model.model_fields.items() if field.is_required()]


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


async def _render_bug(request: Request, error: Exception) -> Response:
    log.error("request failed", path=request.url.path, exc_info=error)
    return problem(ServiceError("something went wrong here; the log has the trace id"))


async def _outbox(request: Request, caller: Caller, session: Read) -> dict[str, int | None]:
    """What of the caller's school is committed here and not yet on the bus: the lowest and the highest outbox position."""
    del request
    sql = select(func.min(OutboxRow.position), func.max(OutboxRow.position)).where(OutboxRow.key == caller.school)
    oldest, newest = (await session.execute(sql)).one()
    return {"oldest": oldest, "newest": newest}


def straight(app: FastAPI, path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    """The endpoint of `POST path` without the framework's layers, for what is asked thousands of times a second: they cost more than it.

    A request with a query takes the usual road, `app`, which knows what to refuse.
    """
    route = SimpleNamespace(path=path)

    async def answer(scope: AsgiScope, receive: Receive, send: Send) -> None:
        scope["app"], scope["route"] = app, route
        request = Request(scope, receive)
        try:
            response = await endpoint(request)
        except ServiceError as error:
            response = problem(error)
        await response(scope, receive, send)

    observed = Observed(ServerErrorMiddleware(answer, handler=_render_bug), app.state.service)

    async def choose(scope: AsgiScope, receive: Receive, send: Send) -> None:
        usual = scope["method"] != "POST" or scope["query_string"]
        await (app if usual else observed)(scope, receive, send)

    return choose


def service_app(service: Service, database: Database, bus: Bus, secret: bytes) -> FastAPI:
    """Return the ASGI app of one service; its endpoints believe only principals signed with `secret`."""
    app = FastAPI(title=service.name, openapi_url=None, dependencies=[Depends(_read_strictly), Depends(_refuse_unknown_parameters)])
    app.state.service, app.state.database, app.state.bus, app.state.secret = service.name, database, bus, secret
    app.include_router(service.router)
    app.add_api_route("/internal/outbox", _outbox, include_in_schema=False)
    app.add_exception_handler(ServiceError, _render)
    app.add_exception_handler(HTTPException, render_http)
    app.add_exception_handler(RequestValidationError, _render_validation)
    app.add_exception_handler(Exception, _render_bug)
    app.add_middleware(Idempotency, api=app)
    app.add_middleware(Observed, service=service.name)
    return app
