"""Whether people wait for this process: then what it does in the background is done in shorter turns.

A batch is computed at a stretch, and a request waits for the stretch at each of its steps; but large batches cost less. So how
large they are depends on whether anybody asks.
"""

from __future__ import annotations

from collections import deque
from time import monotonic

WITHIN_S = 1.0
_asked: deque[float] = deque(maxlen=10)


def note_asked() -> None:
    """Remember that a request came in."""
    _asked.append(monotonic())


def people_wait() -> bool:
    """Whether so many requests came within the last second that somebody is at work, or looks at a page."""
    return len(_asked) == _asked.maxlen and monotonic() - _asked[0] < WITHIN_S
