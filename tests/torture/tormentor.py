"""Kills, stops and misleads processes at moments that a seed decides."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random

from libs.common.runtime.leases import LEASE_S
from tests.flow.stack import Process, Stack
from tests.servers import Server
from tests.torture.campus import Count

WAIT_S = 300.0
CLOCK_S = 6.0
PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime")


def faketime() -> Path | None:
    """The library that gives a process another clock; None where it is not installed."""
    found = (path for place in PLACES for path in Path("/").glob(f"{place[1:]}/libfaketimeMT.so.1"))
    return next(found, None)


class Tormentor(threading.Thread):
    """Strikes `hits` times while requests are acknowledged; nothing happens inside `calm`."""

    def __init__(
        self,
        stack: Stack,
        servers: Mapping[str, Server],
        seed: int,
        hits: int,
        requests: int,
        acknowledged: Count,
        calm: threading.RLock,
    ) -> None:
        super().__init__(daemon=True)
        self._stack, self._servers, self._acknowledged, self._calm = stack, servers, acknowledged, calm
        self._random = Random(f"{seed} tormentor")
        self._moments = sorted(self._random.sample(range(1, requests * 9 // 10), hits))
        self._blows = self._plan(hits)
        self.did: list[str] = []
        self.trouble: str | None = None
        self.no_clock = False

    def _plan(self, hits: int) -> list[tuple[str, str]]:
        """One process is stopped past its lease and, in every other round, one misled; the others are killed."""
        r, processes = self._random, list(self._stack.processes)
        blows = [("stopped", r.choice(processes))]
        if r.random() < 0.5:
            blows.append((r.choice(("+3d", "-3d")), r.choice(processes)))
        targets = [*processes, *self._servers]
        blows += [("killed", r.choice(targets)) for _ in range(hits - len(blows))]
        r.shuffle(blows)
        return blows

    def run(self) -> None:
        for moment, (blow, name) in zip(self._moments, self._blows, strict=True):
            if not self._acknowledged.wait_for(moment, WAIT_S):
                self.trouble = f"nothing was acknowledged any more; before that: {', '.join(self.did) or 'nothing'}"
                return
            time.sleep(self._random.random() * 0.2)  # a random instant inside the next requests, not a wait for anything
            try:
                with self._calm:
                    self._strike(blow, name)
            except Exception as error:  # noqa: BLE001 - shown as the round's failure, whatever it is
                self.trouble = f"{name} {blow}: {type(error).__name__}: {error}"
                return

    def _strike(self, blow: str, name: str) -> None:
        if name in self._servers:
            self._servers[name].kill()
            self._servers[name].start()
        elif blow == "stopped":
            with asleep(self._stack.processes[name]):
                time.sleep(LEASE_S + 1 + self._random.random())  # its lease and its session are over
        elif blow == "killed":
            restart(self._stack.processes[name])
        elif (library := faketime()) is None:
            self.no_clock = True
            return
        else:
            with misled(self._stack.processes[name], blow, library):
                time.sleep(CLOCK_S)  # the fault lasts so long
        self.did.append(f"{name} {blow}")


def restart(process: Process) -> None:
    process.kill()
    process.start()


@contextmanager
def misled(process: Process, by: str, library: Path) -> Iterator[None]:
    """Until the block ends the process lives in another time; its monotonic clock is right."""
    wrong = {"LD_PRELOAD": str(library), "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DISABLE_SHM": "1"}
    process.environment |= wrong
    try:
        restart(process)
        yield
    finally:
        for variable in wrong:
            del process.environment[variable]
    restart(process)


@contextmanager
def asleep(process: Process) -> Iterator[Callable[[], None]]:
    """The process does nothing until the block ends, or until what is yielded is called."""
    assert process.running is not None
    pid = process.running.pid
    os.kill(pid, signal.SIGSTOP)

    def wake() -> None:
        os.kill(pid, signal.SIGCONT)

    try:
        yield wake
    finally:
        wake()
