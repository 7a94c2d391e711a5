"""A real HTTP server that speaks as much of the contract as the command needs, and the command run against it."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from services.cli import main

TOKEN = "operator-token"
DROPPED = "the connection is lost before any answer"


@dataclass(frozen=True)
class Request:
    """What the command sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What the server says."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Reply = Answer | str | Callable[[Request], Answer | str]


class Installation:
    """Answers each call with the next of its scripted replies (the last one for ever), and remembers what it was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self._replies: dict[tuple[str, str], deque[Reply]] = {}
        self.on("GET", "/api/v1/progress", Answer(200, {"position": "1-00000001"}))

    def on(self, method: str, path: str, *replies: Reply) -> None:
        self._replies[method, path] = deque(replies)

    def reply(self, request: Request) -> Answer | str:
        self.requests.append(request)
        replies = self._replies.get((request.method, request.path))
        if replies is None:
            return refusal(404, f"nothing answers {request.method} {request.path}")
        reply = replies[0] if len(replies) == 1 else replies.popleft()
        return reply(request) if callable(reply) else reply

    def sent(self, method: str, path: str) -> list[Request]:
        return [request for request in self.requests if (request.method, request.path) == (method, path)]


def refusal(status: int, detail: str, *errors: tuple[str, str], **headers: str) -> Answer:
    """Problem details as the contract has them."""
    faults = [{"pointer": pointer, "detail": reason} for pointer, reason in errors]
    body = {"type": "urn:zhengai:problem:invalid", "title": "Invalid", "status": status, "detail": detail, "errors": faults}
    return Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    installation: Installation

    def _answer(self) -> None:
        target = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.installation.reply(Request(self.command, target.path, query, headers, body))
        if isinstance(answer, str):
            self.close_connection = True
            return
        content = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the base class looks for these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing: the test looks at what was sent."""


@pytest.fixture
def installation() -> Iterator[Installation]:
    there = Installation()
    handler = type("Handler", (_Handler,), {"installation": there})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    there.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield there
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Ending:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


Zhengai = Callable[..., Ending]


@pytest.fixture
def zhengai(installation: Installation, capsys: pytest.CaptureFixture[str]) -> Zhengai:
    """Run the command against the installation."""

    def run(*arguments: object, options: Sequence[str] | None = None) -> Ending:
        where = ["--url", installation.url, "--token", TOKEN] if options is None else list(options)
        with pytest.raises(SystemExit) as end:
            main([*map(str, arguments), *where])
        said = capsys.readouterr()
        return Ending(end.value.code, said.out, said.err)  # type: ignore[arg-type]  # always a number: main ends so

    return run
