"""What monitoring does by the clock."""

from datetime import timedelta

from libs.common.database import Transaction
from libs.common.service import Job
from services.monitoring.commands.judging import close_windows
from services.monitoring.commands.rebuilding import go_on
from services.monitoring.queries.rebuilding import list_rebuilding
from services.monitoring.queries.schools import find_school_locked, list_closing


async def judge_closed_windows(tx: Transaction) -> None:
    """Judge the windows that have ended since the last time."""
    for code in await list_closing(tx.session):
        found = await find_school_locked(tx, code)
        if found is not None:
            tx.school, tx.traceparent = code, None
            await close_windows(tx, *found)


async def rebuild_schools(tx: Transaction) -> None:
    """Take the next part of each school that is being rebuilt."""
    for code in await list_rebuilding(tx.session):
        tx.school, tx.traceparent = code, None
        await go_on(tx, code)


JOBS = (
    Job(name="close-windows", every=timedelta(seconds=5), run=judge_closed_windows),
    Job(name="rebuild", every=timedelta(seconds=0.5), run=rebuild_schools),
)
