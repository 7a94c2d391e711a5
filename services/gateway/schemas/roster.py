"""The roster and posts as callers see them."""

from datetime import date, datetime

from pydantic import Field

from libs.common.http import Body, View
from services.gateway.schemas.accounts import RosterId


class FileCounts(View):
    """What one file of an import brought: its rows, and how many were new, changed, or missing and so inactive."""

    rows: int
    new: int
    changed: int
    inactive: int


class RosterView(View):
    """How much is active of each kind, and the last import."""

    counts: dict[str, int]
    imported_at: datetime | None
    imported_by: str | None


class HeldView(View):
    """A post that somebody holds, from a day to before another; no day: open. `delegated_by` where it was lent."""

    person: str
    name: str | None
    post: str
    object: str | None
    start: date | None = Field(serialization_alias="from")
    end: date | None = Field(serialization_alias="to")
    delegated_by: str | None


class DelegationIn(Body):
    """A post of the caller's to lend, to whom, and the first day on which it is lent no longer."""

    post: RosterId
    object: RosterId | None = None
    to_person: RosterId
    until: date = Field(strict=False)


class DelegationView(View):
    """A post that was lent; `until` is the first day on which it is lent no longer."""

    id: int
    post: str
    object: str | None
    from_person: str
    to_person: str
    start: date = Field(serialization_alias="from")
    until: date
    at: datetime
