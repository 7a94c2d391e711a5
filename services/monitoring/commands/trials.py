"""End trials (试运行): what they had counted stays, and nothing of them is judged or told anew."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, update

from libs.common.database import Transaction
from services.monitoring.domain.attribution import LEVEL_CODE
from services.monitoring.domain.windows import WINDOWS, Window
from services.monitoring.queries.catalogue import find_indicator, find_metric, list_watched
from services.monitoring.queries.totals import delete_totals, list_series
from services.monitoring.queries.trials import running_trials
from services.monitoring.tables import MomentRow, SchoolRow, TurnRow, WarningRow


async def end_trials(tx: Transaction, school: SchoolRow, code: str, newest: int) -> None:
    """End the trials of an indicator's versions up to `newest`, and forget the windows that they alone watched."""
    before = await list_watched(tx.session, school.id)
    trials = await running_trials(tx.session, school.id, code, newest)
    for trial in trials:
        trial.ended_at = tx.now
        await tx.session.delete(await find_indicator(tx.session, school.id, trial.story, trial.version))
        for table, of in ((TurnRow, TurnRow.indicator), (MomentRow, MomentRow.code)):
            await tx.session.execute(delete(table).where(table.school_id == school.id, of == trial.story))
        running = (WarningRow.school_id == school.id, WarningRow.indicator == trial.story, WarningRow.episode_open)
        await tx.session.execute(update(WarningRow).where(*running).values(episode_open=False, ended_place=school.position))
    if trials:
        await tx.session.flush()
        await _forget(tx, school, before - await list_watched(tx.session, school.id))


async def _forget(tx: Transaction, school: SchoolRow, watched: Collection[tuple[str, str, str]]) -> None:
    """A longer window that no indicator watches is not kept, and days always are."""
    for code, level, window in sorted(watched):
        metric = await find_metric(tx.session, school.id, code)
        if metric is not None and WINDOWS[window] is not Window.DAY:
            series = [key for key, _, _ in await list_series(tx.session, metric.id, LEVEL_CODE[level])]
            await delete_totals(tx.session, series, WINDOWS[window])
