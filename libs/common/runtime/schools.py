"""Work by the clock, school by school: what fails in one holds no other back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog
from sqlalchemy.exc import DBAPIError

from libs.common.database import Transaction
from libs.common.telemetry import JOB_FAILURES

log = structlog.get_logger()
Work = Callable[[Transaction, str], Awaitable[bool | None]]
"""What is done for a school; True: it has more to do than one transaction takes."""


async def one_by_one(tx: Transaction, service: str, job: str, schools: Sequence[str], *works: Work) -> None:
    """Do it for each school. What fails in one is undone there alone, counted as a failure of the job, and tried again the next time.

    It ends with a school that has more to do than one transaction takes: nobody is held for the work of others. Raises what keeps the
    whole transaction from going on.
    """
    for school in schools:
        tx.school = school
        try:
            async with tx.apart():
                left = [await work(tx, school) for work in works]
        except Exception as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
            JOB_FAILURES.labels(service, job).inc()
            log.exception("failed for a school; the others go on", work=f"{service}.{job}", school=school)
            continue
        if any(left):
            break
