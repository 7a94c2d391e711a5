"""The ledger of problems (问题清单、整改台账): what counts as the same problem again, and how far a unit has come with its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COLUMNS = (
    "序号",
    "问题",
    "来源",
    "责任部门",
    "责任人",
    "整改措施",
    "整改目标",
    "整改期限",
    "进展",
    "佐证",
    "验收人",
    "销号日期",
)
"""The columns of a ledger on paper and in Excel."""

PROGRESS = {
    "proposed": "待开始",
    "running": "整改中",
    "submitted": "待验收",
    "returned": "已退回",
    "verified": "已验收",
    "verified closed": "已销号",
    "dismissed closed": "预警不成立",
    "withdrawn closed": "预警已撤回",
}
"""How far a problem is, by its state, a closed one's with the reason before it."""


def same_problem(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What two rows share that are one problem: indicator and subject, or without an indicator the same words about
    the same subject of the same unit, found in the same way.
    """
    about = (row["level"], row["subject"])
    if row["indicator"] is not None:
        return ("indicator", row["indicator"], *about)
    return ("source", row["source"], row["unit"] or "", row["title"], *about)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many problems somebody answers for, and what became of them.

    `total` leaves out what was no problem: dismissed or withdrawn with its warning. `completed`: verified; `met`: verified by the due
    date; `overdue`: past the due date and not submitted; `plan_overdue`: past the plan's date and not started; `due`: past the due
    date, or completed before it.
    """

    total: int
    completed: int
    met: int
    submitted: int
    overdue: int
    plan_overdue: int
    due: int

    @property
    def completion_rate(self) -> float | None:
        return rate(self.completed, self.total)

    @property
    def met_rate(self) -> float | None:
        return rate(self.met, self.total)

    @property
    def overdue_rate(self) -> float | None:
        return rate(self.overdue, self.total)

    @property
    def on_time_rate(self) -> float | None:
        """D-RCT of the metric catalogue: verified by the due date, of those due. What is not submitted stays in the denominator."""
        return rate(self.met, self.due)


def rate(part: int, whole: int) -> float | None:
    """Rounded to 6 decimals; None where there is nothing to count."""
    return round(part / whole, 6) if whole else None
