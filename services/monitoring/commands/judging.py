"""Judge what is already there: when an indicator is activated, when a window closes, when terms arrive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from libs.common.database import Transaction
from services.monitoring.commands.warnings import Judged, Ledger
from services.monitoring.domain.attribution import LEVEL_CODE
from services.monitoring.domain.episodes import Indicator, Sum, in_force, judge
from services.monitoring.domain.story import closed_cause, daily_cause
from services.monitoring.domain.windows import Window
from services.monitoring.queries import bulk
from services.monitoring.queries.history import classes_taught, find_earlier
from services.monitoring.queries.lessons import find_ended
from services.monitoring.queries.schools import School, changed
from services.monitoring.queries.totals import (
    delete_totals,
    latest_closed,
    list_days,
    list_series,
    list_starts,
)
from services.monitoring.tables import IndicatorRow, MomentRow, SchoolRow

LATE = "window_close"


async def refill(tx: Transaction, school: School, watched: Iterable[tuple[str, str, Window]]) -> None:
    """Fill longer windows anew from the days: an indicator watches them from now on, or their bounds have moved."""
    for metric, level, window in watched:
        if window is Window.DAY:
            continue
        series = [key for key, _, _ in await list_series(tx.session, school.metric_ids[metric], LEVEL_CODE[level])]
        await delete_totals(tx.session, series, window)
        cells: dict[tuple[int, int], Sum] = defaultdict(Sum)
        measured: dict[tuple[int, int], int] = defaultdict(int)
        for key, day, numerator, denominator, revision, at, measured_at in await list_days(tx.session, series):
            if (start := school.calendar.start(window, day)) is not None:
                cells[key, start] += Sum(numerator, denominator, revision, at)
                measured[key, start] = max(measured[key, start], measured_at)
        rows = [
            (key, window, start, s.numerator, s.denominator, s.revision, measured[key, start]) for (key, start), s in cells.items()
        ]
        if school.rules[metric].kind == "latest":
            await bulk.add_newest(tx, [(*each, s.at) for each, s in zip(rows, cells.values(), strict=True)])
        else:
            await bulk.add_totals(tx, bulk.columns_of(rows))


async def judge_all(
    tx: Transaction, row: SchoolRow, school: School, place: tuple[str, str], code: str, cause: str, only: Indicator | None = None
) -> None:
    """Judge each subject's deciding window at (metric, level) by the version in force at the newest observation in it.

    `only`: nothing is judged by other versions.
    """
    metric, level = place
    subjects = {
        key: (word, name) for key, word, name in await list_series(tx.session, school.metric_ids[metric], LEVEL_CODE[level])
    }
    school.words.update({(level, name): word for word, name in subjects.values()})
    ledger = await Ledger.open(tx, school, {code}, {word for word, _ in subjects.values()})
    left = set(subjects)
    versions = [only] if only is not None else school.watch[place][code]
    for version in sorted(versions, key=lambda v: (v.effective_from, v.version), reverse=True):
        able = left
        if version.lesson_minutes is not None:
            ended = await find_ended(tx.session, school.id, {code}, {subjects[key][0] for key in left})
            able = {key for key in left if (code, version.version, subjects[key][0]) in ended}
        found = await find_deciding(tx, school, version, {key: subjects[key][1] for key in able})
        left -= found.keys()
        await judge_subjects(tx, ledger, subjects, found, cause, row.position)
    await ledger.write()


async def judge_subjects(
    tx: Transaction,
    ledger: Ledger,
    subjects: Mapping[int, tuple[int, str]],
    found: Mapping[int, tuple[Indicator, int, Sum]],
    cause: str,
    place: int,
) -> None:
    """Judge the windows found for series, in order of `subjects`, which maps series to word and code."""
    earlier = await find_earlier(tx, {key: (form, start) for key, (form, start, _) in found.items()})
    for key in (key for key in subjects if key in found):
        _judge(ledger, subjects[key], found[key], earlier.get(key, ()), cause, place)


async def find_deciding(
    tx: Transaction, school: School, version: Indicator, names: Mapping[int, str]
) -> dict[int, tuple[Indicator, int, Sum]]:
    """Deciding windows, with the form that judges them and their sums, of those series whose newest observation there this version
    judges. `names` are the subjects of the series.
    """
    through = school.judged_through.get((version.code, version.version), -1) if version.evaluate == LATE else None
    judged: dict[int, tuple[Indicator, int]] = {}
    for least in version.leasts:
        starts = await bulk.find_deciding(tx, sorted(names.keys() - judged.keys()), version.window, least, through)
        judged |= {key: (form, starts[key]) for key, form in (await _forms(tx, school, version, least, names, starts)).items()}
    totals = await bulk.find_totals(tx, [(key, version.window, start) for key, (_, start) in judged.items()])
    return {key: (form, start, totals[key, version.window, start]) for key, (form, start) in judged.items()}


async def _forms(
    tx: Transaction, school: School, version: Indicator, least: int, names: Mapping[int, str], starts: Mapping[int, int]
) -> dict[int, Indicator]:
    """The form with that least denominator in which a version judges each series' window (by its start), as of the newest
    observation in it; none where that is another version's, or another form's.
    """
    spans = [(key, *days) for key, start in starts.items() for days in school.calendar.days(version.window, start)]
    newest, versions = await bulk.find_newest_days(tx, spans), school.versions[version.code]
    mine = {key: newest[key] for key in starts if key in newest and in_force(versions, newest[key]) is version}
    taught: Mapping[tuple[str, int], str] = {}
    if version.overridden and version.level == "lesson":
        taught = await classes_taught(tx.session, school, version.metric, set(mine.values()))
    forms = {
        key: school.form(version, (version.level, names[key]), day, taught.get((names[key], day))) for key, day in mine.items()
    }
    return {key: form for key, form in forms.items() if form.min_denominator == least}


def _judge(
    ledger: Ledger,
    subject: tuple[int, str],
    deciding: tuple[Indicator, int, Sum],
    earlier: Sequence[Sum],
    cause: str,
    place: int,
) -> None:
    (word, name), (form, start, total) = subject, deciding
    _, step, line = judge(ledger.episode(form.code, word, start), form, start, total, earlier)
    ledger.take(Judged(form, form.level, name, word, start, total, cause, place), step, line)


async def start_closing(tx: Transaction, school: School, indicator: Indicator) -> int | None:
    """From activation on, windows that close later are judged as they close; those closed before are judged now.

    Returns the newest window that has closed by now; None where windows of the version are judged as they change.
    """
    row = await tx.session.get(IndicatorRow, (school.id, indicator.code, indicator.version))
    assert row is not None
    if indicator.evaluate == LATE:
        row.judged_through = _newest_closed(school, indicator, tx)
    elif indicator.lesson_minutes is not None:
        row.judged_through = 0
    elif indicator.daily_at is not None:
        row.judged_through = _last_due(school, indicator.daily_at, tx)
    if row.judged_through is not None:
        school.judged_through[indicator.code, indicator.version] = row.judged_through
    return row.judged_through if indicator.evaluate == LATE else None


def _newest_closed(school: School, indicator: Indicator, tx: Transaction) -> int:
    """Start of the newest window that has ended, the days of grace with it; -1 where none has."""
    newest = school.calendar.newest_closed(indicator.window, school.calendar.day_of(tx.now) - indicator.grace_days)
    return -1 if newest is None else newest


def _last_due(school: School, minute: int, tx: Transaction) -> int:
    """The last day on which that minute of the school's day has passed."""
    now = school.calendar.local(tx.now)
    today = school.calendar.day_of(tx.now)
    return today if now.hour * 60 + now.minute >= minute else today - 1


async def judge_by_clock(tx: Transaction, row: SchoolRow, school: School) -> None:
    """Judge what is due: each window of a `window_close` indicator once, after its end, in order, also those missed while
    stopped; and each `daily_at` indicator once a day.
    """
    before = dict(school.judged_through)
    for place, by_code in school.watch.items():
        for versions in by_code.values():
            for indicator in sorted(versions, key=lambda v: (v.effective_from, v.version)):
                if indicator.evaluate == LATE:
                    await _close(tx, row.position, school, *place, indicator)
                elif indicator.daily_at is not None:
                    await _judge_daily(tx, row, school, place, indicator)
    if school.judged_through != before:
        changed(row)  # other workers count late data, and must know what is closed
        school.version = row.version


async def _judge_daily(tx: Transaction, row: SchoolRow, school: School, place: tuple[str, str], indicator: Indicator) -> None:
    assert indicator.daily_at is not None
    day = _last_due(school, indicator.daily_at, tx)
    if day <= school.judged_through.get((indicator.code, indicator.version), -1):
        return
    kept = await tx.session.get(IndicatorRow, (school.id, indicator.code, indicator.version))
    assert kept is not None
    kept.judged_through = school.judged_through[indicator.code, indicator.version] = day
    story = {
        "school_id": school.id,
        "code": indicator.code,
        "version": indicator.version,
        "position": row.position,
        "subject_word": None,
    }
    tx.append(MomentRow, what="daily", start=day, **story)
    await judge_all(tx, row, school, place, indicator.code, daily_cause(indicator, day), indicator)


async def _close(tx: Transaction, position: int, school: School, metric: str, level: str, indicator: Indicator) -> None:
    through = school.judged_through.get((indicator.code, indicator.version), -1)
    newest = _newest_closed(school, indicator, tx)
    if newest <= through:
        return
    row = await tx.session.get(IndicatorRow, (school.id, indicator.code, indicator.version))
    assert row is not None
    metric_id = school.metric_ids[metric]
    starts = await list_starts(tx.session, metric_id, LEVEL_CODE[level], indicator.window, through, newest)
    story = {"school_id": school.id, "code": indicator.code, "version": indicator.version, "subject_word": None}
    tx.append(MomentRow, what="closed", position=position, start=newest, **story)
    for start in starts:
        for least in indicator.leasts:
            await _close_window(tx, position, school, (metric_id, LEVEL_CODE[level]), indicator, least, start)
    row.judged_through = newest
    school.judged_through[indicator.code, indicator.version] = newest


async def _close_window(
    tx: Transaction, position: int, school: School, place: tuple[int, int], indicator: Indicator, least: int, start: int
) -> None:
    """Judge one closed window of all subjects that have that least denominator in it, and are judged from that on."""
    closed = await latest_closed(tx.session, *place, indicator.window, start, least)
    school.words.update({(indicator.level, name): word for _, word, name, _ in closed})
    ledger = await Ledger.open(tx, school, {indicator.code}, {word for _, word, _, _ in closed})
    names, starts = {key: name for key, _, name, _ in closed}, {key: start for key, *_ in closed}
    forms = await _forms(tx, school, indicator, least, names, starts)
    earlier = await find_earlier(tx, {key: (form, start) for key, form in forms.items()})
    for key, word, name, total in closed:
        if key in forms:
            deciding = (forms[key], start, total)
            _judge(ledger, (word, name), deciding, earlier.get(key, ()), closed_cause(indicator, start), position)
    await ledger.write()
