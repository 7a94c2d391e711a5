"""Which window of a subject decides, as it is after each observation of a batch: the latest-starting one with enough data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from libs.common.database import Transaction
from services.monitoring.domain.episodes import Indicator, Sum
from services.monitoring.domain.windows import Window
from services.monitoring.queries import bulk
from services.monitoring.queries.history import find_latest

Asked = Mapping[
    tuple[Window, int, int | None], Sequence[tuple[Indicator, set[int]]]
]  # window, least, through → who asks for which series


@dataclass
class Deciding:
    """The first day of the deciding window by version, least denominator and series."""

    starts: dict[tuple[Indicator, int, int], int] = field(default_factory=dict)
    _enough: dict[tuple[Indicator, int, int], set[int]] = field(default_factory=dict)  # of metrics of kind `latest`

    @classmethod
    async def read(cls, tx: Transaction, asked: Asked, touched: Collection[tuple[int, int, int]]) -> Deciding:
        """Read what decided before the batch, which touches these cells (series, window, start)."""
        known = cls()
        for (window, least, through), asking in asked.items():
            growing = [(i, series) for i, series in asking if i.kind != "latest"]
            found = await bulk.find_deciding(tx, sorted(set().union(*(series for _, series in growing))), window, least, through)
            known.starts.update({(i, least, key): found[key] for i, series in growing for key in series & found.keys()})
            for indicator, series in (each for each in asking if each[0].kind == "latest"):
                # Each window that the batch touches may lose its place to one before it.
                most = max(Counter(key for key, span, _ in touched if key in series and span == window).values(), default=0)
                latest = await find_latest(tx, series, indicator, least, through, most + 1)
                for key in series:
                    known._enough[indicator, least, key] = {start for start, _ in latest[key]}
                    known._decide((indicator, least, key))
        return known

    def note_newest(self, version: Indicator, series: int, start: int, total: Sum) -> None:
        """Of a metric of kind `latest` the newest observation is all that a window has: it may have enough data no more."""
        for least in version.leasts:
            enough = self._enough[version, least, series]
            (enough.add if total.denominator >= max(least, 1) else enough.discard)(start)
            self._decide((version, least, series))

    def _decide(self, key: tuple[Indicator, int, int]) -> None:
        self.starts.pop(key, None)
        if enough := self._enough[key]:
            self.starts[key] = max(enough)
