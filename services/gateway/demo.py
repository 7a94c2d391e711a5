"""What the first start creates: the operator's token, and the demo school with its accounts and sources."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import IntegrityError

from libs.common.database import Database
from libs.common.secret import write_private
from libs.common.settings import Settings
from services.gateway.commands.accounts import set_operator_token
from services.gateway.domain.credentials import BEARER, digest, new_token
from services.gateway.queries.accounts import find_operator_token

log = structlog.get_logger()
OPERATOR_TOKEN = "operator.token"  # noqa: S105 - the file's name


@asynccontextmanager
async def first_start(gateway: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Create what a first start creates, then let the simulator run."""
    database: Database = gateway.state.database
    await keep_operator_token(database, settings)
    yield


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
