"""Columns of integers for PostgreSQL: a numpy array becomes a `bigint[]` in one step, where psycopg would write each number as text."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg import adapters, pq
from psycopg.adapt import Dumper

_BIGINT, _BIGINT_ARRAY = 20, 1016  # PostgreSQL's numbers of the types
_ELEMENT = np.dtype([("size", ">i4"), ("value", ">i8")])


class IntegersDumper(Dumper):
    """One dimension of int64, none of them missing."""

    format = pq.Format.BINARY
    oid = _BIGINT_ARRAY

    def dump(self, obj: npt.NDArray[Any]) -> bytes:
        elements = np.empty(len(obj), dtype=_ELEMENT)
        elements["size"], elements["value"] = 8, obj
        return struct.pack(">iiiii", 1, 0, _BIGINT, len(obj), 1) + elements.tobytes()


def register() -> None:
    """Let every connection made from now on take numpy arrays."""
    adapters.register_dumper(np.ndarray, IntegersDumper)
