"""The time that an installation works by: its database's, so that a machine whose own clock is wrong does no harm.

Between two looks at the database the machine's clock goes on counting; it is only read differently by then.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

NEAR_S = 1.0  # so near the database's, a clock is as good as it; and a look that takes longer tells nothing


class DatabaseClock:
    """The machine's clock, set right. It is the machine's own until the database was looked at for the first time."""

    def __init__(self, machine: Callable[[], float] = time.time) -> None:
        self._machine = machine
        self.ahead = 0.0  # of the database, in seconds

    def seconds(self) -> float:
        """Since 1970."""
        return self._machine() - self.ahead

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)

    async def set_by(self, look: Callable[[], Awaitable[float]]) -> bool:
        """Set it by the database's seconds; whether that was to be done: a clock that is right stays as it is."""
        before = self._machine()
        right = await look()
        after = self._machine()
        if after - before > NEAR_S:
            return False
        ahead = (before + after) / 2 - right
        ahead = ahead if abs(ahead) > NEAR_S else 0.0
        changed, self.ahead = abs(ahead - self.ahead) > NEAR_S, ahead
        return changed
