"""What a school measures, and the words that queries are asked with."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from libs.common.http import Body, View

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
        examples=["urn:campus:demo:attendance"],
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
