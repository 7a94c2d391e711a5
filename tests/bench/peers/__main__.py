"""The product beside what a user would pick instead: same events, same broker, same machine, every result checked.

usage: make bench-peers                        everything, into docs/performance.md (more than an hour; a quiet machine)
       RUNS=1 make bench-peers                 fewer runs of each
       STORED=1000000 make bench-peers         fewer observations stored before the figure `full`
       python -m tests.bench.peers NAME ...    some figures only, not written down:
                                               throughput in_python memory disk growth full latency front_door asking
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

from tests.bench.page import machine, put, table
from tests.bench.peers import place
from tests.servers import KAFKA_VERSION, as_program

NOTE = """Of throughput each run's sums, warnings and number of stored observations were compared with the
harness's reference before its time counted; of latency that every warning came, of the front door the number of records. The clock runs from the process being ready (a Java machine: from `start()`) until every event is counted and every warning
is readable. The product adds up two levels more than its peers do, class and lesson, notes for each event which ids no roster knows,
and stores the observation; they do not. On SQLite the observations lie in the embedded bus before the start; with all five services, planning
and reporting work on the warnings in the same process meanwhile. Kafka Streams at-least-once promises less, and leads in latency. Not run here:
Flink, which the harness measured at about the speed of Kafka Streams exactly-once. Bytewax, Quix Streams and Faust run as the harness
has them; Faust takes so long that it gets fewer events. The front door's load comes from wrk, one thread with 32 connections, as in the harness."""


def figures() -> Mapping[str, Callable[..., Sequence[object]]]:
    """Every figure by its name, in the order of the table."""
    from tests.bench.peers import doors, latency
    from tests.bench.peers import figures as f

    every = (
        f.throughput,
        f.in_python,
        f.memory,
        f.disk,
        f.growth,
        f.full,
        latency.latency,
        doors.front_door,
        doors.asking,
    )
    return {each.__name__: each for each in every}


def main(arguments: list[str]) -> None:
    if not place.HARNESS.is_dir():
        sys.exit("make bench-peers needs the project's shared folder with the harness")
    place.with_packages(arguments)
    known = figures()
    if unknown := set(arguments) - known.keys():
        sys.exit(f"no figure is called {', '.join(sorted(unknown))}: there are {', '.join(known)}")
    from tests.bench.peers.servers import servers

    with servers() as both:
        place.prepare(both.kafka)
        from tests.bench.peers.lab import Lab, Line

        lab = Lab(both, int(os.environ.get("RUNS", "3")))
        lines: list[Line] = []
        for name in arguments or known:
            for line in known[name](lab):
                assert isinstance(line, Line)
                print(f"{line.figure}: {line.measured} (aim {line.aim})", flush=True)
                lines.append(line)
        if not arguments:
            write([(line.figure, line.measured, line.aim) for line in lines], lab.runs, both.postgres_version)


def write(rows: Sequence[tuple[str, str, str]], runs: int, postgres: str) -> None:
    """Put the table into docs/performance.md between marks of its own; what people wrote around it stays."""
    beside = (
        f"Kafka {KAFKA_VERSION} (one broker), PostgreSQL {postgres}, aiokafka {version('aiokafka')}, psycopg {version('psycopg')}"
    )
    measured = f"Measured by `make bench-peers`, {machine()}, {beside}; medians of {runs} runs in turns."
    put("peers", f"{measured}\n\n{table(('Figure', 'Measured', 'Aim'), rows)}\n\n{NOTE}")


if __name__ == "__main__":
    as_program(main)
