"""P1, P2, P4, P8: processes are killed while the real data is replayed; nothing acknowledged is lost, nothing is doubled.

The client re-sends what was not acknowledged, and never what was.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import pytest

from tests.conftest import POSTGRES
from tests.flow.oulad import Oulad
from tests.flow.stack import School, Stack, distributed, embedded, until
from tests.servers import kafka_server

LIMIT_S = 400.0


class Client(threading.Thread):
    """A campus system: posts batches in order, each until it is acknowledged."""

    def __init__(self, stack: Stack, key: str, batches: Sequence[bytes]) -> None:
        super().__init__(daemon=True)
        self.stack, self.batches, self.acknowledged = stack, batches, 0
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents-batch+json"}
        self.trouble: str | None = None

    def run(self) -> None:
        for body in self.batches:
            while not self._post(body):
                time.sleep(0.05)
            self.acknowledged += 1

    def has_reached(self, moment: int) -> Callable[[], bool]:
        return lambda: self.acknowledged >= moment

    def _post(self, body: bytes) -> bool:
        try:
            answer = httpx.post(f"{self.stack.url}/api/v1/events", content=body, headers=self.headers, timeout=20)
        except httpx.TransportError:
            return False
        if answer.status_code not in {202, 503}:
            self.trouble = answer.text
        return answer.status_code == 202


def _replay_under_kills(stack: Stack, data: Oulad, kills: Sequence[Callable[[], None]], size: int) -> None:
    school = School(stack, "oulad")
    key = data.set_up(school)
    lines = data.lines
    batches = [b"[" + b",".join(lines[i : i + size]) + b"]" for i in range(0, len(lines), size)]
    client = Client(stack, key, batches)
    client.start()
    seeded = random.Random(20260302)
    moments = sorted(seeded.sample(range(1, len(batches) - 1), len(kills)))
    for moment, kill in zip(moments, kills, strict=True):
        until(client.has_reached(moment), "the client goes on", LIMIT_S)
        time.sleep(seeded.random() * 0.1)  # a random instant inside the next requests, not a wait for anything
        kill()
    client.join(LIMIT_S)
    assert client.trouble is None
    assert client.acknowledged == len(batches)
    until(stack.is_ready, "ready again")
    school.settle(limit_s=LIMIT_S)
    data.check(school)


def _killer(stack: Stack, name: str) -> Callable[[], None]:
    def kill() -> None:
        process = stack.processes[name]
        process.kill()
        process.start()

    return kill


@pytest.mark.shared
@pytest.mark.servers  # takes half a minute: with the longer tests
def test_three_kills_in_a_replay_lose_and_double_nothing(shared: Path, tmp_path: Path) -> None:
    with embedded(tmp_path) as stack:
        _replay_under_kills(stack, Oulad(shared, tmp_path, every=10), [_killer(stack, "all")] * 3, 100)


@pytest.mark.shared
@pytest.mark.servers
@pytest.mark.timeout(900)
def test_ten_kills_in_a_replay_of_everything_lose_and_double_nothing(shared: Path, tmp_path: Path) -> None:
    with embedded(tmp_path) as stack:
        _replay_under_kills(stack, Oulad(shared, tmp_path), [_killer(stack, "all")] * 10, 1000)


@pytest.mark.shared
@pytest.mark.servers
@pytest.mark.timeout(900)
def test_ten_kills_of_processes_and_broker_in_a_replay_of_everything_lose_and_double_nothing(shared: Path, tmp_path: Path) -> None:
    assert POSTGRES, "make test-servers starts PostgreSQL"
    (tmp_path / "kafka").mkdir()
    with kafka_server(tmp_path / "kafka") as broker, distributed(tmp_path, broker.address, POSTGRES) as stack:

        def kill_broker() -> None:
            broker.kill()
            broker.start()

        in_turn = [_killer(stack, name) for name in ("gateway", "monitoring", "planning")]
        _replay_under_kills(stack, Oulad(shared, tmp_path), [*in_turn, kill_broker, *in_turn, *in_turn], 1000)
