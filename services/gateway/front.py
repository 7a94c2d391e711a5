"""The one door: signs who is asking and hands the request to the service that owns the path."""

from collections.abc import Mapping, Sequence

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.common.settings import Settings


class Front:
    """Dispatches `/api/v1/<service>/…` to that service and everything else to the gateway itself."""

    def __init__(
        self, gateway: FastAPI, upstreams: Mapping[str, ASGIApp], topology: Sequence[tuple[str, str]], settings: Settings
    ) -> None:
        self.gateway, self.upstreams, self.topology, self.settings = gateway, upstreams, topology, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.gateway(scope, receive, send)
