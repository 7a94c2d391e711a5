"""What monitoring does by the clock."""

from datetime import timedelta

from libs.common.database import Transaction
from libs.common.service import Job
from services.monitoring.commands.judging import close_windows
from services.monitoring.queries.schools import find_school_locked, list_closing


async def judge_closed_windows(tx: Transaction) -> None:
    """Judge the windows that have ended since the last time."""
    for code in await list_closing(tx.session):
        found = await find_school_locked(tx, code)
        if found is not None:
            tx.school, tx.traceparent = code, None
            await close_windows(tx, *found)


JOBS = (Job(name="close-windows", every=timedelta(seconds=5), run=judge_closed_windows),)
