"""Warning lines that are tried out before they warn."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from libs.common.http import View
from services.monitoring.domain.episodes import SEVERITIES
from services.monitoring.queries.trials import Breaches
from services.monitoring.schemas.catalogue import Severity
from services.monitoring.tables import TrialRow


class BreachesView(View):
    """Episodes of one severity: how many there were, of how many subjects, and how many of them still run."""

    severity: Severity
    episodes: int
    subjects: int
    running: int


class TrialView(View):
    """A version of an indicator in trial (试运行): what it would have warned of since `began_at`, mildest severity first.

    `ended_at` null: it runs. Of one that is over it says what had been counted by then.
    """

    indicator: str
    version: int
    name: str
    level: str
    began_at: datetime
    ended_at: datetime | None
    breaches: list[BreachesView]

    @classmethod
    def of(cls, row: TrialRow, breaches: Sequence[Breaches]) -> Self:
        shown = sorted(map(BreachesView.model_validate, breaches), key=lambda each: SEVERITIES.index(each.severity))
        said = {name: getattr(row, name) for name in ("version", "name", "level", "began_at", "ended_at")}
        return cls(indicator=row.code, **said, breaches=shown)


class SubjectBreachesView(View):
    """What a trial would have warned of one subject in one severity."""

    subject: str
    subject_name: str | None
    severity: Severity
    episodes: int
    running: bool
    first_at: datetime
    last_at: datetime
