"""A reader of the live stream that takes the answer as it comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from libs.common import auth
from libs.common.auth import Principal
from tests.service.harness import SECRET, ServiceUnderTest


@dataclass
class Block:
    """One block of a stream: a field's last line, `data` parsed."""

    id: str | None = None
    event: str | None = None
    retry: int | None = None
    data: Any = None
    comment: str | None = None


@dataclass
class Stream:
    """An open stream; `last_id` is what a browser would resume with."""

    status: int = 0
    last_id: str | None = None
    _blocks: asyncio.Queue[Block | None] = field(default_factory=asyncio.Queue)
    _text: str = ""

    def feed(self, chunk: bytes) -> None:
        self._text += chunk.decode()
        while "\n\n" in self._text:
            block, self._text = self._text.split("\n\n", 1)
            self._blocks.put_nowait(_parse(block))

    async def next(self) -> Block:
        """The next block. Fails where the stream ends."""
        block = await asyncio.wait_for(self._blocks.get(), 10)
        assert block is not None, "the stream ended"
        if block.id is not None:
            self.last_id = block.id
        return block

    async def rest(self) -> list[Block]:
        """Everything up to the stream's end."""
        blocks = []
        while (block := await asyncio.wait_for(self._blocks.get(), 10)) is not None:
            blocks.append(block)
        return blocks


def _parse(text: str) -> Block:
    block = Block()
    for line in text.splitlines():
        name, _, value = line.partition(": ")
        if name == "data":
            block.data = json.loads(value)
        elif name == "retry":
            block.retry = int(value)
        elif not name:
            block.comment = value
        elif name in {"id", "event"}:
            setattr(block, name, value)
    return block


@asynccontextmanager
async def streaming(sut: ServiceUnderTest, who: Principal, last_event_id: str | None = None) -> AsyncIterator[Stream]:
    """Ask for the stream; when the block ends, the reader is gone."""
    stream, started, gone = Stream(), asyncio.Event(), asyncio.Event()
    headers = [(auth.HEADER.encode(), auth.sign(who, "reporting", SECRET).encode())]
    if last_event_id is not None:
        headers.append((b"last-event-id", last_event_id.encode()))
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/stream", "raw_path": b"/stream", "root_path": "", "query_string": b"", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("test", 80),
    }  # fmt: skip
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            stream.status = message["status"]
            started.set()
        else:
            stream.feed(message.get("body", b""))
            if not message.get("more_body"):
                stream._blocks.put_nowait(None)

    answering = asyncio.create_task(sut.app(scope, receive, send))
    try:
        await asyncio.wait_for(started.wait(), 10)
        yield stream
    finally:
        gone.set()
        await asyncio.wait_for(answering, 10)
