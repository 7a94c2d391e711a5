"""Local accounts."""

from typing import Annotated

from fastapi import APIRouter

from libs.common.auth import Scope
from libs.common.http import Cursor, Limit, Page, Read, Tx, from_cursor, needs, page
from services.gateway.commands import accounts as commands
from services.gateway.domain.credentials import new_password
from services.gateway.queries import accounts as queries
from services.gateway.schemas.accounts import NewUserView, UserChange, UserIn, UserView

router = APIRouter(prefix="/api/v1/users", tags=["users"])
Write = Annotated[Scope, needs("user.write")]


@router.post("", status_code=201)
async def add_user(body: UserIn, scope: Write, tx: Tx) -> NewUserView:
    """Give a person of the roster an account. Without a password one is made, and shown this once."""
    made = None if body.password else new_password()
    kept = await commands.hash_password(body.password or made or "")
    row = await commands.add_account(tx, scope, username=body.username, person=body.person, password=kept)
    return NewUserView(**UserView.model_validate(row).model_dump(), password=made)


@router.get("")
async def list_users(scope: Write, session: Read, limit: Limit = 100, cursor: Cursor = None) -> Page[UserView]:
    """List the school's accounts."""
    (after,) = from_cursor(cursor, str) or (None,)
    rows = await queries.list_accounts(session, scope, after=after, limit=limit)
    return page(rows, limit, UserView.model_validate, lambda row: (row.username,))


@router.patch("/{username}")
async def change_user(username: str, body: UserChange, scope: Write, tx: Tx) -> UserView:
    """Disable or enable an account, or set another password. All its sessions end."""
    kept = await commands.hash_password(body.password) if body.password else None
    row = await commands.change_account(tx, scope, username, disabled=body.disabled, password=kept)
    return UserView.model_validate(row)
