"""The one SQLite that this project uses: the `pysqlite3` wheel under the name that drivers import.

SQLite before 3.51.3 can corrupt a database in WAL mode with several connections, and Python's own is older on most systems.
"""

import sys

import pysqlite3

__all__ = ["check_version", "pysqlite3"]

sys.modules["sqlite3"] = pysqlite3
sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2

SAFE = (3, 51, 3)


def check_version(version: tuple[int, ...] = pysqlite3.sqlite_version_info) -> None:
    """Refuse to start on an SQLite with the WAL corruption bug. Raises SystemExit with one sentence."""
    if version < SAFE:
        raise SystemExit(
            f"SQLite {'.'.join(map(str, version))} can corrupt data in WAL mode: "
            f"install the pysqlite3 wheel with SQLite {'.'.join(map(str, SAFE))} or newer (make run does)"
        )
