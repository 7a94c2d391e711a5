"""The ledger of problems (问题清单、整改台账) as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from libs.common.http import View
from services.planning.domain.ledger import PROGRESS, Tally
from services.planning.domain.sources import WORDS, Source
from services.planning.domain.states import OWNERS_TURN, Status
from services.planning.tables import ImprovementRow


class LedgerRow(View):
    """A problem: 序号, 问题, 来源, 责任部门, 责任人, 整改措施, 整改目标, 整改期限, 进展, 佐证, 验收人, 销号日期, in this order, and where it stands.

    `deadline` is the plan's, before there is a plan the due date; `progress` what was last written down; `closed_on` the day in the
    school's zone. `recurs` is the number of the same problem before.
    """

    number: int
    problem: str
    source: Source
    unit: str | None
    unit_name: str | None
    owner: str | None
    owner_name: str | None
    measures: list[str]
    goal: str | None
    deadline: date
    progress: str | None
    evidence: list[str]
    verifier: str | None
    verifier_name: str | None
    closed_on: date | None
    improvement: UUID
    status: Status
    close_reason: str | None
    level: str
    subject: str
    subject_name: str | None
    indicator: str | None
    opened_on: date
    plan_due_on: date
    due_on: date
    overdue: bool
    plan_overdue: bool
    recurs: int | None


class LedgerTaken(View):
    """What a sheet brought: how many problems were opened, and how many rows say what the ledger has already."""

    opened: int
    same: int


class TallyView(View):
    """How far somebody has come with the problems that they answer for; rates between 0 and 1, None where there is nothing to count.

    What is not submitted stays in every denominator: not submitting never makes a rate better.
    """

    key: str | None
    name: str | None
    total: int
    completed: int
    met: int
    submitted: int
    overdue: int
    plan_overdue: int
    due: int
    completion_rate: float | None
    met_rate: float | None
    overdue_rate: float | None
    on_time_rate: float | None


class SummaryView(View):
    """The ledger counted by one of its columns, the most overdue first."""

    by: str
    items: list[TallyView]


@dataclass(frozen=True, slots=True)
class Around:
    """What the rows of a ledger need beside themselves: names, what was written down of their progress, numbers, the day and the zone."""

    people: Mapping[str, str]
    units: Mapping[str, str]
    progress: Mapping[UUID, Sequence[Mapping[str, Any]]]
    numbers: Mapping[UUID, int]
    today: date
    zone: ZoneInfo


def ledger_row(row: ImprovementRow, around: Around) -> LedgerRow:
    """Show a problem as a row of the ledger."""
    noted = around.progress.get(row.id, ())
    evidence = [each for note in noted for each in note["evidence"]] + (row.evidence or [])
    said = {name: getattr(row, name) for name in LedgerRow.model_fields if hasattr(row, name)}
    return LedgerRow.model_validate(
        {
            **said,
            "problem": row.title,
            "unit_name": around.units.get(row.unit or ""),
            "owner_name": around.people.get(row.owner or ""),
            "measures": row.measures or [],
            "deadline": row.deadline or row.due_on,
            "progress": noted[-1]["text"] if noted else row.done,
            "evidence": list(dict.fromkeys(evidence)),
            "verifier_name": around.people.get(row.verifier or ""),
            "closed_on": None if row.closed_at is None else row.closed_at.astimezone(around.zone).date(),
            "improvement": row.id,
            "overdue": row.status in OWNERS_TURN and row.due_on < around.today,
            "plan_overdue": row.status == Status.PROPOSED and row.plan_due_on < around.today,
            "recurs": None if row.recurs is None else around.numbers.get(row.recurs),
        }
    )


def cells(row: LedgerRow) -> list[str]:
    """The row's cells under the ledger's columns; what has several parts has them one a line."""
    stands = PROGRESS[f"{row.close_reason} closed" if row.status is Status.CLOSED else row.status]
    return [
        str(row.number),
        row.problem,
        WORDS[row.source],
        row.unit_name or row.unit or "",
        row.owner_name or row.owner or "",
        "\n".join(row.measures),
        row.goal or "",
        row.deadline.isoformat(),
        stands if row.progress is None else f"{stands}：{row.progress}",
        "\n".join(row.evidence),
        row.verifier_name or row.verifier or "",
        "" if row.closed_on is None else row.closed_on.isoformat(),
    ]


def tally_view(key: str | None, name: str | None, tally: Tally) -> TallyView:
    """Show a count with its rates."""
    fields = {field: getattr(tally, field) for field in TallyView.model_fields if hasattr(tally, field)}
    return TallyView(key=key, name=name, **fields)
