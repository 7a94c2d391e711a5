"""An observation on its own: as it is added up one by one, with the subjects that it counts for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from libs.common.events.observations import Observation
from services.monitoring.domain.episodes import Sum
from services.monitoring.queries.log import Logged
from services.monitoring.queries.schools import School


class Entry(Struct, frozen=True):
    """An observation to be added up, with the subjects it counts for by level. `cause` names the observation, `place` is where
    it stands in the order of counting; `at` its time in microseconds where the metric's kind is `latest`, -1 otherwise.
    """

    place: int
    metric: str
    day: int
    numerator: int
    denominator: int
    subjects: Mapping[str, str]
    cause: str
    traceparent: str | None = None
    recorded_at: datetime | None = None
    at: int = -1

    @property
    def total(self) -> Sum:
        return Sum(self.numerator, self.denominator, 1, self.at)


def entry_of(school: School, o: Logged) -> Entry:
    """A logged observation with the subjects that it counts for by the roster of today."""
    subjects = school.roster.subjects(o.references, o.day)
    cause = f"{o.source}|{o.event}"
    return Entry(o.place, o.metric, o.day, o.numerator, o.denominator, subjects, cause, at=newest_at(school, o))


def newest_at(school: School, o: Logged | Observation) -> int:
    """The time of an observation in microseconds where the newest one is all that its metric's sums keep; -1 elsewhere."""
    return int(o.time.timestamp() * 1_000_000) if school.rules[o.metric].kind == "latest" else -1
