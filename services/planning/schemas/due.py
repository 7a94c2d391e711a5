"""Bodies of due items."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from libs.common.http import Body, View
from services.planning.schemas.improvements import Line
from services.planning.tables import DueItemRow

Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]


class DoneBody(Body):
    """That it is done: with minutes (会议记录) or evidence where the routine needs them."""

    note: Prose | None = None
    minutes: Prose | None = None
    evidence: Annotated[list[Line], Field(max_length=50)] = []


class DueItemView(View):
    """A due item. `overdue`: it is open, and its day has passed."""

    id: UUID
    routine: str
    name: str
    level: str
    per: str
    subject: str
    subject_name: str | None
    period: str
    start: date
    last: date
    due_on: date
    overdue: bool
    status: str
    needs: str
    owner: str | None
    owner_name: str | None
    owner_post: str | None
    opened_at: datetime
    done_at: datetime | None
    done_by: str | None
    note: str | None
    minutes: str | None
    evidence: list[str] | None


def due_item(row: DueItemRow, names: dict[str, str]) -> DueItemView:
    """An item as people read it."""
    said = {name: getattr(row, name) for name in DueItemView.model_fields if hasattr(row, name)}
    owner = None if row.owner is None else names.get(row.owner)
    late = row.status == "open" and row.overdue_at is not None
    return DueItemView(**said, last=row.end.fromordinal(row.end.toordinal() - 1), overdue=late, owner_name=owner)
