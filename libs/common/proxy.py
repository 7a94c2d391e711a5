"""A remote service as an ASGI app, so callers cannot tell it from a local one."""

from collections.abc import AsyncIterator

import httpx
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from libs.common.asgi import problem
from libs.common.errors import Unavailable

_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "host", "te", "trailer", "proxy-authorization"}


class RemoteService:
    """Forwards each request as it is and streams the answer back; 503 where the service cannot be reached.

    The service is asked under its name: `/metrics` of a process is Prometheus's, `/monitoring/metrics` the service's own.
    """

    def __init__(self, base_url: str, name: str) -> None:
        self._name = name
        self._client = httpx.AsyncClient(
            base_url=base_url, timeout=httpx.Timeout(30, connect=3, read=None), limits=httpx.Limits(max_connections=200)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        try:
            upstream = await self._client.send(
                self._client.build_request(
                    request.method,
                    httpx.URL(path=f"/{self._name}{path}", query=scope["query_string"]),
                    headers=[(k, v) for k, v in request.headers.items() if k not in _HOP],
                    content=request.stream() if request.method not in {"GET", "HEAD"} else None,
                ),
                stream=True,
            )
        except httpx.TransportError as error:
            answer = problem(Unavailable(f"a service cannot be reached: {error}", headers={"Retry-After": "2"}))
            await answer(scope, receive, send)
            return

        async def body() -> AsyncIterator[bytes]:
            try:
                async for chunk in upstream.aiter_raw():
                    yield chunk
            finally:
                await upstream.aclose()

        headers = {k: v for k, v in upstream.headers.items() if k not in _HOP}
        await StreamingResponse(body(), upstream.status_code, headers)(scope, receive, send)

    async def not_ready(self) -> str | None:
        """Return what the service says is wrong with it; None when it is ready."""
        try:
            answer = await self._client.get("/readyz", timeout=2)
        except httpx.TransportError as error:
            return f"cannot be reached: {error}"
        return None if answer.status_code == httpx.codes.OK else answer.text

    async def aclose(self) -> None:
        await self._client.aclose()
