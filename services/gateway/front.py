"""The one door: decides who is asking, signs it for the service that owns the path, and hands the request on.

Streams pass through as they come; while one is open, who is asking is looked up again every 30 seconds, and the stream
ends where the answer changed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Any
from urllib.parse import parse_qsl

from fastapi import FastAPI
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.common import auth
from libs.common.asgi import SHOWN_ONCE, Headers, problem
from libs.common.auth import Principal
from libs.common.database import Database
from libs.common.errors import Fault, Invalid, MethodNotAllowed, NotFound, ServiceError, Unauthorized
from libs.common.http import POSITION, straight
from libs.common.settings import Settings
from libs.common.telemetry import HTTP_SECONDS
from services.gateway.api.events import post_events
from services.gateway.asking import Services
from services.gateway.domain.credentials import bearer
from services.gateway.queries.accounts import principal_of
from services.gateway.queries.progress import Progress, new_position

API = "/api/v1/"
EVENTS = "/api/v1/events"
# Asked by nobody yet: signing in, and what the page offers to sign in with.
BEFORE_SIGN_IN = frozenset({("POST", "/api/v1/auth/token"), ("GET", "/api/v1/demo")})
# The operator asks these of the installation; every other path is about one school.
WITHOUT_SCHOOL = re.compile(r"/api/v1/(schools|me|auth/token|deadletters)(/.*)?")
# Their answers hold secrets shown once: kept for a repeated request in memory alone.
SECRET_ANSWERS = re.compile(r"/api/v1/(sources|users)(/.*)?")
CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
RECHECK_S = 30.0
_SIGNED = auth.HEADER.encode()  # from outside nobody has a say in it
_CHANGING = {"POST", "PUT", "PATCH", "DELETE"}
# A path is matched as it stands, so one that a later server could read otherwise is no path of ours.
_ODD_PATH = re.compile(r"[\x00-\x1f\x7f%\\?#]|//|/\.\.?(/|$)")


class Front:
    """Dispatches `/api/v1/<service>/…` to that service and everything else to the gateway itself."""

    def __init__(
        self,
        gateway: FastAPI,
        upstreams: Mapping[str, ASGIApp],
        topology: Sequence[tuple[str, str]],
        settings: Settings,
        paths: Iterable[tuple[str, Iterable[str]]] = (),
    ) -> None:
        self.gateway, self.upstreams, self._paths = gateway, upstreams, Paths(paths)
        self._events = straight(gateway, EVENTS, post_events)
        self.database: Database = gateway.state.database
        self.secret: bytes = gateway.state.secret
        self.database.settings = settings
        self.recheck_s = RECHECK_S
        gateway.state.services = Services({"gateway": gateway, **upstreams}, self.secret, self.database.clock.seconds)
        gateway.state.progress = Progress(gateway.state.services, topology, gateway.state.bus)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError("the gateway speaks HTTP only")
        start = perf_counter()
        changes = scope["method"] in _CHANGING and scope["path"].startswith(API)
        send = _Answer(send, self.database, position=changes).send
        try:
            await self._dispatch(scope, receive, send)
        except ServiceError as error:
            HTTP_SECONDS.labels("gateway", scope["method"], "refused at the door", str(error.status)).observe(
                perf_counter() - start
            )
            await problem(error)(scope, receive, send)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if _ODD_PATH.search(path):
            raise NotFound("no such path")
        if (methods := self._paths.methods(path)) is not None and method not in methods:
            raise MethodNotAllowed(f"{method} is no method of this path", headers={"Allow": ", ".join(sorted(methods))})
        scope = {**scope, "headers": [header for header in scope["headers"] if header[0].lower() != _SIGNED]}
        if not path.startswith(API):
            if path == "/internal" or path.startswith("/internal/"):
                raise NotFound("no such path")
            await self.gateway(scope, receive, send)
        elif path == EVENTS:
            await self._events(scope, receive, send)  # looks at who is asking itself
        elif (method, path) in BEFORE_SIGN_IN:
            await self.gateway(scope, receive, send)
        else:
            await self._for_somebody(_Request(Headers(scope), scope), receive, send)

    async def _for_somebody(self, request: _Request, receive: Receive, send: Send) -> None:
        principal = await self._authenticate(request)
        scope = request.scope
        path: str = scope["path"]
        if not principal.school and not WITHOUT_SCHOOL.fullmatch(path):
            raise Invalid("name the school: ?school=CODE", [Fault(pointer="/school", detail="required of the operator")])
        kept = list(scope["headers"])
        secret = SECRET_ANSWERS.fullmatch(path) is not None
        app, service, path = self._place(path)
        if service in self.upstreams:
            kept = [(name, value) for name, value in kept if name.lower() != b"authorization"]
        kept.append((_SIGNED, auth.sign(principal, service, self.secret, self.database.clock.seconds()).encode()))
        place = {"path": path, "raw_path": path.encode(), "root_path": "", "headers": kept}
        scope = {**scope, **place, SHOWN_ONCE: secret}
        await self._while_allowed(app, scope, receive, send, request, principal)

    def _place(self, path: str) -> tuple[ASGIApp, str, str]:
        """The app that owns a path, its service, and the path as that service knows it. Raises NotFound."""
        service, _, rest = path.removeprefix(API).partition("/")
        if service not in self.upstreams:
            return self.gateway, "gateway", path
        if rest.split("/")[0] == "internal":
            raise NotFound("no such path")
        return self.upstreams[service], service, f"/{rest}"

    async def _authenticate(self, request: _Request) -> Principal:
        if (token := bearer(request.headers.get("authorization"))) is None:
            raise Unauthorized(
                "send a bearer token: Authorization: Bearer …", headers={"WWW-Authenticate": 'Bearer realm="zhengai"'}
            )
        async with self.database.reading() as session:
            return await principal_of(session, token, request.school(), self.database.now())

    async def _while_allowed(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, request: _Request, principal: Principal
    ) -> None:
        """Run the request; an event stream ends soon after the caller's rights are no longer the same."""
        limit = asyncio.timeout(None)
        watcher: asyncio.Task[None] | None = None

        async def watched(message: Message) -> None:
            nonlocal watcher
            if message["type"] == "http.response.start" and _is_stream(message):
                watcher = asyncio.create_task(self._watch(request, principal, limit), name="gateway.stream")
            await send(message)

        try:
            async with limit:
                await app(scope, receive, watched)
        except TimeoutError:
            if not limit.expired():
                raise
            with suppress(OSError):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if watcher is not None:
                watcher.cancel()

    async def _watch(self, request: _Request, principal: Principal, limit: asyncio.Timeout) -> None:
        while True:
            await asyncio.sleep(self.recheck_s)
            try:
                now = await self._authenticate(request)
            except ServiceError as error:
                if error.status >= 500:
                    continue
                now = None
            if now != principal:
                limit.reschedule(asyncio.get_running_loop().time())
                return


class Paths:
    """Every path of the installation with its methods: a wrong one is refused before it is looked at who is asking."""

    def __init__(self, routes: Iterable[tuple[str, Iterable[str]]]) -> None:
        literal: dict[str, set[str]] = {}
        templates: dict[str, set[str]] = {}
        for path, methods in routes:
            (templates if "{" in path else literal).setdefault(path, set()).update(methods)
        self._literal = {path: frozenset(methods) for path, methods in literal.items()}
        self._templates = [(compile_path(path)[0], methods) for path, methods in templates.items()]

    def methods(self, path: str) -> frozenset[str] | None:
        """The methods of a path; None where there is no such path. A path that stands as it is goes before a template."""
        if (known := self._literal.get(path)) is not None:
            return known
        found = [methods for regex, methods in self._templates if regex.match(path)]
        return frozenset().union(*found) if found else None


class _Request:
    """What of a request says who is asking."""

    def __init__(self, headers: Mapping[str, str], scope: Scope) -> None:
        self.headers, self.scope = headers, scope

    def school(self) -> str | None:
        """The school that the request names. Raises Invalid for several, NotFound for one that can be no school."""
        query = self.scope["query_string"].decode("latin-1")
        named = [value for name, value in parse_qsl(query, keep_blank_values=True) if name == "school"]
        if len(named) > 1:
            raise Invalid("a request names one school", [Fault(pointer="/school", detail="given more than once")])
        if named and not CODE.fullmatch(named[0]):
            raise NotFound("no such school")
        return named[0] if named else None


class _Answer:
    """Adds to an answer what every answer of the gateway carries."""

    def __init__(self, send: Send, database: Database, *, position: bool) -> None:
        self._send, self._database, self._position = send, database, position

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            extra: list[tuple[bytes, bytes]] = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin")]
            if self._position and 200 <= message["status"] < 300:
                extra.append((POSITION.encode(), new_position(self._database.now).encode()))
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        await self._send(message)


def _is_stream(message: Mapping[str, Any]) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"text/event-stream") for name, value in message["headers"])
