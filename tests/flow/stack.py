"""Zhengai as its users run it: real processes, embedded or distributed, that a test starts, kills and asks over HTTP."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.cli import main

READY = re.compile(r"Zhengai is ready at (\S+)")
SERVICES = ("gateway", "standards", "monitoring", "planning", "reporting")
PATIENCE_S = 60.0


def until(condition: Callable[[], Any], what: str, limit_s: float = PATIENCE_S) -> Any:
    """Return the first true value of `condition`; fail with `what` when it stays false too long."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {limit_s:.0f} s in vain: {what}")


class Process:
    """One process of the product, restarted on the same folder and port."""

    program = "services.app"

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self.name, self.folder = name, folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.environment = {**environment, "ZHENGAI_HOME": str(folder)}
        self.port = 0
        self.running: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start, and return when it says that it serves requests."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ZHENGAI_")}
        log = (self.folder / "log").open("a")
        self.running = subprocess.Popen(
            [sys.executable, "-m", self.program],
            env={**clean, **self.environment, "ZHENGAI_PORT": str(self.port)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        log.close()
        assert self.running.stdout is not None
        line = self.running.stdout.readline()
        match = READY.match(line)
        assert match is not None, f"{self.name} did not start: {line or (self.folder / 'log').read_text()[-2000:]}"
        self.port = int(match[1].rpartition(":")[2])

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as an operator would."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self.running is not None and self.running.poll() is None:
            self.running.send_signal(how)
            self.running.wait(30)
        if self.running is not None and self.running.stdout is not None:
            self.running.stdout.close()
        self.running = None

    def memory_mb(self) -> float:
        """Resident memory now."""
        assert self.running is not None
        status = Path(f"/proc/{self.running.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]  # the kernel always has it


class Stack:
    """All processes of one installation."""

    def __init__(self, processes: list[Process]) -> None:
        self.processes = {process.name: process for process in processes}

    @property
    def gateway(self) -> Process:
        return self.processes.get("gateway") or self.processes["all"]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"

    @property
    def token(self) -> str:
        path = self.gateway.folder / "operator.token"
        until(path.exists, "the operator's token")
        return path.read_text().strip()

    def start(self) -> None:
        for process in self.processes.values():
            process.start()
        until(self.is_ready, "ready")

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        for process in self.processes.values():
            process.stop()

    def operator(self, school: str) -> School:
        return School(self, school)


class School:
    """One school of the installation, asked by the operator."""

    def __init__(self, stack: Stack, code: str) -> None:
        self.stack, self.code = stack, code
        self.http = httpx.Client(timeout=60, headers={"Authorization": f"Bearer {stack.token}"})

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        params = {"school": self.code, **options.pop("params", {})}
        return self.http.request(method, f"{self.stack.url}/api/v1/{path}", params=params, **options)

    def get(self, path: str, **params: Any) -> Any:
        answer = self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def items(self, path: str, **params: Any) -> Iterator[Any]:
        """Every item of a list, page by page."""
        cursor: str | None = None
        while True:
            page = self.get(path, limit=500, **params, **({"cursor": cursor} if cursor else {}))
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def change(self, method: str, path: str, **options: Any) -> Any:
        """Change something and wait until every service works by it."""
        answer = self.call(method, path, **options)
        assert 200 <= answer.status_code < 300, answer.text
        self.settle(answer.headers["Zhengai-Position"])
        return answer.json() if answer.content else None

    def settle(self, position: str | None = None, limit_s: float = PATIENCE_S) -> None:
        """Wait until everything accepted before has taken hold everywhere."""
        if position is None:
            position = self.call("GET", "progress").json()["position"]
        until(lambda: self._settled(position), f"{self.code} settled", limit_s)

    def _settled(self, position: str) -> bool:
        try:
            return self.call("GET", "progress", params={"after": position}).status_code == 200
        except httpx.TransportError:
            return False

    def add(self) -> str:
        """Make the school and one source `lms`; return its key."""
        body = {"code": self.code, "name": f"学校 {self.code}"}
        answer = self.http.post(f"{self.stack.url}/api/v1/schools", json=body)
        assert answer.status_code == 201, answer.text
        self.settle(answer.headers["Zhengai-Position"])
        key: str = self.change("POST", "sources", json={"name": "lms"})["key"]
        return key

    def activate(self, indicator: dict[str, Any]) -> None:
        version = self.change("POST", "standards/indicators", json=indicator)["version"]
        self.change("POST", f"standards/indicators/{indicator['code']}/versions/{version}/activate")

    def user(self, username: str, person: str) -> httpx.Client:
        """An account for a person of the roster, signed in."""
        made = self.change("POST", "users", json={"username": username, "person": person})
        form = {"grant_type": "password", "username": username, "password": made["password"]}
        answer = httpx.post(f"{self.stack.url}/api/v1/auth/token", data=form, timeout=30)
        assert answer.status_code == 200, answer.text
        return httpx.Client(
            base_url=f"{self.stack.url}/api/v1/", timeout=30, headers={"Authorization": f"Bearer {answer.json()['access_token']}"}
        )


Start = Callable[[str, Path, dict[str, str]], Process]
"""What makes a process of a name, a folder and an environment."""


@contextmanager
def embedded(folder: Path, process: Start = Process, /, **settings: str) -> Iterator[Stack]:
    """Everything in one process on SQLite files."""
    stack = Stack([process("all", folder / "home", {"ZHENGAI_DEMO": "0", **settings})])
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@contextmanager
def distributed(folder: Path, kafka: str, postgres: str, process: Start = Process, /, **settings: str) -> Iterator[Stack]:
    """Five processes on Kafka and PostgreSQL, with topics and schemas of their own."""
    name = f"f{uuid4().hex[:12]}"
    secret = folder / "secret"
    secret.write_bytes(secrets.token_bytes(32))
    ports = {service: free_port() for service in SERVICES}
    common = {
        "ZHENGAI_BUS_URL": f"kafka://{kafka}/{name}.",
        "ZHENGAI_DATABASE_URL": f"{postgres}?options=-csearch_path%3D{name}_{{service}}",
        "ZHENGAI_SECRET_FILE": str(secret),
        "ZHENGAI_DEMO": "0",
        **settings,
    }
    _migrate(common)
    processes = []
    for service in reversed(SERVICES):  # the gateway last: it says ready when the others are
        one = process(service, folder / service, {**common, "ZHENGAI_SERVICES": service})
        one.port = ports[service]
        processes.append(one)
    gateway = processes[-1].environment
    gateway["ZHENGAI_SERVICE_URL"] = ",".join(f"{service}=http://127.0.0.1:{ports[service]}" for service in SERVICES[1:])
    stack = Stack(processes)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        _drop(postgres, name)


def _migrate(common: dict[str, str]) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ZHENGAI_")}
    result = subprocess.run(
        [Path(sys.executable).parent / "zhengai", "migrate"], env={**clean, **common}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def _drop(postgres: str, name: str) -> None:
    from sqlalchemy import create_engine, text

    engine = create_engine(postgres)
    with engine.begin() as connection:
        for service in SERVICES:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {name}_{service} CASCADE"))
    engine.dispose()


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def zhengai(stack: Stack, *arguments: str) -> int:
    """Run the command as the operator does, and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--url", stack.url, "--token", stack.token])
    return int(ended.value.code or 0)
