"""Tell whoever follows measurements what has changed: each change once, nothing lost.

Counting leaves a row in `untold` for each day of a followed series whose sum it changes, in its own transaction; telling takes the
rows away in the transaction that publishes. So a crash before the end of either leaves both as they were, and no clock is asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from libs.common.database import Transaction, in_batches
from libs.common.errors import Fault, Invalid
from libs.common.events import planning, standards
from libs.common.events.monitoring import Measured, Measurement
from services.monitoring.domain.attribution import LEVEL_CODE, WORD_BITS, series_key
from services.monitoring.domain.episodes import Sum, decimal, value_of
from services.monitoring.domain.windows import WINDOWS, Calendar, Window, from_day
from services.monitoring.queries import bulk
from services.monitoring.queries.catalogue import find_metric
from services.monitoring.queries.schools import School, changed, get_school, load_calendar
from services.monitoring.queries.telling import (
    TOLD,
    find_word,
    is_followed,
    list_followed,
    next_series,
    next_untold,
    place_of,
    subjects_by_series,
    take_untold,
)
from services.monitoring.tables import FollowedRow, MetricRow, SchoolRow

PART = 500  # measurements in an event
SERIES = 100  # looked at together
AT_ONCE = 25_000  # measurements after which a transaction ends; what is left waits for the next
STEP = 100  # measurements that a step costs, however few it tells
_EVER = (-(1 << 30), 1 << 30)  # days

Key = tuple[str, str, str]  # metric as it was asked for, level, window


async def follow(tx: Transaction, event: standards.MeasureWanted | planning.MeasureWanted) -> None:
    """Begin to tell a service what it asks for, beginning with everything that is there. Raises Invalid for what cannot be measured."""
    for name, value, known in (("level", event.level, LEVEL_CODE), ("window", event.window, WINDOWS)):
        if value not in known:
            raise Invalid(f"no {name} {value!r} is measured", [Fault(pointer=f"/data/{name}", detail=f"unknown {name}")])
    school = await get_school(tx.session, tx.school, lock=True)
    asked = (event.producer(), event.metric, event.level, event.window)
    if await is_followed(tx.session, school.id, asked, event.subject):
        return
    wanted_by, metric, level, window = asked
    row = FollowedRow(school_id=school.id, metric=metric, level=level, window=window, subject=event.subject, wanted_by=wanted_by)
    tx.session.add(row)
    changed(school)


async def note_changed(tx: Transaction, school: School, rows: Sequence[Sequence[int]]) -> None:
    """Remember which days of followed series have changed, and of those by which an effect was measured; a row begins with series,
    window and start.
    """
    if school.compared:
        late = {(row[0] >> WORD_BITS, row[2]) for row in rows if row[1] == Window.DAY}
        late = {(place, day) for place, day in late if day < school.compared.get(place, day)}
        await bulk.add_late(tx, [(school.id, place, day) for place, day in sorted(late)])
    if school.followed:
        days = {(row[0], row[2]) for row in rows if row[1] == Window.DAY and row[0] >> WORD_BITS in school.followed}
        await bulk.add_untold(tx, [(school.id, series, day) for series, day in sorted(days)])


async def note_terms(tx: Transaction, school_id: int, before: Calendar) -> None:
    """Terms have moved: whoever follows terms is told all of them anew, and which of the former ones are no more."""
    for row in await list_followed(tx.session, school_id):
        if WINDOWS[row.window] is Window.TERM:
            row.former = sorted({*row.former, *(term.start for term in before.terms)})
            row.told_through = -1


async def tell(tx: Transaction) -> None:
    """Tell what has changed in the school, and what is new to those who follow it since lately, until that is enough for one transaction."""
    school = await get_school(tx.session, tx.school, lock=True)
    telling = await _Telling.prepare(tx, school)
    told = 0
    while told < AT_ONCE:
        if series := await next_untold(tx.session, school.id, SERIES):
            told += STEP + await telling.tell(series, None)
        elif (new := telling.next_new()) is not None:
            series, whole = await telling.beginning(new)
            told += STEP + await telling.tell(series, new)
            new.told_through = TOLD if whole else series[-1]
            new.former = [] if whole else new.former
        else:
            break


@dataclass
class _Telling:
    """A school that is told of: who follows what, and its calendar."""

    tx: Transaction
    school: SchoolRow
    calendar: Calendar
    metrics: dict[str, MetricRow]  # by the code or alias that was asked for
    followed: Sequence[FollowedRow]
    listeners: dict[tuple[int, str | None], list[FollowedRow]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    async def prepare(cls, tx: Transaction, school: SchoolRow) -> _Telling:
        followed = await list_followed(tx.session, school.id)
        metrics = {}
        for code in {row.metric for row in followed}:
            if (metric := await find_metric(tx.session, school.id, code)) is not None:
                metrics[code] = metric
        telling = cls(tx, school, await load_calendar(tx.session, school), metrics, followed)
        for row in followed:
            if row.metric in metrics:
                telling.listeners[place_of(metrics[row.metric].id, row.level), row.subject].append(row)
        return telling

    def next_new(self) -> FollowedRow | None:
        """Whoever has not been told everything that is there; a metric that the school does not have yet is waited for."""
        return next((row for row in self.followed if row.told_through < TOLD and row.metric in self.metrics), None)

    async def beginning(self, row: FollowedRow) -> tuple[Sequence[int], bool]:
        """The next series that somebody new is told of, and whether they are the last."""
        metric_id = self.metrics[row.metric].id
        if row.subject is not None:
            word = await find_word(self.tx.session, self.school.id, row.level, row.subject)
            return ([] if word is None else [series_key(metric_id, LEVEL_CODE[row.level], word)]), True
        series = await next_series(self.tx.session, metric_id, row.level, row.told_through, SERIES)
        return series, len(series) < SERIES

    async def tell(self, series: Collection[int], new: FollowedRow | None) -> int:
        """Tell what has changed of these series to those who know of them, and everything of them to `new`."""
        days: dict[int, list[int]] = defaultdict(list)
        for key, day in await take_untold(self.tx.session, self.school.id, series):
            days[key].append(day)
        subjects = await subjects_by_series(self.tx.session, series)
        spans = {span for row, key in self._listeners(subjects, new) for span in self._spans(row, key, days[key], whole=row is new)}
        sums: dict[int, list[tuple[int, Sum]]] = defaultdict(list)
        for key, day, *numbers in sorted(set(await bulk.list_sums(self.tx, sorted(spans)))):
            sums[key].append((day, Sum(*numbers)))
        told: dict[Key, dict[tuple[str, int], Measurement]] = defaultdict(dict)
        for row, key in self._listeners(subjects, new):
            starts = None if row is new else {self.calendar.start(WINDOWS[row.window], day) for day in days[key]}
            for start, total in self._windows(row, sums[key], starts).items():
                measurement = self._measurement(row, subjects[key], start, total)
                told[row.metric, row.level, row.window][subjects[key], start] = measurement
        return sum(self._publish(key, measurements) for key, measurements in sorted(told.items()))

    def _listeners(self, subjects: dict[int, str], new: FollowedRow | None) -> Iterator[tuple[FollowedRow, int]]:
        """Who is told of which series. Who has not come to a series yet hears all of it when they do."""
        for key, subject in subjects.items():
            place = key >> WORD_BITS
            for row in (*self.listeners.get((place, None), ()), *self.listeners.get((place, subject), ())):
                if row is new or row.told_through >= key:
                    yield row, key

    def _spans(self, row: FollowedRow, key: int, days: Iterable[int], *, whole: bool) -> Iterator[tuple[int, int, int]]:
        """Series and days (from, to) that have to be added up."""
        if whole:
            yield key, *_EVER
            return
        window = WINDOWS[row.window]
        for start in {self.calendar.start(window, day) for day in days} - {None}:
            assert start is not None
            for first, after in self.calendar.days(window, start):
                yield key, first, after

    def _windows(self, row: FollowedRow, sums: Iterable[tuple[int, Sum]], starts: Collection[int | None] | None) -> dict[int, Sum]:
        """The sums of windows by their first day: of those that start on `starts`, None: of all, and of former ones that are empty now."""
        found: dict[int, Sum] = defaultdict(Sum)
        revision = 0
        for day, total in sums:
            start = self.calendar.start(WINDOWS[row.window], day)
            revision += total.revision
            if start is not None and (starts is None or start in starts):
                found[start] += total
        if starts is None and revision:
            for start in row.former:
                found.setdefault(start, Sum(revision=revision + 1))
        return dict(found)

    def _measurement(self, row: FollowedRow, subject: str, start: int, total: Sum) -> Measurement:
        return Measurement(
            subject=subject,
            start=from_day(start),
            numerator=decimal(total.numerator),
            denominator=decimal(total.denominator),
            value=value_of(total, self.metrics[row.metric].kind),
            revision=total.revision,
        )

    def _publish(self, key: Key, measurements: dict[tuple[str, int], Measurement]) -> int:
        metric, level, window = key
        for part in in_batches([measurements[at] for at in sorted(measurements)], PART):
            self.tx.publish(Measured(metric=metric, level=level, window=window, measurements=list(part)))
        return len(measurements)
