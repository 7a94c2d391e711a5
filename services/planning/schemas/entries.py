"""Registers as people see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

from libs.common.http import Exact, View
from services.planning.domain.budgets import yuan
from services.planning.domain.entries import ENTRIES, WAITING, Kind, Status
from services.planning.domain.goals import KEPT
from services.planning.domain.numbers import rounded
from services.planning.queries.entries import AidSum
from services.planning.schemas.guarantees import RecordView
from services.planning.tables import EntryRow, RecordRow


class EntryView(View):
    """An entry: `entry` is what was written, by its `kind`; `due` and `paid` in yuan are those of student aid."""

    id: UUID
    kind: Kind
    status: Status
    category: str | None
    owner: str | None
    due_on: date | None
    overdue: bool
    due: Exact | None
    paid: Exact | None
    paid_on: date | None
    entry: dict[str, Any]
    created_at: datetime
    created_by: str


class EntryDetail(EntryView):
    """An entry with what happened to it."""

    history: list[RecordView]


class AidView(View):
    """The aid of a kind whose day has come in a year: how many grants, how many paid in full, how many in time as well, and the rates."""

    aid: str | None
    grants: int
    in_full: int
    in_time: int
    due: Exact
    paid: Exact
    in_full_rate: Exact
    in_time_rate: Exact


class AidsView(View):
    items: list[AidView]


def entry_view(row: EntryRow, today: date) -> EntryView:
    return EntryView.model_validate(_entry(row, today))


def entry_detail(row: EntryRow, today: date, history: Sequence[RecordRow]) -> EntryDetail:
    return EntryDetail.model_validate({**_entry(row, today), "history": list(history)})


def aid_view(found: AidSum) -> AidView:
    return AidView(
        aid=found.category,
        grants=found.grants,
        in_full=found.in_full,
        in_time=found.in_time,
        due=yuan(found.due),
        paid=yuan(found.paid),
        in_full_rate=rounded(Fraction(found.in_full, found.grants)),
        in_time_rate=rounded(Fraction(found.in_time, found.grants)),
    )


def _entry(row: EntryRow, today: date) -> dict[str, Any]:
    columns = {column.key: getattr(row, column.key) for column in EntryRow.__table__.columns}
    late = row.status in WAITING and row.due_on is not None and row.due_on < today
    money = {name: None if columns[name] is None else yuan(columns[name]) for name in ("due", "paid")}
    said = ENTRIES[row.kind].model_validate(row.content, context=KEPT)
    return {**columns, **money, "overdue": late, "entry": said.model_dump(mode="python")}
