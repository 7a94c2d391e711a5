"""What the installation says of itself: `/openapi.json`, `/asyncapi.json`, `/docs`."""

import json
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from typing import Annotated, Any

import pytest
from openapi_spec_validator import validate
from pydantic import TypeAdapter

from libs.common.event import catalogue
from services.app import ALL, load
from services.asyncapi import asyncapi
from services.openapi import METHODS, examples, openapi, page, public_routes

WORDLESS = {
    "POST /api/v1/standards/indicators/template",
    "PUT /api/v1/planning/settings",
    "PUT /api/v1/planning/teacher-kinds",
    "POST /api/v1/planning/inbox/read",
    "POST /api/v1/planning/tasks/generate",
    "POST /api/v1/planning/tasks/assign",
    "POST /api/v1/planning/tasks/close",
    "POST /api/v1/planning/tasks/{task}/assign",
    "POST /api/v1/planning/agreements",
    "POST /api/v1/planning/agreements/sign",
    "POST /api/v1/planning/agreements/{agreement}/sign",
}
"""Bodies in which nobody writes words."""


@cache
def described() -> dict[str, Any]:
    return openapi({name: load(name) for name in ALL})


@cache
def events() -> dict[str, Any]:
    return asyncapi({name: load(name) for name in ALL}, "1")


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in described()["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_openapi_json_is_valid() -> None:
    validate(described())


def test_every_operation_has_an_id_of_its_own_and_a_summary_and_says_how_it_fails() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]

    assert len(ids) == len(set(ids)) > 20
    for path, method, operation in operations():
        assert operation["summary"], (path, method)
        if path.startswith("/api/"):
            assert operation["responses"]["4XX"] == {"$ref": "#/components/responses/Problem"}, (path, method)
            assert "422" not in operation["responses"], (path, method)


def test_every_body_of_plans_and_standards_has_an_example_in_chinese_that_the_route_takes() -> None:
    bodies = {
        f"{method} {route.path_format}": route.body_field.field_info
        for _, route in public_routes({name: load(name) for name in ("standards", "planning")})
        for method in route.methods or ()
        if route.body_field is not None
    }
    assert examples().keys() == bodies.keys()
    for name, info in bodies.items():
        body: Any = Annotated[info.annotation, info]
        TypeAdapter(body).validate_python(examples()[name])
    assert {name for name, said in examples().items() if not re.search("[一-鿿]", json.dumps(said, ensure_ascii=False))} == WORDLESS


def test_only_what_is_asked_before_signing_in_is_open_to_all_under_the_api() -> None:
    open_to_all = {(path, method) for path, method, operation in operations() if not operation["security"]}

    assert {pair for pair in open_to_all if pair[0].startswith("/api/")} == {
        ("/api/v1/auth/token", "post"),
        ("/api/v1/demo", "get"),
    }


@pytest.mark.parametrize("document", [described, events])
def test_every_reference_of_a_document_leads_somewhere(document: Any) -> None:
    for reference in references(document()):
        node = document()
        for part in reference.removeprefix("#/").split("/"):
            assert part in node, reference
            node = node[part]


def test_asyncapi_json_names_every_event_and_the_channel_it_travels_on() -> None:
    for (name, version), cls in catalogue().items():
        message = events()["components"]["messages"][f"{name}.v{version}"]
        assert message["payload"]["properties"]["type"] == {"const": cls.wire_type()}
        assert f"{name}.v{version}" in events()["channels"][cls.producer()]["messages"]
    assert events()["channels"]["observations"]["address"] == "zhengai.observations"


def test_the_page_lists_every_operation_and_fetches_nothing_from_elsewhere() -> None:
    html = page(described())

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag not in {"script", "link", "img", "iframe"}
            assert all(not (value or "").startswith(("http:", "https:", "//")) for _, value in attrs)

    Reader().feed(html)
    for path, _, _ in operations():
        assert path in html
    assert json.dumps(described())
