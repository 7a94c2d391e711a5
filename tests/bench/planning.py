"""The goal tree, the lint, desks, ledger, matrix and rankings of a large school, on both databases: the second table of docs/performance.md.

usage: python -m tests.bench.planning        (a part of make bench; BENCH_SIZE=8000 is quicker and writes nothing)
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.bench import desks, goals
from tests.bench.page import machine, put, table
from tests.servers import as_program, postgres_server

FULL = 20_000
SIZE = int(os.environ.get("BENCH_SIZE", FULL))
AIM_MS = 100
LINT_AIM_S = 5

Figures = Mapping[str, float]


async def on(url: str) -> dict[str, float]:
    """Milliseconds of everything, by its name, on one database; empty: SQLite."""

    def place(schema: str) -> str:
        return url and f"{url}?options=-csearch_path%3D{schema}"

    tree = await goals.run(place("bench_goals"), SIZE)
    return {**{name: tree[code] for code, name in NAMES.items()}, **await desks.run(place("bench_desks"), SIZE)}


NAMES = {
    "tree": f"goal tree, {SIZE:,} goals in 6 levels, the slowest node",
    "matrix": f"matrix of systems and levels, {SIZE:,} goals with a task each",
    "lint": f"lint of {goals.PLANS} plans with {SIZE:,} goals",
}


def rows_of(sqlite: Figures, postgres: Figures) -> list[tuple[str, ...]]:
    """What, measured on either, aim."""
    return [
        (name, *(_said(each[name], lint=name == NAMES["lint"]) for each in (sqlite, postgres)), _aim(lint=name == NAMES["lint"]))
        for name in sqlite
    ]


def _said(milliseconds: float, *, lint: bool) -> str:
    return f"{milliseconds / 1000:.1f} s" if lint else f"{milliseconds:.0f} ms"


def _aim(*, lint: bool) -> str:
    return f"≤ {LINT_AIM_S} s" if lint else f"≤ {AIM_MS} ms"


def measure() -> None:
    """Measure on both databases, and write it down where the school was of the full size."""
    if sum(goals.LEVELS) >= SIZE:
        sys.exit(f"BENCH_SIZE: more than {sum(goals.LEVELS)} goals make six levels")
    print(f"a school of {SIZE:,} goals, {SIZE:,} tasks and {desks.problems_of(SIZE):,} improvements, on SQLite:", flush=True)
    sqlite = asyncio.run(on(""))
    print("... on PostgreSQL:", flush=True)
    with tempfile.TemporaryDirectory(prefix="zhengai-bench-") as name:
        Path(name).chmod(0o711)  # the user postgres passes through it to its own folder
        with postgres_server(Path(name) / "postgres") as server:
            postgres = asyncio.run(on(server.url))
    text = table(("Figure, median", "SQLite", "PostgreSQL", "Aim"), rows_of(sqlite, postgres))
    said = f"{FULL:,} goals, as many tasks, {desks.problems_of(FULL):,} improvements, {desks.UNITS} units"
    if SIZE == FULL:
        put("school", f"Measured on {machine()}: one school with {said}; each call over HTTP in the process, 9 times.\n\n{text}")
    else:
        print(f"\n{text}\n\nnothing is written: BENCH_SIZE is not {FULL}")


if __name__ == "__main__":
    as_program(lambda _: measure())
