"""The gateway with its front on a real database, before one small service that says who reached it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Request
from sqlalchemy import MetaData
from starlette.responses import StreamingResponse

from libs.common.auth import Scope
from libs.common.database import Clock, Database
from libs.common.http import Caller, needs, service_app
from libs.common.service import Service
from services.gateway.commands.accounts import set_operator_token
from services.gateway.front import Front
from services.gateway.service import service
from services.gateway.tables import PersonRow, PostRow
from tests.service.harness import SECRET, ServiceUnderTest, running

OPERATOR = "zo_operator"
router = APIRouter()


@router.get("/who")
async def who(caller: Caller, request: Request) -> dict[str, Any]:
    return {
        "kind": caller.kind,
        "id": caller.id,
        "school": caller.school,
        "grants": [[sorted(grant.may), sorted(grant.over)] for grant in caller.grants],
        "headers": {name: value for name, value in request.headers.items() if name != "zhengai-principal"},
    }


@router.post("/change")
async def change(_: Annotated[Scope, needs("warning.handle")]) -> dict[str, Any]:
    return {}


@router.get("/stream")
async def stream(_: Annotated[Scope, needs("report.read")]) -> StreamingResponse:
    async def lines() -> AsyncIterator[bytes]:
        n = 0
        while True:
            yield f"id: {n}\n\n".encode()
            n += 1
            await asyncio.sleep(0.01)

    return StreamingResponse(lines(), media_type="text/event-stream")


monitoring = Service(name="monitoring", router=router, tables=MetaData())


class Door:
    """Clients of the front: the operator, or whoever holds a token."""

    def __init__(self, sut: ServiceUnderTest, front: Front) -> None:
        self.sut, self.front = sut, front

    def client(self, token: str | None = None, **headers: str) -> httpx.AsyncClient:
        given = headers if token is None else {"Authorization": f"Bearer {token}", **headers}
        transport = httpx.ASGITransport(self.front, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=given)

    async def operate(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        async with self.client(OPERATOR) as client:
            return await client.request(method, path, **arguments)

    async def person(self, username: str, person: str, school: str = "demo") -> None:
        """Add an account whose password is the user name twice over, to be long enough."""
        body = {"username": username, "person": person, "password": username * 2 + "0123456789"}
        answer = await self.operate("POST", "/api/v1/users", params={"school": school}, json=body)
        assert answer.status_code == 201, answer.text

    async def sign_in(self, username: str) -> str:
        form = {"username": username, "password": username * 2 + "0123456789"}
        async with self.client() as client:
            answer = await client.post("/api/v1/auth/token", data=form)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    async def appoint(self, person: str, post: str, object_: str | None = None, **span: Any) -> None:
        """Give a person of the roster a post."""
        async with self.sut.database.transaction() as tx:
            if await tx.session.get(PersonRow, ("demo", person)) is None:
                tx.session.add(PersonRow(school="demo", id=person, name=person, enabled=True, roles=[], orgs=[], active=True))
            row = PostRow(school="demo", person=person, post=post, object=object_, place="", given=None, n=0)
            row.start, row.end, row.after, row.left, row.latest = span.get("start"), span.get("end"), None, False, True
            tx.session.add(row)

    async def dismiss(self, person: str) -> None:
        """Take every post from a person."""
        from sqlalchemy import delete

        async with self.sut.database.transaction() as tx:
            await tx.session.execute(delete(PostRow).where(PostRow.person == person))


@asynccontextmanager
async def door(url: str, folder: Path, clock: Clock) -> AsyncIterator[Door]:
    """The gateway with an operator and the school `demo`."""
    async with running(service, url, folder, clock) as sut:
        upstream = service_app(monitoring, Database(f"sqlite+aiosqlite:///{folder}/monitoring.db", clock), sut.bus, SECRET)
        front = Front(sut.app, {"monitoring": upstream}, [], sut.settings)
        async with sut.database.transaction() as tx:
            await set_operator_token(tx, OPERATOR)
        here = Door(sut, front)
        answer = await here.operate("POST", "/api/v1/schools", json={"code": "demo", "name": "示范"})
        assert answer.status_code == 201, answer.text
        yield here
        await upstream.state.database.close()
