"""Ask the services behind the gateway in somebody's name, where one answer is made of what several of them know."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from starlette.types import ASGIApp

from libs.common import auth
from libs.common.auth import Principal
from libs.common.errors import Unavailable


class Services:
    """The services of the installation (`name → app`), the gateway's own among them."""

    def __init__(self, apps: Mapping[str, ASGIApp], secret: bytes, seconds: Callable[[], float]) -> None:
        self._secret, self._seconds = secret, seconds
        self._clients = {
            name: httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service", timeout=10)
            for name, app in apps.items()
        }

    @property
    def names(self) -> list[str]:
        return list(self._clients)

    async def get(self, name: str, path: str, who: Principal, params: Mapping[str, str] | None = None) -> httpx.Response:
        """Return a service's answer to `who`. Raises Unavailable where it cannot be reached."""
        token = auth.sign(who, name, self._secret, self._seconds())
        try:
            return await self._clients[name].get(path, params=dict(params or {}), headers={auth.HEADER: token})
        except httpx.TransportError as error:
            raise Unavailable(f"{name} does not answer now; ask again later", headers={"Retry-After": "1"}) from error


def body_of(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer."""
    body: dict[str, Any] = json.loads(answer.content)
    return body
