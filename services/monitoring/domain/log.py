"""A stretch of the observation log, column by column: a few thousand observations take a fraction of what rows of theirs would.

A stretch is never rewritten but to be joined with its neighbours. What corrections and retractions change stands beside it
(`AmendedRow`).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from libs.common.events.observations import REFERENCES

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

PLAIN: Final = ("metric", "time", "day", "numerator", "denominator", "source", "phase", "counted_at")
COLUMNS: Final = (*PLAIN, *REFERENCES)
PHASES: Final = ("before", "during", "after")
_WIDTHS = (np.uint8, np.uint16, np.uint32)
_FAST = 1  # zlib's level: the next one takes twice the time for 3 % less


@dataclass(frozen=True, slots=True)
class Stretch:
    """Observations in the order of counting. `positions` and `columns` are int64, `events` the campus systems' own ids.

    Numbers are millionths, times microseconds, days counted from 1970-01-01; metric, source and references are the integers of
    their rows, 0 where an observation names none; a phase is its place in `PHASES`, from 1.
    """

    positions: Ints
    columns: Mapping[str, Ints]
    events: Sequence[str]

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, rows: Ints) -> Stretch:
        """These rows of it."""
        events = self.events
        return Stretch(self.positions[rows], {n: c[rows] for n, c in self.columns.items()}, [events[row] for row in rows.tolist()])

    def encode(self) -> bytes:
        """As bytes: each column as its least value and what is above it in as few bytes as hold it, all of it compressed."""
        columns = {"position": self.positions - np.arange(len(self)), **self.columns, "time": _steps(self.columns["time"])}
        text = "\n".join(self.events)  # ids have no control characters
        return zlib.compress(msgspec.msgpack.encode([len(self), text, {n: _narrow(c) for n, c in columns.items()}]), _FAST)


def decode(content: bytes) -> Stretch:
    """The stretch that was encoded."""
    length, text, narrow = msgspec.msgpack.decode(zlib.decompress(content))
    columns = {name: _wide(column, length) for name, column in narrow.items()}
    columns["time"] = np.cumsum(columns["time"])
    positions = columns.pop("position") + np.arange(length)
    return Stretch(positions, columns, text.split("\n"))


def join(stretches: Sequence[Stretch]) -> Stretch:
    """Neighbours as one."""
    columns = {name: np.concatenate([s.columns[name] for s in stretches]) for name in COLUMNS}
    return Stretch(np.concatenate([s.positions for s in stretches]), columns, [e for s in stretches for e in s.events])


def _steps(column: Ints) -> Ints:
    steps: Ints = np.diff(column, prepend=0)
    return steps


def _narrow(column: Ints) -> int | tuple[int, int, bytes]:
    least, most = int(column.min()), int(column.max())
    if least == most:
        return least
    for width in _WIDTHS:
        if most - least <= np.iinfo(width).max:
            return least, np.dtype(width).itemsize, (column - least).astype(width).tobytes()
    return 0, 8, column.tobytes()


def _wide(narrow: Any, length: int) -> Ints:
    if isinstance(narrow, int):
        return np.full(length, narrow, dtype=np.int64)
    least, width, content = narrow
    column: Ints = np.frombuffer(content, dtype=f"<{'i' if width == 8 else 'u'}{width}").astype(np.int64) + least
    return column
