"""What the figures share: the servers, the harness's runs, and the lines of the table."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.peers import place
from tests.bench.peers.product import OnFiles, OnServers
from tests.bench.peers.servers import Servers

TIMEOUT_S = 600  # with setting up, feeding and checking
OURS = ("zhengai-postgres", "zhengai-two", "zhengai-sqlite", "zhengai-embedded")
IN_PYTHON = {"quix-alo": ("quixstreams",), "bytewax": ("bytewax",), "faust-rocksdb": ("faust-streaming", "rocksdict")}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    figure: str
    measured: str
    aim: str


@dataclass
class Lab:
    """One session of measuring. Runs of the harness are kept, so that figures which need the same run share it."""

    servers: Servers
    runs: int
    kept: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        os.environ["PEERS_POSTGRES"] = self.servers.postgres
        for name in OURS:
            command = [sys.executable, "-m", "tests.bench.peers.contender", name]
            place.harness("bench").C[name] = lambda ds, n, w, dump, command=command: ([*command, ds, str(n), w, dump], {})

    def add(self, peer: str) -> None:
        """Let a peer written in Python run in an interpreter of its own."""
        contenders = place.harness("bench").C
        command = contenders[peer]
        python = str(place.interpreter_of(peer, IN_PYTHON[peer]))

        def with_its_own(*run: Any) -> tuple[list[str], dict[str, str]]:
            (_, *rest), environment = command(*run)
            return [python, *rest], environment

        contenders[peer] = with_its_own

    def rounds(self, names: Sequence[str], dataset: str) -> dict[str, Runs]:
        """Run each contender as often as asked, in turns; what was run before in this session counts."""
        if set(names) - set(OURS):
            place.load(dataset)
        else:
            place.data(dataset)
        for n in range(self.runs):
            for name in names:
                if len(self.kept[name, dataset]) <= n:
                    result = place.harness("bench").one(name, dataset, TIMEOUT_S, keep=False)
                    self.kept[name, dataset].append(result)
        return {name: Runs(self.kept[name, dataset]) for name in names}

    @contextmanager
    def on_servers(self) -> Iterator[OnServers]:
        """The product on the servers, set up."""
        with tempfile.TemporaryDirectory(prefix="peers-") as folder:
            product = OnServers(Path(folder), self.servers.kafka, self.servers.postgres)
            try:
                product.set_up()
                yield product
            finally:
                product.close()

    @contextmanager
    def on_files(self) -> Iterator[OnFiles]:
        """The product on SQLite, set up."""
        with tempfile.TemporaryDirectory(prefix="peers-") as folder:
            product = OnFiles(Path(folder))
            try:
                product.set_up()
                yield product
            finally:
                product.close()


class Runs:
    """Results of one contender on one data set; only runs whose result was exact count."""

    def __init__(self, results: Sequence[dict[str, Any]]) -> None:
        self.all = results
        self.right = [result for result in results if result.get("check_ok")]

    def median(self, what: str) -> float:
        """NaN where no run was exact."""
        return float(statistics.median([result[what] for result in self.right] or [float("nan")]))

    def speed(self) -> str:
        values = [result["eps"] for result in self.right] or [float("nan")]
        exact = f"{len(self.right)}/{len(self.all)} exact"
        return f"{statistics.median(values):,.0f} events/s ({min(values):,.0f}–{max(values):,.0f}; {exact})"
