"""What the first start creates: the operator's token, and the demo school with its accounts and sources."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import IntegrityError

from libs.common.auth import Scope
from libs.common.database import Database, Transaction
from libs.common.secret import write_private
from libs.common.settings import Settings
from services.gateway import demo_school
from services.gateway.commands.accounts import add_account, hash_password, set_operator_token
from services.gateway.commands.posts import import_posts
from services.gateway.commands.roster import import_roster
from services.gateway.commands.schools import add_school
from services.gateway.commands.sources import add_source
from services.gateway.domain.credentials import BEARER, digest, new_password, new_token
from services.gateway.domain.roster.parse import parse_roster
from services.gateway.queries.accounts import find_operator_token
from services.gateway.queries.schools import find_school, list_schools, today_in
from services.gateway.simulator import simulate

log = structlog.get_logger()
OPERATOR_TOKEN = "operator.token"  # noqa: S105 - the file's name
DEMO = "demo.json"


@asynccontextmanager
async def first_start(gateway: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Create what a first start creates, then let the simulator run."""
    database: Database = gateway.state.database
    await keep_operator_token(database, settings)
    if settings.demo:
        await create_demo(database, settings)
    simulator = await _simulator(database, settings)
    try:
        yield
    finally:
        if simulator is not None:
            simulator.cancel()
            await asyncio.gather(simulator, return_exceptions=True)


# --- the operator ----------------------------------------------------------------------------------------------------


async def keep_operator_token(database: Database, settings: Settings) -> None:
    """Make `operator.token` and the database agree.

    The file's token counts where there is a file. Without one an embedded installation gets a new token, so that a lost one
    is replaced by a restart; a cluster gets one on its first start only, written where that gateway runs.
    Raises SystemExit where the file holds no token.
    """
    path = settings.home / OPERATOR_TOKEN
    async with database.reading() as session:
        known = await find_operator_token(session)
    token = _read_token(path)
    if token is None and known is not None and not settings.embedded:
        return
    if token is not None and known is not None and known.digest == digest(token):
        return
    try:
        async with database.transaction() as tx:
            await set_operator_token(tx, token or (made := new_token("operator")))
            if token is None:
                settings.home.mkdir(parents=True, exist_ok=True)
                write_private(path, f"{made}\n".encode())
    except IntegrityError:  # another gateway of the cluster was first
        log.info("the operator's token was made elsewhere", file=str(path))


def _read_token(path: Path) -> str | None:
    if not path.exists():
        return None
    token = path.read_text().strip()
    if BEARER.fullmatch(f"Bearer {token}") is None:
        raise SystemExit(f"{path} holds no token: delete it, and the next start makes a new one")
    return token


# --- the demo school -------------------------------------------------------------------------------------------------


async def create_demo(database: Database, settings: Settings) -> None:
    """Create the demo school where there is no school yet, and write how to sign in to it."""
    async with database.reading() as session:
        if await list_schools(session, "", after=None, limit=1):
            return
    accounts = demo_school.accounts()
    passwords = {account.username: new_password() for account in accounts}
    hashes = dict(zip(passwords, await asyncio.gather(*map(hash_password, passwords.values())), strict=True))
    try:
        async with database.transaction() as tx:
            demo = await _fill(tx, accounts, passwords, hashes)
            settings.home.mkdir(parents=True, exist_ok=True)
            write_private(settings.home / DEMO, json.dumps(demo, ensure_ascii=False, indent=2).encode())
    except IntegrityError:  # another gateway of the cluster was first
        log.info("the demo school was made elsewhere")


async def _fill(
    tx: Transaction, accounts: Sequence[demo_school.Account], passwords: Mapping[str, str], hashes: Mapping[str, str]
) -> dict[str, Any]:
    """Add school, roster, posts, accounts and sources; return what `demo.json` holds."""
    code = demo_school.CODE
    school, _ = await add_school(tx, code=code, name=demo_school.NAME, timezone="Asia/Shanghai", year_start="09-01", template=None)
    scope, today = Scope(code, None), today_in(school, tx.now)
    files = demo_school.roster_files(today)
    roster = await asyncio.to_thread(lambda: parse_roster(_zip(files)))
    await import_roster(tx, scope, roster, "operator")
    await import_posts(tx, scope, demo_school.posts_csv(today).encode())
    for account in accounts:
        await add_account(tx, scope, username=account.username, person=account.person, password=hashes[account.username])
    keys = {name: (await add_source(tx, scope, name=name, uris=None, label="measured"))[2] for name in demo_school.SOURCES}
    return {
        "school": code,
        "accounts": [
            {"username": account.username, "password": passwords[account.username], "role": account.role} for account in accounts
        ],
        "sources": [{"name": name, "key": key} for name, key in keys.items()],
    }


def _zip(files: Mapping[str, str]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return body.getvalue()


async def _simulator(database: Database, settings: Settings) -> asyncio.Task[None] | None:
    """Start the simulator where this process has the demo school and its keys, and a port that is known."""
    path, token = settings.home / DEMO, settings.home / OPERATOR_TOKEN
    if not (settings.demo and settings.port and path.exists() and token.exists()):
        return None
    async with database.reading() as session:
        if await find_school(session, demo_school.CODE) is None:
            return None
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    url = f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
    return asyncio.create_task(simulate(url, json.loads(path.read_text()), token.read_text().strip()), name="demo.simulator")
