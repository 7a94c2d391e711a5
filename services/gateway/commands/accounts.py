"""People get accounts, sign in and sign out."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite

from libs.common.auth import Scope
from libs.common.database import Database, Transaction
from libs.common.errors import Conflict, TooManyRequests, Unauthorized, Unavailable
from services.gateway.commands.adding import add_once
from services.gateway.domain.credentials import ATTEMPTS_MOST, ATTEMPTS_SPAN, digest, new_token
from services.gateway.queries.accounts import find_account, find_operator_token, get_account, get_attempts
from services.gateway.tables import AccessTokenRow, AccountRow, AttemptRow, OperatorTokenRow

# OWASP's second recommendation for Argon2id: 19 MiB, two passes, one lane; about 20 ms.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$I5GEjcJYG1oMFl7BNE9tdg$Vib+X6++kQJPtIi7fB4lNdKAQfhriLBYE5vUsj5BpKI"
"""A hash of the same cost that no password has: an unknown name takes as long as a known one."""
HASHING_MOST = 2
WAITING_MOST = 50
_SLOTS = "gateway.hashing"


class _Slots:
    """Bounds the passwords hashed at once, and the requests that wait for it."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(HASHING_MOST)
        self.waiting = 0

    async def verify(self, kept: str, password: str) -> bool:
        if self.waiting >= WAITING_MOST:
            raise Unavailable("too many people are signing in at once", headers={"Retry-After": "2"})
        self.waiting += 1
        try:
            async with self.free:
                return await asyncio.to_thread(_matches, kept, password)
        finally:
            self.waiting -= 1


def _matches(kept: str, password: str) -> bool:
    try:
        return HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


async def sign_in(database: Database, username: str, password: str, lasts: timedelta) -> str:
    """Return a bearer token for a person.

    An attempt is counted before the password is looked at, so that guesses at the same moment are counted too. Raises
    Unauthorized, TooManyRequests after 10 failures in 15 minutes, whether the name exists or not.
    """
    async with database.transaction() as tx:
        await _count_attempt(tx, username)
    async with database.reading() as session:
        account = await find_account(session, username)
    slots: _Slots = database.memory.setdefault(_SLOTS, _Slots())
    right = await slots.verify(account.password if account else NOBODY, password)
    if not right or account is None or account.disabled:
        raise Unauthorized("the name or the password is wrong")
    async with database.transaction() as tx:
        now = await get_account(tx.session, Scope(account.school, None), username)
        if now.disabled or now.password != account.password:
            raise Unauthorized("the name or the password is wrong")
        await tx.session.execute(delete(AttemptRow).filter_by(username=username))
        token = new_token("person")
        tx.session.add(AccessTokenRow(digest=digest(token), username=username, expires_at=tx.now + lasts))
    return token


async def _count_attempt(tx: Transaction, username: str) -> None:
    dialect = sqlite if tx.is_sqlite else postgresql
    first = dialect.insert(AttemptRow).values(username=username, count=0, since=tx.now)
    await tx.session.execute(first.on_conflict_do_nothing())  # of attempts at the same moment one adds the row
    row = await get_attempts(tx.session, username)
    if row.since + ATTEMPTS_SPAN <= tx.now:
        row.count, row.since = 0, tx.now
    if row.count >= ATTEMPTS_MOST:
        seconds = int((row.since + ATTEMPTS_SPAN - tx.now).total_seconds()) + 1
        raise TooManyRequests(
            "too many failed attempts to sign in by this name: wait a little", headers={"Retry-After": str(seconds)}
        )
    row.count += 1


async def sign_out(tx: Transaction, token: str) -> None:
    """End this token."""
    await tx.session.execute(delete(AccessTokenRow).filter_by(digest=digest(token)))


async def hash_password(password: str) -> str:
    """Return what is kept of a password."""
    return await asyncio.to_thread(HASHER.hash, password)


async def add_account(tx: Transaction, scope: Scope, *, username: str, person: str, password: str) -> AccountRow:
    """Give a person of the school an account; `password` is its hash.

    Raises Conflict where the name is taken, in whichever school.
    """
    if await find_account(tx.session, username) is not None:
        raise Conflict(f"the user name {username!r} is taken")
    row = AccountRow(username=username, school=scope.school, person=person, password=password, disabled=False, added_at=tx.now)
    await add_once(tx, row, f"the user name {username!r} is taken")
    return row


async def change_account(
    tx: Transaction, scope: Scope, username: str, *, disabled: bool | None, password: str | None
) -> AccountRow:
    """Disable an account, enable it again, or give it another password (its hash); whatever changes, its sessions end."""
    row = await get_account(tx.session, scope, username)
    if disabled is not None:
        row.disabled = disabled
    if password is not None:
        row.password = password
        await tx.session.execute(delete(AttemptRow).filter_by(username=username))
    await tx.session.execute(delete(AccessTokenRow).filter_by(username=username))
    return row


async def set_operator_token(tx: Transaction, token: str) -> None:
    """Make this the operator's token; another one ends."""
    if (row := await find_operator_token(tx.session)) is None:
        row = OperatorTokenRow(id=1)
        tx.session.add(row)
    row.digest = digest(token)
    await tx.session.flush()


async def forget_old_tokens(tx: Transaction) -> None:
    """Delete tokens that have expired and attempts that no longer count."""
    await tx.session.execute(delete(AccessTokenRow).where(AccessTokenRow.expires_at <= tx.now))
    await tx.session.execute(delete(AttemptRow).where(AttemptRow.since <= tx.now - ATTEMPTS_SPAN))
