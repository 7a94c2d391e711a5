"""Endpoints of what tasks are linked to: resolutions of the leadership, duties, projects."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from libs.common.auth import Scope
from libs.common.errors import Fault, Invalid, NotFound
from libs.common.http import Caller, Cursor, Limit, Page, Read, Tx, exact, from_cursor, needs, page
from services.planning.commands import projects
from services.planning.domain.goals import CODE
from services.planning.domain.tasks import Project
from services.planning.queries import projects as find
from services.planning.schemas.projects import DutyBody, DutyView, ProjectView, ResolutionBody, ResolutionView, project_view

router = APIRouter(tags=["tasks"])
MayRead = Annotated[Scope, needs("project.read")]
MayAssign = Annotated[Scope, needs("task.assign")]
Word = Annotated[str | None, Query(min_length=1, max_length=500)]
ProjectCode = Annotated[str, Path(pattern=CODE)]


@router.get("/resolutions")
async def list_resolutions(session: Read, scope: MayRead, limit: Limit = 100, cursor: Cursor = None) -> Page[ResolutionView]:
    """List the leadership's resolutions by number."""
    after = from_cursor(cursor, str)
    rows = await find.list_resolutions(session, scope, after=after[0] if after else None, limit=limit)
    return page(rows, limit, ResolutionView.model_validate, lambda row: (row.number,))


@router.post("/resolutions", status_code=201, responses={200: {"model": ResolutionView, "description": "It is there already."}})
async def add_resolution(body: ResolutionBody, response: Response, tx: Tx, scope: MayAssign) -> ResolutionView:
    """Keep a resolution of the leadership; 200 where it is there, 409 where one of its number says otherwise."""
    row, new = await projects.add_resolution(tx, scope, body.number, body.date, body.title)
    response.status_code = 201 if new else 200
    return ResolutionView.model_validate(row)


@router.get("/duties")
async def list_duties(
    session: Read, scope: MayRead, unit: Word = None, post: Word = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[DutyView]:
    """List duties of units and posts."""
    after = from_cursor(cursor, str)
    rows = await find.list_duties(session, scope, unit=unit, post=post, after=_id(after[0]) if after else None, limit=limit)
    return page(rows, limit, DutyView.model_validate, lambda row: (str(row.id),))


@router.post("/duties", status_code=201, responses={200: {"model": DutyView, "description": "It is there already."}})
async def add_duty(body: DutyBody, response: Response, tx: Tx, scope: MayAssign) -> DutyView:
    """Keep a duty of a unit or a post; 200 where it is there. 403 outside the caller's units."""
    row, new = await projects.add_duty(tx, scope, body.unit, body.post, body.text)
    response.status_code = 201 if new else 200
    return DutyView.model_validate(row)


@router.get("/projects", response_model=Page[ProjectView])
async def list_projects(session: Read, scope: MayRead, unit: Word = None, limit: Limit = 100, cursor: Cursor = None) -> Response:
    """List projects by code."""
    after = from_cursor(cursor, str)
    rows = await find.list_projects(session, scope, unit=unit, after=after[0] if after else None, limit=limit)
    return exact(page(rows, limit, project_view, lambda row: (row.code,)))


@router.get("/projects/{code}", response_model=ProjectView)
async def read_project(code: ProjectCode, session: Read, scope: MayRead) -> Response:
    """Read a project."""
    if (row := await find.find_project(session, scope.school, code)) is None:
        raise NotFound("there is no such project")
    return exact(project_view(row))


@router.put("/projects/{code}", response_model=ProjectView)
async def write_project(code: ProjectCode, body: Project, tx: Tx, caller: Caller, scope: MayAssign) -> Response:
    """Write a project, or write it anew. 403 outside the caller's units."""
    return exact(project_view(await projects.write_project(tx, scope, caller.id, code, body)))


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Invalid("not a cursor of this list", [Fault(pointer="/cursor", detail="of another list")]) from error
