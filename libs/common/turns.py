"""Whether people wait for this process: then what it does in the background is done in shorter turns.

A batch is computed at a stretch, and a request waits for the stretch at each of its steps; but large batches cost less. So how
large they are depends on whether anybody asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic

WITHIN_S = 1.0
MANY = 10


class Turns:
    """Requests of late, by a clock in seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._asked: deque[float] = deque(maxlen=MANY)

    def note_asked(self) -> None:
        """Remember that a request came in."""
        self._asked.append(self._clock())

    def people_wait(self) -> bool:
        """Whether so many requests came within the last second that somebody is at work, or looks at a page."""
        return len(self._asked) == MANY and self._clock() - self._asked[0] < WITHIN_S


turns = Turns()  # of this process
