"""What monitoring does by the clock."""

from datetime import timedelta

from libs.common.database import Transaction
from libs.common.service import Job
from services.monitoring.commands.effects import measure_all
from services.monitoring.commands.judging import judge_by_clock
from services.monitoring.commands.lessons import judge_ended
from services.monitoring.commands.packing import pack_all
from services.monitoring.commands.rebuilding import go_on
from services.monitoring.commands.silence import note_silence
from services.monitoring.commands.telling import tell_all
from services.monitoring.queries.rebuilding import list_rebuilding
from services.monitoring.queries.schools import find_school_locked, list_closing


async def judge_what_is_due(tx: Transaction) -> None:
    """Judge the windows that have ended since the last time, what is judged daily, and lessons that are over; note what has fallen silent."""
    for code in await list_closing(tx.session):
        found = await find_school_locked(tx, code)
        if found is not None:
            tx.school, tx.traceparent = code, None
            await judge_by_clock(tx, *found)
            await judge_ended(tx, *found)
            await note_silence(tx, found[1])


async def rebuild_schools(tx: Transaction) -> None:
    """Take the next part of each school that is being rebuilt."""
    for code in await list_rebuilding(tx.session):
        tx.school, tx.traceparent = code, None
        await go_on(tx, code)


JOBS = (
    Job(name="judge-by-clock", every=timedelta(seconds=5), run=judge_what_is_due),
    Job(name="rebuild", every=timedelta(seconds=0.5), run=rebuild_schools),
    Job(name="pack", every=timedelta(seconds=10), run=pack_all),
    Job(name="measure-effects", every=timedelta(seconds=10), run=measure_all),
    Job(name="tell-measurements", every=timedelta(seconds=2), run=tell_all),
)
