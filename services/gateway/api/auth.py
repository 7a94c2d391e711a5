"""Signing in and out, and who one is."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Header, Request, Response

from libs.common.database import Database
from libs.common.errors import Forbidden, Unauthorized
from libs.common.http import Caller, Read, Tx
from services.gateway.commands import accounts as commands
from services.gateway.domain.credentials import bearer
from services.gateway.queries import accounts as queries
from services.gateway.schemas.accounts import MeView, PostView, SignIn, TokenView

router = APIRouter(tags=["access"])
Authorization = Annotated[str | None, Header(include_in_schema=False)]


@router.post("/api/v1/auth/token")
async def sign_in(form: Annotated[SignIn, Form()], request: Request, response: Response) -> TokenView:
    """Sign in by name and password (OAuth2's password form); answers a bearer token.

    429 with `Retry-After` after 10 failed attempts in 15 minutes.
    """
    database: Database = request.app.state.database
    lasts = timedelta(hours=database.settings.token_hours)
    token = await commands.sign_in(database, form.username, form.password, lasts)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return TokenView(access_token=token, expires_in=int(lasts.total_seconds()))


@router.delete("/api/v1/auth/token", status_code=204)
async def sign_out(caller: Caller, tx: Tx, authorization: Authorization = None) -> None:
    """Sign out: the bearer token of this request ends."""
    if caller.kind != "person":
        raise Forbidden("the operator's token and keys of sources do not end by signing out")
    if (token := bearer(authorization)) is None:
        raise Unauthorized("no bearer token")
    await commands.sign_out(tx, token)


@router.get("/api/v1/me")
async def read_me(caller: Caller, session: Read, request: Request, authorization: Authorization = None) -> MeView:
    """Who is signed in, with the posts of today and the rights that follow from them."""
    database: Database = request.app.state.database
    me = await queries.describe(session, caller, bearer(authorization), database.now())
    over: dict[str, set[str]] = {}
    for grant in caller.grants:
        for permission in grant.may:
            over.setdefault(permission, set()).update(grant.over)
    return MeView(
        kind=caller.kind,
        id=caller.id,
        username=me.username,
        name=me.name,
        school=caller.school or None,
        posts=[PostView.model_validate(post) for post in me.posts],
        permissions={permission: sorted(places) for permission, places in sorted(over.items())},
    )
