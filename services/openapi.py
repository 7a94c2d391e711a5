"""What the installation offers over HTTP: `/openapi.json` of all services under their public paths, and `/docs` to read it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.responses import HTMLResponse, Response

from libs.common.http import Needs
from libs.common.service import Service
from services.asyncapi import any_data, asyncapi, observation
from services.gateway.front import BEFORE_SIGN_IN

GATEWAY = "gateway"
PUBLIC = {(method.lower(), path) for method, path in BEFORE_SIGN_IN}
EVENTS = ("post", "/api/v1/events")
METHODS = ("get", "post", "put", "patch", "delete")
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details; `type` is stable, `errors` name what is wrong with the input.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": ["urn:zhengai:problem:invalid"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
_SCHOOL = {
    "name": "school",
    "in": "query",
    "required": False,
    "description": "The school: the operator names it, a person or source has one.",
    "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"},
}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key again answers as the first time, for 24 hours; with another body it is refused.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_POSITION = {"description": "Ask `/api/v1/progress?after=` for it.", "schema": {"type": "string"}}
_PLAIN = {"type": "object", "properties": {"status": {"type": "string"}}}


def public_routes(services: Mapping[str, Service]) -> Iterator[tuple[str, RouteContext]]:
    """Every route as callers know it, with its service."""
    for name, service in services.items():
        prefix = "" if name == GATEWAY else f"/api/v1/{name}"
        app = FastAPI(openapi_url=None)
        app.include_router(service.router, prefix=prefix)
        for route in iter_route_contexts(app.routes):
            if isinstance(route.original_route, APIRoute):
                yield name, route


def permission(route: RouteContext) -> str | None:
    """The permission that a route asks for; None where being signed in is enough, or nothing is asked."""
    pending = list(route.dependant.dependencies)
    while pending:
        dependant = pending.pop()
        if isinstance(dependant.call, Needs):
            return dependant.call.permission
        pending += dependant.dependencies
    return None


def openapi(services: Mapping[str, Service]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these services."""
    routes = list(public_routes(services))
    document = get_openapi(
        title="Zhengai",
        version=release(),
        summary="Internal quality assurance for vocational colleges",
        description="From campus events to warnings, improvement and diagnosis. Every failure is a problem of RFC 9457.",
        routes=[route for _, route in routes],
        servers=[{"url": "/", "description": "This installation"}],
    )
    permissions = {
        (method.lower(), str(route.path_format)): permission(route) for _, route in routes for method in route.methods or ()
    }
    owners = {(method.lower(), str(route.path_format)): name for name, route in routes for method in route.methods or ()}
    names = {(method.lower(), str(route.path_format)): str(route.name) for _, route in routes for method in route.methods or ()}
    for path, operations in document["paths"].items():
        for method in METHODS:
            if (operation := operations.get(method)) is not None:
                key = (method, path)
                operation["operationId"] = f"{owners[key]}_{names[key].strip('_')}"
                operation.setdefault("tags", [owners[key]])
                _complete(operation, key, permissions[key])
                _exemplify(operation, key)
    document["paths"] |= _operations_paths()
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas |= {"Problem": _PROBLEM, "Observation": observation(), "ObservationData": any_data()}
    components["responses"] = {"Problem": _problem_response()}
    components["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A person's access token, the operator's token, or, for events, the key of a source.",
        }
    }
    document["tags"] = [{"name": tag} for tag in sorted(_tags(document))]
    return document


@cache
def examples() -> dict[str, Any]:
    """What a body looks like, in the words of a school, by `METHOD path`."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("examples.json").read_text(encoding="utf-8"))
    return found


def _exemplify(operation: dict[str, Any], key: tuple[str, str]) -> None:
    method, path = key
    if (example := examples().get(f"{method.upper()} {path}")) is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = example


def _complete(operation: dict[str, Any], key: tuple[str, str], needs: str | None) -> None:
    """Add what every route has and none declares."""
    method, secured = key[0], key not in PUBLIC
    responses = operation["responses"]
    responses.pop("422", None)
    responses |= {"4XX": {"$ref": "#/components/responses/Problem"}, "5XX": {"$ref": "#/components/responses/Problem"}}
    operation["security"] = [{"bearer": []}] if secured else []
    if needs is not None:
        operation["x-permission"] = needs
    if secured:
        operation.setdefault("parameters", []).append(_SCHOOL)
    if secured and method == "post" and key != EVENTS:
        operation["parameters"].append(_IDEMPOTENCY)
    if method != "get":
        for status, response in responses.items():
            if status.startswith("2"):
                response.setdefault("headers", {})["Zhengai-Position"] = _POSITION


def _problem_response() -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": "Refused or not possible now, and why.", "content": content}


def _operations_paths() -> dict[str, Any]:
    """What the process itself answers."""

    def operation(name: str, summary: str, responses: Mapping[str, Any]) -> dict[str, Any]:
        return {"get": {"operationId": name, "summary": summary, "tags": ["operations"], "security": [], "responses": responses}}

    status = {"application/json": {"schema": _PLAIN}}
    text = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "/healthz": operation("healthz", "Whether the process lives", {"200": {"description": "It does.", "content": status}}),
        "/readyz": operation(
            "readyz",
            "Whether every service takes in and hands on",
            {"200": {"description": "Ready.", "content": status}, "503": {"description": "What is wrong.", "content": status}},
        ),
        "/metrics": operation("metrics", "Numbers for Prometheus", {"200": {"description": "Its text format.", "content": text}}),
    }


def _tags(document: Mapping[str, Any]) -> set[str]:
    operations = [item[method] for item in document["paths"].values() for method in METHODS if method in item]
    return {tag for operation in operations for tag in operation.get("tags", ())}


def release() -> str:
    """The version of this code."""
    try:
        return version("zhengai")
    except PackageNotFoundError:  # run from a tree that was never installed
        return "0"


# --- the page --------------------------------------------------------------------------------------------------------

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2733}
h2{margin-top:2.5rem;border-bottom:1px solid #d5dde5}summary{cursor:pointer;padding:.35rem 0}code{font-size:.95em}
.m{display:inline-block;min-width:4rem;font-weight:600}.get{color:#0b6bcb}.post{color:#1a7f37}.put,.patch{color:#9a6700}
.delete{color:#c9252d}.p{color:#5b6b7b;margin-left:.75rem}table{border-collapse:collapse;margin:.5rem 0}
td{padding:.1rem .9rem .1rem 0;vertical-align:top}details{padding-left:.25rem}
@media (prefers-color-scheme:dark){body{background:#12171d;color:#dbe3ea}h2{border-color:#313c47}.p{color:#93a3b3}}"""


def page(document: Mapping[str, Any]) -> str:
    """Return a page that lists the operations; nothing in it is fetched from elsewhere, and it needs no script."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Zhengai API</title><style>{_STYLE}</style><h1>Zhengai API {escape(document['info']['version'])}</h1>",
        f"<p>{escape(document['info']['description'])}",
        "<p>The same for machines: <a href=/openapi.json>/openapi.json</a>, events: <a href=/asyncapi.json>/asyncapi.json</a>.",
    ]
    for tag in document["tags"]:
        parts.append(f"<h2>{escape(tag['name'])}</h2>")
        for path, item in document["paths"].items():
            parts += [
                _operation(path, method, item[method]) for method in METHODS if tag["name"] in item.get(method, {}).get("tags", ())
            ]
    return "".join(parts)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    asks = operation.get("x-permission") or ("signed in" if operation["security"] else "open to all")
    rows = "".join(
        f"<tr><td><code>{escape(each['name'])}</code><td>{escape(each['in'])}<td>{escape(each.get('description', ''))}"
        for each in operation.get("parameters", ())
    )
    return (
        f"<details><summary><span class='m {method}'>{method.upper()}</span> <code>{escape(path)}</code>"
        f"<span class=p>{escape(asks)}</span></summary><p>{escape(operation.get('description', operation.get('summary', '')))}</p>"
        f"<table>{rows}</table></details>"
    )


def documentation(services: Callable[[], Mapping[str, Service]]) -> APIRouter:
    """The routes of the documents; each is made when it is first asked for."""
    router = APIRouter(include_in_schema=False)
    described = cache(lambda: openapi(services()))

    def as_json(document: Mapping[str, Any]) -> Response:
        return Response(json.dumps(document, ensure_ascii=False), media_type="application/json")

    @router.get("/openapi.json")
    async def read_openapi() -> Response:
        return as_json(await asyncio.to_thread(described))

    @router.get("/asyncapi.json")
    async def read_asyncapi() -> Response:
        return as_json(await asyncio.to_thread(partial(asyncapi, services(), release())))

    @router.get("/docs")
    async def read_docs() -> Response:
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
        return HTMLResponse(page(await asyncio.to_thread(described)), headers=headers)

    return router
