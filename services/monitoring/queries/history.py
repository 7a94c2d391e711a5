"""What judging asks for beside the deciding window's sum: the windows before it, and the classes of lessons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from libs.common.database import Transaction, in_batches
from services.monitoring.domain.episodes import Indicator, Sum
from services.monitoring.domain.windows import Window
from services.monitoring.queries.log import list_standing_of
from services.monitoring.queries.schools import School
from services.monitoring.tables import TotalRow

_PART = 10_000
Cell = tuple[int, int, int]  # series, window, start


async def find_latest(
    tx: Transaction, series: Iterable[int], indicator: Indicator, least: int, through: int | None, windows: int
) -> dict[int, list[tuple[int, Sum]]]:
    """The latest windows of each series with at least that denominator, newest first, so many. None starts after `through`."""
    found: dict[int, list[tuple[int, Sum]]] = defaultdict(list)
    t = TotalRow
    order = func.row_number().over(partition_by=t.series, order_by=t.start.desc()).label("nth")
    enough = (t.window == indicator.window, t.denominator >= least, t.denominator > 0)
    for part in in_batches(sorted(series), _PART):
        ranked = select(t.series, t.start, t.numerator, t.denominator, t.revision, t.at, order).where(t.series.in_(part), *enough)
        if through is not None:
            ranked = ranked.where(t.start <= through)
        latest = ranked.subquery()
        rows = select(*latest.c[:6]).where(latest.c.nth <= windows)
        for key, start, *total in await tx.session.execute(rows.order_by(latest.c.series, latest.c.start.desc())):
            found[key].append((start, Sum(*total)))
    return found


async def find_earlier(tx: Transaction, judged: Mapping[int, tuple[Indicator, int]]) -> dict[int, tuple[Sum, ...]]:
    """The sums that judging each series' window (by form and start) looks back on, newest first."""
    found: dict[int, tuple[Sum, ...]] = {}
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for key, (form, start) in judged.items():
        if form.looks_back:
            alike[form.min_denominator, start].append(key)
    for (least, through), series in alike.items():
        form = judged[series[0]][0]
        for key, windows in (await find_latest(tx, series, form, least, through, form.looks_back + 1)).items():
            found[key] = tuple(total for start, total in windows if start < through)[: form.looks_back]
    return found


async def classes_taught(
    session: AsyncSession, school: School, metric: str, days: Collection[int], before: int | None = None
) -> dict[tuple[str, int], str]:
    """The class that the observations of a lesson on a day named last, in the order of counting, `before` a place."""
    spans = [(day, day + 1) for day in sorted(days)]
    found: dict[tuple[str, int], str] = {}
    for part in in_batches(spans, 100):
        standing = await list_standing_of(session, school.id, school.metric_ids[metric], part)
        for o in sorted(standing, key=lambda o: o.place):
            if {"lesson", "class"} <= o.references.keys() and (before is None or o.place < before):
                found[o.references["lesson"], o.day] = o.references["class"]
    return found


@dataclass
class History:
    """The starts of windows that judging a batch may look back on, by series and window; their sums are among the running ones."""

    starts: dict[tuple[int, Window], set[int]] = field(default_factory=lambda: defaultdict(set))

    async def read(
        self,
        tx: Transaction,
        indicator: Indicator,
        least: int,
        touched: Iterable[Cell],
        series: Collection[int],
        through: int | None,
        running: dict[Cell, Sum],
    ) -> None:
        """Read what an indicator looks back on from here; the sums of what the batch has `touched` are running already."""
        if not indicator.looks_back:
            return
        for key, window, start in touched:
            if window == indicator.window and key in series:
                self.starts[key, indicator.window].add(start)
        for key, windows in (await find_latest(tx, series, indicator, least, through, indicator.looks_back + 1)).items():
            for start, total in windows:
                self.starts[key, indicator.window].add(start)
                running.setdefault((key, indicator.window, start), total)

    def before(self, indicator: Indicator, series: int, start: int, running: Mapping[Cell, Sum]) -> tuple[Sum, ...]:
        """The sums before a window that have enough data as of now, newest first, as many as the indicator looks back."""
        if not indicator.looks_back:
            return ()
        window, least = indicator.window, max(indicator.min_denominator, 1)
        starts = sorted((each for each in self.starts[series, window] if each < start), reverse=True)
        sums = (running[series, window, each] for each in starts if (series, window, each) in running)
        return tuple(total for total in sums if total.denominator >= least)[: indicator.looks_back]
