"""Facts published by monitoring."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from libs.common.event import Event


class CountingRules(BaseModel):
    """How what happened becomes observations (口径): what a campus system's connector keeps to, nothing that is judged here.

    `numerator` and `denominator` say in words what is counted. `leave` `no_observation`: who is on leave is not observed; late
    by up to `late_present_minutes` counts as present; handed in up to the grace after the deadline counts as in time.
    """

    numerator: str | None = None
    denominator: str | None = None
    leave: str | None = None
    late_present_minutes: int | None = None
    grace_minutes: int | None = None
    grace_days: int | None = None


class MetricDefined(Event, type="monitoring.metric_defined", about="code"):
    """A row of a school's catalogue of metrics, the whole of it; `grain` are the references that an observation must name.

    `alias` is a second code by which it is found. `owner` answers for its data, `source_system` says where they arise;
    `source` is the one CloudEvents source that may send them, None: any. Not `active`: observations of it are refused.
    """

    code: str
    name: str
    grain: list[str]
    kind: str
    unit: str | None = None
    direction: str
    alias: str | None = None
    name_en: str | None = None
    phase: str | None = None
    counting_rules: CountingRules | None = None
    owner: str | None = None
    source_system: str | None = None
    source: str | None = None
    active: bool = True


class Measurement(BaseModel):
    """What one subject has in one window, as GET /measurements says it: exact decimals in the metric's unit, `value` None without data."""

    subject: str
    start: date
    numerator: Decimal
    denominator: Decimal
    value: Decimal | None
    revision: int


class Measured(Event, type="monitoring.measured", about="metric"):
    """Windows of a metric at a level that somebody follows (`MeasureWanted`) and that changed since they were told last; the newest
    telling of a (metric, level, window, subject, start) stands.
    """

    metric: str
    level: str
    window: str
    measurements: list[Measurement]


class WarningRaised(Event, type="monitoring.warning_raised", about="warning"):
    """A subject passed a warning line: a new episode of (indicator, subject).

    `start` is the first day of the deciding window. `value`, `numerator`, `denominator` and `line` are exact decimals in
    the metric's unit; `clear` is the value at which the episode ends; `comparison` says on which side of the line the value is,
    `below` or `above`: of a band, `line` and `clear` are the bounds of that side. `places` say where the subject belongs
    (`school:…`, `unit:…`, `course:…`, `class:…`, `student:…`, `teacher:…`, `level:…`): who may see it follows from them.
    `observed_at` is when the request that caused it was taken in, None where no single one did. `revision` says which revision
    of the window was judged: late data and corrections make further ones. `override` is the unit, `{kind: id}`, whose own line it was.
    """

    warning: UUID
    indicator: str
    indicator_name: str
    version: int
    metric: str
    level: str
    subject: str
    subject_name: str | None = None
    window: str
    start: date
    severity: str
    comparison: str
    value: Decimal
    numerator: Decimal
    denominator: Decimal
    line: Decimal
    clear: Decimal
    raised_at: AwareDatetime
    observed_at: AwareDatetime | None = None
    places: list[str]
    kind: str = "ratio"
    revision: int | None = None
    override: dict[str, str] | None = None


class WarningEscalated(Event, type="monitoring.warning_escalated", about="warning"):
    """An uncleared warning passed a worse line; severity rises, never falls.

    `comparison` says on which side the line was passed, `below` or `above`: of a band it may be another one than before. None: not told.
    """

    warning: UUID
    severity: str
    window: str
    start: date
    value: Decimal
    numerator: Decimal
    denominator: Decimal
    line: Decimal
    revision: int | None = None
    comparison: str | None = None


class WarningCleared(Event, type="monitoring.warning_cleared", about="warning"):
    """The deciding window is back over the clear line of the mildest warning line: the episode is over."""

    warning: UUID
    start: date
    value: Decimal
    numerator: Decimal
    denominator: Decimal
    revision: int | None = None


class WarningRevised(Event, type="monitoring.warning_revised", about="warning"):
    """A correction, a retraction or the roster left a warning standing, but not as it was told before.

    `status` and `severity` are what holds now: a cleared warning may stand again, a severity that only a mistake caused falls.
    `because` is `corrected`, `retracted`, `roster` or `terms`, `reason` the words given for it. `comparison` as in `WarningEscalated`.
    """

    warning: UUID
    status: str
    severity: str
    window: str
    start: date
    value: Decimal | None
    numerator: Decimal
    denominator: Decimal
    line: Decimal
    because: str
    reason: str
    revision: int | None = None
    comparison: str | None = None


class WarningStale(Event, type="monitoring.warning_stale", about="warning"):
    """Its subject has had no data for the indicator's `stale_after_days`: silence is never a recovery."""

    warning: UUID


class WarningResumed(Event, type="monitoring.warning_resumed", about="warning"):
    """A stale warning's subject has data again: it is what it was (`status`)."""

    warning: UUID
    status: str


class WarningWithdrawn(Event, type="monitoring.warning_withdrawn", about="warning"):
    """A warning that would never have been raised without what was corrected or retracted since; fields as `WarningRevised`."""

    warning: UUID
    because: str
    reason: str


class EffectMeasured(Event, type="monitoring.effect_measured", about="improvement"):
    """What a verified improvement has changed, beside peers that were as low before and were not improved; the highest `revision` of an
    improvement stands: late data and corrections make further ones. `warning` is None where people found the problem.

    `before` and `after` are the subject's values over the days from `…_from` through `…_to`, `peers_before` and `peers_after` the mean ones
    of `peers` peers: exact decimals in the metric's unit, of `sum` and `count` per window; None without data. `difference` is the
    subject's change less the peers', within `low` and `high` at the level `confidence`, `spread` the standard deviation of the peers'
    changes; None where nothing was judged. `verdict` is
    `effect`, `no_detectable_effect`, `worse` or `too_few` (not judged); `better` is 1 where a higher value is better, else -1. `windows`
    were measured afterwards, by `method` (`matched_difference_in_differences`).
    """

    improvement: UUID
    warning: UUID | None
    indicator: str
    metric: str
    level: str
    subject: str
    window: str
    windows: int
    before_from: date
    before_to: date
    after_from: date
    after_to: date
    before: Decimal | None
    after: Decimal | None
    peers: int
    peers_before: Decimal | None
    peers_after: Decimal | None
    difference: Decimal | None
    low: Decimal | None
    high: Decimal | None
    spread: Decimal | None
    confidence: Decimal
    better: int
    verdict: str
    method: str
    revision: int
    measured_at: AwareDatetime


class WarningAcknowledged(Event, type="monitoring.warning_acknowledged", about="warning"):
    """A person has seen it."""

    warning: UUID
    by: str


class WarningImproving(Event, type="monitoring.warning_improving", about="warning"):
    """The warning's improvement was started."""

    warning: UUID


class WarningDismissed(Event, type="monitoring.warning_dismissed", about="warning"):
    """A person judged the warning unfounded, with a reason."""

    warning: UUID
    by: str
    reason: str
