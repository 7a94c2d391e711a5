"""Which ids a school has counted, and where.

Both halves of an id's 16 bytes are hash: the first one and the position are kept in memory in sorted runs, 16 bytes an id, and the
whole of it on disk, where a hit is made sure of. Memory follows the database: what a transaction adds is added here when it has
committed, and what another worker has counted since is read when it is needed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from libs.common.database import Transaction
from services.monitoring.queries.log import block_at
from services.monitoring.tables import IdBlockRow

BYTES = 16
_PART = 64  # blocks read at once
Halves = npt.NDArray[np.uint64]


class Ids:
    """The ids of a school up to the position `through`."""

    def __init__(self) -> None:
        self.through = 0
        self._runs: list[tuple[Halves, npt.NDArray[np.int64]]] = []

    def __len__(self) -> int:
        return sum(len(halves) for halves, _ in self._runs)

    def candidates(self, ids: bytes) -> list[tuple[int, int]]:
        """Pairs of an index into `ids` and a position where an id begins with the same half."""
        # In the order of the runs, where each is found close to the one before; at random each search goes through all memory.
        wanted, order = _sorted(_halves(ids), np.arange(len(ids) // BYTES))
        found: list[tuple[int, int]] = []
        for halves, positions in self._runs:
            left = np.searchsorted(halves, wanted)
            hits = np.flatnonzero(halves[np.minimum(left, len(halves) - 1)] == wanted)
            right = np.searchsorted(halves, wanted[hits], "right")
            for at, begin, end in zip(order[hits].tolist(), left[hits].tolist(), right.tolist(), strict=True):
                found += [(at, position) for position in positions[begin:end].tolist()]
        return found

    def add(self, ids: bytes, first: int) -> None:
        """Add the ids of the positions from `first` on; runs are joined while the last one is not much smaller than the one before."""
        halves = _halves(ids)
        positions = np.arange(first, first + len(halves), dtype=np.int64)
        self.through = first + len(halves) - 1
        self._runs.append(_sorted(halves, positions))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            (one, at), (other, there) = self._runs.pop(), self._runs.pop()
            self._runs.append(_sorted(np.concatenate([other, one]), np.concatenate([there, at])))


def _halves(ids: bytes) -> Halves:
    return np.frombuffer(ids, dtype="<u8")[::2]


def _sorted(halves: Halves, positions: npt.NDArray[np.int64]) -> tuple[Halves, npt.NDArray[np.int64]]:
    order = np.argsort(halves, kind="stable")
    return halves[order], positions[order]


async def find_counted(tx: Transaction, school_id: int, through: int, ids: Sequence[bytes]) -> dict[bytes, int]:
    """Map the ids that the school has counted, up to the position `through`, to their positions."""
    known = await _known(tx, school_id, through)
    candidates = known.candidates(b"".join(ids))
    counted = await _ids_at(tx, school_id, {position for _, position in candidates})
    return {ids[at]: position for at, position in candidates if counted[position] == ids[at]}


async def add_ids(tx: Transaction, school_id: int, first: int, ids: Sequence[bytes]) -> None:
    """Remember that these ids were counted, at the positions from `first` on."""
    if not ids:
        return
    whole = b"".join(ids)
    row = {"school_id": school_id, "first": first, "last": first + len(ids) - 1, "ids": whole}
    await tx.insert(IdBlockRow, [row])
    kept: OrderedDict[int, Ids] = tx.database.memory["ids"]
    known = kept[school_id]
    tx.when_committed.append(lambda: known.add(whole, first))


async def _known(tx: Transaction, school_id: int, through: int) -> Ids:
    kept: OrderedDict[int, Ids] = tx.database.memory.setdefault("ids", OrderedDict())
    if school_id not in kept or kept[school_id].through > through:
        kept[school_id] = Ids()
    known = kept[school_id]
    kept.move_to_end(school_id)
    while known.through < through:
        new_ones = (IdBlockRow.first >= block_at(IdBlockRow, school_id, known.through + 1), IdBlockRow.last > known.through)
        sql = select(IdBlockRow.first, IdBlockRow.ids).where(IdBlockRow.school_id == school_id, *new_ones)
        rows = (await tx.session.execute(sql.order_by(IdBlockRow.first).limit(_PART))).all()
        for first, ids in rows:
            new = max(known.through + 1, first)  # blocks are joined meanwhile
            known.add(bytes(ids)[(new - first) * BYTES :], new)
        assert rows, "every position of a school has its id"
    _forget(kept, tx.database.settings.ids_in_memory)
    return known


def _forget(kept: OrderedDict[int, Ids], most: int) -> None:
    """Keep no more ids in memory than the operator allows: those of the schools that have counted last."""
    total = sum(map(len, kept.values()))
    while total > most and len(kept) > 1:
        _, gone = kept.popitem(last=False)
        total -= len(gone)


async def _ids_at(tx: Transaction, school_id: int, positions: Iterable[int]) -> dict[int, bytes]:
    wanted = sorted(positions)
    found: dict[int, bytes] = {}
    at = 0
    while at < len(wanted):
        holds = IdBlockRow.first == block_at(IdBlockRow, school_id, wanted[at])
        sql = select(IdBlockRow.first, IdBlockRow.last, IdBlockRow.ids).where(IdBlockRow.school_id == school_id, holds)
        first, last, held = (await tx.session.execute(sql)).one()
        ids = bytes(held)
        while at < len(wanted) and wanted[at] <= last:
            start = (wanted[at] - first) * BYTES
            found[wanted[at]] = ids[start : start + BYTES]
            at += 1
    return found
