"""What improvements have changed: measured once enough windows after they were verified are over, and again when those days change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import and_, delete, or_, update

from libs.common.database import Transaction
from libs.common.events.monitoring import EffectMeasured
from libs.common.events.planning import ImprovementClosed, ImprovementReopened, ImprovementStarted, ImprovementVerified
from services.monitoring.domain.attribution import LEVEL_CODE, LEVELS, WORD_BITS, series_key
from services.monitoring.domain.effect import (
    CONFIDENCE,
    METHOD,
    MOST_PEERS,
    WINDOWS_AFTER,
    Change,
    Finding,
    Span,
    compare,
    match,
    span_after,
    span_before,
    windows_after,
)
from services.monitoring.domain.episodes import ADDITIVE, Indicator, Sum, in_force
from services.monitoring.domain.windows import from_day
from services.monitoring.queries import bulk
from services.monitoring.queries.effects import compared_places, list_due, list_improved, list_late, list_pending
from services.monitoring.queries.places import describe
from services.monitoring.queries.schools import School, changed, find_school_locked, get_school, load_calendar
from services.monitoring.queries.telling import find_word, place_of
from services.monitoring.queries.totals import list_series
from services.monitoring.tables import EffectRow, LateRow, SchoolRow, WarningRow

AT_ONCE = 5  # measured in one transaction, of all schools: they count nothing meanwhile
LOOKED_AT = 500
MOST_READ = 10_000  # subjects read in one transaction, but for what one effect takes: 20,000 take seconds


# --- what planning says ---------------------------------------------------------------------------------------------------


async def note_started(tx: Transaction, event: ImprovementStarted) -> None:
    """From now on its subject is nobody's peer, and the days before are known. Lessons do not come again: nothing is measured."""
    found = await find_school_locked(tx, tx.school)
    if found is None or await _row(tx, event.improvement) is not None:
        return
    school, day = found[1], found[1].calendar.day_of(tx.happened)
    low = await (_found(tx, school, event, day) if event.warning is None else _warned(tx, school, event.warning))
    if low is None or low.version.level == "lesson":
        return
    version, calendar = low.version, school.calendar
    span = span_before(calendar, version.window, low.began, day, version.raise_after, whole=version.kind in ADDITIVE)
    span = span or Span(low.began, low.began + 1, 1)
    row = EffectRow(
        improvement=event.improvement,
        school_id=school.id,
        warning=event.warning,
        places=low.places,
        indicator=version.code,
        version=version.version,
        place=place_of(school.metric_ids[version.metric], version.level),
        level=version.level,
        subject=low.subject,
        subject_word=low.word,
        better=low.better,
        started_on=day,
        before_from=span.since,
        before_to=span.before,
        before_windows=span.windows,
    )
    tx.session.add(row)
    await tx.session.flush()


@dataclass(frozen=True, slots=True)
class _Low:
    """What was low when an improvement was started: whose value of what, since the window `began`."""

    version: Indicator
    subject: str
    word: int
    began: int
    better: int
    places: list[str] | None = None


async def _warned(tx: Transaction, school: School, about: UUID) -> _Low | None:
    if (warning := await tx.session.get(WarningRow, about)) is None:
        return None
    version = _version(school, warning.indicator, warning.version)
    better = 1 if version.is_under(warning.line) else -1
    return _Low(version, warning.subject, warning.subject_word, warning.began, better)


async def _found(tx: Transaction, school: School, event: ImprovementStarted, day: int) -> _Low | None:
    """What people found: measured by the newest window with enough data. Of a band nobody said on which side the value was."""
    version = in_force(school.versions.get(event.indicator or "", ()), day)
    if version is None or version.outside or version.level != event.level or event.subject is None:
        return None
    if (word := await find_word(tx.session, school.id, version.level, event.subject)) is None:
        return None
    series = series_key(school.metric_ids[version.metric], LEVEL_CODE[version.level], word)
    starts = await bulk.find_deciding(tx, [series], version.window, version.min_denominator, day)
    if series not in starts:
        return None
    subject = (version.level, event.subject)
    described = await describe(tx.session, school.id, school.roster, {subject}, from_day(day), {})
    return _Low(version, event.subject, word, starts[series], 1 if version.below else -1, described[subject].places)


async def note_verified(tx: Transaction, event: ImprovementVerified) -> None:
    """From now on it is waited for enough windows to be over."""
    if (row := await _row(tx, event.improvement)) is not None and row.verified_on is None:
        row.verified_on = row.ended_on = await _day(tx)


async def note_closed(tx: Transaction, event: ImprovementClosed) -> None:
    """Closed without having been verified, it is under way no more."""
    if (row := await _row(tx, event.improvement)) is not None and row.ended_on is None:
        row.ended_on = await _day(tx)


async def note_reopened(tx: Transaction, event: ImprovementReopened) -> None:
    """It is under way again."""
    if (row := await _row(tx, event.improvement)) is not None and row.verified_on is None:
        row.ended_on = None


async def _row(tx: Transaction, improvement: UUID) -> EffectRow | None:
    return await tx.session.get(EffectRow, improvement, with_for_update=True)


async def _day(tx: Transaction) -> int:
    """The school's day on which what is handled happened."""
    return (await load_calendar(tx.session, await get_school(tx.session, tx.school))).day_of(tx.happened)


def _version(school: School, code: str, version: int) -> Indicator:
    return next(each for each in school.versions[code] if each.version == version)


# --- by the clock ---------------------------------------------------------------------------------------------------------


async def measure(tx: Transaction) -> None:
    """Measure what is due in the school, until that is enough for one transaction: a school that is held counts nothing meanwhile."""
    if (found := await find_school_locked(tx, tx.school)) is not None:
        await _take_late(tx, found[1].id)
        await _look(tx, *found)
        await _measure(tx, found[1])


async def _take_late(tx: Transaction, school_id: int) -> None:
    """What was measured by days that have changed since is due again."""
    for late in await list_late(tx.session, school_id):
        e, day = EffectRow, late.start
        held = or_(and_(e.before_from <= day, day < e.before_to), and_(e.after_from <= day, day < e.after_to))
        sql = update(e).where(e.school_id == school_id, e.place == late.place, e.after_to.is_not(None), held).values(due=True)
        await tx.session.execute(sql)
    await tx.session.execute(delete(LateRow).where(LateRow.school_id == school_id))


async def _look(tx: Transaction, row: SchoolRow, school: School) -> None:
    """See, once a day, which verified improvements have enough windows behind them."""
    today = school.calendar.day_of(tx.now)
    begun = False
    for each in await list_pending(tx.session, school.id, today, LOOKED_AT):
        each.looked_on = today
        if (span := await _span_after(tx, school, each, today)) is not None:
            each.after_from, each.after_to, each.after_windows = span.since, span.before, span.windows
            each.due = begun = True
    if begun:  # from now on whoever counts must note what changes these days
        await tx.session.flush()
        school.compared = await compared_places(tx.session, school.id)
        changed(row)
        school.version = row.version


async def _span_after(tx: Transaction, school: School, row: EffectRow, today: int) -> Span | None:
    version = _version(school, row.indicator, row.version)
    assert row.verified_on is not None
    over = today - version.grace_days
    windows = list(windows_after(school.calendar, version.window, row.verified_on, over))
    if not windows:
        return None
    sums = await bulk.list_sums(tx, [(_series(row), windows[0][0], windows[-1][1])])
    days = {day: Sum(*numbers) for _, day, *numbers in sums}
    return span_after(windows, days, version.min_denominator, version.effect_windows or WINDOWS_AFTER[version.window])


async def _measure(tx: Transaction, school: School) -> None:
    """Measure what is due, at most `AT_ONCE` effects, and no more once `MOST_READ` subjects were read."""
    measuring = _Measuring(tx, school)
    for row in await list_due(tx.session, school.id, AT_ONCE):
        if measuring.read >= MOST_READ and not measuring.has_read(row):
            return
        row.due = False
        fact = await measuring.measure(row)
        said = fact.model_dump(mode="json", exclude={"revision", "measured_at"})
        if said != row.found:
            row.found, row.revision = said, fact.revision
            tx.publish(fact, cause=f"effect|{row.improvement}|{row.revision}")


def _series(row: EffectRow) -> int:
    return row.place << WORD_BITS | row.subject_word


def _before(row: EffectRow) -> Span:
    return Span(row.before_from, row.before_to, row.before_windows)


@dataclass
class _Measuring:
    """What several effects of a school are measured by: everybody's values, read once for the same days. `read`: how many so far."""

    tx: Transaction
    school: School
    read: int = 0
    _everybody: dict[int, Sequence[int]] = field(default_factory=dict)
    _before: dict[tuple[int, int, Span], Mapping[int, Decimal]] = field(default_factory=dict)

    def has_read(self, row: EffectRow) -> bool:
        """Whether everybody's values of the days before are there already."""
        version = _version(self.school, row.indicator, row.version)
        return (row.place, version.min_denominator, _before(row)) in self._before

    async def measure(self, row: EffectRow) -> EffectMeasured:
        """Compare a subject with its peers; told as the next revision."""
        assert row.after_from is not None
        assert row.after_to is not None
        assert row.after_windows is not None
        version = _version(self.school, row.indicator, row.version)
        spans = _before(row), Span(row.after_from, row.after_to, row.after_windows)
        own = _series(row)
        before, after = [(await self._values([own], span, version, least=1)).get(own) for span in spans]
        peers = [] if before is None else await self._peers(row, version, before, *spans)
        subject = None if before is None or after is None else Change(before, after)
        return _fact(self.tx.now, row, version, (before, after), compare(subject, peers, row.better))

    async def _peers(self, row: EffectRow, version: Indicator, value: Decimal, before: Span, after: Span) -> list[Change]:
        """Those matched to the value before, on whom no improvement was under way from the span before through the span after."""
        improved = await list_improved(self.tx.session, self.school.id, row.level, before.since, after.before)
        everybody = await self._values_before(row, version, before)
        others = {key: each for key, each in everybody.items() if key & (1 << WORD_BITS) - 1 not in improved}
        matched = match(value, others)
        then = await self._values(matched, after, version, least=version.min_denominator)
        return [Change(others[key], then[key]) for key in matched if key in then][:MOST_PEERS]

    async def _values_before(self, row: EffectRow, version: Indicator, span: Span) -> Mapping[int, Decimal]:
        if (key := (row.place, version.min_denominator, span)) not in self._before:
            if row.place not in self._everybody:
                found = await list_series(self.tx.session, *divmod(row.place, len(LEVELS)))
                self._everybody[row.place] = [series for series, _, _ in found]
            self.read += len(self._everybody[row.place])
            self._before[key] = await self._values(self._everybody[row.place], span, version, least=version.min_denominator)
        return self._before[key]

    async def _values(self, series: Sequence[int], span: Span, version: Indicator, *, least: int) -> dict[int, Decimal]:
        sums = await bulk.add_up(self.tx, series, span.since, span.before, newest=version.kind == "latest")
        values = {key: span.value(total, version.kind, least) for key, total in sums.items()}
        return {key: value for key, value in values.items() if value is not None}


def _fact(
    now: datetime, row: EffectRow, version: Indicator, own: tuple[Decimal | None, Decimal | None], finding: Finding
) -> EffectMeasured:
    assert row.after_from is not None
    assert row.after_to is not None
    return EffectMeasured(
        improvement=row.improvement,
        warning=row.warning,
        indicator=row.indicator,
        metric=version.metric,
        level=row.level,
        subject=row.subject,
        window=version.window.name.lower(),
        windows=row.after_windows or 0,
        before_from=from_day(row.before_from),
        before_to=from_day(row.before_to - 1),
        after_from=from_day(row.after_from),
        after_to=from_day(row.after_to - 1),
        before=own[0],
        after=own[1],
        peers=finding.peers,
        peers_before=finding.before,
        peers_after=finding.after,
        difference=finding.difference,
        low=finding.low,
        high=finding.high,
        spread=finding.spread,
        confidence=CONFIDENCE,
        better=row.better,
        verdict=finding.verdict,
        method=METHOD,
        revision=row.revision + 1,
        measured_at=now,
    )
