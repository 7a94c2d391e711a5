"""Posts (任职): who answers for what, from when until when."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from libs.common.auth import Scope
from libs.common.database import Database
from libs.common.http import Caller, Cursor, Limit, Page, Read, Tx, from_cursor, needs, page
from libs.common.uploads import described, read_upload
from services.gateway.commands import posts as commands
from services.gateway.queries import posts as queries
from services.gateway.queries.roster import named_school
from services.gateway.queries.schools import today_in
from services.gateway.schemas.roster import DelegationIn, DelegationView, FileCounts, HeldView

router = APIRouter(prefix="/api/v1/posts", tags=["master data"])
CSV_MOST = 8 * 2**20
Importer = Annotated[Scope, needs("post.write")]


async def _uploaded(request: Request, _: Importer) -> bytes:
    return await read_upload(request, ("text/csv",), CSV_MOST)


@router.put("", openapi_extra=described("text/csv"))
async def put_posts(scope: Importer, body: Annotated[bytes, Depends(_uploaded)], tx: Tx) -> FileCounts:
    """Make the school's posts what the CSV holds: `person,post,object,from,to` in UTF-8, `to` being the first day not held.

    A post that it lacks ends today; one that was delegated stays. 422 with row and column of each fault: then nothing was taken.
    """
    return FileCounts.model_validate(await commands.import_posts(tx, scope, body))


@router.get("")
async def list_posts(
    scope: Annotated[Scope, needs("roster.read")],
    session: Read,
    request: Request,
    person: str | None = None,
    post: str | None = None,
    object_: Annotated[str | None, Query(alias="object")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[HeldView]:
    """List the posts that are not over, by person. What follows from the roster (teacher, student, …) is not listed."""
    database: Database = request.app.state.database
    today = today_in(await named_school(session, scope), database.now())
    after = from_cursor(cursor, str, int)
    rows = await queries.list_posts(
        session,
        scope,
        today,
        person=person,
        post=post,
        object_=object_,
        after=None if after is None else (after[0], after[1]),
        limit=limit,
    )
    return page(rows, limit, HeldView.model_validate, lambda row: (row.person, row.id))


@router.post("/delegations", status_code=201)
async def delegate_post(
    body: DelegationIn, scope: Annotated[Scope, needs("post.delegate")], caller: Caller, tx: Tx
) -> DelegationView:
    """Lend a post that the caller holds to somebody else until a day; it is logged.

    422 where the caller does not hold it today; 409 where the other holds it already.
    """
    row = await commands.delegate(
        tx, scope, caller, post=body.post, object_=body.object, to_person=body.to_person, until=body.until
    )
    return DelegationView.model_validate(row)


@router.get("/delegations")
async def list_delegations(
    scope: Annotated[Scope, needs("post.delegate")], caller: Caller, session: Read, limit: Limit = 100, cursor: Cursor = None
) -> Page[DelegationView]:
    """List what was lent, newest first: all to whoever keeps the school's posts, to others what they gave or were given."""
    (after,) = from_cursor(cursor, int) or (None,)
    rows = await queries.list_delegations(session, scope, caller, after=after, limit=limit)
    return page(rows, limit, DelegationView.model_validate, lambda row: (row.id,))
