"""Observations column by column, as they name things: plain events become so without an object of each between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from libs.common.events.observations import MILLION, Observation
from libs.common.events.plain import NAMED, PlainEvent, observation_of
from services.monitoring.domain.log import Ints


@dataclass(frozen=True, slots=True)
class Columns:
    """Observations in their order. `time` is int64 microseconds, `numerator` and `denominator` int64 millionths; `named` has a column
    for each kind of `REFERENCES`; `observation` makes one row an observation again, which few need to be.
    """

    sources: Sequence[str]
    events: Sequence[str]
    metrics: Sequence[str]
    phases: Sequence[str | None]
    named: Sequence[Sequence[str | None]]
    time: Ints
    numerator: Ints
    denominator: Ints
    observation: Callable[[int], Observation]

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, rows: Sequence[int]) -> Columns:
        """These rows of it."""
        at = np.array(rows, dtype=np.int64)
        return Columns(
            [self.sources[row] for row in rows],
            [self.events[row] for row in rows],
            [self.metrics[row] for row in rows],
            [self.phases[row] for row in rows],
            [[column[row] for row in rows] for column in self.named],
            self.time[at],
            self.numerator[at],
            self.denominator[at],
            lambda row: self.observation(rows[row]),
        )


def columns_of(observations: Sequence[Observation]) -> Columns:
    """Observations of any kind by columns."""
    count = len(observations)
    return Columns(
        [o.source for o in observations],
        [o.id for o in observations],
        [o.metric for o in observations],
        [o.phase for o in observations],
        list(zip(*[o.named for o in observations], strict=True)),
        _microseconds([o.time.timestamp() for o in observations]),
        np.fromiter([o.numerator for o in observations], dtype=np.int64, count=count),
        np.fromiter([o.denominator for o in observations], dtype=np.int64, count=count),
        observations.__getitem__,
    )


def columns_of_plain(events: Sequence[PlainEvent], times: Sequence[float]) -> Columns:
    """Plain events by columns; `times` in seconds."""
    count, data = len(events), [event.data for event in events]
    return Columns(
        [event.source for event in events],
        [event.id for event in events],
        [each.metric for each in data],
        [each.phase for each in data],
        [list(map(attrgetter(name), data)) for name in NAMED],
        _microseconds(times),
        np.fromiter([each.numerator for each in data], dtype=np.int64, count=count) * MILLION,
        np.fromiter([each.denominator for each in data], dtype=np.int64, count=count) * MILLION,
        lambda row: observation_of(events[row]),
    )


def _microseconds(seconds: Sequence[float]) -> Ints:
    rounded: Ints = np.rint(np.array(seconds, dtype=np.float64) * 1_000_000).astype(np.int64)
    return rounded  # exact until the year 2250, and to a quarter of a millisecond for ever
