"""Kafka as the peers were measured before, with its default compiler and 1 GiB; PostgreSQL as `deploy/compose.yaml` sets it up.

The servers of `tests.servers` are set up to start fast, which would slow whoever leans on the broker most: the peers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import Kafka, Postgres, kafka_jars, postgres_programs, prepared

SETTINGS = ("shared_buffers=512MB", "max_wal_size=4GB", "wal_compression=lz4")


class _Kafka(Kafka):
    def _java(self, *arguments: str) -> list[str]:
        return ["java", "-Xmx1g", "-Xms1g", "-cp", self._classpath, *arguments]


class _Postgres(Postgres):
    def command(self) -> Sequence[str]:
        return [*super().command(), *(part for setting in SETTINGS for part in ("-c", setting))]


@dataclass(frozen=True, slots=True)
class Servers:
    """Where both answer, and what version PostgreSQL is."""

    kafka: str
    postgres: str
    postgres_version: str


@contextmanager
def servers() -> Iterator[Servers]:
    """Both servers, with data in a folder that is deleted at the end. Raises Missing."""
    with tempfile.TemporaryDirectory(prefix="zhengai-peers-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the user postgres passes through it to its own folder
        kafka = _Kafka(prepared(folder / "kafka"), kafka_jars())
        postgres = _Postgres(prepared(folder / "postgres"), postgres_programs())
        try:
            kafka.start()
            postgres.start()
            yield Servers(kafka.address, postgres.url, postgres_programs().parent.name)
        finally:
            postgres.stop()
            kafka.stop()
