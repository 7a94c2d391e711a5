"""Where a new version of a plan, a standard or an indicator comes from: what planning and standards both ask for."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from libs.common.days import Day
from libs.common.reasons import at

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
OF: dict[str, frozenset[str]] = {
    "first": frozenset(),
    "cycle": frozenset({"cycle"}),
    "period": frozenset(),
    "document": frozenset({"number", "date"}),
    "exception": frozenset({"reason"}),
}
"""What each kind of origin names."""


class Origin(BaseModel):
    """A goal or standard changes at the end of a `cycle` (closed with its diagnosis), with the `first` set-up, for a new plan `period`,
    or by a superior `document` (`number`, `date`); anything else is an `exception`, with its `reason`.

    Source: digest §1.5 "who changes what" and §13 row 38; research §10.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: Literal["first", "cycle", "period", "document", "exception"]
    cycle: Annotated[UUID | None, Field(strict=False)] = None
    number: Words | None = None
    date: Day | None = None
    reason: Words | None = None

    @model_validator(mode="after")
    def _says_what_it_must(self) -> Self:
        said = {name for name in ("cycle", "number", "date", "reason") if getattr(self, name) is not None}
        if lacking := sorted(OF[self.kind] - said):
            raise at(lacking[0], f"the origin {self.kind!r} names {' and '.join(lacking)}")
        if more := sorted(said - OF[self.kind] - {"reason"}):
            raise at(more[0], f"the origin {self.kind!r} has no {' and '.join(more)}")
        return self

    def document(self) -> dict[str, Any]:
        """The origin as it is kept."""
        return self.model_dump(mode="json", exclude_none=True)


FIRST = Origin(kind="first").document()
UNSTATED = Origin(kind="exception", reason="unstated").document()
"""What a new version has whose writer said nothing: it is found among the exceptions."""
