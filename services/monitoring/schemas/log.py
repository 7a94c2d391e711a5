"""What was counted, what was not, and counting again."""

from datetime import date, datetime
from typing import Any, Literal, Self

from pydantic import Field

from libs.common.http import View
from services.monitoring.domain.windows import from_day
from services.monitoring.queries.conflicts import FoundConflict
from services.monitoring.queries.tally import Brought
from services.monitoring.schemas.warnings import EvidenceView
from services.monitoring.tables import RebuildRow, SchoolRow


class ConflictView(View):
    """What was not counted. `why` `content`: an id came again with other content, and what was `counted` first stands; `source`: the
    metric's data come from another source alone.
    """

    source: str
    id: str
    why: Literal["content", "source"]
    found_at: datetime
    counted: EvidenceView | None = Field(description="What stands; null: a retraction, or nothing of this id.")
    refused: dict[str, Any] = Field(description="The event that was not counted, as it came.")

    @classmethod
    def of(cls, found: FoundConflict) -> Self:
        row = found.row
        counted = None if found.counted is None else EvidenceView.of(found.counted)
        return cls(source=row.source, id=row.event, why=row.why, found_at=row.found_at, counted=counted, refused=row.refused)


class RebuildView(View):
    """A rebuild of sums and stories from the log. `before` and `after`: SHA-256 of the canonical state, equal where nothing was wrong."""

    status: Literal["running", "finished"]
    done: int = Field(description="Observations added up so far.")
    of: int = Field(description="Observations to add up.")
    before: str | None
    after: str | None
    mended: int | None = Field(description="Sums that differed and were mended.")
    started_at: datetime
    finished_at: datetime | None

    @classmethod
    def of_rows(cls, row: RebuildRow, school: SchoolRow) -> "RebuildView":
        status = "running" if row.finished_at is None else "finished"
        said = {name: getattr(row, name) for name in ("done", "before", "after", "mended", "started_at", "finished_at")}
        return RebuildView(status=status, of=school.position, **said)


class BroughtView(View):
    """What a source brought on a day: `counted` and amendments are in the log; the rest says what was odd.

    `late`: observed before the day on which it came. `unknown_id`: it named an id that the roster does not know. `duplicate`:
    sent again, `conflict`: sent again with other content. `refused`: put aside, for what came over Kafka.
    """

    source: str
    day: date
    counted: int = 0
    corrected: int = 0
    retracted: int = 0
    duplicate: int = 0
    conflict: int = 0
    late: int = 0
    unknown_id: int = 0
    refused: int = 0

    @classmethod
    def of(cls, found: Brought) -> "BroughtView":
        return BroughtView(source=found.source, day=from_day(found.day), **found.events)
