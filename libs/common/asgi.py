"""What stands before a service's endpoints: a trace, a measure, one carrying out of each request, one form of refusal."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from fastapi import FastAPI
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from libs.common import auth
from libs.common.auth import Principal
from libs.common.database import AnswerRow, Database
from libs.common.errors import PROBLEM, Conflict, Fault, Invalid, ServiceError, Unavailable
from libs.common.telemetry import HTTP_SECONDS, bind_trace, labelled
from libs.common.turns import turns

KEPT = timedelta(hours=24)
SHOWN_ONCE = "zhengai.shown_once"  # set in the scope of a request whose answer must not lie in the database


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


def Headers(scope: AsgiScope) -> dict[str, str]:  # noqa: N802 - a type's role, without its cost
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ())}


class Idempotency:
    """Answers a repeated POST with the same `Idempotency-Key` as the first time, for 24 hours.

    The key is written in the request's own transaction, so that work is done once even where the answer was lost. An answer
    that holds a secret is kept in this process's memory alone: after a restart the repetition gets 409.
    """

    def __init__(self, app: ASGIApp, api: FastAPI) -> None:
        self.app, self.api = app, api
        self._secret: dict[tuple[str, ...], tuple[datetime, Response]] = {}

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        headers = Headers(scope)
        key = headers.get("idempotency-key")
        token = headers.get(auth.HEADER)
        if scope["type"] != "http" or scope["method"] != "POST" or key is None or token is None:
            await self.app(scope, receive, send)
            return
        state = self.api.state
        try:
            caller = auth.verify(token, state.service, state.secret, state.database.clock.seconds())
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
                await self._keep(database, scope, sent)

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
        if row.status is None and (secret := self._secret.get(tuple(place.values()))) is not None and secret[0] >= row.at:
            return secret[1]
        if row.status is None:
            raise Conflict("the first request with this Idempotency-Key was carried out, but its answer was lost: read the object")
        return Response(row.body, row.status, {k: v for k, v in json.loads(row.headers or "{}").items() if k != "content-length"})

    async def _keep(self, database: Database, scope: AsgiScope, sent: list[Message]) -> None:
        place, now = scope["idempotency"], database.now()
        plain = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        headers, body = json.dumps(plain), b"".join(message.get("body", b"") for message in sent[1:])
        if scope.get(SHOWN_ONCE) and sent[0]["status"] < 300:
            self._secret = {key: known for key, known in self._secret.items() if known[0] >= now - KEPT}
            answer = Response(body, sent[0]["status"], {k: v for k, v in plain.items() if k != "content-length"})
            self._secret[place["school"], place["person"], place["key"]] = now, answer
            return
        values = {"status": sent[0]["status"], "headers": headers, "body": body, "fingerprint": place["fingerprint"]}
        key = {name: place[name] for name in ("school", "person", "key")}
        async with database.transaction() as tx:
            changed = await tx.session.execute(update(AnswerRow).filter_by(**key).values(**values, at=tx.now))
            if changed.rowcount == 0:  # type: ignore[attr-defined]  # a cursor result: an UPDATE has a row count
                await tx.session.execute(insert(AnswerRow).values(**key, **values, at=tx.now))


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
        if self.service != "gateway" and not scope["path"].startswith("/internal/"):  # not campus systems, nor the process itself
            turns.note_asked()
        sent = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
        scope["traceparent"] = bind_trace(sent.decode("latin-1"))

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            seconds = labelled(HTTP_SECONDS, self.service, scope["method"], route, str(status))
            seconds.observe(time.perf_counter() - start)
