"""Composition root: the only module that knows every service.

One process or five, SQLite or PostgreSQL, embedded bus or Kafka: the difference is the settings, and this file is where
they are read.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.common import migrate
from libs.common.bus import Bus, open_bus
from libs.common.database import Clock, Database
from libs.common.errors import Unavailable
from libs.common.http import render_http, service_app
from libs.common.proxy import RemoteService
from libs.common.runtime import Health, background, keep_running, set_clock, upkeep
from libs.common.secret import load_secret
from libs.common.service import Service
from libs.common.settings import Settings
from libs.common.telemetry import log_to_stderr

log = structlog.get_logger()
BEHIND_GATEWAY = ("standards", "monitoring", "planning", "reporting")
ALL = ("gateway", *BEHIND_GATEWAY)


def load(name: str) -> Service:
    """Import one service."""
    service: Service = import_module(f"services.{name}.service").service
    return service


@dataclass
class Process:
    """A set of services plus two URLs: everything that runs in one process, and the ASGI app that answers for it.

    `clock` is what business code sees; tests inject one.
    """

    settings: Settings
    secret: bytes
    clock: Clock | None = None
    health: Health = field(default_factory=Health)
    failure: SystemExit | None = None

    def __post_init__(self) -> None:
        names = self.settings.services
        self.services = {name: load(name) for name in names}
        self.bus: Bus = open_bus(self.settings.bus)
        self.databases = {name: Database(self.settings.database_for(name), **self._clock()) for name in names}
        self.apps = {name: service_app(self.services[name], self.databases[name], self.bus, self.secret) for name in names}
        self.remote: dict[str, RemoteService] = {}
        self.front = self._front()
        self.root = self._root()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Requests of the API go to the gateway at once; the process's own paths, and its start and end, to the layers around it."""
        straight = "gateway" in self.apps and scope["type"] == "http" and scope["path"].startswith("/api/")
        await (self.front if straight else self.root)(scope, receive, send)

    def _clock(self) -> dict[str, Clock]:
        return {} if self.clock is None else {"clock": self.clock}

    def _front(self) -> ASGIApp:
        if "gateway" not in self.apps:
            if len(self.apps) != 1:
                raise SystemExit("a process without the gateway runs one service: name one in ZHENGAI_SERVICES")
            (only,) = self.apps.values()
            return only
        from services.gateway.front import Front  # noqa: PLC0415 - only where the gateway runs

        for name in BEHIND_GATEWAY:
            if name not in self.apps:
                self.remote[name] = RemoteService(self.settings.url_of(name), name)
        upstreams: Mapping[str, ASGIApp] = {name: self.apps.get(name) or self.remote[name] for name in BEHIND_GATEWAY}
        topology = [(group, topic) for name in ALL for group, topics in load(name).groups.items() for topic in topics]
        return Front(self.apps["gateway"], upstreams, topology, self.settings, self._paths())

    def _paths(self) -> Iterator[tuple[str, Iterable[str]]]:
        from services.openapi import public_routes  # noqa: PLC0415 - only where the gateway runs

        for _, route in public_routes({name: load(name) for name in ALL}):
            yield str(route.path_format), route.methods or ()
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json", "/docs"):
            yield path, ("GET",)

    def _root(self) -> FastAPI:
        root = FastAPI(lifespan=self.lifespan, openapi_url=None, docs_url=None, redoc_url=None)
        root.add_exception_handler(HTTPException, render_http)
        root.add_api_route("/healthz", self._healthz, methods=["GET"])
        root.add_api_route("/readyz", self._readyz, methods=["GET"])
        root.add_api_route("/metrics", self._metrics, methods=["GET"])
        if "gateway" in self.apps:
            from services.openapi import documentation  # noqa: PLC0415 - only where the gateway runs

            root.include_router(documentation(lambda: {name: load(name) for name in ALL}))
        if "gateway" not in self.apps:  # under its name no path of the service is hidden by one of the process
            (name,) = self.apps
            root.mount(f"/{name}", self.front)
        root.mount("/", self.front)
        return root

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Bring databases up to date, then run all background work until the process ends."""
        try:
            async with self._running():
                yield
        except SystemExit as refusal:  # the server would bury the sentence in a traceback
            self.failure = refusal
            raise RuntimeError(str(refusal)) from None

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.bus.close)
            for remote in self.remote.values():
                stack.push_async_callback(remote.aclose)
            for database in self.databases.values():
                stack.push_async_callback(database.close)
            if self.settings.embedded:
                for service in self.services.values():
                    migrate.upgrade(service, self.settings.database_for(service.name))
                await self.bus.check()
                await self._start(stack)
            else:
                start = partial(self._start_when_reachable, stack)
                starting = asyncio.create_task(keep_running("start", start, self.health), name="start")
                stack.callback(starting.cancel)
            yield

    async def _start(self, stack: AsyncExitStack) -> None:
        for name, database in self.databases.items():  # before anything is done by it
            await set_clock(name, database)
        for name, service in self.services.items():
            work = background(service, self.databases[name], self.bus, self.settings, self.health)
            await stack.enter_async_context(work)
        await stack.enter_async_context(upkeep(self.bus, self.settings, self.health))
        if "gateway" in self.apps:
            from services.gateway.demo import first_start  # noqa: PLC0415 - only where the gateway runs

            await stack.enter_async_context(first_start(self.apps["gateway"], self.settings))

    async def _start_when_reachable(self, stack: AsyncExitStack) -> None:
        """Keep trying until bus and databases answer with the tables that this code knows; `/readyz` says what is missing."""
        waiting = {"bus", *self.services}
        for name in waiting:
            self.health.failed(name, "not reached yet")
        while waiting:
            for name in sorted(waiting):
                try:
                    if name == "bus":
                        await self.bus.check()
                    else:
                        await asyncio.to_thread(migrate.check, self.services[name], self.settings.database_for(name))
                except (Unavailable, migrate.NotReady) as error:
                    self.health.failed(name, error)
                except SystemExit as refusal:
                    self.failure = refusal
                    signal.raise_signal(signal.SIGTERM)
                    await asyncio.Event().wait()  # until the shutdown ends this task
                else:
                    self.health.works(name)
                    waiting.discard(name)
            if waiting:
                await asyncio.sleep(1)
        await self._start(stack)
        self.health.works("start")
        await asyncio.Event().wait()  # nothing is left to start

    def stop_taking_requests(self) -> None:
        """Say so in `/readyz`, and let open streams end with a hint when to come back."""
        self.health.failed("process", "shutting down")
        for database in self.databases.values():
            database.closing = True

    async def _healthz(self) -> Response:
        return JSONResponse({"status": "alive"})

    async def _readyz(self) -> Response:
        problems = dict(self.health.problems)
        for name, remote in self.remote.items():
            if (trouble := await remote.not_ready()) is not None:
                problems[name] = trouble
        status = 503 if problems else 200
        return JSONResponse({"status": "not ready" if problems else "ready", "problems": problems}, status)

    async def _metrics(self) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


class _Server(uvicorn.Server):
    """uvicorn, saying in one line when requests are served, and ending streams before it waits for requests."""

    def __init__(self, config: uvicorn.Config, process: Process) -> None:
        super().__init__(config)
        self._process = process

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._process.stop_taking_requests()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit and sockets:
            host, port = sockets[0].getsockname()[:2]
            host = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host  # noqa: S104 - compared, not bound
            print(f"Zhengai is ready at http://{host}:{port}", flush=True)  # noqa: T201 - the contract's line


def serve(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM, then end with 0. Raises SystemExit with one sentence where it cannot start."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the server hands a signal on once it has shut down
        signal.signal(number, lambda *_: sys.exit(0))
    gc.disable()  # until everything is imported: what an import makes stays
    log_to_stderr(settings.log_level)
    with only_process(settings.home):
        listener = listen(settings.host, settings.port)
        process = Process(settings, load_secret(settings))
        config = uvicorn.Config(
            process,
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=10,
            timeout_keep_alive=75,
            server_header=False,
        )
        # The server would tell of a refusal in its own words, and end with a status of its own.
        logging.getLogger("uvicorn.error").addFilter(lambda _: process.failure is None)
        _collect_seldom()
        _switch_often()
        try:
            _Server(config, process).run(sockets=[listener])
        finally:
            if process.failure is not None:
                raise process.failure


def _collect_seldom() -> None:
    """Let the garbage collector look for cycles less often, and leave alone for good what was imported.

    A batch makes tens of thousands of objects that die with it: at its own pace the collector goes through everything in
    memory several times a batch.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(100_000, 20, 20)


def _switch_often() -> None:
    """Let threads take turns every millisecond: a request goes through a database's thread several times, and each time may have to
    wait for the one that reads a batch.
    """
    sys.setswitchinterval(0.001)


def listen(host: str, port: int) -> socket.socket:
    """Bind the port. Raises SystemExit with one sentence where that fails."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise SystemExit(f"cannot listen on {host}:{port}: {reason}; free the port or set ZHENGAI_PORT to another") from error


@contextmanager
def only_process(home: Path) -> Iterator[None]:
    """Hold the lock on the data folder. Raises SystemExit where another process has it, or the folder cannot be written."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (home / "lock").open("a+")
    except OSError as error:
        raise SystemExit(
            f"ZHENGAI_HOME {home} cannot be written: {error.strerror}; make it writable or name another folder"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise SystemExit(f"already running, pid {lock.read().strip() or 'unknown'}") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


if __name__ == "__main__":
    serve(Settings.load())
