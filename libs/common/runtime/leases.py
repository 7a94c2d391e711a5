"""The right to do a kind of background work: one process at a time."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from libs.common.database import Database, LeaseRow, Transaction
from libs.common.telemetry import LEASES

LEASE_S = 10.0
RENEW_S = 3.0
CANCEL_AGAIN_S = 2.0


class LeaseLost(Exception):
    """Another process does this work now; what this one was about to write must not stand."""


class Lease:
    """The right to do one kind of background work, held by one process at a time.

    The row's times are the database's own, so a worker with a wrong clock cannot take or keep it. Where the process is
    alone by an OS lock (`alone`), whoever held the lease before is dead, and it is taken at once.
    """

    def __init__(self, database: Database, name: str, *, alone: bool) -> None:
        self._database, self.name, self.alone = database, name, alone
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self.token: int | None = None

    async def take(self) -> bool:
        """Take or renew; return whether it is held now."""
        try:
            self.token = await self._take()
        except IntegrityError:  # somebody else made the row at the same moment
            self.token = None
        return self.token is not None

    async def _take(self) -> int | None:
        async with self._database.transaction() as tx:
            now = await self._database.seconds(tx.session)
            row = await tx.session.get(LeaseRow, self.name, with_for_update=True)
            if row is None:
                row = LeaseRow(name=self.name, holder=self._holder, token=1, until=now + LEASE_S)
                tx.session.add(row)
            elif row.holder == self._holder and row.token == self.token:
                row.until = now + LEASE_S
            elif self.alone or row.until < now:
                row.holder, row.token, row.until = self._holder, row.token + 1, now + LEASE_S
            else:
                return None
            return row.token

    async def guard(self, tx: Transaction) -> None:
        """Make this transaction fail unless the lease is still held. Raises LeaseLost."""
        sql = select(LeaseRow.token).where(LeaseRow.name == self.name, LeaseRow.holder == self._holder).with_for_update()
        if self.token is None or await tx.session.scalar(sql) != self.token:
            self.token = None
            raise LeaseLost(self.name)

    async def give_back(self) -> None:
        """Let the next process take over at once."""
        if self.token is not None:
            async with self._database.transaction() as tx:
                if (row := await tx.session.get(LeaseRow, self.name)) is not None and row.holder == self._holder:
                    row.until = 0.0
            self.token = None


async def end(*tasks: asyncio.Future[None]) -> None:
    """Cancel the tasks until each has ended. Once is not enough: what a task waits for may come at the same moment as the
    cancellation, and libraries then go on as if they had not been cancelled.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at, so that nobody complains that it was not


async def hold(lease: Lease, service: str, work: Callable[[], Awaitable[None]], works: Callable[[], None]) -> None:
    """Run `work` for ever while the lease is held, and wait for the lease while it is not, which is no failure."""
    gauge = LEASES.labels(service, lease.name)
    while not await lease.take():
        gauge.set(0)
        works()
        await asyncio.sleep(RENEW_S)
    gauge.set(1)
    running = asyncio.ensure_future(work())
    try:
        while True:
            done, _ = await asyncio.wait({running}, timeout=None if lease.alone else RENEW_S)
            if done:
                running.result()
                return
            if not await lease.take():
                raise LeaseLost(lease.name)
    finally:
        gauge.set(0)
        await end(running)
        await asyncio.shield(lease.give_back())
