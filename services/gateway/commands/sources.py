"""Campus systems get keys, and lose them."""

import secrets
from collections.abc import Sequence
from functools import partial

from libs.common.auth import Scope
from libs.common.database import Transaction
from libs.common.errors import Conflict, NotFound
from libs.common.events.gateway import SourceAdded
from services.gateway.commands.adding import add_once
from services.gateway.domain.credentials import KEYS_MOST, digest, new_token
from services.gateway.queries.sources import count_live_keys, forget_cached_sources, get_source, list_keys
from services.gateway.tables import SourceKeyRow, SourceRow


async def add_source(
    tx: Transaction, scope: Scope, *, name: str, uris: Sequence[str] | None, label: str
) -> tuple[SourceRow, SourceKeyRow, str]:
    """Add a campus system; return it with its first key, which is shown this once. Raises Conflict where the name is taken."""
    taken = f"the source {name!r} is there already: POST /api/v1/sources/{name}/keys gives it another key"
    if await tx.session.get(SourceRow, (scope.school, name)) is not None:
        raise Conflict(taken)
    uris = list(dict.fromkeys(uris)) if uris else [f"urn:campus:{scope.school}:{name}"]
    row = SourceRow(school=scope.school, name=name, uris=uris, label=label, added_at=tx.now)
    await add_once(tx, row, taken)
    tx.publish(SourceAdded(name=name, uris=uris, label=label), school=scope.school)
    return row, *await _new_key(tx, row)


async def add_key(tx: Transaction, scope: Scope, name: str) -> tuple[SourceKeyRow, str]:
    """Give a source a second key beside the one in use. Raises Conflict where it has two."""
    row = await get_source(tx.session, scope, name)
    await tx.session.refresh(row, with_for_update=True)
    if await count_live_keys(tx.session, scope.school, name) >= KEYS_MOST:
        raise Conflict(f"the source {name!r} has two live keys: revoke one first")
    return await _new_key(tx, row)


async def _new_key(tx: Transaction, source: SourceRow) -> tuple[SourceKeyRow, str]:
    token = new_token("source")
    row = SourceKeyRow(id=secrets.token_hex(6), school=source.school, source=source.name, digest=digest(token), added_at=tx.now)
    tx.session.add(row)
    await tx.session.flush()
    return row, token


async def revoke_keys(tx: Transaction, scope: Scope, name: str, key_id: str | None = None) -> None:
    """End one key of a source, or all of them; one that has ended stays so. Raises NotFound."""
    await get_source(tx.session, scope, name)
    keys = [key for key in await list_keys(tx.session, scope.school, [name]) if key_id in {None, key.id}]
    if key_id is not None and not keys:
        raise NotFound(f"the source {name!r} has no key {key_id!r}")
    for key in keys:
        key.revoked_at = key.revoked_at or tx.now
    tx.when_committed.append(partial(forget_cached_sources, tx.database))
