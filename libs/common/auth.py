"""Who is asking, and over what: the principal that the gateway signs and services believe.

Places are strings `kind:id` (`unit:stem`, `class:CNC101-2026S`, `student:S2023001`, `level:course`); a row is covered by a
scope when one of its places is in it. What each post may do is the gateway's table; services know permissions only.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import jwt
from jwt.types import Options
from sqlalchemy import ColumnElement, exists, true
from sqlalchemy.orm import InstrumentedAttribute

from libs.common.errors import Forbidden, Unauthorized
from libs.common.grant import EVERYWHERE, Grant

__all__ = ["EVERYWHERE", "HEADER", "LIFETIME_S", "Grant", "Principal", "Scope", "sign", "verify"]
HEADER = "zhengai-principal"
LIFETIME_S = 60


@dataclass(frozen=True, slots=True)
class Scope:
    """What of one school a permission covers; `places` None: all of it."""

    school: str
    places: frozenset[str] | None

    def covers(self, places: Iterable[str]) -> bool:
        """Whether a row that lies in `places` may be seen."""
        return self.places is None or not self.places.isdisjoint(places)

    def where(self, place: InstrumentedAttribute[str], *same_row: ColumnElement[bool]) -> ColumnElement[bool]:
        """The same as SQL: a row of the places table that belongs to the outer row and lies in this scope."""
        if self.places is None:
            return true()
        return exists().where(*same_row, place.in_(sorted(self.places)))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who, of which school, and what follows from their posts today. `id` is the roster's id for persons."""

    kind: Literal["person", "source", "operator"]
    id: str
    school: str
    grants: tuple[Grant, ...] = field(default=())

    def scope(self, permission: str) -> Scope:
        """What this permission covers. Raises Forbidden where no post gives it."""
        over = [grant.over for grant in self.grants if permission in grant.may]
        if not over:
            raise Forbidden(f"your posts do not include {permission!r}")
        places = frozenset().union(*over)
        return Scope(self.school, None if EVERYWHERE in places else places)

    def may(self, permission: str) -> bool:
        return any(permission in grant.may for grant in self.grants)


def sign(principal: Principal, audience: str, secret: bytes, now: float | None = None) -> str:
    """Return the principal as a token that only `audience` accepts, for 60 seconds. `now`: by the clock of the installation."""
    now = time.time() if now is None else now
    claims = {
        "aud": audience,
        "exp": int(now) + LIFETIME_S,
        "kind": principal.kind,
        "sub": principal.id,
        "school": principal.school,
        "grants": [[sorted(g.may), sorted(g.over)] for g in principal.grants],
    }
    return jwt.encode(claims, secret, algorithm="HS256")


def verify(token: str | None, audience: str, secret: bytes, now: float | None = None) -> Principal:
    """Return the principal. Raises Unauthorized for anything but a fresh signature of the gateway for this service.

    One that would hold much longer than a signature does comes from a wrong clock, and is none.
    """
    if token is None:
        raise Unauthorized("this service answers the gateway only")
    try:
        options: Options = {"require": ["aud", "exp", "sub"], "verify_exp": False}  # below, by the installation's clock
        claims: dict[str, Any] = jwt.decode(token, secret, algorithms=["HS256"], audience=audience, options=options)
    except jwt.InvalidTokenError as error:
        raise Unauthorized("this service answers the gateway only") from error
    now = time.time() if now is None else now
    if not now < claims["exp"] <= now + 2 * LIFETIME_S:
        raise Unauthorized("this service answers the gateway only")
    grants = tuple(Grant(frozenset(may), frozenset(over)) for may, over in claims["grants"])
    return Principal(claims["kind"], claims["sub"], claims["school"], grants)
