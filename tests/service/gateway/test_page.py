"""The page is whole, keeps to itself, and gives demo passwords to nobody but whoever sits at the machine."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.gateway.api.page import FOLDER
from tests.conftest import SettableClock
from tests.service.gateway.door import door

DEMO = {"school": "demo", "accounts": [{"username": "quality", "password": "p", "role": "quality_office"}], "sources": []}
SOURCES = {path.name: path.read_text() for path in FOLDER.iterdir()}


@asynccontextmanager
async def at_home(
    folder: Path, clock: SettableClock, url: str = "http://127.0.0.1:8000", client: str = "127.0.0.1", **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser at `client` that asks for `url`."""
    async with door(f"sqlite+aiosqlite:///{folder}/gateway.db", folder, clock) as here:
        here.sut.database.settings = here.sut.database.settings.model_copy(update={"home": folder, **settings})
        transport = httpx.ASGITransport(here.front, client=(client, 50000))
        async with httpx.AsyncClient(transport=transport, base_url=url) as browser:
            yield browser


async def test_the_page_forbids_everything_that_is_not_its_own(tmp_path: Path, clock: SettableClock) -> None:
    async with at_home(tmp_path, clock) as browser:
        answer = await browser.get("/")

    assert answer.status_code == 200
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"


def test_no_script_or_style_stands_inside_the_html() -> None:
    html = SOURCES["index.html"]

    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", html) == []


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_no_file_of_the_page_names_another_host(name: str) -> None:
    hosts = set(re.findall(r"(?:https?:)?//([\w.-]+\.\w+)", SOURCES[name]))

    assert hosts <= {"www.w3.org"}


async def test_everything_the_page_asks_for_is_there(tmp_path: Path, clock: SettableClock) -> None:
    named = {path for text in SOURCES.values() for path in re.findall(r"/page/[\w.]+", text)}
    async with at_home(tmp_path, clock) as browser:
        answers = {path: (await browser.get(path)).status_code for path in named}

    assert len(named) >= 5
    assert set(answers.values()) == {200}


def test_every_word_of_the_page_is_there_in_both_languages() -> None:
    words = dict(re.findall(r'^  (\w+): \["[^"]+", "([^"]+)"\],$', SOURCES["words.js"], re.MULTILINE))
    used = set(re.findall(r'data-word="(\w+)"', SOURCES["index.html"]))
    used |= {word for name in ("app.js", "draw.js") for word in re.findall(r'\bt\("(\w+)"', SOURCES[name])}

    assert used <= set(words)
    assert not any(re.search(r"[\u4e00-\u9fff]", english) for english in words.values())


@pytest.mark.parametrize("path", ["/page/..%2fpage.py", "/page/../api/page.py", "/page/demo.json", "/page/", "/page/index.html/"])
async def test_nothing_but_the_pages_files_is_served(path: str, tmp_path: Path, clock: SettableClock) -> None:
    async with at_home(tmp_path, clock) as browser:
        assert (await browser.get(path)).status_code in {404, 307}


async def test_a_file_that_the_browser_has_is_not_sent_again(tmp_path: Path, clock: SettableClock) -> None:
    async with at_home(tmp_path, clock) as browser:
        first = await browser.get("/page/app.js")
        second = await browser.get("/page/app.js", headers={"If-None-Match": first.headers["etag"]})

    assert (second.status_code, second.content) == (304, b"")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
async def test_whoever_sits_at_the_machine_is_offered_the_demo_accounts(url: str, tmp_path: Path, clock: SettableClock) -> None:
    (tmp_path / "demo.json").write_text(json.dumps(DEMO))
    async with at_home(tmp_path, clock, url) as browser:
        answer = await browser.get("/api/v1/demo")

    assert answer.json() == {"school": "demo", "accounts": DEMO["accounts"]}
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "where",
    [
        {"client": "10.0.0.7"},
        {"url": "http://rebound.example:8000"},
        {"url": "http://127.0.0.1.example:8000"},
        {"host": "0.0.0.0"},  # noqa: S104 - what must be refused
        {"demo": False},
    ],
    ids=lambda where: next(iter(where)),
)
async def test_nobody_else_is_offered_them(where: dict[str, Any], tmp_path: Path, clock: SettableClock) -> None:
    (tmp_path / "demo.json").write_text(json.dumps(DEMO))
    async with at_home(tmp_path, clock, **where) as browser:
        assert (await browser.get("/api/v1/demo")).status_code == 404


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
async def test_nobody_behind_a_proxy_is_offered_them(header: str, tmp_path: Path, clock: SettableClock) -> None:
    (tmp_path / "demo.json").write_text(json.dumps(DEMO))
    async with at_home(tmp_path, clock) as browser:
        assert (await browser.get("/api/v1/demo", headers={header: "127.0.0.1"})).status_code == 404


async def test_without_a_demo_school_there_is_nothing_to_offer(tmp_path: Path, clock: SettableClock) -> None:
    async with at_home(tmp_path, clock) as browser:
        assert (await browser.get("/api/v1/demo")).status_code == 404
