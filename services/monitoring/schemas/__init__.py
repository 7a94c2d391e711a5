"""Bodies of monitoring's requests and answers."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from libs.common.http import Body, Exact, View
from services.monitoring.domain.episodes import SEVERITIES, Sum, decimal, value_of
from services.monitoring.domain.explaining import Contribution, formula
from services.monitoring.domain.windows import from_day
from services.monitoring.queries.conflicts import FoundConflict
from services.monitoring.queries.explaining import Explained
from services.monitoring.queries.log import Logged, instant
from services.monitoring.queries.measurements import Measurement
from services.monitoring.queries.tally import Brought
from services.monitoring.queries.trials import Breaches
from services.monitoring.tables import RebuildRow, SchoolRow, TrialRow, WarningRow

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Alias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Minutes = Annotated[int, Field(ge=0, le=1440)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Source = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Phase = Literal["before_class", "during_class", "after_class", "continuous", "periodic", "annual"]
Level = Literal["student", "teacher", "class", "homeroom", "course", "programme", "department", "lesson", "school"]
WindowName = Literal["day", "week", "month", "term", "year"]
Reference = Literal["student", "teacher", "class", "homeroom", "course", "programme", "department", "lesson"]
Severity = Literal["blue", "yellow", "orange", "red"]
Status = Literal["open", "acknowledged", "improving", "cleared", "dismissed", "withdrawn", "stale"]


class CountingRulesIn(Body):
    """How a campus system makes observations of what happened (口径); its connector keeps to it, nothing here is judged by it."""

    numerator: Words | None = Field(default=None, description="What is counted, in words.", examples=["students present"])
    denominator: Words | None = Field(default=None, description="Of what, in words.", examples=["students expected"])
    leave: Literal["no_observation"] | None = Field(default=None, description="Who is on leave is not observed at all.")
    late_present_minutes: Minutes | None = Field(default=None, description="Late by up to so many minutes counts as present.")
    grace_minutes: Minutes | None = Field(default=None, description="Handed in so long after the deadline counts as in time.")
    grace_days: Annotated[int, Field(ge=0, le=366)] | None = Field(default=None, description="The same in days.")


class MetricIn(Body):
    """A metric of a school's catalogue. Of one that is there, what is left out stays as it is; null takes it away.

    The value of `ratio` and `mean` is numerator / denominator of all observations, of `sum` and `count` the numerators added up.
    """

    code: Code
    name: str = Field(min_length=1, max_length=200, examples=["到课率"])
    grain: list[Reference] = Field(description="References that an observation of it must name; none: the school alone.")
    kind: Literal["ratio", "mean", "sum", "count", "latest"]
    unit: str | None = Field(default=None, max_length=32, examples=["%"])
    direction: Literal["higher", "lower", "band", "none"]
    alias: Alias | None = Field(default=None, description="A second code by which it is found everywhere.", examples=["C-SAT"])
    name_en: Words | None = Field(default=None, examples=["student class attendance rate"])
    phase: Phase | None = None
    counting_rules: CountingRulesIn | None = None
    owner: Words | None = Field(default=None, description="The post or unit that answers for its data.", examples=["教务处"])
    source_system: Words | None = Field(default=None, description="Where its data arise, in words.", examples=["smart classroom"])
    source: Source | None = Field(
        default=None,
        description="The one `source` that may send it; another's observations are conflicts. Null: any.",
        examples=["urn:campus:hbpt:attendance"],
    )
    active: bool = Field(default=True, description="false: observations of it are refused; what was counted stays.")


class CountingRulesView(View):
    """How a campus system makes observations of what happened (口径)."""

    numerator: str | None = None
    denominator: str | None = None
    leave: str | None = None
    late_present_minutes: int | None = None
    grace_minutes: int | None = None
    grace_days: int | None = None


class MetricView(View):
    """A metric of a school's catalogue."""

    code: str
    name: str
    grain: list[str]
    kind: str
    unit: str | None
    direction: str
    alias: str | None
    name_en: str | None
    phase: str | None
    counting_rules: CountingRulesView | None
    owner: str | None
    source_system: str | None
    source: str | None = Field(description="The one `source` that may send it; null: any.")
    active: bool


class TemplateView(View):
    """What a template brought: codes of the metrics that are new, and of those that were there by either code."""

    added: list[str]
    there: list[str]


class MeasurementView(View):
    """One window of one subject. Numbers are exact; `value` is rounded to 6 decimals, null without denominator."""

    subject: str
    start: date = Field(description="First day of the window, in the school's zone.")
    numerator: Exact
    denominator: Exact
    value: Exact | None
    revision: int = Field(description="How many observations have changed this window.")
    measured_at: datetime

    @classmethod
    def of(cls, m: Measurement, kind: str) -> Self:
        return cls(
            subject=m.subject,
            start=from_day(m.start),
            numerator=decimal(m.numerator),
            denominator=decimal(m.denominator),
            value=value_of(Sum(m.numerator, m.denominator), kind),
            revision=m.revision,
            measured_at=instant(m.measured_at),
        )


class WarningView(View):
    """One episode of (indicator, subject). Numbers are the deciding window's when it was last judged."""

    id: UUID
    indicator: str
    version: int
    metric: str
    level: str
    subject: str
    subject_name: str | None
    window: str
    start: date
    severity: Severity
    status: Status
    value: Exact | None
    numerator: Exact
    denominator: Exact
    line: Exact
    override: dict[str, str] | None = Field(
        description="The unit, `{kind: id}`, whose own line of that version it is; null: no unit's."
    )
    raised_at: datetime
    improvement: UUID | None
    revision: int = Field(description="The revision of the window that was judged last.")

    @classmethod
    def of(cls, row: WarningRow) -> "WarningView":
        numbers = {
            "value": value_of(Sum(row.numerator, row.denominator), row.kind),
            "numerator": decimal(row.numerator),
            "denominator": decimal(row.denominator),
            "line": decimal(row.line),
        }
        return WarningView(**{name: getattr(row, name) for name in WarningView.model_fields if name not in numbers}, **numbers)


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


class StepView(View):
    """One line of a warning's history."""

    at: datetime
    step: str
    by: str | None
    detail: dict[str, Any]


class WarningDetail(WarningView):
    """A warning with its history, oldest first."""

    history: list[StepView]


class EvidenceView(View):
    """One observation behind a warning, as the campus system sent it."""

    position: int = Field(description="Its place in the school's order of counting.")
    id: str
    source: str
    label: Literal["measured", "imported", "by_hand"] = Field(description="How the numbers of its source arise.")
    time: datetime
    metric: str
    numerator: Exact
    denominator: Exact
    phase: str | None
    references: dict[str, str]
    counted_at: datetime

    @classmethod
    def of(cls, o: Logged) -> Self:
        return cls(
            position=o.position,
            id=o.event,
            source=o.source,
            label=o.label,
            time=o.time,
            metric=o.metric,
            numerator=decimal(o.numerator),
            denominator=decimal(o.denominator),
            phase=o.phase,
            references=dict(o.references),
            counted_at=o.counted_at,
        )


class ContributionView(View):
    """A subject that pulls the warned value past its line; `lacks` is what it misses, or has too much, in the numerator."""

    level: str
    subject: str
    numerator: Exact
    denominator: Exact
    value: Exact | None
    lacks: Exact

    @classmethod
    def of(cls, c: Contribution, kind: str) -> "ContributionView":
        numbers = {"numerator": decimal(c.total.numerator), "denominator": decimal(c.total.denominator)}
        lacks = Decimal(round(c.weight * 1_000_000)) / 1_000_000
        return ContributionView(level=c.level, subject=c.subject, value=value_of(c.total, kind), lacks=lacks, **numbers)


class ExplanationView(View):
    """Why a warning stands: how its number is made, by which version it is judged, who contributed most, how it went before.

    `sources`: how many observations each campus system brought; `labels`: how many of them were measured, imported, entered by hand. `observations` counts them; where `whole` is false there are
    more, and contributors and sources are of the first ones.
    """

    warning: UUID
    formula: dict[Literal["zh", "en"], str]
    version: int
    override: dict[str, str] | None
    window: str
    start: date
    revision: int
    value: Exact | None
    line: Exact
    contributors: list[ContributionView]
    trend: list[MeasurementView]
    sources: dict[str, int]
    labels: dict[str, int]
    observations: int
    whole: bool

    @classmethod
    def of(cls, found: Explained) -> "ExplanationView":
        row, kind = found.row, found.row.kind
        zh, en = formula(found.indicator, row.line)
        return ExplanationView(
            warning=row.id,
            formula={"zh": zh, "en": en},
            version=row.version,
            override=row.override,
            window=row.window,
            start=row.start,
            revision=row.revision,
            value=value_of(Sum(row.numerator, row.denominator), kind),
            line=decimal(row.line),
            contributors=[ContributionView.of(each, kind) for each in found.contributors],
            trend=[MeasurementView.of(each, kind) for each in found.trend],
            sources=dict(found.sources),
            labels=dict(found.labels),
            observations=sum(found.sources.values()),
            whole=found.whole,
        )


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


class ReasonIn(Body):
    """Why."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
