"""Which ids a school has counted: whatever was added, in whatever parts, is found again where it was (P2)."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from services.monitoring.queries.ids import BYTES, Ids

# Few first halves, so that ids share one; the second half makes them different.
_ids = st.builds(lambda first, second: bytes([first]) * 8 + bytes([second]) * 8, st.sampled_from((0, 7, 255)), st.integers(0, 3))


@given(st.lists(st.lists(_ids, min_size=1, max_size=9), max_size=12), st.lists(_ids, max_size=9))
def test_every_position_whose_id_begins_the_same_is_found(added: list[list[bytes]], asked: list[bytes]) -> None:
    ids, positions, first = Ids(), defaultdict(set), 1
    for some in added:
        ids.add(b"".join(some), first)
        for position, id_ in enumerate(some, first):
            positions[id_[: BYTES // 2]].add(position)
        first += len(some)
    found = ids.candidates(b"".join(asked))
    assert len(found) == len(set(found))
    assert set(found) == {(at, position) for at, id_ in enumerate(asked) for position in positions[id_[: BYTES // 2]]}
    assert (len(ids), ids.through) == (first - 1, first - 1 if added else 0)
