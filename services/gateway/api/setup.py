"""How a school is set up: the bodies, roles, cycles, reports and kinds of plans that its documents name."""

from typing import Annotated

from fastapi import APIRouter

from libs.common.auth import Scope
from libs.common.http import Caller, Read, Tx, needs
from services.gateway.commands import setup as commands
from services.gateway.domain.setup import Setup
from services.gateway.queries.roster import named_school
from services.gateway.queries.setup import find_setup
from services.gateway.schemas.setup import SetupView

router = APIRouter(prefix="/api/v1/setup", tags=["schools"])


@router.put("")
async def put_setup(body: Setup, scope: Annotated[Scope, needs("setup.write")], caller: Caller, tx: Tx) -> SetupView:
    """Set the school up anew, whole. 422 with a pointer to each part that does not hang together: then nothing changes."""
    row = await commands.put_setup(tx, scope, caller, body)
    return SetupView(content=Setup.model_validate(row.content), changed_at=row.changed_at, changed_by=row.changed_by)


@router.get("")
async def read_setup(scope: Annotated[Scope, needs("school.read")], session: Read) -> SetupView:
    """Read how the school is set up; empty where nobody has said so."""
    await named_school(session, scope)
    row = await find_setup(session, scope)
    if row is None:
        return SetupView(content=Setup())
    return SetupView(content=Setup.model_validate(row.content), changed_at=row.changed_at, changed_by=row.changed_by)
