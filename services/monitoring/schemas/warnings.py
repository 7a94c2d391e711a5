"""Measurements, warnings, and what is behind them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from libs.common.http import Body, Exact, View
from services.monitoring.domain.episodes import Sum, decimal, value_of
from services.monitoring.domain.explaining import Contribution, formula
from services.monitoring.domain.windows import from_day
from services.monitoring.queries.explaining import Explained
from services.monitoring.queries.log import Logged, instant
from services.monitoring.queries.measurements import Measurement
from services.monitoring.schemas.catalogue import Severity, Status
from services.monitoring.tables import WarningRow


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


class ReasonIn(Body):
    """Why."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
