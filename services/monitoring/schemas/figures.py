"""How subjects stand by the indicators that judge them."""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import Field

from libs.common.http import Exact, View
from services.monitoring.domain.episodes import decimal, value_of
from services.monitoring.domain.windows import from_day
from services.monitoring.queries.figures import Figure


class FigureView(View):
    """A subject by an indicator: the newest window with data and the one before it, and the mildest line of the form that judges it.

    Without data `value` is null, which is not zero. Of a band, `line` and `clear` are its lower bounds.
    """

    subject: str
    subject_name: str | None
    indicator: str
    indicator_name: str
    version: int
    metric: str
    metric_name: str
    phase: str | None
    window: str
    comparison: str
    start: date | None = Field(description="First day of the newest window with data, in the school's zone.")
    numerator: Exact | None
    denominator: Exact | None
    value: Exact | None
    before: Exact | None = Field(description="The value of the window with data before it.")
    target: Exact | None
    line: Exact | None
    clear: Exact | None

    @classmethod
    def of(cls, figure: Figure, name: str | None) -> Self:
        i, metric = figure.watched.indicator, figure.watched.metric
        start, total = figure.newest or (None, None)
        mildest = figure.form.lines[0] if figure.form.lines and not figure.form.off else None
        return cls(
            subject=figure.subject,
            subject_name=name,
            indicator=i.code,
            indicator_name=i.name,
            version=i.version,
            metric=metric.code,
            metric_name=metric.name,
            phase=metric.phase,
            window=i.window.name.lower(),
            comparison="outside" if i.outside else "below" if i.below else "above",
            start=None if start is None else from_day(start),
            numerator=None if total is None else decimal(total.numerator),
            denominator=None if total is None else decimal(total.denominator),
            value=None if total is None else value_of(total, metric.kind),
            before=None if figure.before is None else value_of(figure.before[1], metric.kind),
            target=figure.watched.target,
            line=None if mildest is None else decimal(mildest.enter),
            clear=None if mildest is None else decimal(mildest.clear),
        )
