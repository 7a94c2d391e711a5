"""A source that falls silent makes its warnings stale, never cleared: no data is no good news."""

from __future__ import annotations

from collections import defaultdict

from libs.common.database import Transaction
from libs.common.events.monitoring import WarningResumed, WarningStale
from services.monitoring.domain.attribution import LEVEL_CODE, series_key
from services.monitoring.domain.episodes import Indicator, in_force
from services.monitoring.queries import bulk
from services.monitoring.queries.schools import School
from services.monitoring.queries.warnings import list_standing
from services.monitoring.tables import WarningRow, WarningStepRow


async def note_silence(tx: Transaction, school: School) -> None:
    """Make warnings stale whose subject has had no data for `stale_after_days`, and those that have data again what they were.

    The days are the school's own, after the day of the newest observation; the last day of silence has to be over.
    """
    today = school.calendar.day_of(tx.now)
    codes = {code for code, versions in school.versions.items() if any(v.stale_after_days is not None for v in versions)}
    if not codes:
        return
    rows = await list_standing(tx.session, school.id, codes)
    newest = await _newest_days(tx, school, rows, today)
    for row in rows:
        version = in_force(school.versions[row.indicator], today)
        days = None if version is None else version.stale_after_days
        silent = days is not None and today - newest.get((row.indicator, row.subject_word), -1) > days
        if silent != (row.status == "stale"):
            _turn(tx, row, silent=silent)


async def _newest_days(tx: Transaction, school: School, rows: list[WarningRow], today: int) -> dict[tuple[str, int], int]:
    """The newest day with data of each warning's subject, of the metrics that its indicator watches."""
    series: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for row in rows:
        for metric in {v.metric for v in school.versions[row.indicator] if _watches(v, row)}:
            key = series_key(school.metric_ids[metric], LEVEL_CODE[row.level], row.subject_word)
            series[key].append((row.indicator, row.subject_word))
    newest: dict[tuple[str, int], int] = {}
    for id_, day in (await bulk.find_newest_days(tx, [(id_, 0, today + 2) for id_ in sorted(series)])).items():
        for about in series[id_]:
            newest[about] = max(day, newest.get(about, -1))
    return newest


def _watches(version: Indicator, row: WarningRow) -> bool:
    return version.level == row.level


def _turn(tx: Transaction, row: WarningRow, *, silent: bool) -> None:
    if silent:
        row.was, row.status = row.status, "stale"
        tx.publish(WarningStale(warning=row.id), cause=f"silent|{row.id}|{tx.now.isoformat()}")
    else:
        row.status, row.was = row.was or "open", None
        tx.publish(WarningResumed(warning=row.id, status=row.status), cause=f"resumed|{row.id}|{tx.now.isoformat()}")
    step = "stale" if silent else "resumed"
    tx.append(WarningStepRow, warning=row.id, at=tx.now, step=step, by=None, detail={"status": row.status})
