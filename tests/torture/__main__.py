"""Torment a running installation, and check after each round that nothing was lost and nothing doubled.

usage: make torture [ROUNDS=n] [STACK=embedded|distributed] [SEED=n]

A round is decided by its seed: each prints its own, and `ROUNDS=1 SEED=that` repeats it (the moments are those of requests, so
what was under way at an instant may differ). The distributed stack brings its own Kafka and PostgreSQL.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.flow.stack import Stack, distributed, embedded, until
from tests.servers import Server, as_program, kafka_server, postgres_server
from tests.torture.campus import Campus, Count
from tests.torture.checker import Report, check
from tests.torture.history import History
from tests.torture.tormentor import Tormentor

SCHOOLS = (("north", 1), ("south", 1), ("wide", 4))  # name, connections
EVENTS = 250  # a school and round, before amendments and duplicates
HITS = {"embedded": 4, "distributed": 7}
PATIENCE_S = 300.0


@contextmanager
def installation(kind: str, folder: Path) -> Iterator[tuple[Stack, Mapping[str, Server]]]:
    """The stack, and the servers beside it that may be killed."""
    with ExitStack() as context:
        if kind == "embedded":
            yield context.enter_context(embedded(folder)), {}
            return
        folder.chmod(0o711)  # the user postgres passes through it to its own folder
        print("starting Kafka and PostgreSQL ...", flush=True)
        kafka = context.enter_context(kafka_server(folder / "kafka"))
        postgres = context.enter_context(postgres_server(folder / "postgres"))
        stack = context.enter_context(distributed(folder, kafka.address, postgres.url))
        yield stack, {"kafka": kafka, "postgresql": postgres}


class Round:
    """Some schools that live through a round together."""

    def __init__(self, stack: Stack, servers: Mapping[str, Server], kind: str, seed: int, folder: Path) -> None:
        self._stack, calm, acknowledged = stack, threading.RLock(), Count()
        folder.mkdir()
        histories = [History(f"{name}-{seed}", seed, connections, EVENTS) for name, connections in SCHOOLS]
        self.campuses = [Campus(stack, history, folder, calm, acknowledged) for history in histories]
        requests = sum(campus.requests for campus in self.campuses)
        self.tormentor = Tormentor(stack, servers, seed, HITS[kind], requests, acknowledged, calm)

    def play(self) -> list[Report]:
        for campus in self.campuses:
            campus.prepare()
        lives = [threading.Thread(target=campus.live, daemon=True) for campus in self.campuses]
        threads: list[threading.Thread] = [*lives, self.tormentor]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        troubles = [trouble for trouble in (*(campus.trouble for campus in self.campuses), self.tormentor.trouble) if trouble]
        if troubles:
            return [Report(wrong=troubles)]
        try:
            until(self._stack.is_ready, "ready again", PATIENCE_S)
            return [check(campus) for campus in self.campuses]
        except (AssertionError, httpx.HTTPError) as error:
            return [Report(wrong=[f"what there is could not be asked for: {error!r}"])]

    def said(self, reports: Sequence[Report]) -> str:
        """What was done and compared, in one line."""
        did = ", ".join(f"{what} ×{n}" if n > 1 else what for what, n in Counter(self.tormentor.did).items())
        requests = sum(campus.requests for campus in self.campuses)
        numbers = [sum(getattr(r, name) for r in reports) for name in ("sums", "warnings", "open", "dismissed", "streamed")]
        sums, warnings, open_, dismissed, streamed = numbers
        compared = f"{sums} sums, {warnings} warnings ({open_} open, {dismissed} dismissed), {streamed} events streamed"
        return f"{requests} requests acknowledged; {did}; {compared}"


def torture(rounds: int, kind: str, seed: int, folder: Path) -> int:
    failed = skipped = 0
    with installation(kind, folder) as (stack, servers):
        for n in range(rounds):
            begin, mine = time.monotonic(), seed + n
            this = Round(stack, servers, kind, mine, folder / f"round-{mine}")
            reports = this.play()
            wrong = [each for report in reports for each in report.wrong]
            failed += bool(wrong)
            took, verdict = time.monotonic() - begin, "WRONG" if wrong else "right"
            print(f"round {n + 1} of {rounds}, seed {mine}: {this.said(reports)}: {verdict} ({took:.0f} s)", flush=True)
            for each in wrong:
                print(f"  {each}", flush=True)
            if wrong:
                print(f"  to repeat it: make torture STACK={kind} ROUNDS=1 SEED={mine}", flush=True)
            if this.tormentor.no_clock:
                skipped += 1
                print("  skipped: a wrong clock, since libfaketimeMT.so.1 is missing (Debian: apt install libfaketime)", flush=True)
    print(f"{rounds - failed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make torture", description="Torment a running installation and check it.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stack", choices=list(HITS), default="embedded")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="zhengai-torture-") as name:
        return torture(given.rounds, given.stack, given.seed, Path(name))


if __name__ == "__main__":
    as_program(main)
