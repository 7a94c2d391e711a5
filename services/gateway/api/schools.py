"""Schools of this installation."""

from typing import Annotated

from fastapi import APIRouter, Response

from libs.common.auth import Scope
from libs.common.http import Cursor, Limit, Page, Read, Tx, from_cursor, needs, page
from services.gateway.commands import schools as commands
from services.gateway.queries import schools as queries
from services.gateway.schemas.accounts import SchoolIn, SchoolView

router = APIRouter(prefix="/api/v1/schools", tags=["schools"])


@router.post("", status_code=201, responses={200: {"model": SchoolView, "description": "It was there, with the same content."}})
async def add_school(body: SchoolIn, _: Annotated[Scope, needs("school.write")], tx: Tx, response: Response) -> SchoolView:
    """Add a school. 200 where it is there with the same content, 409 with other content."""
    row, new = await commands.add_school(tx, **body.model_dump())
    response.status_code = 201 if new else 200
    return SchoolView.model_validate(row)


@router.get("")
async def list_schools(
    scope: Annotated[Scope, needs("school.read")], session: Read, limit: Limit = 100, cursor: Cursor = None
) -> Page[SchoolView]:
    """List the schools that the caller may see: the operator all, a person their own."""
    (after,) = from_cursor(cursor, str) or (None,)
    rows = await queries.list_schools(session, scope.school, after=after, limit=limit)
    return page(rows, limit, SchoolView.model_validate, lambda row: (row.code,))
