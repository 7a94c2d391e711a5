"""The product in threads of the test itself, by a clock that the test sets: what takes months for a school is seen in seconds."""

from __future__ import annotations

import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import uvicorn

from libs.common.secret import load_secret
from libs.common.settings import PREFIX, Settings
from services.app import Process as Product
from services.app import listen
from tests.flow.stack import PATIENCE_S, Process, Stack, until


class MovedClock:
    """A clock that runs on as any other does, from a time that the test chooses."""

    def __init__(self, now: datetime) -> None:
        self.move(now)

    def move(self, now: datetime) -> None:
        self._ahead = now.timestamp() - time.time()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._ahead)


class Hosted(Process):
    """One process of the product by an injected clock: in a thread, with an event loop and a server of its own."""

    def __init__(self, clock: MovedClock, name: str, folder: Path, environment: dict[str, str]) -> None:
        super().__init__(name, folder, environment)
        self._clock = clock
        self._product: Product | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start, and return when it serves requests."""
        given = {name.removeprefix(PREFIX).lower(): value for name, value in self.environment.items()}
        settings = Settings(**given)  # type: ignore[arg-type]  # text, as it stands in the environment
        listener = listen("127.0.0.1", self.port)
        self.port = listener.getsockname()[1]
        self._product = Product(settings, load_secret(settings), self._clock)
        config = uvicorn.Config(self._product, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=10)
        server = self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=partial(server.run, [listener]), name=self.name, daemon=True)
        self._thread.start()
        until(lambda: server.started or self._ended(), f"{self.name} serves")
        assert not self._ended(), f"{self.name} did not start"

    def _ended(self) -> bool:
        return self._thread is None or not self._thread.is_alive()

    def _end(self, how: signal.Signals) -> None:
        del how  # a thread ends in order or not at all
        if self._product is not None and self._server is not None and self._thread is not None:
            self._product.stop_taking_requests()
            self._server.should_exit = True
            self._thread.join(PATIENCE_S)
            assert self._ended(), f"{self.name} did not end"
        self._product = self._server = self._thread = None


def move(stack: Stack, clock: MovedClock, now: datetime) -> None:
    """Let it be another time: as after a night in which everything was off, so that whatever the clock starts is done at once."""
    stack.stop()
    clock.move(now)
    stack.start()
