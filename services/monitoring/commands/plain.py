"""Which arrivals are counted by columns: those of which nothing needs a look on its own.

Where anything does (a correction, an id that one amends, a metric's second code, another source, a large number, something wrong),
all that came with it is looked at one by one, and comes to the same.
"""

from __future__ import annotations

from datetime import datetime
from itertools import compress, repeat

from libs.common.events.observations import MILLION, REFERENCES
from libs.common.hashing import id_hash
from services.monitoring.commands.columns import Columns, columns_of_plain
from services.monitoring.commands.reading import Arrivals
from services.monitoring.queries.schools import School

_STUDENT = REFERENCES.index("student")


def by_columns(school: School, arrivals: Arrivals, key: bytes, latest: datetime, large: int) -> tuple[Columns, list[bytes]] | None:
    """All that came of a school by columns, with the hashes of its ids; None where something needs a look on its own.

    `latest`: the last instant that is not too far ahead; `large`: in millionths, from where numbers are.
    """
    if (events := arrivals.plain()) is None:
        return None
    metrics = {event.data.metric for event in events}
    if not metrics <= school.rules.keys() - school.switched_off:
        return None
    columns = columns_of_plain(events, arrivals.times)
    if not _right(school, columns, metrics, latest, large):
        return None
    ids = list(map(id_hash, columns.sources, columns.events, repeat(key)))
    return None if school.pending and not school.pending.isdisjoint(ids) else (columns, ids)


def _right(school: School, columns: Columns, metrics: set[str], latest: datetime, large: int) -> bool:
    """Whether `check` finds nothing wrong with any of them, nor anything else that sorts some out."""
    if columns.time.max() > latest.timestamp() * MILLION or max(columns.numerator.max(), columns.denominator.max()) >= large:
        return False
    owned = metrics & school.owners.keys()
    if owned and any(
        school.owners.get(metric, source) != source for metric, source in set(zip(columns.metrics, columns.sources, strict=True))
    ):
        return False
    return _name_what_they_must(school, columns, metrics)


def _name_what_they_must(school: School, columns: Columns, metrics: set[str]) -> bool:
    """Whether each names what its metric is observed per, and no student where that is none."""
    for at, named in enumerate(columns.named):
        asking = {metric for metric in metrics if at in school.rules[metric].needed}
        silent = metrics - asking if at == _STUDENT else set()
        if asking and not all(map(bool, compress(named, map(asking.__contains__, columns.metrics)))):
            return False
        if silent and any(compress(named, map(silent.__contains__, columns.metrics))):
            return False
    return True
