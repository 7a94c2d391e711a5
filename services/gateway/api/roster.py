"""Master data: the roster of a school, taken in whole."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from libs.common.auth import Scope
from libs.common.database import Database
from libs.common.http import Caller, Read, Tx, needs
from libs.common.uploads import described, read_upload
from services.gateway.commands import roster as commands
from services.gateway.domain.roster.archive import MOST_COMPRESSED
from services.gateway.domain.roster.model import Roster
from services.gateway.domain.roster.parse import parse_roster
from services.gateway.queries import roster as queries
from services.gateway.schemas.roster import FileCounts, RosterView

router = APIRouter(prefix="/api/v1/roster", tags=["master data"])
ZIP = ("application/zip", "application/x-zip-compressed")
Importer = Annotated[Scope, needs("roster.write")]


async def _uploaded(request: Request, _: Importer) -> Roster:
    """The body as a roster, read before the transaction begins: nobody waits while it travels and is checked."""
    body = await read_upload(request, ZIP, MOST_COMPRESSED)
    return await asyncio.to_thread(parse_roster, body)


@router.put("", openapi_extra=described("application/zip"))
async def put_roster(
    scope: Importer, roster: Annotated[Roster, Depends(_uploaded)], caller: Caller, tx: Tx
) -> dict[str, FileCounts]:
    """Make the school's roster what the zip holds: OneRoster 1.2 CSV, bulk.

    What it lacks becomes inactive from today, nothing is deleted. Answers what each file brought. 422 with file, row and
    column of each fault: then nothing was taken.
    """
    counts = await commands.import_roster(tx, scope, roster, caller.id)
    return {file: FileCounts.model_validate(values) for file, values in counts.items()}


@router.get("")
async def read_roster(scope: Annotated[Scope, needs("roster.read")], session: Read, request: Request) -> RosterView:
    """How much is active of each kind, and when the last import was taken."""
    database: Database = request.app.state.database
    return RosterView.model_validate(await queries.summarise(session, scope, database.now()))
