"""Campus systems and their keys."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter

from libs.common.auth import Scope
from libs.common.http import Cursor, Limit, Page, Read, Tx, from_cursor, needs, page
from services.gateway.commands import sources as commands
from services.gateway.queries import sources as queries
from services.gateway.schemas.accounts import KeyView, NewKeyView, NewSourceView, SourceIn, SourceView
from services.gateway.tables import SourceKeyRow, SourceRow

router = APIRouter(prefix="/api/v1/sources", tags=["sources"])
Write = Annotated[Scope, needs("source.write")]


@router.post("", status_code=201)
async def add_source(body: SourceIn, scope: Write, tx: Tx) -> NewSourceView:
    """Add a campus system. Its key is shown this once. 409 where the name is taken."""
    row, key, token = await commands.add_source(tx, scope, name=body.name, uris=body.uris, label=body.label)
    return NewSourceView(name=row.name, school=row.school, uris=row.uris, label=row.label, key_id=key.id, key=token)


@router.get("")
async def list_sources(scope: Write, session: Read, limit: Limit = 100, cursor: Cursor = None) -> Page[SourceView]:
    """List campus systems with their keys, which are named but not shown."""
    (after,) = from_cursor(cursor, str) or (None,)
    rows = await queries.list_sources(session, scope, after=after, limit=limit)
    keys = await queries.list_keys(session, scope.school, [row.name for row in rows])
    by_source: dict[str, list[SourceKeyRow]] = {}
    for key in keys:
        by_source.setdefault(key.source, []).append(key)
    return page(rows, limit, lambda row: _view(row, by_source), lambda row: (row.name,))


def _view(row: SourceRow, keys: Mapping[str, Sequence[SourceKeyRow]]) -> SourceView:
    views = [KeyView.model_validate(key) for key in keys.get(row.name, ())]
    return SourceView(name=row.name, school=row.school, uris=row.uris, label=row.label, keys=views)


@router.post("/{name}/keys", status_code=201)
async def add_key(name: str, scope: Write, tx: Tx) -> NewKeyView:
    """Give a source a new key beside the old one; 409 where it has two live keys."""
    key, token = await commands.add_key(tx, scope, name)
    return NewKeyView(id=key.id, key=token)


@router.delete("/{name}/keys/{key_id}", status_code=204)
async def revoke_key(name: str, key_id: str, scope: Write, tx: Tx) -> None:
    """Revoke one key: within two seconds nothing comes in by it."""
    await commands.revoke_keys(tx, scope, name, key_id)


@router.delete("/{name}", status_code=204)
async def revoke_keys(name: str, scope: Write, tx: Tx) -> None:
    """Revoke every key of a source; it stays listed, and may be given a new key."""
    await commands.revoke_keys(tx, scope, name)
