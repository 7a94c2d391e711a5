"""The page at `/`, and the demo accounts that it offers on this machine alone."""

from __future__ import annotations

import hashlib
import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from libs.common.asgi import Headers
from libs.common.database import Database
from libs.common.errors import NotFound
from libs.common.http import View

router = APIRouter(tags=["page"])
FOLDER = Path(__file__).parents[1] / "page"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = {path.name: path for path in sorted(FOLDER.iterdir()) if path.suffix in _TYPES}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_PROXIED = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"})


class AccountView(View):
    """An account of the demo school; `role` is the post that it shows."""

    username: str
    password: str
    role: str


class DemoView(View):
    """The demo school's accounts."""

    school: str
    accounts: list[AccountView]


@router.get("/", include_in_schema=False)
async def read_page(request: Request) -> Response:
    """The page."""
    return _file(request, "index.html")


@router.get("/page/{name}", include_in_schema=False)
async def read_file(request: Request, name: str) -> Response:
    """A file of the page."""
    return _file(request, name)


def _file(request: Request, name: str) -> Response:
    if name not in _FILES:
        raise NotFound("no such page")
    content = _FILES[name].read_bytes()
    tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    headers = {**_HEADERS, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=_TYPES[_FILES[name].suffix])


@router.get("/api/v1/demo")
async def read_demo(request: Request, response: Response) -> DemoView:
    """The demo school's accounts with their passwords, for whoever sits at this machine.

    404 unless the installation has its demo school, listens on a loopback address only, and the request came from this
    machine directly and under its own name (no proxy, no foreign name that leads here).
    """
    database: Database = request.app.state.database
    settings = database.settings
    path = settings.home / "demo.json"
    if not (settings.demo and _is_loopback(settings.host) and _from_here(request)) or not path.is_file():
        raise NotFound("there is no demo to sign in to from here")
    demo: dict[str, Any] = json.loads(path.read_text())
    response.headers["Cache-Control"] = "no-store"
    return DemoView(school=demo["school"], accounts=[AccountView(**account) for account in demo["accounts"]])


def _from_here(request: Request) -> bool:
    if _PROXIED & Headers(request.scope).keys() or request.client is None:
        return False
    return _is_loopback(request.client.host) and _is_loopback(request.url.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
