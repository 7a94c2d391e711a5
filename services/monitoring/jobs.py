"""What monitoring does by the clock."""

from datetime import timedelta

from libs.common.database import Transaction
from libs.common.service import Job
from services.monitoring.commands.effects import measure
from services.monitoring.commands.judging import judge_by_clock
from services.monitoring.commands.lessons import judge_ended
from services.monitoring.commands.packing import pack
from services.monitoring.commands.rebuilding import go_on
from services.monitoring.commands.silence import note_silence
from services.monitoring.commands.telling import tell
from services.monitoring.queries.effects import list_measuring
from services.monitoring.queries.packing import list_unpacked
from services.monitoring.queries.rebuilding import list_rebuilding
from services.monitoring.queries.schools import find_school_locked, list_closing
from services.monitoring.queries.telling import list_waiting


async def judge_what_is_due(tx: Transaction) -> None:
    """Judge the windows that have ended since the last time, what is judged daily, and lessons that are over; note what has fallen silent."""
    if (found := await find_school_locked(tx, tx.school)) is not None:
        await judge_by_clock(tx, *found)
        await judge_ended(tx, *found)
        await note_silence(tx, found[1])


JOBS = (
    Job(name="judge-by-clock", every=timedelta(seconds=5), run=judge_what_is_due, schools=list_closing),
    Job(name="rebuild", every=timedelta(seconds=0.5), run=go_on, schools=list_rebuilding),
    Job(name="pack", every=timedelta(seconds=10), run=pack, schools=list_unpacked),
    Job(name="measure-effects", every=timedelta(seconds=10), run=measure, schools=list_measuring),
    Job(name="tell-measurements", every=timedelta(seconds=2), run=tell, schools=list_waiting),
)
