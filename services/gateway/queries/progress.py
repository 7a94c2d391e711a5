"""Whether everything accepted before a moment has taken hold in every service.

Nothing is stored: a position is a moment, and this process finds out for itself what lay before it. A round waits until
each service has published what its outbox held when the round began, then until each consumer group has committed what the
bus held when that was done. What was accepted takes at most four hops (observation, warning, task, warning again), so five
rounds are enough; they end earlier when nothing at all is under way.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from libs.common.auth import Principal
from libs.common.bus import Bus
from libs.common.database import Clock
from libs.common.errors import Unavailable
from libs.common.telemetry import unlike_others
from services.gateway.asking import Services, body_of

POSITION = re.compile(r"[0-9]{1,15}-[0-9a-f]{8}")
ROUNDS = 5
STATES_MOST = 1000


def new_position(now: Clock) -> str:
    """Return a token for everything accepted until now; opaque to callers."""
    return f"{int(now().timestamp() * 1000)}-{unlike_others(4)}"


@dataclass(frozen=True, slots=True)
class _Outbox:
    oldest: int | None
    newest: int | None


@dataclass
class _Waiting:
    """How far the search for one position has come."""

    rounds: int = 0
    outboxes: dict[str, int] | None = None
    ends: dict[str, int] | None = None
    done: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Progress:
    """Follows positions through the services and the groups of the topology (`group, topic`)."""

    def __init__(self, services: Services, topology: Sequence[tuple[str, str]], bus: Bus) -> None:
        self._services, self._topology, self._bus = services, topology, bus
        self._topics = sorted({topic for _, topic in topology})
        self._states: dict[tuple[str, str], _Waiting] = {}

    async def reached(self, school: str, position: str) -> bool:
        """Look how far the school has come; whether all that was accepted before `position` has taken hold.

        A position that this process has not seen counts from now, which is never too early.
        """
        key = (school, position)
        if (state := self._states.get(key)) is None:
            if len(self._states) >= STATES_MOST:
                self._states.pop(next(iter(self._states)))
            state = self._states[key] = _Waiting()
        async with state.lock:
            if not state.done:
                state.done = await self._quiet(school) or await self._advance(school, state)
            return state.done

    async def _advance(self, school: str, state: _Waiting) -> bool:
        """Go through as many steps as the present allows; True after the last round."""
        while state.rounds < ROUNDS:
            if state.ends is None:
                if (now := await self._outboxes(school)) is None:
                    return False
                if state.outboxes is None:
                    state.outboxes = {name: box.newest for name, box in now.items() if box.newest is not None}
                if any(box.oldest is not None and box.oldest <= state.outboxes.get(name, -1) for name, box in now.items()):
                    return False
                state.ends = await self._ends(school)
            if not await self._committed(school, state.ends):
                return False
            state.rounds, state.outboxes, state.ends = state.rounds + 1, None, None
        return True

    async def _quiet(self, school: str) -> bool:
        """Whether nothing is under way: all is committed, then nothing waits to be sent, and nothing was sent meanwhile."""
        ends = await self._ends(school)
        if not await self._committed(school, ends):
            return False
        boxes = await self._outboxes(school)
        return boxes is not None and all(box.oldest is None for box in boxes.values()) and await self._ends(school) == ends

    async def _ends(self, school: str) -> dict[str, int]:
        return {topic: await self._bus.end(topic, school) for topic in self._topics}

    async def _committed(self, school: str, ends: Mapping[str, int]) -> bool:
        for group, topic in self._topology:
            if await self._bus.committed(group, topic, school) < ends[topic]:
                return False
        return True

    async def _outboxes(self, school: str) -> dict[str, _Outbox] | None:
        """What each service has yet to publish; None where one does not answer."""
        names = self._services.names
        found = await asyncio.gather(*(self._outbox(name, school) for name in names))
        boxes = {name: box for name, box in zip(names, found, strict=True) if box is not None}
        return boxes if len(boxes) == len(found) else None

    async def _outbox(self, name: str, school: str) -> _Outbox | None:
        try:
            answer = await self._services.get(name, "/internal/outbox", Principal("operator", "progress", school))
        except Unavailable:
            return None
        if answer.status_code != httpx.codes.OK:
            return None
        body = body_of(answer)
        return _Outbox(body["oldest"], body["newest"])
