"""What people propose to change, and what becomes of it.

Source: an improvement may change lessons, measures and dates, never goals, targets, standards, weights or its own warning line; such a
wish waits for the diagnosis of the period (digest §1.5 "who changes what", scenario 8).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from libs.common.reasons import at
from services.planning.domain.goals import Line, Part, Words

Kind = Literal["target", "goal", "standard", "weight", "line"]
Decision = Literal["accept", "reject"]
OF_INDICATORS = frozenset({"target", "line"})
OF_GOALS = frozenset({"target", "goal", "weight"})


class ProposalStatus(StrEnum):
    """`queued` waits for a diagnosis; what is accepted is the ground for a new version, and changes nothing by itself."""

    QUEUED = "queued"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Change(Part):
    """A change of a target, goal, standard, weight or warning line: `of` a goal's id or an indicator's or standard's code, `from` what it says, `to` what it should say."""

    kind: Kind
    of: Line
    old: Annotated[Words | int | float | None, Field(alias="from")] = None
    new: Annotated[Words | int | float, Field(alias="to")]
    why: Words

    @model_validator(mode="after")
    def _a_change(self) -> Change:
        if self.old is not None and said(self.old) == said(self.new):
            raise at("to", "`to` says what `from` says already")
        return self


def said(value: str | float) -> str:
    """A value as it is kept: the text, or the number as it was written."""
    return value if isinstance(value, str) else repr(value)
